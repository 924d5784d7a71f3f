"""The machine that builds. Any architecture works; those without kernels of their own run the scalar ones."""

import platform
from pathlib import Path

X86 = {
    "scalar": [],
    "avx2": ["-mavx2"],
    "avxvnni": ["-mavx2", "-mavxvnni"],
    "avx512vnni": ["-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512vnni"],
}
ARM64 = {
    "scalar": [],
    "neon": [],
    "neondot": ["-march=armv8.2-a+fp16+dotprod"],
    "i8mm": ["-march=armv8.2-a+fp16+dotprod+i8mm"],
}
ISAS = {
    "x86_64": X86,
    "amd64": X86,
    "aarch64": ARM64,
    "arm64": ARM64,
}


# What older machines may lack, and how Linux says that this one does not.
OPTIONAL = {
    "avxvnni": {"avx_vnni"},
    "avx512vnni": {"avx512f", "avx512bw", "avx512vl", "avx512_vnni"},
    "neondot": {"asimdhp", "asimddp"},
    "i8mm": {"asimdhp", "asimddp", "i8mm"},
}


def cpu_lacks(isa):
    cpuinfo = Path("/proc/cpuinfo")
    return isa in OPTIONAL and not (cpuinfo.exists() and OPTIONAL[isa] <= set(cpuinfo.read_text().split()))


def generate(env):
    for tool in ("gcc", "ar", "gnulink"):
        env.Tool(tool)
    isas = ISAS.get(platform.machine().lower(), {"scalar": []})
    env.Replace(
        ISAS=isas,
        REQUIRED={"native": [isa for isa in isas if not cpu_lacks(isa)]},
        TEST_RUNNER={"native": ""},
        HOSTED=1,
    )
    env.Append(CCFLAGS=["-fPIC"])  # libqrt.a goes into a Python extension


def exists(env):
    return True
