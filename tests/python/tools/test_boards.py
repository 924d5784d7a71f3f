"""qsdk build, emit-c and --remote, and the boards' examples: what they make is used as a user would."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import qsdk
from qsdk.runtime import remote
from qsdk.runtime.artifacts import EMULATORS, command
from qsdk.tools.build import build, identifier, operators_of

ROOT = Path(__file__).resolve().parents[3]
MAIN = """#include <stdio.h>
#include "qrt.h"
int main(void) { return puts(qrt_isa_name(0)) < 0 || qrt_model_input_count(NULL) != 0; }
"""


def call(*words: object, **options: object) -> str:
    """What a program prints, on both streams; it must succeed."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    result = subprocess.run([str(w) for w in words], text=True, check=False, **streams, **options)  # type: ignore[call-overload]
    assert result.returncode == 0, result.stdout
    return str(result.stdout)


def environment(**more: str) -> dict[str, str]:
    """This tree's qsdk for every process."""
    return os.environ | {"PYTHONPATH": str(ROOT), "PYTHON": sys.executable} | more


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("boards") / "digits.qsdk"
    call(sys.executable, ROOT / "examples" / "small_model.py", path, env=environment())
    return path


# ---- emit-c ----


def test_a_model_as_c_has_the_bytes_of_the_file(file: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "qsdk.tools.cli", "emit-c", file, "-o", tmp_path, "--name", "my-model"]
    call(*words, env=environment())
    (tmp_path / "main.c").write_text(
        '#include <stdint.h>\n#include <stdio.h>\n#include "my_model.h"\n'
        "int main(void) { return (uintptr_t)my_model % 64 || "
        "fwrite(my_model, 1, sizeof my_model, stdout) != MY_MODEL_SIZE; }\n"
    )
    strict = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wundef", "-Werror"]
    for compiler in (["cc", "-std=c99"], ["cc", "-std=c11"], ["c++", "-std=c++11", "-x", "c++"]):
        call(*compiler, *strict, "main.c", "my_model.c", "-o", "main", cwd=tmp_path)
        assert subprocess.run([tmp_path / "main"], capture_output=True, check=True).stdout == file.read_bytes()


def test_names_of_models_in_c() -> None:
    assert identifier("3 - x.y") == "model_3___x_y"
    assert [identifier(name) for name in ("float", "main", "_x", "floats")] == [
        "model_float",
        "model_main",
        "model__x",
        "floats",
    ]


def test_a_damaged_file_is_not_emitted(file: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.qsdk"
    bad.write_bytes(file.read_bytes()[:500])
    words = [sys.executable, "-m", "qsdk.tools.cli", "emit-c", str(bad), "-o", str(tmp_path)]
    result = subprocess.run(words, capture_output=True, text=True, env=environment(), check=False)
    assert result.returncode == 1 and "Traceback" not in result.stderr and not list(tmp_path.glob("*.c"))


# ---- build ----


@pytest.mark.slow
def test_what_is_installed_is_found_by_pkg_config_and_cmake(tmp_path: Path) -> None:
    prefix = tmp_path / "prefix"
    build("host", prefix)
    offered = {
        line.split()[2] for line in call("nm", "-D", "--defined-only", prefix / "lib" / "libqrt.so").splitlines()
    }
    header = (prefix / "include" / "qrt.h").read_text()
    assert "qrt_session_run" in offered and all(re.search(rf"\b{name}\(", header) for name in offered)
    (tmp_path / "main.c").write_text(MAIN)
    found = environment(PKG_CONFIG_PATH=str(prefix / "lib" / "pkgconfig"))
    flags = call("pkg-config", "--cflags", "--libs", "qrt", env=found).split()
    call("cc", "main.c", *flags, "-o", "shared", cwd=tmp_path)
    isa = qsdk.runtime.available_isas()[0]
    assert call(tmp_path / "shared", env=environment(LD_LIBRARY_PATH=str(prefix / "lib"))).strip() == isa
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.16)\nproject(user C CXX)\n"
        'find_package(qrt 9.0 QUIET)\nif(qrt_FOUND)\n  message(FATAL_ERROR "another version")\nendif()\n'
        "find_package(qrt 0.1 REQUIRED)\n"
        "add_executable(static main.c)\ntarget_link_libraries(static qrt::qrt)\n"
        "add_executable(cpp main.cpp)\ntarget_link_libraries(cpp qrt::qrt)\n"
    )
    (tmp_path / "main.cpp").write_text(MAIN)
    call("cmake", "-S", tmp_path, "-B", tmp_path / "made", f"-DCMAKE_PREFIX_PATH={prefix}")
    call("cmake", "--build", tmp_path / "made")
    assert call(tmp_path / "made" / "static").strip() == isa
    assert call(tmp_path / "made" / "cpp").strip() == isa


REFUSED = {
    "no toolchains/toaster.py; there are aarch64": ("toaster", "", None),
    "no toolchains/zig.py; there are aarch64": ("zig", "", None),
    "unknown toolchain 'zag'; there is zig": ("aarch64", "", "zag"),
    "toolchain=zig is for targets with an operating system": ("cortex-m4", "", "zig"),
    "cannot make the folder .*/file/below: Not a directory": ("host", "file/below", None),
}


@pytest.mark.parametrize("why", REFUSED)
def test_wrong_builds_are_refused(why: str, tmp_path: Path) -> None:
    target, folder, toolchain = REFUSED[why]
    (tmp_path / "file").touch()
    with pytest.raises(qsdk.QsdkError, match=f"^{why}"):
        build(target, tmp_path / folder, toolchain=toolchain)


def test_operators_of_a_file(file: Path) -> None:
    assert operators_of(file.read_bytes())[0] == "adaptive_avg_pool2d"


@pytest.mark.slow
def test_zig_builds_for_aarch64(file: Path, tmp_path: Path) -> None:
    pytest.importorskip("ziglang", reason="ziglang is not installed")
    build("aarch64", tmp_path, file, toolchain="zig")
    assert "identical" in call("qemu-aarch64", tmp_path / "bin" / "qrt_image")


@pytest.mark.slow
def test_the_recipe_for_a_new_board(file: Path, tmp_path: Path) -> None:
    """docs/boards.md, for a Cortex-M3 with 256 KB of flash and 64 KB of RAM that QEMU has and qsdk does not know."""
    root, name = tmp_path / "tree", "lm3s6965evb"
    unwanted = shutil.ignore_patterns("__pycache__", "*.o")
    for part in ("qsdk", "runtime_c", "toolchains"):
        shutil.copytree(ROOT / part, root / part, ignore=unwanted)
    shutil.copy(ROOT / "SConstruct", root)

    def copy(old: str, new: str, **changes: str) -> None:
        text = (root / old).read_text()
        for pattern, value in changes.items():
            text, count = re.subn(rf"(?m)^( *{pattern}\b[^:=]*[:=] *).*$", rf"\g<1>{value}", text)
            assert count == 1, pattern
        (root / new).write_text(text)

    runner = f'{{"{name}": f"{{QEMU}} {name}"}},'
    copy("toolchains/cortex-m4.py", f"toolchains/{name}.py", flags='["-mcpu=cortex-m3"],', isas="{},",
         linker_script=f'"{name}.ld",', runner=runner)  # fmt: skip
    copy("toolchains/cortex_m/mps2.ld", f"toolchains/cortex_m/{name}.ld",
         FLASH="ORIGIN = 0, LENGTH = 256K", RAM="ORIGIN = 0x20000000, LENGTH = 64K")  # fmt: skip
    known = root / "qsdk" / "runtime" / "artifacts.py"
    known.write_text(known.read_text().replace("_BOARDS = {\n", f'_BOARDS = {{\n    "{name}": "{name}",\n'))

    here = {"env": environment(PYTHONPATH=str(root)), "cwd": root}
    call(sys.executable, "-m", "qsdk.tools.cli", "build", "--target", name, "--model", file, "-o", "qrt", **here)
    assert re.search(r"ARENA_SIZE 3\d\d\d ", (root / "qrt" / "src" / "model.h").read_text())
    image = call(*EMULATORS["cortex-m3"]["mps2-an385"][:-1], name, "-kernel", root / "qrt" / "bin" / "qrt_image")
    assert "identical" in image
    call(sys.executable, "-m", "SCons", "-Q", f"target={name}", "runner", **here)
    verified = call(sys.executable, "-m", "qsdk.tools.cli", "verify", file, "--target", name, **here)
    assert f"{name}: identical" in verified


# ---- examples ----


@pytest.mark.slow
def test_bare_metal(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("build"))
    made = environment()
    folder = tmp_path / "examples" / "bare_metal"
    output = call("make", "run", f"PYTHON={sys.executable}", cwd=folder, env=made)
    lines = output.splitlines()
    assert "self-test: identical" in lines
    data = (folder / "build" / "digits.qsdk").read_bytes()
    (scores,) = qsdk.reference.run(data, np.eye(8, dtype=np.float32)[None, None])
    assert f"class {scores.argmax()}" in lines
    code = re.search(r"(\d+)\s+\d+\s+\d+\s+\d+\s+[0-9a-f]+\s+build/image.elf", output)
    assert code and int(code[1]) - len(data) < 32 * 1024


def fake_ssh(folder: Path, emulator: str = "") -> str:
    """A PATH with an ssh and an scp that stay on this machine; any other host than pi@board is unknown to them."""
    (folder / "ssh").write_text(
        '#!/bin/sh\n[ "$1" = -o ] && shift 2\n[ "$1" = pi@board ] || { echo "no route to $1" >&2; exit 255; }\nshift\n'
        f"changed=$(echo \"$*\" | sed 's|\\./qrt_run|{emulator} ./qrt_run|; s|^uname -m$|echo ${{MACHINE:-x86_64}}|')\n"
        'exec sh -c "$changed"\n'
    )
    (folder / "scp").write_text(
        '#!/bin/sh\n[ "$1" = -q ] && shift\n[ "$1" = -o ] && shift 2\nexec cp "${1#pi@board:}" "${2#pi@board:}"\n'
    )
    for name in ("ssh", "scp"):
        (folder / name).chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


@pytest.mark.slow
def test_raspberry_pi(file: Path, tmp_path: Path) -> None:
    path = fake_ssh(tmp_path, "qemu-aarch64")
    script = ROOT / "examples" / "raspberry_pi" / "deploy.sh"
    output = call(script, "pi@board", file, env=environment(PATH=path, WORK=str(tmp_path / "work")))
    assert "verified, 2 test vectors" in output and "runs 20" in output and "operator 0:" in output


# ---- remote ----


def test_remote(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", fake_ssh(tmp_path))
    before = set(Path("/tmp").glob("tmp.*"))
    assert "verified" in remote.run_remote("pi@board", file, ["--verify"]).stdout
    x = np.random.default_rng(0).random((1, 1, 8, 8), np.float32)
    np.save(tmp_path / "x.npy", x)
    result = remote.run_remote("pi@board", file, [], [tmp_path / "x.npy"], [tmp_path / "y.npy"])
    assert result.returncode == 0, result.stderr
    assert np.load(tmp_path / "y.npy").tobytes() == qsdk.reference.run(file, x)[0].tobytes()
    assert "p99" in remote.run_remote("pi@board", file, ["--repeat", "3"]).stdout
    assert remote.run_remote("pi@board", file, ["--nonsense"]).returncode == 2
    monkeypatch.chdir(tmp_path)
    shutil.copy(file, "pi@moon:file")  # for scp a file elsewhere
    assert "verified" in remote.run_remote("pi@board", Path("pi@moon:file"), ["--verify"], target="host").stdout
    assert set(Path("/tmp").glob("tmp.*")) <= before  # nothing stays there


def test_remote_says_what_went_wrong(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", fake_ssh(tmp_path))
    with pytest.raises(qsdk.QsdkError, match="no route to pi@moon"):
        remote.run_remote("pi@moon", file)
    for host in ("-oProxyCommand=x", "", "pi@board:2222", "pi@board -oProxyCommand=x", "ssh://pi@board"):
        with pytest.raises(qsdk.QsdkError, match="no host for ssh"):
            remote.run_remote(host, file)
    monkeypatch.setenv("MACHINE", "riscv64")
    with pytest.raises(qsdk.QsdkError, match="riscv64"):
        remote.run_remote("pi@board", file)


def test_qrt_run_profiles_on_a_board(file: Path) -> None:
    words = command("cortex-m4", "mps2-an386", [str(file), "--self-test", "--repeat", "2", "--profile"])
    output = call(*words)
    assert "verified, 2 test vectors" in output and "p90" in output and "cycles" in output
    assert output.count("operator ") == 17 and "conv2d qs8__dsp_2x2" in output
