"""The definitions of torchvision and timm through graph mode, with random weights; docs/models.md has the table.

.venv/bin/python tests/python/real_models.py
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
import time
import types
import warnings
from dataclasses import dataclass, replace

import torch
from torch import nn

import qsdk
import qsdk.nn.quantized as nnq
import qsdk.quantization as tq
from qsdk.export import to_bytes
from qsdk.quantization.quantize_fx import convert_fx, prepare_fx

# Name, and the side of the images: small where the architecture allows.
MODELS = {
    "torchvision": {
        "mobilenet_v2": 64, "resnet18": 64, "mobilenet_v3_small": 64, "squeezenet1_1": 64, "shufflenet_v2_x1_0": 64,
        "googlenet": 64, "efficientnet_b0": 64,
    },
    "timm": {
        "resnet18": 64, "mobilenetv3_small_100": 64, "efficientnet_lite0": 64, "ghostnet_100": 64, "mnasnet_small": 64,
        "regnetx_002": 64, "convnext_atto": 64, "mobilevit_xxs": 64, "vit_tiny_patch16_224": 224, "levit_128s": 224,
        "repvgg_a0": 64, "edgenext_xx_small": 64, "mobilenetv4_conv_small": 64, "fastvit_t8": 64, "tinynet_e": 64,
    },
}  # fmt: skip


class _Anything(type):
    def __getattr__(cls, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Anything(name, (), {})


class _Absent(types.ModuleType):
    """Stands for a module that torchvision and timm import for images and files, which no model needs."""

    __path__: list[str] = []
    __version__ = "0.0"

    def __getattr__(self, name: str) -> type:
        if name.startswith("__") or "." not in self.__name__ and self.__name__ == "PIL":
            raise AttributeError(name)  # so that submodules are imported
        return _Anything(name, (), {})


class _AbsentFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Behind all others: what is installed is what is imported."""

    def find_spec(self, fullname, path, target=None):
        if fullname.partition(".")[0] in ("PIL", "yaml"):
            return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec):
        return _Absent(spec.name)

    def exec_module(self, module):
        pass


_LIBRARY = torch.library.Library("torchvision", "FRAGMENT")


def load() -> types.SimpleNamespace:
    """torchvision.models and timm, beside a build of torch that torchvision's own operators do not load with."""
    if not any(isinstance(finder, _AbsentFinder) for finder in sys.meta_path):
        sys.meta_path.append(_AbsentFinder())
        for name in ("nms", "qnms"):  # torchvision gives them fake kernels when it is imported
            _LIBRARY.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import timm
        import torchvision.models
    return types.SimpleNamespace(torchvision=torchvision.models, timm=timm)


def make(library: str, name: str) -> nn.Module:
    """A model in eval mode with random weights, and plausible batch-norm statistics."""
    torch.manual_seed(0)
    if library == "timm":
        model = load().timm.create_model(name, pretrained=False)
    else:
        options = {"init_weights": False, "aux_logits": False} if name == "googlenet" else {}
        model = getattr(load().torchvision, name)(weights=None, **options)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    for parameter_name, parameter in model.named_parameters():
        if parameter_name.endswith("cls_token"):
            nn.init.normal_(parameter)  # an untrained one is 1e-6, and its row all rounding
    return model.eval()


@dataclass(frozen=True)
class Result:
    """What became of a model.

    Attributes:
        capture: 'fx', or 'export' where torch.fx cannot trace it
        sqnr: dB between the float and the quantized model, on an input that calibration has not seen; None if it cannot
            be quantized
        stubs: how often it quantizes and dequantizes tensors
        file_size: bytes; None if it cannot be exported
        identical: whether the file gives the model's bytes in C
        error: why it ends
        seconds: for all of it
    """

    capture: str = "fx"
    sqnr: float | None = None
    stubs: int = 0
    file_size: int | None = None
    identical: bool = False
    error: qsdk.QsdkError | None = None
    seconds: float = 0.0


def measure(library: str, name: str) -> Result:
    """Prepare, calibrate, convert, export and run; errors that are not qsdk's are raised."""
    start = time.time()
    result = _measure(make(library, name), MODELS[library][name])
    return replace(result, seconds=time.time() - start)


@torch.no_grad()
def _measure(model: nn.Module, side: int) -> Result:
    result = Result()
    generator = torch.Generator().manual_seed(1)
    *calibration, x = (torch.randn(1, 3, side, side, generator=generator) for _ in range(4))
    exact = model(x)
    try:
        try:
            prepared = prepare_fx(model, tq.get_default_qconfig_mapping(), x)
        except qsdk.CaptureError:
            prepared = prepare_fx(model, tq.get_default_qconfig_mapping(), x, capture="export")
            result = replace(result, capture="export")
        for batch in calibration:
            prepared(batch)
        quantized = convert_fx(prepared)
        y = quantized(x)
        ratio = exact.square().sum() / (exact - y).square().sum()
        count = sum(isinstance(module, nnq.Quantize | nnq.DeQuantize) for module in quantized.modules())
        result = replace(result, sqnr=float(10 * torch.log10(ratio)), stubs=count)
        _, data = to_bytes(quantized, x)
        identical = qsdk.Session(data).run(x)[0].tobytes() == y.numpy().tobytes()
        return replace(result, file_size=len(data), identical=identical)
    except qsdk.QsdkError as error:
        return replace(result, error=error)


def main() -> None:
    """Print the table of docs/models.md."""
    torch.set_num_threads(1)
    print("| model | capture | SQNR, dB | stubs | file | C equals Python |\n|---|---|---|---|---|---|")
    results = []
    for library, models in MODELS.items():
        for name in models:
            result = measure(library, name)
            results.append(result)
            sqnr = "-" if result.sqnr is None else f"{result.sqnr:.1f}"
            size = f"{result.file_size:,}" if result.file_size else str(result.error).splitlines()[0].partition(";")[0]
            same = "yes" if result.identical else "-" if result.file_size is None else "NO"
            print(f"| {library} {name} | {result.capture} | {sqnr} | {result.stubs} | {size} | {same} |", flush=True)
    quantized = sum(result.sqnr is not None for result in results)
    written = sum(result.file_size is not None for result in results)
    seconds = sum(result.seconds for result in results)
    print(f"\n{quantized} of {len(results)} quantize, {written} export; {seconds:.0f} s")


if __name__ == "__main__":
    main()
