"""Cortex-M55 with float unit; only the MVE kernels may use MVE, which flushes denormals. QEMU: MPS3, AN547."""

from cortex_m import QEMU, describe


def generate(env):
    describe(
        env,
        flags=["-mcpu=cortex-m55+nomve", "-mfloat-abi=hard"],
        linker_script="mps3_an547.ld",
        isas={"dsp": [], "mve": ["-mcpu=cortex-m55"]},
        runner={"mps3-an547": f"{QEMU} mps3-an547"},
    )


def exists(env):
    return env.WhereIs("arm-none-eabi-gcc")
