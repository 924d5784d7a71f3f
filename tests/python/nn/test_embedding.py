"""Embedding and EmbeddingBag: tables of 8 and 4 bits, against torch.ao and float; refusals, copies, a whole model."""

import copy
import io
import pickle
import warnings

import pytest
import torch
import torch.ao.nn.quantized as aoq
from torch import nn
from torch.nn import functional as F

import qsdk
import qsdk.nn.quantized as nnq
import qsdk.quantization as tq
from qsdk import backends, dispatch
from qsdk.errors import IndexRangeError, QuantizationError, UnsupportedOperatorError
from qsdk.ops import OPERATORS
from qsdk.qtensor import quantize, quint4x2, quint8
from qsdk.quantization.quantize_fx import convert_fx, prepare_fx

QCONFIGS = {quint8: tq.float_qparams_weight_only_qconfig, quint4x2: tq.float_qparams_weight_only_qconfig_4bit}
DTYPES = pytest.mark.parametrize("dtype", QCONFIGS)
INDICES = torch.tensor([[1, 2, 4], [5, 4, 3], [0, 10, 10]])


def converted(layer, dtype):
    model = nn.Sequential(layer).eval()
    model.qconfig = QCONFIGS[dtype]
    prepared = tq.prepare(model)
    assert not [m for m in prepared.modules() if isinstance(m, tq.ObserverBase)]  # nothing is observed, nor needs data
    return tq.convert(prepared)[0]


def float_layer(kind, dim=7, **kwargs):
    torch.manual_seed(dim)
    return kind(11, dim, **kwargs)


@DTYPES
@pytest.mark.parametrize("dim", [1, 6, 7])
def test_a_table_is_the_quantized_weight(dtype, dim):
    layer = float_layer(nn.Embedding, dim, padding_idx=2)
    observer = QCONFIGS[dtype].weight()
    observer(layer.weight)
    scale, zero_point = observer.calculate_qparams()
    embedding = converted(layer, dtype)
    table = embedding.weight()
    assert type(embedding) is nnq.Embedding and embedding.dtype is table.dtype is dtype
    assert table.equal(qsdk.quantize_per_channel(layer.weight, scale, zero_point, 0, dtype))
    assert embedding.qweight.shape == (11, dim if dtype is quint8 else (dim + 1) // 2)
    # Half a step, and the rounding of x / s + z, whose magnitude is at most that of the range.
    assert ((table.dequantize() - layer.weight).abs() <= 0.5001 * scale.reshape(-1, 1) + 1e-6).all()
    for indices in (INDICES, INDICES.int(), INDICES[0], torch.tensor(3)):
        assert torch.equal(embedding(indices), F.embedding(indices, table.dequantize()))
        assert torch.equal(embedding(indices), F.embedding(indices, table))


def torch_table(table):
    """The same table as torch's own quantized tensor."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dtype = {quint8: torch.quint8, quint4x2: torch.quint4x2}[table.dtype]
        theirs = torch.quantize_per_channel(
            table.dequantize(), table.q_per_channel_scales(), table.q_per_channel_zero_points(), 0, dtype
        )
    assert torch.equal(theirs.dequantize(), table.dequantize())
    return theirs, dtype


@DTYPES
@pytest.mark.parametrize("weighted", [False, True])
def test_agrees_with_torch_ao(dtype, weighted):
    """torch computes q * scale + bias with bias = -scale * zero_point in one fused step; its 4-bit tables hold scale
    and bias as float16. So each row's terms differ by 2^-22 of their magnitude, with 4 bits by 2^-11."""
    layer = float_layer(nn.EmbeddingBag, 8, mode="sum")
    bag = converted(layer, dtype)
    table = bag.weight()
    theirs, torch_dtype = torch_table(table)
    ao_bag = aoq.EmbeddingBag(11, 8, dtype=torch_dtype, include_last_offset=True)
    ao_bag.set_weight(theirs)
    offsets, weights = torch.tensor([0, 3, 3, 9]), torch.rand(9) if weighted else None
    ours = nnq.EmbeddingBag(11, 8, include_last_offset=True, _weight=table)(INDICES.reshape(-1), offsets, weights)
    other = ao_bag(INDICES.reshape(-1), offsets, weights)
    magnitude = (table.q_per_channel_scales() * (dtype.max + table.q_per_channel_zero_points().abs())).max()
    tolerance = 6 * magnitude * 2.0 ** (-22 if dtype is quint8 else -11)  # 6 rows in the longest bag
    assert ours.shape == other.shape and (ours - other).abs().max() <= tolerance
    assert ours[1].count_nonzero() == 0
    ao_embedding = aoq.Embedding(11, 8, dtype=torch_dtype)
    ao_embedding.set_weight(theirs)
    ours = nnq.Embedding(11, 8, _weight=table, dtype=dtype)(INDICES[0])
    assert (ours - ao_embedding(INDICES[0])).abs().max() <= tolerance / 6


@DTYPES
@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("padding_idx", [None, 4, -1])
def test_bags_agree_with_float_bags(dtype, mode, padding_idx):
    layer = float_layer(nn.EmbeddingBag, 5, mode=mode, padding_idx=padding_idx)
    bag = converted(layer, dtype)
    layer.weight.data = bag.weight().dequantize()
    flat, offsets = INDICES.reshape(-1), torch.tensor([0, 3, 6])
    weights = torch.rand(9) if mode == "sum" else None
    ours, expected = bag(flat, offsets, weights), layer(flat, offsets, weights)
    # The same terms added in another order: a few roundings of the largest partial sum.
    assert (ours - expected).abs().max() <= 1e-6 * layer.weight.abs().sum(0).max()
    assert torch.equal(bag(INDICES, None, None if weights is None else weights.reshape(3, 3)), ours)
    assert torch.equal(bag(flat.int(), offsets.int(), weights), ours)
    last = nnq.EmbeddingBag(
        11, 5, mode=mode, include_last_offset=True, _weight=bag.weight(), padding_idx=padding_idx
    )  # fmt: skip
    assert torch.equal(last(flat, torch.tensor([0, 3, 6, 9]), weights), ours)
    assert torch.equal(last(INDICES, None, None if weights is None else weights.reshape(3, 3)), ours)
    functional = F.embedding_bag(
        flat, bag.weight(), offsets, mode=mode, per_sample_weights=weights, padding_idx=padding_idx
    )  # fmt: skip
    assert torch.equal(functional, ours)


class Trained(nn.Module):
    """What a fake quantize of a trained table looks like: its scale and zero point are those that training used."""

    def __init__(self, scale, zero_point, dtype):
        super().__init__()
        self.scale, self.zero_point, self.dtype = scale, zero_point, dtype
        self.fake_quant_enabled, self.calibrated = torch.tensor([1]), True
        self.qscheme, self.ch_axis = torch.per_channel_affine_float_qparams, 0
        self.quant_min, self.quant_max = dtype.min, dtype.max

    def calculate_qparams(self):
        return self.scale, self.zero_point

    def forward(self, x):
        raise AssertionError("observing once more would move its parameters")


@DTYPES
@pytest.mark.parametrize("kind", [nn.Embedding, nn.EmbeddingBag])
def test_a_trained_table_keeps_its_parameters(dtype, kind):
    layer = float_layer(kind)
    scale, zero_point = torch.rand(11) + 0.1, torch.rand(11) * 9
    layer.weight_fake_quant = Trained(scale, zero_point, dtype)
    quantized = getattr(nnq, kind.__name__).from_float(layer)
    table = quantized.weight()
    assert torch.equal(table.q_per_channel_scales(), scale)
    assert torch.equal(table.q_per_channel_zero_points(), zero_point)
    expected = torch.fake_quantize_per_channel_affine(layer.weight, scale, zero_point, 0, 0, dtype.max)
    # torch computes (q - zero_point) * scale in float64 here and rounds once, rule 16 after each step.
    torch.testing.assert_close(table.dequantize(), expected, rtol=2.0**-22, atol=0)


class Classifier(nn.Module):
    """Bags of words to class scores."""

    def __init__(self, bag=True):
        super().__init__()
        self.words = nn.EmbeddingBag(11, 8, mode="mean") if bag else nn.Embedding(11, 8)
        self.quant = tq.QuantStub()
        self.scores = nn.Linear(8, 3)
        self.dequant = tq.DeQuantStub()

    def forward(self, words):
        return self.dequant(self.scores(self.quant(self.words(words))))


@DTYPES
@pytest.mark.parametrize("bag", [True, False])
def test_text_classifier(dtype, bag):
    torch.manual_seed(0)
    model = Classifier(bag).eval()
    model.qconfig = tq.get_default_qconfig()
    model.words.qconfig = QCONFIGS[dtype]
    prepared = tq.prepare(model)
    words = torch.randint(0, 11, (64, 6))
    prepared(words)
    quantized = tq.convert(prepared)
    kinds = [type(module).__name__ for module in quantized.children()]
    assert kinds == ["EmbeddingBag" if bag else "Embedding", "Quantize", "Linear", "DeQuantize"]
    result, expected = quantized(words), model(words)
    # 8 bits: a few steps of the output; 4 bits: the tables' steps are 17 times as large.
    step = quantized.scores.scale
    assert (result - expected).abs().max() <= (3 if dtype is quint8 else 25) * step
    assert (result.argmax(-1) == expected.argmax(-1)).float().mean() > (0.95 if dtype is quint8 else 0.6)
    # Exactly what the parts compute, one by one.
    row = F.embedding_bag(words, quantized.words.weight(), mode="mean") if bag else quantized.words.weight()[:]
    row = row if bag else F.embedding(words, row)
    assert torch.equal(result, quantized.scores(quantize(row, quantized.quant.output_qparams)).dequantize())


@DTYPES
@pytest.mark.parametrize("kind", [nn.Embedding, nn.EmbeddingBag])
def test_copies(dtype, kind):
    layer = converted(float_layer(kind), dtype)
    expected = layer(INDICES)
    buffer = io.BytesIO()
    torch.save(layer.state_dict(), buffer)
    buffer.seek(0)
    state = torch.load(buffer, weights_only=True)
    fresh = [type(layer)(11, 7, dtype=d) for d in (quint8, quint4x2)]  # the file knows how many bits there are
    if kind is nn.EmbeddingBag:
        for other in fresh:
            other.mode = layer.mode
    for other in fresh:
        for _ in range(2):
            other.load_state_dict(state)
    for other in (*fresh, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), copy.deepcopy(layer).half()):
        assert torch.equal(other(INDICES), expected) and other.dtype is dtype
        assert other.weight().equal(layer.weight())
    layer.weight().fill_(0.0)  # a copy of the table
    assert torch.equal(layer(INDICES), expected)
    with pytest.raises(RuntimeError, match="bits"):
        fresh[0].load_state_dict({k: v for k, v in state.items() if k != "bits"})


def test_indices_outside_the_table_name_the_layer():
    model = nn.Sequential(nn.Sequential(float_layer(nn.Embedding), nn.Flatten()))
    model.qconfig = tq.float_qparams_weight_only_qconfig
    model = tq.convert(tq.prepare(model.eval()))
    with pytest.raises(
        IndexRangeError, match=r"embedding: index 11 .* 11 rows \(in layer '0.0', Embedding\).*vocabulary"
    ):
        model(INDICES + 1)
    bag = converted(float_layer(nn.EmbeddingBag), quint8)
    with pytest.raises(IndexError, match=r"embedding_bag: index -1 .*\(in layer '0', EmbeddingBag\)"):
        bag(INDICES - 1)
    with pytest.raises(IndexRangeError, match="offsets"):
        bag(INDICES[0], torch.tensor([0, 9]))


@pytest.mark.parametrize(
    "qconfig",
    [
        tq.default_qconfig, tq.get_default_qconfig(), tq.get_default_qat_qconfig(), tq.default_dynamic_qconfig,
        tq.default_weight_only_qconfig, tq.float16_dynamic_qconfig, tq.QConfig(tq.default_observer, nn.Identity),
        tq.QConfig(tq.default_observer, tq.PerChannelMinMaxObserver),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", [nn.Embedding, nn.EmbeddingBag])
def test_other_qconfigs_are_refused(qconfig, kind):
    model = nn.Sequential(nn.Sequential(float_layer(kind))).eval()
    model.qconfig = qconfig
    with pytest.raises(
        QuantizationError, match=rf"layer '0.0' \({kind.__name__}\).*float_qparams_weight_only_qconfig.*or to None"
    ):
        tq.convert(tq.prepare(model))
    model[0][0].qconfig = None
    assert type(tq.convert(tq.prepare(model))[0][0]) is kind


@pytest.mark.parametrize("kind, norm_type", [(nn.Embedding, 2.0), (nn.EmbeddingBag, 1.0)])
def test_max_norm_is_applied_to_the_table(kind, norm_type):
    layer = float_layer(kind, max_norm=1.5, norm_type=norm_type)
    before = layer.weight.detach().clone()
    rows = converted(layer, quint8).weight()
    assert torch.equal(layer.weight, before)
    layer(torch.arange(11).reshape(1, 11))  # applies it to every row
    assert not torch.equal(layer.weight, before)
    assert ((rows.dequantize() - layer.weight).abs() <= 0.51 * rows.q_per_channel_scales().reshape(-1, 1)).all()


def test_what_has_no_quantized_counterpart():
    with pytest.raises(UnsupportedOperatorError, match="EmbeddingBag with max_norm=2.0.*from_float"):
        nnq.EmbeddingBag(3, 2, max_norm=2.0)
    layer = float_layer(nn.EmbeddingBag)
    layer.weight.data[3, 1] = float("nan")
    with pytest.raises(QuantizationError, match="layer '0' .*NaN or infinite"):
        converted(layer, quint8)
    along_1 = tq.QConfig(tq.PlaceholderObserver, tq.default_float_qparams_observer.with_args(ch_axis=1))
    layer = float_layer(nn.Embedding)
    layer.qconfig, layer._qualified_name = along_1, "words"
    with pytest.raises(QuantizationError, match=r"layer 'words' \(Embedding\).*ch_axis=0"):
        nnq.Embedding.from_float(layer)


def test_wrong_operands_are_explained():
    table = converted(float_layer(nn.Embedding, 4), quint4x2).weight()
    embedding, bag = nnq.Embedding(11, 4, _weight=table), nnq.EmbeddingBag(11, 4, mode="mean", _weight=table)
    flat, offsets = INDICES.reshape(-1), torch.tensor([0])
    by_column = qsdk.quantize_per_channel(torch.randn(11, 4), torch.ones(4), torch.zeros(4), 1, quint8)
    integers = qsdk.quantize_per_channel(torch.randn(11, 4), torch.ones(11), [0] * 11, 0, quint8)
    for function, message in [
        (lambda: embedding(flat.float()), "indices of int32 or int64"), (lambda: embedding([1]), "indices of int32"),
        (lambda: bag(flat), "without offsets"), (lambda: bag(INDICES, offsets), "without offsets"),
        (lambda: bag(flat, offsets.float()), "indices of int32"), (lambda: bag(INDICES[None]), "without offsets"),
        (lambda: bag(flat, offsets, torch.ones(9)), "mode 'sum', not 'mean'"),
        (lambda: F.embedding_bag(flat, table, offsets, mode="sum", per_sample_weights=torch.ones(8)), "of the shape"),
        (lambda: F.embedding_bag(flat, table, offsets, mode="min"), "'sum', 'mean' or 'max'"),
        (lambda: F.embedding(flat, table, max_norm=1.0), "max_norm"), (lambda: F.embedding(flat, by_column), "axis 0"),
        (lambda: embedding.set_weight(integers), "float zero point"),
        (lambda: embedding.set_weight(table[:3]), r"shape \[3, 4\], but the layer needs \[11, 4\]"),
        (lambda: nnq.Embedding(3, 4, dtype=torch.qint8), "quint8 or qsdk.quint4x2"),
    ]:  # fmt: skip
        with pytest.raises(qsdk.QsdkError, match=message):
            function()


@DTYPES
def test_one_call_on_the_stored_tensors(dtype):
    embedding, bag = (converted(float_layer(kind), dtype) for kind in (nn.Embedding, nn.EmbeddingBag))
    calls = []
    recorder = dispatch.Engine("recorder", lambda op, arguments: calls.append((op, arguments)) or op(*arguments))
    dispatch.select(recorder)
    try:
        embedding(INDICES), bag(INDICES), bag(INDICES[0], torch.tensor([0, 1]))
    finally:
        dispatch.select(dispatch.REFERENCE)
    names = [OPERATORS[name].reference for name in ("embedding", "embedding_bag", "embedding_bag")]
    assert [operator for operator, _ in calls] == names
    for (_, arguments), layer, first in zip(calls, (embedding, bag, bag), (1, 2, 2), strict=True):
        stored = (layer.qweight, layer.weight_scale, layer.weight_zero_point)
        assert all(a is b for a, b in zip(arguments[first : first + 3], stored, strict=True))


def test_every_engine_gives_the_same():
    """The runtime has no embeddings yet: the reference computes them, and a warning says so once."""
    bag = converted(float_layer(nn.EmbeddingBag, mode="sum"), quint8)
    calls = [(INDICES,), (INDICES[0], torch.tensor([0, 2])), (INDICES, None, torch.rand(3, 3))]
    expected = [bag(*arguments) for arguments in calls]
    backends.quantized.engine = "qsdk"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert all(torch.equal(bag(*arguments), result) for arguments, result in zip(calls, expected, strict=True))
        with pytest.raises(IndexRangeError):
            bag(INDICES + 1)
    finally:
        backends.quantized.engine = "reference"


def test_graph_mode():
    torch.manual_seed(0)
    model = Classifier().eval()
    mapping = tq.QConfigMapping().set_global(tq.get_default_qconfig())
    mapping.set_object_type(nn.EmbeddingBag, tq.float_qparams_weight_only_qconfig_4bit)
    words = torch.randint(0, 11, (64, 6))
    prepared = prepare_fx(model, mapping, (words,))
    prepared(words)
    quantized = convert_fx(prepared)
    assert type(quantized.words) is nnq.EmbeddingBag and quantized.words.dtype is quint4x2
    assert (quantized(words) - model(words)).abs().max() <= 25 * quantized.scores.scale


def test_mappings():
    mapping = tq.get_embedding_static_quant_module_mappings()
    assert mapping[nn.Embedding] is nnq.Embedding and mapping[nn.EmbeddingBag] is nnq.EmbeddingBag
    assert nn.Linear in mapping and mapping is not tq.get_embedding_static_quant_module_mappings()
    assert not {nn.Embedding, nn.EmbeddingBag} & tq.get_default_qconfig_propagation_list()
    assert "dtype=qsdk.quint4x2, mode='max'" in repr(nnq.EmbeddingBag(3, 2, mode="max", dtype=torch.quint4x2))


@DTYPES
@pytest.mark.parametrize("bag", [True, False])
def test_a_text_classifier_exports_with_equal_bytes(dtype, bag, tmp_path):
    torch.manual_seed(0)
    model = Classifier(bag).eval()
    model.qconfig = tq.get_default_qconfig()
    model.words.qconfig = QCONFIGS[dtype]
    prepared = tq.prepare(model)
    prepared(INDICES)
    quantized = tq.convert(prepared)
    qsdk.export(quantized, INDICES, tmp_path / "model.qsdk")
    session = qsdk.Session(tmp_path / "model.qsdk")
    for words in (INDICES, (INDICES + 5) % 11, torch.zeros_like(INDICES)):
        expected = quantized(words).numpy().tobytes()
        assert session.run(words)[0].tobytes() == expected
        assert qsdk.reference.run(tmp_path / "model.qsdk", words)[0].tobytes() == expected
