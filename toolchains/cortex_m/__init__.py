"""What the Cortex-M targets share: bare metal, newlib, and the board of QEMU that has this core.

Programs speak to the host through semihosting (files, arguments, exit status), so that qrt_run and the tests run on a
board as they do on Linux. startup.c is linked into every program; memory maps are in mps2.ld, mps2_an505.ld and
mps3_an547.ld, what is put where in sections.ld.
"""

FOLDER = "toolchains/cortex_m"
QEMU = "qemu-system-arm -display none -monitor none -serial none -semihosting-config enable=on,target=native -machine"


def describe(env, flags, linker_script, isas, runner):
    """Fills a target in.

    flags: the core and its float unit, for compiler and linker. isas: instruction sets with the flags of their kernels.
    runner: the emulator's name in qsdk.runtime.artifacts and its command.
    """
    for tool in ("gcc", "ar", "gnulink"):
        env.Tool(tool)
    prefix = "arm-none-eabi-"
    env.Replace(
        CC=f"{prefix}gcc",
        AR=f"{prefix}ar",
        RANLIB=f"{prefix}ranlib",
        PROGSUFFIX="",
        ISAS={"scalar": []} | isas,
        REQUIRED={name: list(isas) for name in runner},
        TEST_RUNNER=runner,
        HOSTED=0,
        COMPACT=1,
        STARTUP=[f"{FOLDER}/startup.c", f"{FOLDER}/semihosting.c"],
        BOARD=[f"{FOLDER}/{name}" for name in ("startup.c", "board.h", "sections.ld", linker_script)],
    )
    env.Append(
        CCFLAGS=["-mthumb", *flags],
        LINKFLAGS=["-mthumb", *flags, "--specs=rdimon.specs", "-nostartfiles", f"-L{FOLDER}", f"-T{linker_script}"],
    )
