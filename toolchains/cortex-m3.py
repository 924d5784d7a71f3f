"""Cortex-M3: no float unit, no DSP instructions. QEMU: MPS2, AN385."""

from cortex_m import QEMU, describe


def generate(env):
    describe(
        env,
        flags=["-mcpu=cortex-m3"],
        linker_script="mps2.ld",
        isas={},
        runner={"mps2-an385": f"{QEMU} mps2-an385"},
    )


def exists(env):
    return env.WhereIs("arm-none-eabi-gcc")
