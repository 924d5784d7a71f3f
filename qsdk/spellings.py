"""Float modules that stand for calls of functions, so that functionals are fused, observed and quantized as modules.

A form takes the call's arguments behind the input, with parameters as tensors, and returns a module that computes the
same, or None where no module does. The operator table says which function has which form. Those in BY_RANK also take
`rank`, the number of axes of the input, those in BY_CHANNELS `channels`, its extent along axis 1 or None.
Calls are seen in eval mode; the modules follow train() and eval().
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import handle_torch_function, has_torch_function, has_torch_function_unary

from qsdk.errors import QuantizationError

Form = Callable[..., nn.Module | None]


def plain(kind: type[nn.Module], *names: str) -> Form:
    """A module without parameters; `names` are the function's arguments behind the input, as the module has them.

    Those that start with an underscore, and `inplace`, do not matter to what is computed and are left out.
    """

    def make(*args: Any, **kwargs: Any) -> nn.Module | None:
        if len(args) > len(names):
            return None
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        if given.pop("dtype", None) not in (None, torch.float32) or not given.keys() <= set(names):
            return None
        return kind(**{name: value for name, value in given.items() if name != "inplace" and name[0] != "_"})

    return make


def _parameter(value: Tensor | None) -> nn.Parameter | None:
    if value is None or isinstance(value, nn.Parameter):
        return value
    return nn.Parameter(value, requires_grad=False)


def _with(module: Any, weight: Tensor | None, bias: Tensor | None) -> nn.Module:
    """The module with these parameters; the very ones, because training may go on."""
    module.weight, module.bias = _parameter(weight), _parameter(bias)
    made: nn.Module = module
    return made


def linear(weight: Any, bias: Any = None) -> nn.Module | None:
    """torch.nn.functional.linear."""
    if not isinstance(weight, Tensor) or weight.dim() != 2:
        return None
    return _with(nn.Linear(weight.shape[1], weight.shape[0], bias is not None, device="meta"), weight, bias)


def conv(kind: Any) -> Form:
    """torch.nn.functional.conv1d, conv2d, conv3d."""

    def make(
        weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
    ) -> nn.Module | None:
        if not isinstance(weight, Tensor):
            return None
        channels = (weight.shape[1] * groups, weight.shape[0])
        geometry = [_several(value) for value in (stride, padding, dilation)]
        return _with(
            kind(*channels, tuple(weight.shape[2:]), *geometry, groups, bias is not None, device="meta"), weight, bias
        )

    return make


def conv_transpose(kind: Any) -> Form:
    """torch.nn.functional.conv_transpose1d, conv_transpose2d, conv_transpose3d."""

    def make(
        weight: Any,
        bias: Any = None,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        dilation: Any = 1,
    ) -> nn.Module | None:
        if not isinstance(weight, Tensor):
            return None
        channels = (weight.shape[0], weight.shape[1] * groups)
        geometry = [_several(value) for value in (stride, padding, output_padding)]
        module = kind(
            *channels, tuple(weight.shape[2:]), *geometry, groups, bias is not None, _several(dilation), device="meta"
        )
        return _with(module, weight, bias)

    return make


def _several(value: Any) -> Any:
    """A number or text, or one number for each axis."""
    if isinstance(value, (int, str)):
        return value
    return value[0] if len(value) == 1 else tuple(value)


_BATCH_NORMS = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}


def batch_norm(
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
    *,
    rank: int,
) -> nn.Module | None:
    """torch.nn.functional.batch_norm by running statistics."""
    if training or not isinstance(running_mean, Tensor) or rank not in _BATCH_NORMS:
        return None
    affine = weight is not None
    module: Any = _BATCH_NORMS[rank](len(running_mean), eps, momentum, affine=affine, device="meta")
    module.running_mean, module.running_var = running_mean, running_var
    module.num_batches_tracked = running_mean.new_zeros((), dtype=module.num_batches_tracked.dtype)
    return _with(module, weight, bias)


def torch_batch_norm(
    weight: Any, bias: Any, running_mean: Any, running_var: Any, training: bool, momentum: float, eps: float,
    cudnn_enabled: bool = True, *, rank: int,
) -> nn.Module | None:  # fmt: skip
    """torch.batch_norm."""
    return batch_norm(running_mean, running_var, weight, bias, training, momentum, eps, rank=rank)


def layer_norm(
    normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5, cudnn_enable: bool = True
) -> nn.Module | None:
    """torch.nn.functional.layer_norm and torch.layer_norm."""
    if not all(isinstance(extent, int) for extent in normalized_shape):
        return None
    return _with(nn.LayerNorm(list(normalized_shape), eps, weight is not None, device="meta"), weight, bias)


def group_norm(
    num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5, cudnn_enabled: bool = True
) -> nn.Module | None:
    """torch.nn.functional.group_norm and torch.group_norm; without weights the number of channels is not known."""
    if not isinstance(weight, Tensor):
        return None
    return _with(nn.GroupNorm(num_groups, len(weight), eps, device="meta"), weight, bias)


_INSTANCE_NORMS = {3: nn.InstanceNorm1d, 4: nn.InstanceNorm2d, 5: nn.InstanceNorm3d}


def instance_norm(
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
    *,
    rank: int,
    channels: int | None,
) -> nn.Module | None:
    """torch.nn.functional.instance_norm by the input's own statistics; channels are those of weight, or of an example
    input."""
    count = len(weight) if isinstance(weight, Tensor) else channels
    if not use_input_stats or running_mean is not None or count is None or rank not in _INSTANCE_NORMS:
        return None
    return _with(_INSTANCE_NORMS[rank](count, eps, affine=weight is not None, device="meta"), weight, bias)


def torch_instance_norm(
    weight: Any, bias: Any, running_mean: Any, running_var: Any, use_input_stats: bool, momentum: float, eps: float,
    cudnn_enabled: bool = True, *, rank: int, channels: int | None,
) -> nn.Module | None:  # fmt: skip
    """torch.instance_norm."""
    return instance_norm(
        running_mean, running_var, weight, bias, use_input_stats, momentum, eps, rank=rank, channels=channels
    )


def dropout(kind: type[nn.Module]) -> Form:
    """torch.nn.functional.dropout and its kin, where it acts in training only."""

    def make(p: float = 0.5, training: bool = True, inplace: bool = False) -> nn.Module | None:
        return None if training else kind(p)

    return make


def embedding(
    weight: Any,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> nn.Module | None:
    """torch.nn.functional.embedding."""
    if not isinstance(weight, Tensor) or max_norm is not None:
        return None
    rows, width = weight.shape
    module: Any = nn.Embedding(rows, width, padding_idx, None, norm_type, scale_grad_by_freq, sparse, device="meta")
    module.weight = _parameter(weight)
    return module


def prelu(weight: Any) -> nn.Module | None:
    """torch.nn.functional.prelu."""
    if not isinstance(weight, Tensor):
        return None
    module: Any = nn.PReLU(weight.numel(), device="meta")
    module.weight = _parameter(weight)
    return module


def lie_side_by_side(pool: nn.Module) -> bool:
    """Whether the windows of a pool over three axes tile every input that it takes; quantized, others have no operator.
    True of all other modules."""
    module: Any = pool
    if isinstance(pool, nn.AvgPool3d):
        kernel, stride, padding = (
            value if isinstance(value, int) else tuple(value)
            for value in (module.kernel_size, module.stride, module.padding)
        )
        return kernel == stride and padding in (0, (0, 0, 0)) and not module.ceil_mode and not module.divisor_override
    if isinstance(pool, (nn.AdaptiveAvgPool3d, nn.AdaptiveMaxPool3d)):
        sizes = (module.output_size,) if isinstance(module.output_size, int) else module.output_size
        return all(size in (1, None) for size in sizes)
    return True


# Parts of attention, as functions that captures record as one call each


def masked_softmax(x: Any, mask: Any, dim: int = -1) -> Any:
    """Softmax along dim over the elements whose mask (bool, broadcast) is true; the others are 0."""
    if has_torch_function((x, mask)):
        return handle_torch_function(masked_softmax, (x, mask), x, mask, dim)
    return torch.where(mask, torch.softmax(x.masked_fill(~mask, float("-inf")), dim), 0.0)


def causal_mask(query: Any, key: Any, axis: int = -2) -> Any:
    """bool [L, S], L and S the extents of query and key along `axis`: true where the key is no later than the query."""
    if not all(isinstance(v, Tensor) or hasattr(type(v), "q_scale") for v in (query, key)):
        return handle_torch_function(causal_mask, (query, key), query, key, axis)
    return torch.ones(query.shape[axis], key.shape[axis], dtype=torch.bool, device=query.device).tril()


def allowed_positions(mask: Any) -> Any:
    """bool: where a mask of torch.nn.MultiheadAttention lets keys through: where it is false, or 0 if it is float.

    Raises:
        QuantizationError: it adds something else than 0 and -inf.
    """
    if has_torch_function_unary(mask):
        return handle_torch_function(allowed_positions, (mask,), mask)
    if mask.dtype == torch.bool:
        return ~mask
    watched = torch.compiler.is_compiling() or torch._C._len_torch_dispatch_stack() > 0
    if not watched and not mask.is_meta and bool(((mask != 0) & (mask > NO_WEIGHT)).any()):
        raise QuantizationError(
            "an attention mask adds numbers that are neither 0 nor -inf; add them to the scores with FloatFunctional, "
            "or leave the attention in float"
        )
    return mask > NO_WEIGHT


NO_WEIGHT = -1e4  # what a mask adds below it means -infinity


BY_RANK: set[Form] = {batch_norm, torch_batch_norm, instance_norm, torch_instance_norm}
BY_CHANNELS: set[Form] = {instance_norm, torch_instance_norm}
