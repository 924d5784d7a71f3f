"""Checks who imports whom: the arrows of ARCHITECTURE.md, for Python rooms and for the C kernels."""

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# room -> rooms of qsdk that it must not import
FORBIDDEN = {
    "qsdk/export": ["qsdk.quantization", "qsdk.nn", "qsdk.debug", "qsdk.tools"],
    "qsdk/reference": ["qsdk.quantization", "qsdk.nn", "qsdk.runtime", "qsdk.debug", "qsdk.tools"],
    "qsdk/quantization": ["qsdk.export", "qsdk.runtime", "qsdk.debug", "qsdk.tools"],
    "qsdk/nn": ["qsdk.export", "qsdk.runtime", "qsdk.debug", "qsdk.tools"],
    "qsdk/runtime": ["qsdk.export", "qsdk.quantization", "qsdk.nn", "qsdk.debug", "qsdk.tools"],
    "qsdk/debug": ["qsdk.tools"],
}
# reference operators import torch and each other alone; the interpreter is the one that knows programs
PURE = [p for p in sorted((ROOT / "qsdk/reference").glob("*.py")) if p.name not in ("__init__.py", "interpreter.py")]


def imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return found


def main() -> int:
    wrong = []
    for path in sorted((ROOT / "qsdk").rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        for module in imports(path):
            for room, banned in FORBIDDEN.items():
                inside = name.startswith(room + "/")
                lent = name == "qsdk/export/__init__.py" and module.startswith("qsdk.runtime")
                if inside and not lent and any(module == b or module.startswith(b + ".") for b in banned):
                    wrong.append(f"{name} imports {module}")
            if "cffi" in module and not name.startswith("qsdk/runtime/"):
                wrong.append(f"{name} imports {module}; only qsdk/runtime touches cffi")
            if "torch.ao" in module:
                wrong.append(f"{name} imports {module}; torch.ao is for tests alone")
            if path in PURE and module.startswith("qsdk") and not module.startswith("qsdk.reference"):
                wrong.append(f"{name} imports {module}; reference operators import torch alone")
    for path in sorted((ROOT / "runtime_c/src/kernels").rglob("*.[ch]")):
        for include in re.findall(r'#include "([^"]+)"', path.read_text()):
            if re.search(r"(model|session|status|flat|op|bind|node|verify|tensor)\.h$", include):
                wrong.append(f"{path.relative_to(ROOT)} includes {include}; kernels see neither model nor session")
    print("\n".join(sorted(set(wrong))) or "imports: every arrow as drawn")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
