"""Builds qsdk.runtime._qrt, the cffi extension over libqrt.a; setup.py runs it after SCons has made the library.

The declarations are qrt.h's own: the header is read, its preprocessor lines are resolved by hand, and constants are
left to the compiler. measure.c is compiled into it as well.
"""

import re
from pathlib import Path

from cffi import FFI

ROOT = Path(__file__).resolve().parents[2]
INCLUDE = ROOT / "runtime_c" / "include"
MEASURE = Path(__file__).parent / "measure.c"

_MEASURE_DECLARATIONS = """
typedef struct qsdk_stopwatch { int64_t mark; int64_t cost; int64_t *spent; } qsdk_stopwatch;
qrt_status qsdk_stopwatch_run(qrt_session *session, qsdk_stopwatch *watch, qrt_error *error);
void qsdk_stopwatch_event(void *user, const qrt_event *event);
double qsdk_cycles_per_nanosecond(void);
double qsdk_peak(const char *isa);
"""


def declarations() -> str:
    """qrt.h as cffi reads it: no comments, no directives, the status list expanded, #define values as `...`."""
    header = (INCLUDE / "qrt.h").read_text()
    statuses = re.findall(r"^QRT_STATUS\((\w+), (\d+)", (INCLUDE / "qrt_status.inc").read_text(), re.M)
    header = re.sub(r"/\*.*?\*/", "", header, flags=re.S)
    header = re.sub(
        r"#define QRT_STATUS\(.*?#undef QRT_STATUS",
        "".join(f"QRT_{name} = {value}," for name, value in statuses),
        header,
        flags=re.S,
    )
    constants = re.findall(r"^#define (QRT_[A-Z_]+) +\d+", header, re.M)
    sizes = dict(re.findall(r"^#define (QRT_[A-Z_]+) +(\d+)", header, re.M))
    header = re.sub(r'#ifdef __cplusplus\n(extern "C" \{|\})\n#endif', "", header)
    header = re.sub(r"^#.*$", "", header, flags=re.M)
    header = re.sub(r"\[(QRT_[A-Z_]+)\]", lambda m: f"[{sizes[m[1]]}]", header)
    return header + "".join(f"#define {name} ...\n" for name in constants)


def builder(library: Path) -> FFI:
    ffi = FFI()
    ffi.cdef(declarations() + _MEASURE_DECLARATIONS)
    ffi.set_source(
        "qsdk.runtime._qrt",
        f'#include <string.h>\n#include "qrt.h"\n#line 1 "{MEASURE}"\n{MEASURE.read_text()}',
        include_dirs=[str(INCLUDE)],
        extra_objects=[str(library)],
        py_limited_api=True,
    )
    return ffi


def make_ffi() -> FFI:
    """Entry for setup.py's cffi_modules."""
    return builder(ROOT / "build" / "host" / "libqrt.a")
