"""Blocks of MobileNets as one operator: equal bytes, less memory, and only where there is less."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import qsdk
from qsdk.debug.profile import macs
from qsdk.export import to_bytes
from qsdk.export.program import Program
from qsdk.reference.interpreter import run
from qsdk.runtime import Session, available_isas


def layer(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU6())


def block(inputs: int, channels: int, outputs: int, stride: int = 1) -> nn.Sequential:
    project = nn.Sequential(nn.Conv2d(channels, outputs, 1), nn.BatchNorm2d(outputs))
    return nn.Sequential(layer(inputs, channels, 1), layer(channels, channels, 3, stride, channels), project)


Chain = Callable[["Net", Tensor], Tensor]


class Net(nn.Module):
    """A first block with a convolution of 3x3, and two with an expansion, in an order that `chain` says."""

    def __init__(self, chain: Chain) -> None:
        super().__init__()
        self.chain = chain
        self.stem = nn.Sequential(layer(3, 24, 3, 2), layer(24, 24, 3, 1, 24), layer(24, 8, 1))
        self.first, self.second = block(8, 40, 8), block(8, 36, 10, 2)
        self.other = nn.Conv2d(40, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.chain(self, x)


def exported(chain: Chain, **options: bool) -> tuple[Program, bytes]:
    torch.manual_seed(0)
    x = torch.randn(2, 3, 40, 36)
    return to_bytes(qsdk.quantize(Net(chain).eval(), [x], progress=False), x, quantized_io=True, **options)


def kinds(program: Program) -> list[str]:
    return [op.kind for op in program.operators if op.kind not in ("permute", "reshape")]


def whole(net: Net, x: Tensor) -> Tensor:
    y = net.stem(x)
    return net.second(y + net.first(y)).mean((2, 3))


@pytest.fixture(scope="module")
def pair() -> tuple[tuple[Program, bytes], tuple[Program, bytes]]:
    """The network with its layers, and with blocks."""
    return exported(whole, fuse_blocks=False), exported(whole)


def test_blocks_take_less_memory_and_give_the_same_bytes(pair: tuple[tuple[Program, bytes], ...]) -> None:
    (plain, before), (fused, after) = pair
    assert kinds(plain) == ["conv2d"] * 6 + ["add"] + ["conv2d"] * 3 + ["mean"]
    assert kinds(fused) == ["inverted_residual"] * 3 + ["mean"]
    assert fused.arena_size < plain.arena_size / 2 and fused.peak_live < plain.peak_live / 2
    assert [v.output_crc for v in fused.test_vectors] == [v.output_crc for v in plain.test_vectors]
    tensor = plain.tensors[plain.inputs[0]]
    x = np.random.default_rng(0).integers(-128, 128, tensor.shape).astype(np.int8)
    (expected,) = run(plain, x)
    assert len(np.unique(expected)) > 8
    assert np.array_equal(run(after, x)[0], expected)
    for isa in available_isas():
        for threads in (1, 2):
            assert np.array_equal(Session(after, isa=isa, threads=threads).run(x)[0], expected), isa
    assert Session(after).arena_size < Session(before).arena_size


def test_a_block_has_the_name_of_its_last_layer_and_the_products_of_all(
    pair: tuple[tuple[Program, bytes], ...],
) -> None:
    (plain, _), (fused, _) = pair
    names = {op.outputs[0]: op.name for op in plain.operators}
    assert {op.name for op in fused.operators} <= set(names.values())
    blocks = [op for op in fused.operators if op.kind == "inverted_residual"]
    assert len(blocks[1].options["residual_multiplier"]) == 2 and not blocks[0].options["residual_multiplier"]  # type: ignore[arg-type]
    convolutions = [macs(plain, op) for op in plain.operators if op.kind == "conv2d"]
    assert [macs(fused, op) for op in blocks] == [sum(convolutions[i : i + 3]) for i in (0, 3, 6)]


def test_either_order_of_the_addition() -> None:
    def swapped(net: Net, x: Tensor) -> Tensor:
        y = net.stem(x)
        return net.second(net.first(y) + y).mean((2, 3))

    (plain, _), (fused, _) = exported(swapped, fuse_blocks=False), exported(swapped)
    assert kinds(fused) == ["inverted_residual"] * 3 + ["mean"]
    assert [v.output_crc for v in fused.test_vectors] == [v.output_crc for v in plain.test_vectors]


def expansion_is_read_twice(net: Net, x: Tensor) -> Tensor:
    y = net.stem(x)
    expanded = net.first[0](y)
    return net.first[2](net.first[1](expanded)) + net.other(expanded)


def something_else_is_added(net: Net, x: Tensor) -> Tensor:
    y = net.stem(x)
    return net.first(y) + y.flip(2)


def what_is_convolved_is_returned(net: Net, x: Tensor) -> Tensor:
    convolved = net.first[1](net.first[0](net.stem(x)))
    return torch.cat([convolved, net.first[2](convolved)], 1)


def projected_twice(net: Net, x: Tensor) -> Tensor:
    y = net.stem(x)
    projected = net.first(y)
    return torch.cat([projected, y + projected], 1)


@pytest.mark.parametrize(
    ("chain", "left"),
    [
        (expansion_is_read_twice, ["conv2d"] * 5 + ["add"]),  # those of the stem are not at the peak
        (something_else_is_added, ["slice", "add"]),
        (what_is_convolved_is_returned, ["conv2d"] * 6),
        (projected_twice, ["add"]),
    ],
)
def test_what_others_read_stays(chain: Chain, left: list[str]) -> None:
    (plain, _), (fused, after) = exported(chain, fuse_blocks=False), exported(chain)
    rest = [kind for kind in kinds(fused) if kind in ("conv2d", "add", "slice")]
    assert rest == left and fused.arena_size <= plain.arena_size
    assert [v.output_crc for v in fused.test_vectors] == [v.output_crc for v in plain.test_vectors]
    tensor = plain.tensors[plain.inputs[0]]
    x = np.random.default_rng(0).integers(-128, 128, tensor.shape).astype(np.int8)
    assert np.array_equal(Session(after).run(x)[0], run(plain, x)[0])


def test_a_network_with_its_peak_elsewhere_keeps_its_layers() -> None:
    torch.manual_seed(0)
    layers = [layer(1, 16, 3, 2), *(layer(16, 16, k, 1, g) for _ in range(2) for k, g in ((3, 16), (1, 1)))]
    x = torch.randn(1, 1, 12, 12)
    model = qsdk.quantize(nn.Sequential(*layers).eval(), [x], progress=False)
    (plain, before), (same, after) = (to_bytes(model, x, fuse_blocks=fuse) for fuse in (False, True))
    assert kinds(same) == kinds(plain) and before == after
