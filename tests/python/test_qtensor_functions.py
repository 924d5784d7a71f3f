"""What QTensors answer: the functions of torch's own quantized tensors give the same here, others are refused."""

import copy
import pickle
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import qsdk
from qsdk.errors import QuantizationError
from qsdk.qtensor import QTensor, implementation_of, qint8, qint32, quint4x2, quint8

TORCH = {qint8: torch.qint8, quint8: torch.quint8, qint32: torch.qint32}
DTYPES = pytest.mark.parametrize("dtype", TORCH)
SCALE, ZERO_POINT = 0.05, 3
MASK = torch.arange(120).reshape(2, 3, 4, 5) % 7 == 0
AT = torch.tensor([1, 0, 1])


def values(shape=(2, 3, 4, 5)):
    """All different and of both signs, so that orders have no ties."""
    torch.manual_seed(0)
    return (torch.randperm(torch.Size(shape).numel()).reshape(shape) - 50.0) * SCALE


def pair(dtype, x=None):
    """The same values as ours and as torch's."""
    x = values() if x is None else x
    ours = qsdk.quantize_per_tensor(x, SCALE, ZERO_POINT, dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = torch.quantize_per_tensor(x, SCALE, ZERO_POINT, TORCH[dtype])
    return ours, theirs


def same(ours, theirs):
    if isinstance(ours, QTensor):
        assert theirs.is_quantized and ours.dtype is qsdk.qtensor.to_qdtype(theirs.dtype)
        assert ours.storage.is_contiguous() and torch.equal(ours.int_repr(), theirs.int_repr())
        assert ours.q_scale() == pytest.approx(theirs.q_scale()) and ours.q_zero_point() == theirs.q_zero_point()
    elif isinstance(ours, torch.Tensor):
        assert ours.dtype == theirs.dtype and torch.equal(ours, theirs)
    elif isinstance(ours, (tuple, list)) and not isinstance(ours, torch.Size):
        for mine, other in zip(ours, theirs, strict=True):
            same(mine, other)
    else:
        assert ours == theirs


def written(function):
    """A function that changes a copy."""

    def run(t):
        t = t.clone()
        function(t)
        return t

    return run


# What torch's quantized tensors answer, per tensor.
CASES = {
    # copies and places
    "clone": lambda t: t.clone(), "detach": lambda t: t.detach(), "contiguous": lambda t: t.contiguous(),
    "to": lambda t: t.to("cpu"), "cpu": lambda t: t.cpu(), "deepcopy": copy.deepcopy,
    "share": lambda t: t.share_memory_(),
    "pickle": lambda t: pickle.loads(pickle.dumps(t)), "requires_grad_": lambda t: t.requires_grad_(False),
    # parameters and properties
    "is_quantized": lambda t: t.is_quantized, "scale": lambda t: round(t.q_scale(), 6),
    "zp": lambda t: t.q_zero_point(),
    "torch.zp": torch.q_zero_point, "int_repr": lambda t: t.int_repr(), "torch.int_repr": torch.int_repr,
    "dequantize": lambda t: t.dequantize(), "torch.dequantize": torch.dequantize,
    "list": lambda t: torch.dequantize([t, t]), "numel": lambda t: (t.numel(), torch.numel(t), t.nelement()),
    "stride": lambda t: (t.stride(), t.stride(1), t.storage_offset()),
    "size": lambda t: (t.size(), t.size(-1), t.shape),
    "element_size": lambda t: (t.element_size(), t.itemsize, t.nbytes), "dim": lambda t: (t.dim(), t.ndim, len(t)),
    "kind": lambda t: (t.is_floating_point(), t.is_complex(), t.is_cuda, t.layout, t.get_device(), t.device, t.grad),
    "is_contiguous": lambda t: (t.is_contiguous(), t.requires_grad), "item": lambda t: t[0, 0, 0, 0].item(),
    "float": lambda t: float(t[1, 2, 3, 4]), "bool": lambda t: bool(t[0, 0, 0, 0]),
    # shapes
    "view": lambda t: t.view(6, 20), "reshape": lambda t: t.reshape(2, -1), "flatten": lambda t: t.flatten(1),
    "ravel": lambda t: t.ravel(), "view_as": lambda t: t.view_as(torch.zeros(6, 20)), "T": lambda t: t[0, 0].T,
    "reshape_as": lambda t: t.reshape_as(torch.zeros(120)), "unflatten": lambda t: t.unflatten(3, (5, 1)),
    "permute": lambda t: t.permute(3, 1, 0, 2), "transpose": lambda t: torch.transpose(t, 0, -1), "mT": lambda t: t.mT,
    "t": lambda t: t[0, 0].t(), "movedim": lambda t: t.movedim((0, 3), (2, 0)),
    "moveaxis": lambda t: torch.moveaxis(t, 1, 0),
    "swapaxes": lambda t: t.swapaxes(0, 1), "swapdims": lambda t: torch.swapdims(t, -1, 1),
    "squeeze": lambda t: t[:1].squeeze(), "unsqueeze": lambda t: torch.unsqueeze(t, 2),
    "expand": lambda t: t[:1].expand(4, -1, 4, 5), "as_strided": lambda t: t.as_strided((2, 3), (1, 2)),
    "broadcast_to": lambda t: t.broadcast_to(2, 2, 3, 4, 5), "unfold": lambda t: t.unfold(-1, 2, 2),
    "diagonal": lambda t: t.diagonal(0, 1, 2), "repeat": lambda t: t.repeat(2, 1, 1, 1), "flip": lambda t: t.flip(0, 2),
    "pixel_shuffle": lambda t: F.pixel_shuffle(t.repeat(1, 4, 1, 1), 2),
    # parts
    "index": lambda t: t[1], "negative": lambda t: t[-1, ..., 2], "slice": lambda t: t[:, 1:3, ::2],
    "none": lambda t: t[None],
    "list index": lambda t: t[[1, 0]], "mask": lambda t: t[MASK], "select": lambda t: t.select(1, 2),
    "narrow": lambda t: t.narrow(1, 1, 2), "split": lambda t: t.split(2, 3), "chunk": lambda t: torch.chunk(t, 2, 2),
    "tensor_split": lambda t: t.tensor_split(2, 1), "tensor_split at": lambda t: torch.tensor_split(t, (1, 3), -1),
    "unbind": lambda t: t.unbind(1), "iter": lambda t: list(t), "index_select": lambda t: t.index_select(0, AT),
    # joined
    "cat": lambda t: torch.cat([t, t], 1), "stack": lambda t: torch.stack([t, t], -1),
    "concat": lambda t: torch.concat([t, t]),
    # order
    "min": lambda t: t.min(), "max": lambda t: torch.max(t), "min of axis": lambda t: t.min(1),
    "max of axis": lambda t: torch.max(t, -1),
    "sort": lambda t: t.sort(-1, True), "argsort": lambda t: t.argsort(2), "topk": lambda t: torch.topk(t, 2)[0],
    "msort": lambda t: t.msort(), "keepdim": lambda t: t.max(2, keepdim=True), "named": lambda t: t.max(0).indices,
    # comparison
    "eq": lambda t: t == t, "ne": lambda t: torch.ne(t, 0.5), "lt": lambda t: t < 0.1,
    "ge": lambda t: t.ge(t.dequantize()),
    "equal": lambda t: (torch.equal(t, t.clone()), t.equal(t[:1])),
    # functions that keep the parameters
    "relu": torch.relu, "clamp": lambda t: t.clamp(-0.4, 0.9), "relu6": F.relu6, "hardtanh": F.hardtanh,
    "max_pool2d": lambda t: F.max_pool2d(t, 2), "relu_": written(lambda t: t.relu_()),
    # writing
    "fill_": written(lambda t: t.fill_(0.31)), "copy_": written(lambda t: t.copy_(t.flip(0))),
    "copy_ floats": written(lambda t: t.copy_(values() / 3)),
    "masked_fill_": written(lambda t: t.masked_fill_(MASK, 1.03)),
    "setitem": written(lambda t: t.__setitem__((0, slice(1, 3)), 0.5)),
    "setitem floats": written(lambda t: t.__setitem__(1, torch.full((3, 4, 5), 0.77))),
    "setitem own": written(lambda t: t.__setitem__(0, t[1])), "resize_": written(lambda t: t.resize_(3, 4)),
}  # fmt: skip
# Operators know 8 bits only.
NOT_INT32 = {
    *("relu", "relu_", "relu6", "hardtanh", "clamp", "clamp_", "max_pool2d", "cat", "stack", "concat", "stacked"),
}


@pytest.mark.filterwarnings("ignore:TypedStorage")  # torch's own, when it pickles quantized tensors
@DTYPES
@pytest.mark.parametrize("name", CASES)
def test_as_torch_quantized_tensors(name, dtype):
    ours, theirs = pair(dtype)
    if dtype is qint32 and name in NOT_INT32:
        with pytest.raises(QuantizationError, match="qint8 and quint8"):
            CASES[name](ours)
        return
    before = ours.int_repr()
    same(CASES[name](ours), CASES[name](theirs))
    assert torch.equal(ours.int_repr(), before)


# What torch refuses on quantized tensors, but follows from the integers: as on the real values.
MORE = {
    "gather": lambda t: t.gather(1, torch.zeros(2, 1, 4, 5, dtype=torch.int64)), "take": lambda t: t.take(AT),
    "roll": lambda t: torch.roll(t, 2, 1), "rot90": lambda t: t.rot90(1, (2, 3)), "fliplr": torch.fliplr,
    "tile": lambda t: t.tile(2), "repeat_interleave": lambda t: t.repeat_interleave(2, 0),
    "masked_select": lambda t: t.masked_select(MASK), "take_along_dim": lambda t: t.take_along_dim(t.argsort(1), 1),
    "amax": lambda t: t.amax((1, 2)), "amin": lambda t: torch.amin(t, 0), "aminmax": lambda t: t.aminmax(),
    "argmax": lambda t: t.argmax(), "argmin": lambda t: torch.argmin(t, 2), "kthvalue": lambda t: t.kthvalue(2, 1),
    "median": lambda t: t.median(), "median of axis": lambda t: t.median(-1), "tolist": lambda t: t.tolist(),
    "zero_": written(lambda t: t.zero_()), "masked_fill": lambda t: t.masked_fill(MASK[0], 0.0),
    "clamp_": written(lambda t: t.clamp_(0.0, 0.5)), "int": lambda t: int(t[1, 2, 3, 4]),
    "stacked": lambda t: torch.stack(t.unbind(2), 2),
}  # fmt: skip


@DTYPES
@pytest.mark.parametrize("name", MORE)
def test_as_the_real_values(name, dtype):
    q, _ = pair(dtype)
    if dtype is qint32 and name in NOT_INT32:
        with pytest.raises(QuantizationError, match="qint8 and quint8"):
            MORE[name](q)
        return
    result, expected = MORE[name](q), MORE[name](q.dequantize())
    if not isinstance(expected, tuple):
        result, expected = (result,), (expected,)
    for mine, other in zip(result, expected, strict=True):
        mine = mine.dequantize() if isinstance(mine, QTensor) else mine
        assert torch.equal(mine, other) if isinstance(other, torch.Tensor) else mine == other


PER_CHANNEL = {
    **{name: CASES[name] for name in ("clone", "detach", "contiguous", "cpu", "deepcopy", "pickle", "index", "slice")},
    **{name: CASES[name] for name in ("select", "narrow", "split", "chunk", "tensor_split", "unbind", "fill_", "iter")},
    **{name: CASES[name] for name in ("size", "dim", "stride", "numel", "eq", "lt", "equal", "torch.dequantize")},
    "setitem": CASES["setitem own"], "copy_": written(lambda t: t.copy_(t.clone())), "zero_": MORE["zero_"],
}  # fmt: skip


def per_channel(axis=1, dtype=qint8):
    count = values().shape[axis]
    return qsdk.quantize_per_channel(values(), torch.rand(count) / 9 + 0.01, torch.arange(count), axis, dtype)


@pytest.mark.parametrize("axis", [0, 1, 3])
@pytest.mark.parametrize("name", PER_CHANNEL)
def test_per_channel(name, axis):
    q = per_channel(axis)
    result, expected = PER_CHANNEL[name](q), PER_CHANNEL[name](q.dequantize())
    if not isinstance(result, (tuple, list)):
        result, expected = [result], [expected]
    for mine, other in zip(result, expected, strict=True):
        if name in ("fill_", "setitem"):  # written values are rounded to each channel's steps
            assert (mine.dequantize() - other).abs().max() <= q.q_per_channel_scales().max() / 2 + 1e-6
        elif isinstance(mine, QTensor):
            assert torch.equal(mine.dequantize(), other)
        else:
            assert torch.equal(mine, other) if isinstance(other, torch.Tensor) else mine == other


@pytest.mark.parametrize("name", ["flip", "sort", "max", "unfold", "repeat", "resize_", "permute", "view"])
def test_per_channel_is_refused_by_name(name):
    with pytest.raises(QuantizationError, match="per channel.*dequantize"):
        CASES[name](per_channel())


REFUSED = {
    "softmax": (lambda t: t.softmax(1), "DeQuantStub"), "exp": (torch.exp, "DeQuantStub"),
    "sum": (torch.sum, "DeQuantStub"),
    "std": (lambda t: t.std(), "DeQuantStub"), "neg": (lambda t: -t, "DeQuantStub"), "abs": (abs, "DeQuantStub"),
    "pow": (lambda t: t**2, "DeQuantStub"), "contains": (lambda t: 0.5 in t, "DeQuantStub"),
    "set_": (lambda t: t.set_(t), "DeQuantStub"),
    "add": (lambda t: t.add(1), "FloatFunctional"), "add_": (lambda t: t.add_(1), "FloatFunctional"),
    "radd": (lambda t: 1 + t, "FloatFunctional"), "iadd": (lambda t: t.__iadd__(1), "FloatFunctional"),
    "sub": (lambda t: torch.sub(t, t), "FloatFunctional"), "rsub": (lambda t: 1 - t, "FloatFunctional"),
    "mul": (lambda t: t.mul(t), "FloatFunctional"), "truediv": (lambda t: t / 2, "FloatFunctional"),
    "rtruediv": (lambda t: 2 / t, "FloatFunctional"), "matmul": (lambda t: t @ t, "FloatFunctional"),
    "float": (lambda t: t.float(), r"dequantize\(\)"), "half": (lambda t: t.half(), r"dequantize\(\)"),
    "numpy": (lambda t: t.numpy(), r"int_repr\(\)"), "array": (np.asarray, r"int_repr\(\)"),
    "type": (lambda t: t.type(torch.float32), r"dequantize\(\)"),
    "to": (lambda t: t.to(torch.float32), r"dequantize\(\)"),
    "backward": (lambda t: t.backward(), "prepare_qat"),
    "requires_grad_": (lambda t: t.requires_grad_(), "prepare_qat"),
    "copy into float": (lambda t: torch.zeros(t.shape).copy_(t), r"dequantize\(\)"),
    "set in float": (lambda t: torch.zeros(t.shape).__setitem__(0, t[0]), r"dequantize\(\)"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_everything_else_is_refused_with_its_remedy(name):
    q, _ = pair(quint8)
    function, remedy = REFUSED[name]
    with pytest.raises(QuantizationError, match=remedy):
        function(q)


def test_what_no_tensor_has():
    q, _ = pair(qint8)
    with pytest.raises(AttributeError, match=r"no attribute 'nothing'; dequantize\(\)"):
        q.nothing  # noqa: B018
    assert not hasattr(q, "real") and not hasattr(q, "__deepcopy__") and q != "text" and q in [q]
    assert {"reshape", "topk", "numel", "q_scale", "mean", "__len__"} <= set(dir(q)) and "softmax" not in dir(q)
    assert q.split.__doc__ == implementation_of(torch.Tensor.split).__doc__


def test_parts_are_no_views():
    q, _ = pair(quint8)
    before = q.int_repr()
    for part in (q[0], q.view(-1), q.expand(1, 2, 3, 4, 5), q.unbind(0)[0], q.as_strided((2,), (1,)), q.T, q.clone()):
        part.fill_(0.0)
    assert torch.equal(q.int_repr(), before)
    assert q.detach() is q and q.contiguous() is q and q.to("cpu") is q


def test_values_of_other_parameters_are_quantized_again():
    q, _ = pair(quint8)
    other = qsdk.quantize_per_tensor(values() / 7, 0.01, -5, qint8)
    written = q.clone().copy_(other)
    assert torch.equal(
        written.int_repr(), qsdk.quantize_per_tensor(other.dequantize(), SCALE, ZERO_POINT, quint8).int_repr()
    )
    assert written.qparams == q.qparams
    grown = q[0, 0].clone().resize_((5, 5))
    assert torch.equal(grown.dequantize().flatten()[:20], q[0, 0].dequantize().flatten())
    assert grown.dequantize().flatten()[20:].eq(0).all()


def test_lists():
    xs = [values(), values((4, 2))]
    scales, zero_points = torch.tensor([0.07, 0.11]), torch.tensor([4, 5])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = torch.quantize_per_tensor(xs, scales, zero_points, torch.quint8)
    ours = qsdk.quantize_per_tensor(xs, scales, zero_points, torch.quint8)
    same(ours, theirs)
    assert type(ours) is type(theirs) is type(qsdk.dequantize(ours)) is type(torch.dequantize(ours)) is tuple
    same(qsdk.dequantize(list(ours)), torch.dequantize(theirs))
    with pytest.raises(QuantizationError, match="2 tensors, but 1 scales"):
        qsdk.quantize_per_tensor(xs, scales[:1], zero_points, torch.quint8)
    with pytest.raises(QuantizationError, match="needs a quantized tensor"):
        qsdk.dequantize(values())


def table(dtype=quint4x2):
    torch.manual_seed(2)
    return qsdk.quantize_per_channel(torch.randn(5, 3), torch.rand(5) + 0.1, torch.rand(5) * 9, 0, dtype)


@pytest.mark.parametrize("dtype", [quint4x2, quint8])
def test_tables(dtype):
    q = table(dtype)
    assert q.qscheme() is qsdk.per_channel_affine_float_qparams and q.int_repr().dtype == torch.uint8
    assert q.q_per_channel_zero_points().dtype == torch.float32 and q.q_per_channel_axis() == 0
    assert torch.equal(q.storage, q.int_repr()) and q.int_repr().max() <= dtype.max
    for other in (q.clone(), copy.deepcopy(q), pickle.loads(pickle.dumps(q)), torch.stack([q.int_repr()])[0]):
        assert torch.equal(other, q) if isinstance(other, QTensor) else torch.equal(other, q.storage)
    for index in (slice(1, 3), (slice(None), 1), (slice(None, None, 2), slice(0, 2)), ...):
        assert torch.equal(q[index].dequantize(), q.dequantize()[index]) and q[index].dtype is dtype
    assert torch.equal(torch.cat([p.dequantize() for p in q.split(2)]), q.dequantize())
    assert torch.equal(q > 0.3, q.dequantize() > 0.3) and not torch.equal(q, q[:3])
    with pytest.raises(QuantizationError, match="slice 1:2"):
        q[1]
    for function, what in (
        (F.relu, "quint"),
        (nn.ReLU6(), "quint"),
        (torch.sort, "per channel"),
        (lambda t: t.view(-1), "per"),
    ):
        with pytest.raises(QuantizationError, match=what):
            function(q)


def test_state_dicts(tmp_path):
    """Dictionaries of QTensors are saved, and loaded without running code from the file."""
    state = {"a": pair(quint8)[0], "b": per_channel(), "c": table(), "d": pair(qint32)[0], "e": table(quint8)}
    torch.save(state, tmp_path / "state.pt")
    loaded = torch.load(tmp_path / "state.pt", weights_only=True)
    assert list(loaded) == list(state) and all(
        loaded[k].equal(v) and loaded[k].dtype is v.dtype for k, v in state.items()
    )
