"""Every row of the table of fusions: what becomes of it in both modes, and each way it can go wrong."""

import copy

import pytest
import torch
import torch.ao.quantization as ao
from torch import nn

import qsdk.nn.intrinsic as nni
import qsdk.nn.intrinsic.quantized as nniq
import qsdk.nn.quantized as nnq
import qsdk.quantization as tq
import qsdk.quantization.quantize_fx as quantize_fx
from qsdk.errors import QuantizationError

CONV = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
NORM = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
SIZES = {1: (7,), 2: (5, 4), 3: (3, 4, 5)}


def conv(axes, **settings):
    return lambda: CONV[axes](4, 6, 3, padding=1, groups=2, **settings)


def transposed(axes, **settings):
    return lambda: TRANSPOSED[axes](4, 6, 2, stride=2, **settings)


# name: (modules, shape of the input, class in eval mode, class in training mode or None if it is refused)
ROWS = {
    "linear relu": ([lambda: nn.Linear(5, 6), nn.ReLU], (5,), nni.LinearReLU, nni.LinearReLU),
    "linear bn": ([lambda: nn.Linear(5, 6), lambda: nn.BatchNorm1d(6)], (5,), nn.Linear, nni.LinearBn1d),
    "linear bn relu": (
        [lambda: nn.Linear(5, 6, bias=False), lambda: nn.BatchNorm1d(6), nn.ReLU], (5,), nni.LinearReLU, None,
    ),
    "bn2d relu": ([lambda: nn.BatchNorm2d(4), nn.ReLU], (4, 5, 4), nni.BNReLU2d, nni.BNReLU2d),
    "bn3d relu": ([lambda: nn.BatchNorm3d(4), nn.ReLU], (4, 3, 4, 5), nni.BNReLU3d, nni.BNReLU3d),
}  # fmt: skip
for axes in (1, 2, 3):

    def norm(axes=axes, **settings):
        return NORM[axes](6, **settings)

    def plain(norm=norm):
        return norm(affine=False)

    shape = (4, *SIZES[axes])
    conv_bn, conv_bn_relu, conv_relu = (getattr(nni, f"{kind}{axes}d") for kind in ("ConvBn", "ConvBnReLU", "ConvReLU"))
    ROWS |= {
        f"conv{axes}d relu": ([conv(axes), nn.ReLU], shape, conv_relu, conv_relu),
        f"conv{axes}d bn": ([conv(axes, bias=False), norm], shape, CONV[axes], conv_bn),
        f"conv{axes}d plain bn": ([conv(axes), plain], shape, CONV[axes], conv_bn),
        f"conv{axes}d bn relu": ([conv(axes), norm, nn.ReLU], shape, conv_relu, conv_bn_relu),
        f"conv_transpose{axes}d bn": ([transposed(axes), norm], shape, TRANSPOSED[axes], None),
        f"conv_transpose{axes}d groups bn": ([transposed(axes, groups=2), norm], shape, TRANSPOSED[axes], None),
        f"conv_transpose{axes}d depthwise bn": (
            [lambda axes=axes: TRANSPOSED[axes](6, 6, 3, groups=6), plain], (6, *SIZES[axes]), TRANSPOSED[axes], None,
        ),
    }  # fmt: skip


def made(name):
    """The modules in a row, with batch-norm statistics and factors that matter."""
    torch.manual_seed(0)
    model = nn.Sequential(*(make() for make in ROWS[name][0]))
    for module in model:
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            if module.affine:
                nn.init.uniform_(module.weight, -1.5, 1.5)
                nn.init.normal_(module.bias)
    return model, torch.randn(8, *ROWS[name][1])


def names(model):
    return [name for name, _ in model.named_children()]


@pytest.mark.parametrize("name", ROWS)
def test_eval_mode(name):
    model, x = made(name)
    exact = model.eval()(x)
    fused = tq.fuse_modules(model, names(model))
    assert type(fused[0]) is ROWS[name][2] and all(type(module) is nn.Identity for module in fused[1:])
    if "bn" in name and not name.startswith("bn"):
        # float algebra: batch norm's factor moves into the weight, so the roundings differ
        assert (fused(x) - exact).abs().max() <= 1e-6 * exact.abs().max()
    else:
        assert torch.equal(fused(x), exact)
    assert not any(module.training for module in fused.modules())
    assert torch.equal(model(x), exact)  # the original is left alone


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("fuse", [tq.fuse_modules, tq.fuse_modules_qat])
def test_training_mode(name, fuse):
    model, x = made(name)
    if ROWS[name][3] is None:
        with pytest.raises(QuantizationError, match=r"\['0', '1'.*in training mode.*call model.eval\(\)"):
            fuse(model.train(), names(model))
        return
    fused = fuse(model.train(), names(model))
    assert type(fused[0]) is ROWS[name][3] and all(module.training for module in fused.modules())
    assert torch.equal(fused(x), model(x))  # also updates both models' statistics
    assert torch.equal(fused.eval()(x), model.eval()(x))


# torch does not fuse the first, and folds grouped transposed convolutions wrongly.
@pytest.mark.parametrize("name", [n for n in ROWS if n != "linear bn relu" and "groups" not in n and "wise" not in n])
def test_eval_mode_agrees_with_torch_s(name):
    model, _ = made(name)
    ours = dict(tq.fuse_modules(model.eval(), names(model)).named_parameters())
    theirs = dict(ao.fuse_modules(model, names(model)).named_parameters())
    assert set(ours) == set(theirs)
    for key, value in theirs.items():
        # torch folds by rsqrt, which its vector kernels round in another way than its scalar ones; ours is 1 / sqrt.
        assert (ours[key] - value).abs().max() <= 4 * 2**-24 * value.abs().max()


class Interrupted(nn.Sequential):
    """The modules in a row, with something between the first two."""

    def forward(self, x):
        first, *rest = self
        x = first(x) * 1
        for module in rest:
            x = module(x)
        return x


class Shared(nn.Sequential):
    """The modules in a row, the first one's result being used again."""

    def forward(self, x):
        y = x = self[0](x)
        for module in self[1:]:
            x = module(x)
        return x + y


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("training", [False, True])
def test_modules_that_are_not_adjacent(name, training):
    model, _ = made(name)
    for kind, message in ((Interrupted, "'1' does not follow '0'"), (Shared, "uses the result of '0' elsewhere")):
        with pytest.raises(QuantizationError, match=message):
            tq.fuse_modules(kind(*model).train(training), names(model))


@pytest.mark.parametrize("name", ROWS)
def test_modules_in_different_modes(name):
    model, _ = made(name)
    model.eval()[-1].train()
    with pytest.raises(QuantizationError, match=r"'0', '1'.*partly in training mode"):
        tq.fuse_modules(model, names(model))


BOTH_MODES = [(name, mode) for name, row in ROWS.items() for mode in (False, True) if row[3] or not mode]


@pytest.mark.parametrize("name, training", [row for row in BOTH_MODES if "bn" in row[0] and row[0][:2] != "bn"])
def test_batch_norm_of_another_size_or_without_statistics(name, training):
    model, _ = made(name)
    kind = type(model[1])
    model[1] = kind(7)
    with pytest.raises(QuantizationError, match=f"{kind.__name__} of 7 features after 6 of {type(model[0]).__name__}"):
        tq.fuse_modules(model.train(training), names(model))
    if not training:
        model[1] = kind(6, track_running_stats=False)
        with pytest.raises(QuantizationError, match="track_running_stats=True"):
            tq.fuse_modules(model.eval(), names(model))


@pytest.mark.parametrize("training", [False, True])
def test_hooks_and_qconfig_move_along(training):
    model, x = made("conv3d bn relu")
    model[0].qconfig = tq.get_default_qconfig()
    calls = []
    model[0].register_forward_pre_hook(lambda m, i: calls.append("before"))
    model[2].register_forward_hook(lambda m, i, o: calls.append("after"))
    fused = tq.fuse_modules(model.train(training), names(model))
    fused(x)
    assert calls == ["before", "after"] and repr(fused[0].qconfig) == repr(model[0].qconfig)


def test_functions_of_single_fusions():
    for name, fuse in {
        "conv1d bn": tq.fuse_conv_bn,
        "conv2d bn relu": tq.fuse_conv_bn_relu,
        "linear bn": tq.fuse_linear_bn,
        "conv_transpose3d groups bn": tq.fuse_convtranspose_bn,
    }.items():
        model, x = made(name)
        _, _, folded, kept = ROWS[name]
        assert type(fuse(False, *model.eval())) is folded
        same = tq.fuse_modules(model, names(model))
        assert torch.equal(same(x), fuse(False, *model)(x))
        assert torch.equal(same(x), tq.get_fuser_method([type(m) for m in model])(False, *model)(x))
        with pytest.raises(QuantizationError, match="in training mode; call model.eval()"):
            fuse(False, *model.train())
        if kept is None:
            with pytest.raises(QuantizationError, match="ConvTranspose3d, BatchNorm3d.* in training mode"):
                fuse(True, *model)
        else:
            assert type(fuse(True, *model)) is kept
    with pytest.raises(QuantizationError, match=r"cannot fuse \[ConvTranspose1d, BatchNorm1d, ReLU\] in eval"):
        tq.fuse_conv_bn_relu(False, *nn.Sequential(nn.ConvTranspose1d(1, 1, 1), nn.BatchNorm1d(1), nn.ReLU()).eval())
    with pytest.raises(QuantizationError, match=r"cannot fuse \[Conv1d, BatchNorm2d\]; known fusions: .*Conv3d, ReLU"):
        tq.fuse_conv_bn(True, nn.Conv1d(1, 1, 1), nn.BatchNorm2d(1))
    with pytest.raises(QuantizationError, match="cannot fuse .Conv2d, Tanh."):
        tq.get_fuser_method((nn.Conv2d, nn.Tanh))


def test_fusing_for_training_needs_training_mode():
    model, _ = made("conv1d bn")
    with pytest.raises(QuantizationError, match=r"fuse_modules_qat \['0', '1'\].*'0' is in eval mode.*model.train()"):
        tq.fuse_modules_qat(model.eval(), ["0", "1"])


@pytest.mark.parametrize("training", [False, True])
def test_own_fusers(training):
    class Pair(nni._FusedModule):
        _PARTS = (nn.Conv1d, nn.Tanh)

    seen = []

    def fuse(is_qat, *modules):
        seen.append(is_qat)
        return Pair(*modules)

    model = nn.Sequential(nn.Conv1d(1, 1, 1), nn.Tanh()).train(training)
    custom = {"additional_fuser_method_mapping": {(nn.Conv1d, nn.Tanh): fuse}}
    fused = tq.fuse_modules(model, ["0", "1"], fuse_custom_config_dict=custom)
    assert type(fused[0]) is Pair and seen == [training] and type(fused[1]) is nn.Identity

    def swap(modules, is_qat, additional):
        assert is_qat is training and additional is None
        return list(reversed(modules))

    assert type(tq.fuse_modules(model, ["0", "1"], fuser_func=swap)[0]) is nn.Tanh


STATIC = {
    nni.ConvReLU1d: nniq.ConvReLU1d, nni.ConvReLU2d: nniq.ConvReLU2d, nni.ConvReLU3d: nniq.ConvReLU3d,
    nni.ConvBn1d: nnq.Conv1d, nni.ConvBn2d: nnq.Conv2d, nni.ConvBn3d: nnq.Conv3d,
    nni.ConvBnReLU1d: nniq.ConvReLU1d, nni.ConvBnReLU2d: nniq.ConvReLU2d, nni.ConvBnReLU3d: nniq.ConvReLU3d,
    nni.BNReLU2d: nniq.BNReLU2d, nni.BNReLU3d: nniq.BNReLU3d, nni.LinearReLU: nniq.LinearReLU,
    nni.LinearBn1d: nnq.Linear, nn.Linear: nnq.Linear,
    nn.Conv1d: nnq.Conv1d, nn.Conv2d: nnq.Conv2d, nn.Conv3d: nnq.Conv3d,
    nn.ConvTranspose1d: nnq.ConvTranspose1d, nn.ConvTranspose2d: nnq.ConvTranspose2d,
    nn.ConvTranspose3d: nnq.ConvTranspose3d,
}  # fmt: skip


@pytest.mark.parametrize("name, training", BOTH_MODES)
def test_what_was_fused_in_either_mode_is_quantized_as_one(name, training):
    model, x = made(name)
    exact = copy.deepcopy(model).eval()(x)
    fused = tq.fuse_modules(tq.QuantWrapper(model).train(training), [f"module.{n}" for n in names(model)]).eval()
    fused.qconfig = tq.get_default_qconfig()
    prepared = tq.prepare(fused)
    prepared(x)
    quantized = tq.convert(prepared)
    assert type(quantized.module[0]) is STATIC[ROWS[name][3 if training else 2]]
    with torch.no_grad():
        noise = (quantized(x) - exact).square().sum() / exact.square().sum()
    assert noise < 1e-3  # 30 dB, as a single layer of 8 bits has


@pytest.mark.parametrize("name, training", [(name, mode) for name in ROWS for mode in (False, True)])
def test_graph_mode_fuses_the_same(name, training):
    model, x = made(name)
    kind = ROWS[name][3 if training else 2]
    fused = quantize_fx.fuse_fx(model.train(training))
    first = next(module for module in fused.children())
    if kind is None:  # in training mode they stay apart; Linear and batch norm go together, without ReLU
        kind = nni.LinearBn1d if name == "linear bn relu" else type(model[0])
    assert type(first) is kind
    expected = tq.fuse_modules(model, names(model)) if ROWS[name][3 if training else 2] else model
    assert torch.equal(fused(x), expected(x))
