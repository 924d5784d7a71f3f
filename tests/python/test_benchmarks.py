"""The zoo that `make bench` times: products, arena plans, export; and the tables made of what it measures."""

from __future__ import annotations

import functools
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import qsdk
import qsdk.quantization as tq
from qsdk.debug.profile import macs
from qsdk.export import to_bytes
from qsdk.export.program import Program

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
import bench  # noqa: E402
import classes  # noqa: E402
import overhead  # noqa: E402
import report  # noqa: E402
import zoo  # noqa: E402

MACS = {
    "mobilenet_v2": 300_774_272,
    "resnet18": 1_814_073_344,
    "resnet8": 12_501_632,
    "ds_cnn": 2_550_528,
    "mobilenet_v1_025": 7_489_664,
    "fc_ae": 264_192,
    "transformer": 6 * (64 * (4 * 384 * 384 + 2 * 384 * 1536) + 2 * 12 * 64 * 64 * 32),
    "lstm": 50 * 4 * 256 * (128 + 256 + 256 + 256) + 50 * 256 * 32,
}
LARGE = ("mobilenet_v2", "resnet18", "transformer")
NAMES = [pytest.param(name, marks=[pytest.mark.slow] if name in LARGE else []) for name in zoo.ZOO]


@functools.cache
def exported(name: str) -> Program:
    torch.set_num_threads(1)
    model, x = zoo.make(name)
    if zoo.ZOO[name].dynamic:
        quantized = tq.quantize_dynamic(model, {nn.Linear, nn.LSTM})
    else:
        quantized = qsdk.quantize(model, [x], progress=False)
    return to_bytes(quantized, x, test_vectors=None)[0]


@pytest.mark.parametrize("name", NAMES)
def test_arena_is_within_a_percent_of_what_lives_at_once(name: str) -> None:
    program = exported(name)
    assert program.peak_live <= program.arena_size <= 1.01 * program.peak_live


@pytest.mark.parametrize("name", NAMES)
def test_products(name: str) -> None:
    program = exported(name)
    assert sum(macs(program, op) for op in program.operators) == MACS[name]


def test_classes_of_operators() -> None:
    program = exported("mobilenet_v1_025")
    names = [classes.class_of(program, op) for op in program.operators]
    assert names.count("depthwise 3x3") == 13 and names.count("conv 3x3 from 1 to 4 channels") == 1
    assert names.count("conv 1x1, depth up to 32") == 4 and names.count("conv 1x1") == 9 and "linear" in names
    assert {classes.class_of(exported("fc_ae"), op) for op in exported("fc_ae").operators} == {
        "quantize_per_tensor", "linear", "dequantize",
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["reshape", "clamp"])
def test_a_chain_of_empty_operators_runs(kind: str) -> None:
    session = qsdk.Session(overhead.chain(kind, 30))
    assert len(session.kernels()) == 30
    values = torch.arange(-32, 32, dtype=torch.int8).reshape(1, 64)
    assert session.run(values)[0].tobytes() == values.numpy().tobytes()


def _times(wall: float) -> dict[str, float]:
    return {
        "wall": wall,
        "least_wall": wall / 2,
        "cpu": wall,
        "least_cpu": wall / 2,
        "runs": 5,
        "load": 7000.0,
        "similarity": 1.0,
    }


RESULT = {
    "machine": {
        "cpu": "Abacus", "family": "family 1, model 2", "cores": 2,
        "caches": "L1d 1 KiB", "kernel": "Linux 6", "load": 0.0, "frequency": 2.0,
        "isas": ["avx512vnni", "avx2", "scalar"], "peaks": {"avx512vnni": 64.0, "avx2": 32.0},
    },
    "overhead": {"reshape": 2.0, "clamp": 3.5},
    "versions": {"qsdk": "0.1"},
    "titles": {"qsdk": "qsdk", "qsdk-avx2": "qsdk avx2", "slow": "Slow", "fast": "Fast", "gone": "Gone"},
    "missing": {"gone": "not installed"},
    "command": "make bench",
    "settings": {"rounds": 1, "milliseconds": 1},
    "networks": {
        "net": {
            "title": "Net",
            "macs": 32_000,
            "operators": 7,
            "classes": [
                {"class": "conv 3x3", "operators": 2, "nanoseconds": 990.0, "macs": 31_680},
                {"class": "add", "operators": 3, "nanoseconds": 60.0, "macs": 0},
                {"class": "reshape", "operators": 2, "nanoseconds": 1.0, "macs": 0},
            ],
            "threads": {
                "1": {
                    "frequency": 2.0,
                    "engines": {
                        "qsdk": _times(1000.0),
                        "qsdk-avx2": _times(2000.0),
                        "slow": _times(9000.0),
                        "fast": {**_times(1500.0), "similarity": 0.5},
                    },
                },
                "2": {
                    "frequency": 2.0,
                    "engines": {"qsdk": _times(500.0), "slow": {"error": "no threads"}, "fast": _times(2000.0)},
                },
            },
        }
    },
}  # fmt: skip


def test_tables_of_a_result() -> None:
    times = report.against_peers(RESULT, "wall")
    assert times.columns == ("network", "threads", "qsdk", "Slow", "Fast", "Gone", "best peer", "best peer / qsdk")
    assert times.rows == [
        ("Net", "1", "1.00", "9.00", "1.50", "-", "Fast", "1.50"),
        ("Net", "2", "0.50", "-", "2.00", "-", "Fast", "4.00"),
    ]
    row = report.against_bound(RESULT).rows[0]
    assert row == ("Net", "0.0", "7", "7.00", "1.00", "16.0", "25%", "0.50", "2.00", "2.00", "8.0", "25%", "2.00")
    assert report.by_class(RESULT).rows == [
        ("Net", "conv 3x3", "2", "0.99", "94%", "16.0", "25%"),
        ("", "add", "3", "0.06", "6%", "-", "-"),
    ]
    assert report.remarks(RESULT) == [
        "Gone: not measured: not installed",
        "Fast, 1 thread, Net: its output has a cosine of 0.500 with the float model's",
        "Slow, 2 threads, Net: no threads",
    ]


def test_what_qsdk_could_not_run_is_a_failure() -> None:
    assert bench.failures(RESULT) == []
    answers = {"1": {"engines": {"qsdk": {"error": "no file"}, "slow": _times(1.0)}}}
    assert bench.failures({"networks": {"net": {"threads": answers}}}) == ["net: no file"]


def test_a_busy_machine_is_remarked() -> None:
    busy = {**RESULT, "machine": {**RESULT["machine"], "load": 7.0}}
    assert [line for line in report.remarks(busy) if "load 7.0" in line]


def test_a_document_keeps_what_is_not_generated(tmp_path: Path) -> None:
    path = tmp_path / "benchmarks.md"
    path.write_text(f"Before.\n\n{report.BEGIN}\nold\n{report.END}\n\nAfter.\n")
    report.write_docs(RESULT, path)
    text = path.read_text()
    assert text.startswith("Before.") and text.endswith("After.\n") and "old" not in text
    assert "| Net | 1 | 1.00 | 9.00 | 1.50 | - | Fast | 1.50 |" in text and "Abacus" in text and "Gone: not" in text
    report.write_docs(RESULT, path)
    assert path.read_text() == text
    with pytest.raises(SystemExit, match="marks"):
        path.write_text("Before.")
        report.write_docs(RESULT, path)


def test_a_page_of_a_result() -> None:
    text = report.page_of(RESULT)
    assert text.count("<svg") == 6 and "Net, 2 threads" in text
