"""Cortex-M33 with float unit and DSP instructions. QEMU: MPS2, AN505."""

from cortex_m import QEMU, describe


def generate(env):
    describe(
        env,
        flags=["-mcpu=cortex-m33", "-mfpu=fpv5-sp-d16", "-mfloat-abi=hard"],
        linker_script="mps2_an505.ld",
        isas={"dsp": []},
        runner={"mps2-an505": f"{QEMU} mps2-an505"},
    )


def exists(env):
    return env.WhereIs("arm-none-eabi-gcc")
