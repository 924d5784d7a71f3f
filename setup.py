"""Builds the C runtime with SCons, then the cffi extension over it. Everything else is in pyproject.toml."""

import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent


IGNORED = shutil.ignore_patterns("__pycache__", "*.o", "*.a")


class BuildRuntime(build_ext):
    def run(self) -> None:
        subprocess.run([sys.executable, "-m", "SCons", "-Q", "target=host"], cwd=ROOT, check=True)
        place = ROOT if self.inplace else Path(self.build_lib)
        runner = place / "qsdk" / "runtime" / "bin" / "qrt_run"
        runner.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / "build" / "host" / "qrt_run", runner)
        for extension in self.extensions:
            extension.depends.append(str(ROOT / "build" / "host" / "libqrt.a"))
        if not self.inplace:  # qsdk build needs the sources; a source tree has its own
            source = place / "qsdk" / "runtime" / "source"
            for name in ("runtime_c", "toolchains"):
                shutil.copytree(ROOT / name, source / name, dirs_exist_ok=True, ignore=IGNORED)
            shutil.copy2(ROOT / "SConstruct", source / "SConstruct")
        super().run()


class LimitedApiWheel(bdist_wheel):
    def get_tag(self) -> tuple[str, str, str]:
        _, _, platform = super().get_tag()
        return "cp310", "abi3", platform


setup(
    cffi_modules=["qsdk/runtime/build.py:make_ffi"],
    cmdclass={"build_ext": BuildRuntime, "bdist_wheel": LimitedApiWheel},
)
