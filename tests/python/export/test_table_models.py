"""Models on integers: embedding tables, their indices from export to the device, and indices that select nothing."""

from __future__ import annotations

import contextlib
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from test_float_models import check
from torch import nn

import qsdk
import qsdk.quantization as tq
from qsdk.export import to_bytes
from qsdk.export.program import SeededInput, TensorInfo
from qsdk.export.serialize import deserialize, serialize
from qsdk.export.vectors import seeded_inputs
from qsdk.reference.interpreter import run
from qsdk.runtime import runner_path

QCONFIGS = {8: tq.float_qparams_weight_only_qconfig, 4: tq.float_qparams_weight_only_qconfig_4bit}


def quantized(model: nn.Module, bits: int = 8) -> nn.Module:
    tables = dict.fromkeys((nn.Embedding, nn.EmbeddingBag), QCONFIGS[bits])
    return tq.quantize_dynamic(model.eval(), {nn.Linear: tq.default_dynamic_qconfig, **tables})


class Classifier(nn.Module):
    """Bags of words, all of them or some, to classes."""

    def __init__(self, mode: str = "mean", last: bool = False) -> None:
        super().__init__()
        self.bag = nn.EmbeddingBag(50, 9, mode=mode, padding_idx=3, include_last_offset=last)
        self.head = nn.Linear(9, 4)

    def forward(self, words: torch.Tensor, offsets: torch.Tensor | None = None) -> torch.Tensor:
        return self.head(self.bag(words, offsets))


class Offsets(Classifier):
    def forward(self, words: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return self.head(self.bag(words, offsets))


class Words(Classifier):
    def forward(self, words: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return self.head(self.bag(words))


class Tagger(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(30, 7), nn.Linear(7, 5)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        return self.head(self.embed(words.t()))


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_classifier(mode: str, dtype: torch.dtype, bits: int) -> None:
    torch.manual_seed(0)
    model = quantized(Words(mode), bits)
    assert check(model, torch.randint(0, 50, (4, 6), dtype=dtype)) == ["reshape", "embedding_bag", "linear_dynamic"]


@pytest.mark.parametrize("last", [False, True])
def test_offsets_are_inputs(last: bool) -> None:
    torch.manual_seed(0)
    model = quantized(Offsets(last=last))
    words, offsets = torch.randint(0, 50, (12,)), torch.tensor([0, 0, 7, 11])
    assert check(model, words, offsets) == ["embedding_bag", "linear_dynamic"]
    program, _ = to_bytes(model, (words, offsets))
    assert program.test_vectors[0].seeded == (
        SeededInput(least=0, most=49),
        SeededInput(least=0, most=12, ascending=True),
    )


def test_weights_are_inputs() -> None:
    class Weighted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bag = nn.EmbeddingBag(50, 9, mode="sum")

        def forward(self, words: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
            return self.bag(words, per_sample_weights=weights)

    torch.manual_seed(0)
    kinds = check(quantized(Weighted()), torch.randint(0, 50, (4, 6)), torch.randn(4, 6))
    assert kinds == ["reshape", "reshape", "embedding_bag"]


@pytest.mark.parametrize("bits", [8, 4])
def test_tagger(bits: int) -> None:
    torch.manual_seed(0)
    model = quantized(Tagger(), bits)
    assert check(model, torch.randint(0, 30, (5, 3))) == ["permute", "embedding", "linear_dynamic"]
    program, data = to_bytes(model, torch.randint(0, 30, (5, 3)), test_vectors="examples")
    assert qsdk.Session(data).self_test() == 1
    assert program.tensors[program.inputs[0]].dtype == "int64"


@pytest.mark.parametrize("bad", [30, -1, 2**31, -(2**63)])
def test_indices_outside_the_table(bad: int) -> None:
    model = quantized(Tagger())
    words = torch.randint(0, 30, (5, 3))
    program, data = to_bytes(model, words)
    good = qsdk.Session(data).run(words)[0]
    wrong = words.clone()
    wrong[2, 1] = bad
    for isa in qsdk.runtime.available_isas():
        session = qsdk.Session(data, isa=isa)
        with pytest.raises(qsdk.IndexRangeError, match=rf"operators\[1\] embedding: inputs\[0\]\[7\] is {bad}, but"):
            session.run(wrong)
        assert session.run(words)[0].tobytes() == good.tobytes()
    for source in (program, data):
        with pytest.raises(qsdk.IndexRangeError, match=f"layer 'embed'.*index {bad} is outside"):
            run(source, wrong)


def test_offsets_outside_the_indices() -> None:
    model = quantized(Offsets())
    words = torch.randint(0, 50, (12,))
    _, data = to_bytes(model, (words, torch.tensor([0, 5])))
    for bad in ([1, 5], [0, 13], [0, -1]):
        for compute in (qsdk.Session(data).run, lambda *inputs: run(data, *inputs)):
            with pytest.raises(qsdk.IndexRangeError, match="do not begin at 0, ascend and stay within"):
                compute(words, torch.tensor(bad))


def test_the_runtime_is_an_engine_for_tables() -> None:
    torch.manual_seed(0)
    model, words = quantized(Classifier()), torch.randint(0, 50, (12,))
    expected = model(words, torch.tensor([0, 7]))
    qsdk.backends.quantized.engine = "qsdk"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert torch.equal(model(words, torch.tensor([0, 7])), expected)
        with pytest.raises(qsdk.IndexRangeError, match=r"embedding_bag: .*inputs\[1\]\[1\].*layer 'bag'"):
            model(words, torch.tensor([0, 13]))
    finally:
        qsdk.backends.quantized.engine = "reference"


def test_seeded_integers_stay_in_range_and_ascend() -> None:
    tensors = [TensorInfo("a", "int64", (1000,)), TensorInfo("b", "int32", (7,)), TensorInfo("c", "int32", (3,))]
    seeded = [
        SeededInput(least=-3, most=4),
        SeededInput(least=2, most=40, ascending=True),
        SeededInput(least=-(2**31), most=2**31 - 1),
    ]
    a, b, c = seeded_inputs(tensors, 5, seeded)
    assert set(a.tolist()) == set(range(-3, 5)) and a.dtype == np.int64
    assert b[0] == 2 and (np.diff(b) >= 0).all() and 20 < b[-1] <= 40 and b.dtype == np.int32
    assert c.min() < -(2**24) or c.max() > 2**24


def test_the_file_keeps_everything() -> None:
    program, data = to_bytes(quantized(Words("max"), 4), torch.randint(0, 50, (4, 6)))
    again = deserialize(data)
    assert again.test_vectors == program.test_vectors and again.operators[1].options["mode"] == "max"
    assert serialize(again, producer=f"qsdk {qsdk.__version__}") == data


def test_damaged_files_do_not_get_far() -> None:
    words = torch.randint(0, 50, (12,))
    _, data = to_bytes(quantized(Offsets(), 4), (words, torch.tensor([0, 5])))
    generator = np.random.default_rng(0)
    for _ in range(600):
        mutant = bytearray(data)
        mutant[generator.integers(0, len(data) - 500)] = generator.integers(0, 256)
        for compute in (lambda m: run(m, words, torch.tensor([0, 5])), lambda m: qsdk.Session(m).self_test()):
            with contextlib.suppress(qsdk.QsdkError):
                compute(bytes(mutant))


def test_qrt_run_reads_integers(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, words = quantized(Tagger()), torch.randint(0, 30, (5, 3))
    qsdk.export(model, words, tmp_path / "m.qsdk")
    np.save(tmp_path / "x.npy", words.numpy())
    call = [str(runner_path()), str(tmp_path / "m.qsdk"), "--input", str(tmp_path / "x.npy")]
    subprocess.run([*call, "--output", str(tmp_path / "y.npy")], check=True)
    assert np.load(tmp_path / "y.npy").tobytes() == model(words).numpy().tobytes()
    assert "input 0: int64 [5, 3]" in subprocess.run([*call[:2], "--info"], capture_output=True, text=True).stdout
    np.save(tmp_path / "x.npy", words.to(torch.int32).numpy())
    result = subprocess.run(call, capture_output=True, text=True)
    assert result.returncode == 1 and "another type" in result.stderr
    np.save(tmp_path / "x.npy", words.numpy() + 30)
    result = subprocess.run(call, capture_output=True, text=True)
    assert result.returncode == 1 and "QRT_ERROR_INDEX" in result.stderr


@pytest.mark.parametrize("example", [torch.zeros(2, 3, dtype=torch.float64), torch.zeros(2, dtype=torch.uint8), 3])
def test_refused_examples(example: object) -> None:
    with pytest.raises(qsdk.CaptureError, match="example input 0 is .*float32 tensors, integers"):
        to_bytes(quantized(Tagger()), (example,))  # type: ignore[arg-type]
