"""The training helper; the calibration helpers are in test_eager_workflow.py."""

from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torch import nn

import qsdk.quantization as tq
from qsdk.errors import QuantizationError

LOSS = nn.CrossEntropyLoss()
SGD = partial(torch.optim.SGD, lr=0.1)


class Net(nn.Module):
    """One batch norm that is fused, and one that is not."""

    def __init__(self):
        super().__init__()
        self.quant, self.dequant = tq.QuantStub(), tq.DeQuantStub()
        self.fc, self.bn, self.classify = nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Linear(8, 3)
        self.last = nn.BatchNorm1d(3)
        self.last.qconfig = None

    def forward(self, x):
        return self.last(self.dequant(self.classify(self.bn(self.fc(self.quant(x))))))


def ready():
    torch.manual_seed(0)
    model = tq.fuse_modules(Net().train(), [["fc", "bn"]])
    model.qconfig = tq.get_default_qat_qconfig()
    return model


def pairs(count=4):
    generator = torch.Generator().manual_seed(1)
    return [(torch.randn(8, 6, generator=generator), torch.randint(3, [8], generator=generator)) for _ in range(count)]


def test_equals_the_loop_written_out():
    ours, plain = tq.prepare_qat(ready()), tq.prepare_qat(ready())
    schedule = partial(torch.optim.lr_scheduler.StepLR, step_size=1)
    result = tq.default_train_fn(ours, pairs(), LOSS, SGD, 3, False, scheduler=schedule)
    assert result is ours and ours.training
    optimizer = SGD(plain.parameters())
    for epoch in range(3):
        optimizer.param_groups[0]["lr"] = 0.1 ** (epoch + 1)
        for x, labels in pairs():
            optimizer.zero_grad()
            LOSS(plain(x), labels).backward()
            optimizer.step()
    mine, other = ours.state_dict(), plain.state_dict()
    # The schedule multiplies the rate by 0.1 in float64; 0.1**3 has other last bits.
    assert all((mine[key] - other[key]).abs().max() <= 1e-6 for key in mine if mine[key].is_floating_point())


def test_quantize_qat_trains():
    model = ready()
    before = [parameter.clone() for parameter in model.parameters()]
    x, labels = torch.randn(64, 6), torch.arange(64) % 3
    x[:, :3] += 3 * nn.functional.one_hot(labels, 3)
    quantized = tq.quantize_qat(model, tq.default_train_fn, [[(x, labels)], LOSS, SGD, 60, False])
    assert (quantized(x).argmax(1) == labels).double().mean() > 0.9
    assert all(map(torch.equal, before, model.parameters()))
    own = SGD(model.parameters())
    with pytest.raises(QuantizationError, match="none of the model's parameters.*partial"):
        tq.quantize_qat(model, tq.default_train_fn, [pairs(), LOSS, own])
    tq.quantize_qat(model, tq.default_train_fn, [pairs(), LOSS, own, 1, False], inplace=True)


@pytest.mark.parametrize("observers, norms", [(0, 0), (1, 0), (0, 1), (2, 2), (0, 9)])
def test_the_last_epochs_keep_ranges_and_statistics(observers, norms):
    model = tq.prepare_qat(ready())
    states = []

    class Data(list):
        def __iter__(self):
            states.append(
                (
                    model.quant.activation_post_process.scale.clone(),
                    model.fc.bn.running_mean.clone(),
                    model.last.running_mean.clone(),
                )
            )
            return super().__iter__()

    frozen = {"frozen_observer_epochs": observers, "frozen_batch_norm_epochs": norms}
    data = Data(pairs())
    tq.default_train_fn(model, data, LOSS, SGD, 3, False, **frozen)
    iter(data)
    moved = [
        [not torch.equal(a, b) for a, b in zip(*two, strict=True)] for two in zip(states, states[1:], strict=False)
    ]
    assert moved == [[epochs_left > observers, epochs_left > norms, epochs_left > norms] for epochs_left in (3, 2, 1)]


@pytest.mark.parametrize("progress", [True, False, None])
def test_progress_bar(progress, capsys):
    tq.default_train_fn(tq.prepare_qat(ready()), pairs(), LOSS, SGD, 2, progress)
    shown = capsys.readouterr().err
    assert ("train, epoch 2/2" in shown) == (progress is True)


def test_no_epoch_that_observes():
    with pytest.raises(QuantizationError, match="3 of 3 epochs.*disable_observer"):
        tq.default_train_fn(tq.prepare_qat(ready()), pairs(), LOSS, SGD, 3, frozen_observer_epochs=3)


def test_data_that_is_read_once_and_a_sampler_that_counts_epochs():
    model = tq.prepare_qat(ready())
    with pytest.raises(QuantizationError, match="iterator, which ends after one epoch"):
        tq.default_train_fn(model, iter(pairs()), LOSS, SGD, 2)
    tq.default_train_fn(model, iter(pairs()), LOSS, SGD)
    epochs = []

    class Loader(list):
        sampler = SimpleNamespace(set_epoch=epochs.append)

    tq.default_train_fn(model, Loader(pairs()), LOSS, SGD, 3)
    assert epochs == [0, 1, 2]
