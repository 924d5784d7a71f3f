"""32-bit ARM with hardware floating point, Linux. Programs are static, so that QEMU needs no sysroot.

Only the NEON kernels may use NEON: it flushes denormals, and everything else computes in VFP scalars.
"""


def generate(env):
    for tool in ("gcc", "ar", "gnulink"):
        env.Tool(tool)
    env.Replace(
        CC="arm-linux-gnueabihf-gcc",
        AR="arm-linux-gnueabihf-ar",
        RANLIB="arm-linux-gnueabihf-ranlib",
        ISAS={"scalar": [], "neon": ["-mfpu=neon"]},
        REQUIRED={"cortex-a7": ["neon"], "max": ["neon"]},
        TEST_RUNNER={"cortex-a7": "qemu-arm -cpu cortex-a7", "max": "qemu-arm -cpu max"},
        HOSTED=1,
    )
    env.Append(CCFLAGS=["-march=armv7-a", "-mfpu=vfpv3-d16", "-mfloat-abi=hard"], LINKFLAGS=["-static"])


def exists(env):
    return env.WhereIs("arm-linux-gnueabihf-gcc")
