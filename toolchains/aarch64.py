"""64-bit ARM, Linux. Programs are static, so that QEMU needs no sysroot."""


def generate(env):
    for tool in ("gcc", "ar", "gnulink"):
        env.Tool(tool)
    env.Replace(
        CC="aarch64-linux-gnu-gcc",
        AR="aarch64-linux-gnu-ar",
        RANLIB="aarch64-linux-gnu-ranlib",
        ISAS={"scalar": [], "neon": []},
        REQUIRED=["neon"],
        TEST_RUNNER={
            "cortex-a53": "qemu-aarch64 -cpu cortex-a53",
            "cortex-a76": "qemu-aarch64 -cpu cortex-a76",
            "max": "qemu-aarch64 -cpu max",
        },
        HOSTED=1,
    )
    env.Append(CCFLAGS=["-march=armv8-a"], LINKFLAGS=["-static"])


def exists(env):
    return env.WhereIs("aarch64-linux-gnu-gcc")
