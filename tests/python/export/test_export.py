"""export: what it writes, its options, and what it refuses."""

from __future__ import annotations

import copy
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import qsdk
import qsdk.quantization as tq
from qsdk.export import to_bytes
from qsdk.export.serialize import checksum_ok, deserialize, serialize
from qsdk.reference.interpreter import run

Digits = tuple[nn.Module, torch.Tensor]


def test_model_reference_and_runtime_agree(digits: Digits, tmp_path: Path) -> None:
    model, x = digits
    report = qsdk.export(model, x, tmp_path / "digits.qsdk")
    expected = model(x).numpy().tobytes()
    assert qsdk.reference.run(tmp_path / "digits.qsdk", x)[0].tobytes() == expected
    for isa in qsdk.runtime.available_isas():
        session = qsdk.Session(tmp_path / "digits.qsdk", isa=isa)
        assert session.run(x)[0].tobytes() == expected
        assert session.self_test() == 2
        assert session.arena_size == report.session_size[isa]
    assert report.file_size == (tmp_path / "digits.qsdk").stat().st_size
    assert report.arena_ratio <= 1.01


def test_file_round_trip(digits: Digits) -> None:
    program, data = to_bytes(*digits)
    again = deserialize(data)
    assert serialize(again, producer=f"qsdk {qsdk.__version__}") == data
    assert checksum_ok(data)
    changed = bytearray(data)
    changed[-70] ^= 1
    assert not checksum_ok(bytes(changed))


def test_export_is_deterministic_and_survives_copies(digits: Digits) -> None:
    model, x = digits
    _, data = to_bytes(model, x)
    assert to_bytes(copy.deepcopy(model), x)[1] == data
    assert to_bytes(pickle.loads(pickle.dumps(model)), x)[1] == data


def test_quantized_io(digits: Digits) -> None:
    model, x = digits
    program, data = to_bytes(model, x, quantized_io=True)
    kinds = [op.kind for op in program.operators]
    assert "quantize_per_tensor" not in kinds and "dequantize" not in kinds
    source, result = program.tensors[program.inputs[0]], program.tensors[program.outputs[0]]
    inverse = np.float32(1) / np.float32(source.scale[0])
    q = np.clip(np.rint(x.numpy() * inverse) + source.zero_point[0], -128, 127).astype(np.int8)
    y = qsdk.Session(data).run(q)[0]
    real = np.float32(result.scale[0]) * (y.astype(np.int32) - result.zero_point[0]).astype(np.float32)
    assert real.tobytes() == model(x).numpy().tobytes()


def test_nhwc_layout() -> None:
    from conftest import convert

    model, x = convert("resnet8")
    program, data = to_bytes(model, x, layout="nhwc")
    assert program.tensors[program.inputs[0]].shape == (1, 32, 32, 3)
    assert "permute" not in [op.kind for op in program.operators]
    camera = x.permute(0, 2, 3, 1).contiguous()
    assert qsdk.Session(data).run(camera)[0].tobytes() == model(x).numpy().tobytes()


def test_stripped_names_and_vectors(digits: Digits) -> None:
    _, full = to_bytes(*digits)
    program, small = to_bytes(*digits, strip_names=True, test_vectors=None)
    assert len(small) < len(full) and b"stem" in full and b"stem" not in small
    with pytest.raises(qsdk.RuntimeStatusError, match="UNSUPPORTED"):
        qsdk.Session(small).self_test()


def test_example_vectors(digits: Digits) -> None:
    _, data = to_bytes(*digits, test_vectors="examples")
    assert qsdk.Session(data).self_test() == 1


@pytest.mark.parametrize("batch", [2, 5])
def test_batches(digits: Digits, batch: int) -> None:
    model, _ = digits
    x = torch.randn(batch, 1, 8, 8)
    program, data = to_bytes(model, x)
    assert qsdk.Session(data).run(x)[0].tobytes() == model(x).numpy().tobytes()


class Partly(nn.Module):
    """conv2 stays in float."""

    def __init__(self) -> None:
        super().__init__()
        self.quant, self.dequant = tq.QuantStub(), tq.DeQuantStub()
        self.conv1, self.conv2 = nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv2(self.dequant(self.conv1(self.quant(x))))


def _converted(model: nn.Module, x: torch.Tensor) -> nn.Module:
    model.eval()
    model.qconfig = tq.get_default_qconfig("qsdk")
    prepared = tq.prepare(model)
    prepared(x)
    return tq.convert(prepared)


def test_refuses_what_cannot_be_exported(digits: Digits, tmp_path: Path) -> None:
    target = tmp_path / "model.qsdk"
    target.write_bytes(b"older file")
    x = torch.randn(1, 1, 8, 8)
    partly = Partly()
    partly.conv2 = nn.LogSigmoid()
    with pytest.raises(qsdk.UnsupportedOperatorError, match="conv2.*operator table"):
        qsdk.export(_converted(partly, x), x, target)
    model = copy.deepcopy(digits[0])
    model.train()
    with pytest.raises(qsdk.CaptureError, match="training mode"):
        qsdk.export(model, x, target)
    with pytest.raises(qsdk.QsdkError):
        qsdk.export(digits[0], torch.randn(1, 3, 8, 8), target)
    with pytest.raises(qsdk.QsdkError, match="writ"):
        qsdk.export(*digits, tmp_path / "missing" / "model.qsdk")
    assert target.read_bytes() == b"older file"
    assert [p.name for p in tmp_path.iterdir()] == ["model.qsdk"]


def test_control_flow_is_refused(tmp_path: Path) -> None:
    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.quant, self.dequant = tq.QuantStub(), tq.DeQuantStub()
            self.conv = nn.Conv2d(1, 2, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.conv(self.quant(x))
            return self.dequant(y) if x.sum() > 0 else self.dequant(y) * 2

    x = torch.randn(1, 1, 8, 8)
    with pytest.raises(qsdk.CaptureError, match="cannot trace"):
        qsdk.export(_converted(Branches(), x), x, tmp_path / "m.qsdk")


def test_python_reader_refuses_damage(digits: Digits) -> None:
    """Every truncation and many random changes: a FileFormatError or a Program, nothing else."""
    _, data = to_bytes(*digits)
    head = struct.unpack_from("<I", data, 0)[0] + 6000
    for length in [*range(0, min(head, len(data)), 37), *range(len(data) - 300, len(data), 7)]:
        with pytest.raises(qsdk.FileFormatError):
            deserialize(data[:length])
    generator = np.random.default_rng(0)
    for _ in range(1500):
        mutant = bytearray(data)
        mutant[generator.integers(0, 7000)] = generator.integers(0, 256)
        try:
            program = deserialize(bytes(mutant))
            run(program, digits[1])
        except qsdk.QsdkError:
            pass
