"""zig cc, of the PyPI package ziglang, instead of a target's compiler: `pip install ziglang` compiles for any target.

Programs are static, with musl. Used with a target: scons target=aarch64 toolchain=zig.
"""

import re
import sys

# What the target's compiler is called -> zig's name of the target, and the CPU on which all code may rely.
TARGETS = {
    "aarch64-linux-gnu-gcc": ("aarch64-linux-musl", "generic"),
    "arm-linux-gnueabihf-gcc": ("arm-linux-musleabihf", "generic+v7a+vfp3d16"),
}
# What gcc and zig call by different names.
FEATURES = {"fp16": "fullfp16"}


def translate(flags, cpu):
    """gcc's flags for architecture and float unit as zig's one flag for the CPU; others stay."""
    kept, features = [], []
    for flag in flags:
        architecture = re.fullmatch(r"-march=armv(\d)(?:\.(\d))?-a((?:\+\w+)*)", flag)
        if architecture:
            version = f"v{architecture[1]}{'_' + architecture[2] if architecture[2] else ''}a"
            features += [] if version in ("v7a", "v8a") else [version]
            features += [FEATURES.get(name, name) for name in architecture[3].split("+")[1:]]
        elif flag == "-mfpu=neon":
            features.append("neon")
        elif not flag.startswith(("-mfpu=", "-mfloat-abi=")):
            kept.append(flag)
    return [f"-mcpu={'+'.join([cpu, *features])}", *kept]


def generate(env):
    zig = f"{sys.executable} -m ziglang"
    target, cpu = TARGETS.get(env["CC"], (None, None))
    env.Replace(CC=f"{zig} cc", AR=f"{zig} ar", RANLIB=f"{zig} ranlib", SHLINK=f"{zig} cc", LINK=f"{zig} cc")
    # Debug builds of zig trap undefined behaviour with a runtime of its own, which a library cannot bring along.
    flags = ["-fno-sanitize=undefined", *(["-target", target] if target else [])]
    if target:
        env.Replace(ISAS={isa: translate(extra, cpu) if extra else [] for isa, extra in env["ISAS"].items()})
        env.Replace(CCFLAGS=translate(env["CCFLAGS"], cpu))
    env.Append(CCFLAGS=flags, LINKFLAGS=flags)


def exists(env):
    return True
