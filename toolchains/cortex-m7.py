"""Cortex-M7 with single-precision float unit. QEMU: MPS2, AN500."""

from cortex_m import QEMU, describe


def generate(env):
    describe(
        env,
        flags=["-mcpu=cortex-m7", "-mfpu=fpv5-sp-d16", "-mfloat-abi=hard"],
        linker_script="mps2_an500.ld",
        isas={"dsp": []},
        runner={"mps2-an500": f"{QEMU} mps2-an500"},
    )


def exists(env):
    return env.WhereIs("arm-none-eabi-gcc")
