"""Whole networks with float activations on every backend: equal bytes with the quantized model and qsdk.reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import qsdk.quantization as tq
from parity.backends import BACKENDS, Job, run_jobs
from qsdk.export import to_bytes
from qsdk.reference.interpreter import run

LAYERS = (nn.Linear, nn.LSTM, nn.GRU, nn.LSTMCell, nn.GRUCell, nn.RNNCell, nn.MultiheadAttention)
SAMPLES = 3


class Bags(nn.Module):
    """Text classifier: bags of words."""

    def __init__(self) -> None:
        super().__init__()
        self.bag = nn.EmbeddingBag(500, 33, mode="mean", padding_idx=0)
        self.body, self.head = nn.Linear(33, 64), nn.Linear(64, 4)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.body(self.bag(words))))


class Tagger(nn.Module):
    """Words to a class each, both ways through the sentence."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(500, 32)
        self.body = nn.LSTM(32, 40, num_layers=2, bidirectional=True, batch_first=True)
        self.head = nn.Linear(80, 9)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(self.embed(words))[0])


class Labels(nn.Module):
    """A long short-term memory of two layers over features, a label for each."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.fc = nn.LSTM(128, 256, 2, batch_first=True), nn.Linear(256, 32)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.fc(self.lstm(features)[0])


class Spotter(nn.Module):
    """Keywords in a spectrogram of 49 frames; the state comes and goes."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.GRU(10, 154, batch_first=True), nn.Linear(154, 12)

    def forward(self, frames: torch.Tensor, state: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        output, state = self.body(frames, state)
        return self.head(output[:, -1]), state


class Cells(nn.Module):
    """A cell of each kind, one behind the other; one step of a stream."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.gru, self.rnn = nn.LSTMCell(16, 24), nn.GRUCell(24, 20), nn.RNNCell(20, 9)

    def forward(self, x: torch.Tensor, *states: torch.Tensor) -> tuple[torch.Tensor, ...]:
        h, c = self.lstm(x, states[:2])
        gru = self.gru(h, states[2])
        return h, c, gru, self.rnn(gru, states[3])


class Encoder(nn.Module):
    """PyTorch's layers of attention, and attention of linear layers by hand; the first with padding."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(24, 4, 40, activation="gelu", batch_first=True)
        self.encoder, self.attention = nn.TransformerEncoder(layer, 1), nn.MultiheadAttention(24, 2, batch_first=True)
        self.decoder = nn.TransformerDecoderLayer(24, 3, 40, batch_first=True, norm_first=True)
        self.q, self.k, self.v = nn.Linear(24, 24), nn.Linear(24, 24), nn.Linear(24, 24)

    def forward(self, x: torch.Tensor, padding: torch.Tensor) -> tuple[torch.Tensor, ...]:
        x = self.encoder(x, src_key_padding_mask=padding)
        x, weights = self.attention(x, x, x, key_padding_mask=padding)
        x = self.decoder(x, x, nn.Transformer.generate_square_subsequent_mask(7), tgt_is_causal=True)
        q, k, v = (layer(x).unflatten(-1, (3, 8)).transpose(1, 2) for layer in (self.q, self.k, self.v))
        return x, weights, nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)


def _words(*shape: int) -> torch.Tensor:
    return torch.randint(0, 500, shape)


NETWORKS: dict[str, tuple[type[nn.Module], Any]] = {
    "bags": (Bags, lambda: [_words(3, 20)]),
    "tagger": (Tagger, lambda: [_words(2, 11)]),
    "labels": (Labels, lambda: [torch.randn(1, 50, 128)]),
    "spotter": (Spotter, lambda: [torch.randn(1, 49, 10), torch.randn(1, 1, 154)]),
    "cells": (Cells, lambda: [torch.randn(2, n) for n in (16, 24, 24, 20, 9)]),
    "encoder": (Encoder, lambda: [torch.randn(2, 7, 24), torch.arange(7) > torch.randint(2, 7, (2, 1))]),
}
# What PyTorch adds up in an order of its own; equal bytes are those of qsdk.reference.
SUMS_OF_PYTORCH = ("encoder",)


@pytest.fixture(scope="module")
def jobs() -> list[tuple[Job, list[list[bytes]]]]:
    torch.set_num_threads(1)
    made = []
    for name, (kind, inputs) in NETWORKS.items():
        torch.manual_seed(0)
        tables = dict.fromkeys((nn.Embedding, nn.EmbeddingBag), tq.float_qparams_weight_only_qconfig_4bit)
        model = tq.quantize_dynamic(kind().eval(), {**dict.fromkeys(LAYERS, tq.default_dynamic_qconfig), **tables})
        program, data = to_bytes(model, inputs())
        samples: list[list[np.ndarray]] = []
        expected = []
        for _ in range(SAMPLES):
            tensors = inputs()
            results = model(*tensors)
            results = results if isinstance(results, tuple) else (results,)
            samples.append([t.numpy() for t in tensors])
            if name in SUMS_OF_PYTORCH:
                defined = run(data, *samples[-1])
                for a, b in zip(results, defined, strict=True):
                    assert np.abs(a.numpy() - b).max() < 0.05, name  # a value at a boundary may be quantized to another
                expected.append([o.tobytes() for o in defined])
            else:
                expected.append([r.numpy().tobytes() for r in results])
        assert expected == [[o.tobytes() for o in run(data, *s)] for s in samples], name
        made.append((Job(name, program, data, samples), expected))
    return made


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_networks(backend: str, jobs: list[tuple[Job, list[list[bytes]]]], tmp_path: Path) -> None:
    results = run_jobs(backend, [job for job, _ in jobs], tmp_path)
    assert {job.name: expected for job, expected in jobs} == results
