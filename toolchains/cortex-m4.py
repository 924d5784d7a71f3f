"""Cortex-M4 with float unit and DSP instructions, whose kernels are compiled for size: their inner loops are assembler.
QEMU: MPS2, AN386."""

from cortex_m import QEMU, describe


def generate(env):
    describe(
        env,
        flags=["-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"],
        linker_script="mps2.ld",
        isas={"dsp": ["-Os"]},
        runner={"mps2-an386": f"{QEMU} mps2-an386"},
    )


def exists(env):
    return env.WhereIs("arm-none-eabi-gcc")
