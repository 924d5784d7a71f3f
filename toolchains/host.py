"""The machine that builds. Any architecture works; those without kernels of their own run the scalar ones."""

import platform

ISAS = {
    "x86_64": {"scalar": [], "avx2": ["-mavx2"]},
    "amd64": {"scalar": [], "avx2": ["-mavx2"]},
    "aarch64": {"scalar": [], "neon": []},
    "arm64": {"scalar": [], "neon": []},
}


def generate(env):
    for tool in ("gcc", "ar", "gnulink"):
        env.Tool(tool)
    env.Replace(
        ISAS=ISAS.get(platform.machine().lower(), {"scalar": []}),
        TEST_RUNNER={"native": ""},
        HOSTED=1,
    )
    env.Append(CCFLAGS=["-fPIC"])  # libqrt.a goes into a Python extension


def exists(env):
    return True
