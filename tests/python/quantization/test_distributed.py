"""Observers of two processes end as one process's would on the union of the data; so does training."""

import copy
import datetime
import pickle
import time
import traceback
from unittest import mock

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.multiprocessing import ProcessExitedException, ProcessRaisedException
from torch.nn.parallel import DistributedDataParallel

import qsdk.nn.intrinsic.qat as nniqat
import qsdk.nn.quantized as nnq
import qsdk.quantization as tq
from qsdk.errors import QuantizationError
from qsdk.qtensor import qint8
from qsdk.quantization.distributed import GroupReduction
from qsdk.quantization.observer_base import Reduction

TWO = 2
LIMIT = 60  # seconds; two processes take about 6


def equal_states(one, other):
    one, other = one.state_dict(), other.state_dict()
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def merged(make, parts):
    """Observers that saw a part each, merged."""
    observers = [make() for _ in parts]
    for observer, batches in zip(observers, parts, strict=True):
        for batch in batches:
            observer(batch)
    observers[0].merge([observer.merge_state() for observer in observers])
    return observers[0]


def seen_by_one(make, parts):
    observer = make()
    for batches in parts:
        for batch in batches:
            observer(batch)
    return observer


PARTS = st.lists(  # each process's batches; some have none
    st.lists(
        st.builds(
            lambda seed, spread: torch.randn(5, 3, generator=torch.Generator().manual_seed(seed)) * 2.0**spread,
            st.integers(0, 1000),
            st.integers(-20, 20),
        ),
        max_size=3,
    ),
    min_size=1,
    max_size=4,
)


@given(
    PARTS, st.sampled_from([tq.MinMaxObserver, tq.PerChannelMinMaxObserver.with_args(ch_axis=1), tq.RecordingObserver])
)
def test_merged_equals_one_that_saw_everything(parts, make):
    ours, one = merged(make, parts), seen_by_one(make, parts)
    assert equal_states(ours, one)
    assert all(torch.equal(a, b) for a, b in zip(*(list(o.merge_state().values()) for o in (ours, one)), strict=True))


@given(PARTS)
def test_merged_histogram_covers_everything(parts):
    ours, one = (how(tq.HistogramObserver.with_args(bins=64), parts) for how in (merged, seen_by_one))
    assert torch.equal(ours.min_val, one.min_val) and torch.equal(ours.max_val, one.max_val)
    assert float(ours.histogram.sum()) == sum(batch.numel() for batches in parts for batch in batches)


def within_one_bin(ours, one):
    """Scale and zero point, as the ends of the range may each lie one bin off."""
    (scale, zero_point), (their_scale, their_zero_point) = ours.calculate_qparams(), one.calculate_qparams()
    bin_width = (one.max_val - one.min_val) / one.bins
    lows = (ours.quant_min - zero_point) * scale, (one.quant_min - their_zero_point) * their_scale
    # A zero point is an integer, which moves an end by half a step more.
    return bool(
        ((scale - their_scale).abs() * (one.quant_max - one.quant_min) <= 2.001 * bin_width).all()
        and ((lows[0] - lows[1]).abs() <= 1.001 * bin_width + 0.5 * (scale + their_scale)).all()
    )


@pytest.mark.parametrize("seed", range(8))
def test_merged_histogram_chooses_within_one_bin(seed):
    torch.manual_seed(seed)
    parts = [[torch.randn(40, 50) * (1 + 0.2 * step + rank) for step in range(3)] for rank in range(1 + seed % 4)]
    if seed % 2:
        parts = [[batch.relu() for batch in batches] for batches in parts]
    make = tq.HistogramObserver.with_args(dtype=qint8)
    assert within_one_bin(merged(make, parts), seen_by_one(make, parts))


@pytest.mark.parametrize("kind", [tq.MovingAverageMinMaxObserver, tq.MovingAveragePerChannelMinMaxObserver])
def test_moving_averages_merge_into_their_mean(kind):
    torch.manual_seed(0)
    parts = [[torch.randn(4, 3)] for _ in range(3)] + [[]]
    mean = merged(kind, parts)
    assert torch.equal(
        mean.min_val, torch.stack([seen_by_one(kind, [part]).min_val for part in parts[:3]]).double().mean(0).float()
    )
    assert equal_states(merged(kind, [parts[0]] * 3), seen_by_one(kind, [parts[0]]))


def test_states_that_do_not_fit_are_refused():
    x = torch.randn(4, 3)
    channels = tq.PerChannelMinMaxObserver
    states = [seen_by_one(channels, [[part]]).merge_state() for part in (x, x[:2])]
    with pytest.raises(QuantizationError, match="different shapes"):
        channels().merge(states)
    with pytest.raises(QuantizationError, match="64 and 32 bins"):
        tq.HistogramObserver(64).merge([seen_by_one(tq.HistogramObserver.with_args(bins=32), [[x]]).merge_state()])
    broken = tq.MinMaxObserver()
    broken.min_val.fill_(float("nan"))
    with pytest.raises(QuantizationError, match="NaN or infinite"):
        tq.MinMaxObserver().merge([broken.merge_state(), tq.MinMaxObserver().merge_state()])


def test_without_process_group():
    with pytest.raises(QuantizationError, match="init_process_group"):
        tq.synchronize_observers(tq.MinMaxObserver())


def test_a_group_is_shared_by_copies_and_not_pickled():
    observer = tq.MovingAverageMinMaxObserver()
    observer.reduction = GroupReduction(object())
    assert copy.deepcopy(observer).reduction is observer.reduction
    assert type(pickle.loads(pickle.dumps(observer)).reduction) is Reduction
    assert set(observer.state_dict()) == {"eps", "min_val", "max_val"}


# What follows runs in two processes.


class OwnRange(tq.ObserverBase):
    """The largest magnitude, with a merge of its own."""

    def __init__(self):
        super().__init__()
        self.register_buffer("largest", torch.zeros(1))

    def forward(self, x):
        self.largest.copy_(torch.maximum(self.largest, x.abs().max()))
        return x

    def calculate_qparams(self):
        return self.largest / 127, torch.tensor([0])

    def merge(self, states):
        self.largest.copy_(torch.stack([state["largest"] for state in states]).amax(0))


class OwnWithoutMerge(OwnRange):
    merge = tq.ObserverBase.merge


def watchers():
    """One of every kind."""
    quantize = {"quant_min": -128, "quant_max": 127, "dtype": qint8}
    return nn.ModuleDict(
        {
            "min_max": tq.MinMaxObserver(),
            "channels": tq.PerChannelMinMaxObserver(ch_axis=1),
            "average": tq.MovingAverageMinMaxObserver(0.3),
            "averages": tq.MovingAveragePerChannelMinMaxObserver(0.3, ch_axis=1),
            "fake": tq.FakeQuantize(tq.MinMaxObserver, **quantize),
            "fused": tq.default_fused_act_fake_quant(averaging_constant=0.2),
            "fused_channels": tq.FusedMovingAvgObsFakeQuantize(
                tq.MovingAveragePerChannelMinMaxObserver, ch_axis=1, qscheme=torch.per_channel_symmetric, **quantize
            ),
            "histogram": tq.HistogramObserver(bins=256),
            "fake_histogram": tq.default_histogram_fake_quant(),
            "fixed": tq.default_fixed_qparams_range_0to1_fake_quant(),
            "placeholder": tq.PlaceholderObserver(),
            "noop": tq.NoopObserver(),
        }
    )


def show(model, x):
    for watcher in model.values():
        watcher(x)


def everywhere(value):
    gathered = [None] * TWO
    dist.all_gather_object(gathered, value)
    return gathered


def raises(message, function, *args, **kwargs):
    with pytest.raises(QuantizationError, match=message):
        function(*args, **kwargs)


def check_calibration(rank):
    """Unequal shares; an observer that one process never used."""
    shares = [[torch.randn(4, 3) * 2**step for step in range(3)], [torch.randn(7, 3) - 5]]
    ours, one = watchers(), watchers()
    for part, batches in enumerate(shares):
        for batch in batches:
            show(one, batch)
            if part == rank:
                show(ours, batch)
    ours["idle"], one["idle"] = tq.PerChannelMinMaxObserver(), tq.PerChannelMinMaxObserver()
    ours["unused"], one["unused"] = tq.HistogramObserver(), tq.HistogramObserver()
    one["idle"](shares[0][0])
    if rank == 0:
        ours["idle"](shares[0][0])
    with mock.patch.object(dist, "all_gather_object", wraps=dist.all_gather_object) as gather:
        assert tq.synchronize_observers(ours) is ours
    assert gather.call_count == 1
    for name in ("min_max", "channels", "fake", "fixed", "placeholder", "noop", "idle", "unused"):
        assert equal_states(ours[name], one[name]), name
    assert within_one_bin(ours["histogram"], one["histogram"])
    inner = ours["fake_histogram"].activation_post_process
    assert within_one_bin(inner, one["fake_histogram"].activation_post_process)
    assert torch.equal(ours["fake_histogram"].scale, inner.calculate_qparams()[0])
    mine, other = everywhere(ours.state_dict())
    assert mine.keys() == other.keys() and all(torch.equal(mine[key], other[key]) for key in mine)


def check_every_step(rank):
    """Equal after each step; empty batches on one side and on both."""
    ours, one = tq.synchronize_observers(watchers(), every_step=True), watchers()
    for step, sizes in enumerate([(0, 4), (4, 4), (3, 6), (5, 0), (0, 0), (4, 4)]):
        x = torch.randn(sum(sizes), 3) * 3**step - step
        if step == 3:
            ours = copy.deepcopy(ours)
        show(one, x)
        show(ours, x.split(sizes)[rank])
        assert all(equal_states(ours[name], one[name]) for name in one), (step, sizes)
    tq.synchronize_observers(ours)  # of equal averages, the mean
    for name in ("min_max", "channels", "average", "averages", "fused", "fused_channels"):
        assert equal_states(ours[name], one[name])
    show(ours, torch.full([2, 3], 1e4 * rank))  # no longer every step
    assert len({float(value) for value in everywhere(float(ours["min_max"].max_val))}) == 2


def check_values_that_are_not_numbers(rank):
    for value in (float("nan"), float("inf"), -float("inf")):
        for watcher in tq.synchronize_observers(watchers(), every_step=True).values():
            x = torch.randn(4, 3)
            watcher(x)
            if rank == 1:
                x[2, 1] = value
            passive = isinstance(watcher, (tq.PlaceholderObserver, tq.NoopObserver, tq.FixedQParamsFakeQuantize))
            watcher(x) if passive else raises("NaN or infinite", watcher, x)


def check_own_observers(rank):
    own = OwnRange()
    own(torch.tensor([1.0, -3.0]) if rank else torch.tensor([2.0]))
    assert tq.synchronize_observers(own).largest == 3
    raises(
        "'0' .OwnRange. cannot be synchronized at every step",
        tq.synchronize_observers,
        nn.ModuleList([own]),
        every_step=True,
    )
    plain = nn.ModuleDict({"a": OwnWithoutMerge()})
    tq.synchronize_observers(plain)
    plain["a"](torch.tensor([1.0 + rank]))
    raises("'a': OwnWithoutMerge differs between processes", tq.synchronize_observers, plain)


def check_models_that_differ(rank):
    model = nn.ModuleDict({"same": tq.MinMaxObserver(), "a": tq.MinMaxObserver() if rank else tq.HistogramObserver()})
    raises(
        "models differ: only process 0 observes 'a': Hist.*only process 1 observes 'a': MinMax",
        tq.synchronize_observers,
        model,
    )
    if rank:
        model["a"] = tq.HistogramObserver()
        model["more"] = tq.MinMaxObserver()
    raises("only process 0 observes nothing, only process 1 observes 'more'", tq.synchronize_observers, model)
    group = dist.new_group([0])
    if rank == 0:
        tq.synchronize_observers(model, group)
    else:
        raises("not in the group", tq.synchronize_observers, model, group)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.quant, self.dequant = tq.QuantStub(), tq.DeQuantStub()
        self.conv, self.bn, self.relu = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()
        self.mix, self.add = nn.Conv2d(8, 8, 1), nnq.FloatFunctional()
        self.classify = nn.Linear(8 * 6 * 6, 5)

    def forward(self, x):
        x = self.relu(self.bn(self.conv(self.quant(x))))
        return self.dequant(self.classify(self.add.add(x, self.mix(x)).flatten(1)))


def for_training(backend, frozen):
    torch.manual_seed(0)
    model = Net().train()
    model.qconfig = tq.get_default_qat_qconfig(backend)
    model = tq.prepare_qat(tq.fuse_modules(model, [["conv", "bn", "relu"]]))
    return model.apply(nniqat.freeze_bn_stats) if frozen else model


def fake_quantizes(model):
    return [module for module in model.modules() if isinstance(module, tq.FakeQuantize)]


def train(model, steps, share, after_step):
    """Plain SGD: Adam would divide gradients by themselves and blow their last bits up."""
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    for step in range(steps):
        generator = torch.Generator().manual_seed(step)
        x, labels = (
            torch.randn(16, 3, 6, 6, generator=generator).to(next(model.parameters())),
            torch.randint(5, [16], generator=generator),
        )
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(share(x)), share(labels)).backward()
        optimizer.step()
        after_step(step)


def everywhere_equal(model):
    mine, other = everywhere(model.state_dict())
    return mine.keys() == other.keys() and all(torch.equal(mine[key], other[key]) for key in mine)


def compare_training(rank, backend, **options):
    """Two processes, and one on the union of their batches."""
    # In float64, because observers and fake quantize round to float32: that hides, but for one value in 10^8, that sums
    # run in another order for another batch size. So everything that is quantized is equal.
    one, ours = (for_training(backend, frozen=True).double() for _ in range(TWO))
    for model in (one, ours):
        for watcher in fake_quantizes(model):
            watcher.float()
    steps_of_one = []
    train(one, 5, lambda x: x, lambda step: steps_of_one.append(copy.deepcopy(one)))
    parallel = DistributedDataParallel(tq.synchronize_observers(ours, every_step=True), **options)

    def after_step(step):
        assert everywhere_equal(ours), step
        assert all(map(equal_states, fake_quantizes(ours), fake_quantizes(steps_of_one[step]))), step

    train(parallel, 5, lambda x: x.chunk(TWO)[rank], after_step)
    # A gradient is the mean of two means here, and one mean of all there: float sums in another order.
    for mine, other in zip(ours.parameters(), one.parameters(), strict=True):
        assert (mine - other).abs().max() <= 1e-13
    before = copy.deepcopy(ours)
    tq.synchronize_observers(parallel)
    assert equal_states(before, ours)
    x = torch.randn(64, 3, 6, 6)
    quantized, of_one = (tq.convert(model.eval()) for model in (ours, one))
    assert all(torch.equal(result, of_one(x)) for result in everywhere(quantized(x)))


def check_training(rank):
    compare_training(rank, "qsdk")
    compare_training(rank, "qnnpack", broadcast_buffers=False)
    compare_training(rank, "fbgemm", static_graph=True)


def check_training_with_batch_norm(rank):
    """Batch norm's statistics are process 0's, as always; what observers keep is everybody's."""
    ours = for_training("qsdk", frozen=False)
    parallel = DistributedDataParallel(tq.synchronize_observers(ours, every_step=True), find_unused_parameters=True)
    watching = nn.ModuleList(fake_quantizes(ours))
    train(parallel, 3, lambda x: x.chunk(TWO)[rank], lambda step: everywhere_equal(watching) or pytest.fail(f"{step}"))
    pairs = [(torch.randn(4, 3, 6, 6), torch.arange(4)) for _ in range(2 * TWO)][rank::TWO]
    frozen = {"frozen_observer_epochs": 1, "frozen_batch_norm_epochs": 1, "progress": False}
    tq.default_train_fn(parallel, pairs, nn.CrossEntropyLoss(), torch.optim.Adam, 2, **frozen)
    assert everywhere_equal(watching) and ours.conv.freeze_bn
    if rank == 1:
        ours(torch.randn(1, 3, 6, 6))  # observers are frozen, so one process may run alone


def run_checks(rank, folder):
    torch.set_num_threads(1)
    wait = datetime.timedelta(seconds=LIMIT / 2)
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=TWO, timeout=wait)
    for name, check in list(globals().items()):
        if name.startswith("check_"):
            torch.manual_seed(0)
            try:
                check(rank)
            except BaseException:
                (folder / f"{rank}.txt").write_text(f"process {rank}, {name}: {traceback.format_exc()}")
                raise
    dist.destroy_process_group()


def test_two_processes(tmp_path, monkeypatch):
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    children = torch.multiprocessing.spawn(run_checks, (tmp_path,), TWO, join=False)
    end = time.monotonic() + LIMIT
    try:
        while not children.join(timeout=1):  # raises as soon as one fails, and ends the other
            assert time.monotonic() < end, "the processes wait for each other"
    except (ProcessRaisedException, ProcessExitedException) as error:
        pytest.fail("\n".join([str(error), *(path.read_text() for path in tmp_path.glob("*.txt"))]), pytrace=False)
    finally:
        for child in children.processes:
            child.kill()
