"""Observers on many processes: all end with what one process would have, had it seen everything."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from qsdk.errors import QuantizationError
from qsdk.quantization.fake_quantize import FakeQuantizeBase
from qsdk.quantization.observer_base import ObserverBase, Reduction


class GroupReduction(Reduction):
    """Combines the batches of one step over a process group. A deep copy uses the same group; a pickle has none.

    Args:
        group: torch.distributed's; None is all processes
    """

    def __init__(self, group: Any = None) -> None:
        self.group = group

    def bounds(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """The lowest and highest values of all processes' batches. NaN becomes -inf and inf."""
        # A minimum over processes may lose a NaN, but no infinity; so every process raises the same error.
        infinity = float("inf")
        both = torch.nan_to_num(torch.stack([low, -high]), nan=-infinity, posinf=infinity, neginf=-infinity)
        dist.all_reduce(both, dist.ReduceOp.MIN, group=self.group)
        return both[0], -both[1]

    def sum(self, counts: Tensor) -> Tensor:
        """The sum over all processes."""
        dist.all_reduce(counts, dist.ReduceOp.SUM, group=self.group)
        return counts

    def __deepcopy__(self, memo: Any) -> GroupReduction:
        return self

    def __reduce__(self) -> Any:
        return Reduction, ()


def synchronize_observers(model: nn.Module, group: Any = None, every_step: bool = False) -> nn.Module:
    """Give every observer, of all processes, the state of one that had seen what all of them have; returns the model.

        calibrate(prepared, my_share_of_the_data)
        quantized = convert(synchronize_observers(prepared))

        training = DistributedDataParallel(synchronize_observers(prepare_qat(model), every_step=True))

    Every process of the group calls it, on the same model. Processes that have seen no data are welcome. Minima and
    maxima are exact. Histograms move to the range of all, each value by at most a bin, and so do the ends of the range
    to quantize, as a rule; a range that is a close call may change as with another order of the batches. Moving
    averages merge into their mean. With every_step all of these are exact: equal to one process's on the union batches.

    Args:
        model: prepared
        group: torch.distributed's process group; None is all processes
        every_step: from here on, observers combine every batch over the group before they keep anything, so that all
            processes have equal states always. All have to call forward equally often then; a process that evaluates
            alone calls model.apply(disable_observer) before. False: they no longer do. Observers of weights, which
            are equal everywhere, keep to themselves. A deep copy keeps the group; a pickle and a state_dict do not

    Raises:
        QuantizationError: torch.distributed is not initialized, this process is not in the group, the processes'
            models differ, or an observer cannot be merged; names it.
    """
    if not (dist.is_available() and dist.is_initialized()):
        raise QuantizationError(
            "synchronize_observers: torch.distributed is not initialized; call torch.distributed.init_process_group "
            "first, or do without if there is one process"
        )
    if dist.get_rank(group) < 0:
        raise QuantizationError("synchronize_observers: this process is not in the group; call it in those that are")
    observers = {name: module for name, module in model.named_modules() if isinstance(module, ObserverBase)}
    signature = [_describe(name, observer) for name, observer in observers.items()]
    states = [observer.merge_state() for observer in observers.values()]
    gathered: list[Any] = [None] * dist.get_world_size(group)
    dist.all_gather_object(gathered, (signature, states), group=group)
    _check_equal([theirs for theirs, _ in gathered])
    for name, observer in observers.items():
        if every_step and not observer.reduces_batches:
            raise QuantizationError(
                f"synchronize_observers: observer '{name}' ({type(observer).__name__}) cannot be synchronized at every "
                "step; see ObserverBase.reduces_batches, or call synchronize_observers after training"
            )
    for index, (name, observer) in enumerate(observers.items()):
        try:
            observer.merge([theirs[index] for _, theirs in gathered])
        except QuantizationError as error:
            raise QuantizationError(f"synchronize_observers: observer '{name}': {error}") from None
        alone = not every_step or "weight_fake_quant" in name.split(".")
        observer.reduction = Reduction() if alone else GroupReduction(group)
    for module in model.modules():
        if isinstance(module, FakeQuantizeBase):
            module.refresh()
    return model


def _describe(name: str, observer: ObserverBase) -> str:
    settings = [str(getattr(observer, key, "")) for key in ("dtype", "qscheme", "quant_min", "quant_max")]
    return f"'{name}': {type(observer).__name__} {' '.join(settings).rstrip()}"


def _check_equal(signatures: list[list[str]]) -> None:
    """Every process raises the same error, since all of them see all signatures."""
    for rank, signature in enumerate(signatures):
        if signature != signatures[0]:
            only = [sorted(set(a) - set(b)) for a, b in ((signatures[0], signature), (signature, signatures[0]))]
            first, other = (", ".join(lines[:3]) or "nothing" for lines in only)
            raise QuantizationError(
                f"synchronize_observers: the processes' models differ: only process 0 observes {first}, only process "
                f"{rank} observes {other}; build and prepare the same model everywhere"
            )


__all__ = ["synchronize_observers"]
