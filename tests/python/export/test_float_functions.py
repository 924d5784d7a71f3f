"""PyTorch's functions that the file has as several operators on floats."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import qsdk
from qsdk.export import to_bytes
from qsdk.reference.interpreter import run


class Function(nn.Module):
    def __init__(self, function: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.function(*inputs)


def check(model: nn.Module, *inputs: torch.Tensor) -> None:
    """The runtime gives the bytes of the definition, which PyTorch's sums differ from by rounding alone."""
    _, data = to_bytes(model.eval(), inputs)
    (expected,) = run(data, *inputs)
    with torch.no_grad():
        torch.testing.assert_close(torch.from_numpy(expected), model(*inputs), rtol=2e-6, atol=2e-6)
    for isa in qsdk.runtime.available_isas():
        assert qsdk.Session(data, isa=isa).run(*inputs)[0].tobytes() == expected.tobytes()


FUNCTIONS = {
    "log_softmax": lambda x, y: F.log_softmax(x, -1),
    "log_softmax of channels": lambda x, y: F.log_softmax(50 * x, 1),
    "log_softmax of one": lambda x, y: F.log_softmax(x[:, :1], 1),
    "glu": lambda x, y: F.glu(x, -1),
    "glu of channels": lambda x, y: F.glu(x, 1),
    "cosine_similarity": F.cosine_similarity,
    "pairwise_distance": F.pairwise_distance,
    "norm of all": lambda x, y: x.norm(),
    "norm of magnitudes": lambda x, y: torch.linalg.vector_norm(x, 1, (0, 2), True),
    "pairs of places": lambda x, y: x[:, [0, 1, 3], [-1, 2, 5]],
    "largest magnitude": lambda x, y: torch.linalg.vector_norm(x, float("inf"), 1),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name: str) -> None:
    torch.manual_seed(0)
    check(Function(FUNCTIONS[name]), torch.randn(3, 4, 10), torch.randn(3, 4, 10))


def test_log_softmax_of_many() -> None:
    """Of equal numbers, whose logarithm is the largest, and of one that outweighs all others."""
    x = torch.zeros(2, 5000)
    x[1, 7] = 300.0
    check(Function(lambda x: F.log_softmax(x, 1)), x)


def test_norms_that_the_file_has_not() -> None:
    with pytest.raises(qsdk.UnsupportedOperatorError, match="ord=3 has no counterpart"):
        to_bytes(Function(lambda x: torch.linalg.vector_norm(x, 3, 1)).eval(), (torch.randn(2, 4),))


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_bags(mode: str) -> None:
    torch.manual_seed(0)
    check(nn.EmbeddingBag(9, 5, mode=mode), torch.randint(9, (3, 4)))


def test_weighted_bags() -> None:
    torch.manual_seed(0)
    bag = nn.EmbeddingBag(9, 5, mode="sum")
    check(Function(lambda i, w: F.embedding_bag(i, bag.weight, mode="sum", per_sample_weights=w)),
          torch.randint(9, (3, 4)), torch.rand(3, 4))  # fmt: skip


@pytest.mark.parametrize(
    ("bag", "inputs", "message"),
    [
        (nn.EmbeddingBag(9, 5), (torch.tensor([1, 2, 3]), torch.tensor([0, 2])), "bags of several sizes"),
        (nn.EmbeddingBag(9, 5, padding_idx=0), (torch.zeros(2, 3, dtype=torch.int64),), "padding_idx=0"),
    ],
)
def test_bags_that_need_a_quantized_table(bag: nn.Module, inputs: tuple[torch.Tensor, ...], message: str) -> None:
    with pytest.raises(qsdk.UnsupportedOperatorError, match=message):
        to_bytes(bag.eval(), inputs)


def test_pairs_of_places_in_a_quantized_tensor() -> None:
    """The products of a recommender's features with each other, each pair once."""

    class Interactions(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(8, 8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.layer(x)
            return torch.bmm(y, y.transpose(1, 2))[:, [1, 2, 2], [0, 0, 1]]

    torch.manual_seed(0)
    x = torch.randn(2, 3, 8)
    quantized = qsdk.quantize(Interactions(), [x])
    session = qsdk.Session(to_bytes(quantized, (x,))[1])
    assert session.run(x)[0].tobytes() == quantized(x).numpy().tobytes()


@pytest.mark.parametrize("function", [F.glu, lambda x: nn.functional.glu(x, 1)])
def test_gates_of_quantized_layers(function: Callable[..., torch.Tensor]) -> None:
    """Gates stay in integers."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv1d(4, 6, 3), Function(function), nn.Conv1d(6 if function is F.glu else 3, 2, 1))
    x = torch.randn(1, 4, 12)
    program, data = to_bytes(qsdk.quantize(model.eval(), [x]), (x,))
    kinds = [op.kind for op in program.operators]
    assert kinds.count("quantize_per_tensor") == kinds.count("dequantize") == 1 and "mul" in kinds
    assert qsdk.Session(data).self_test() == 2
