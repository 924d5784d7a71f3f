"""64-bit ARM, Linux. Programs are static, so that QEMU needs no sysroot."""

ISAS = {
    "scalar": [],
    "neon": [],
    "neondot": ["-march=armv8.2-a+fp16+dotprod"],
    "i8mm": ["-march=armv8.2-a+fp16+dotprod+i8mm"],
}


def generate(env):
    for tool in ("gcc", "ar", "gnulink"):
        env.Tool(tool)
    env.Replace(
        CC="aarch64-linux-gnu-gcc",
        AR="aarch64-linux-gnu-ar",
        RANLIB="aarch64-linux-gnu-ranlib",
        ISAS=ISAS,
        REQUIRED={"cortex-a53": ["neon"], "cortex-a76": ["neondot"], "max": ["i8mm"]},
        TEST_RUNNER={
            "cortex-a53": "qemu-aarch64 -cpu cortex-a53",
            "cortex-a76": "qemu-aarch64 -cpu cortex-a76",
            "max": "qemu-aarch64 -cpu max",
        },
        HOSTED=1,
    )
    # Tables that only an exception would need are a tenth of the library.
    env.Append(
        CCFLAGS=["-march=armv8-a", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables"], LINKFLAGS=["-static"]
    )


def exists(env):
    return env.WhereIs("aarch64-linux-gnu-gcc")
