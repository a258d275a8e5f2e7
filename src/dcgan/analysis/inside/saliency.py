"""Guided backpropagation: which pixels a feature saw (Springenberg et al. 2014, section 3.4, figure 1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from dcgan.networks.stages import Stage, through

RECTIFIERS = frozenset({"relu", "relu_", "leaky_relu", "leaky_relu_", "elu", "elu_"})
"""What torch calls them, as functions, as methods and in place."""


class _Guided(torch.autograd.Function):
    """A rectifier's own output; backwards, only what is positive, and only where the input was positive."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor) -> Tensor:
        ctx.save_for_backward(x > 0)
        return y.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (passed,) = ctx.saved_tensors
        return gradients[0].clamp(min=0) * passed, None


class Guided(TorchFunctionMode):
    """Within it every rectifier (ReLU, leaky ReLU, ELU) that is computed passes guided gradients.

    For leaky ReLU and ELU this is the same rule as for ReLU: what a negative input would let through is held back.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        named = dict(kwargs or {})
        if getattr(func, "__name__", "") not in RECTIFIERS:
            return func(*args, **named)
        x = args[0] if args else named.pop("input")
        with torch.no_grad():  # on a copy: in place or not, the input stays as it was
            y = func(x.detach().clone(), *args[1:], **named)
        return _Guided.apply(x, y)  # type: ignore[no-untyped-call]


def guided_gradients(
    stages: Sequence[Stage], images: Tensor, maps: Tensor, rows: Tensor, columns: Tensor
) -> Tensor:
    """The guided gradient of one unit for each image, by its pixels: float32 like `images`, (N, C, H, W).

    stages: those up to the one whose maps are looked at. maps, rows, columns: int64 (N,), the unit of each image.
    """
    pixels = images.detach().clone().requires_grad_(True)
    with torch.enable_grad(), Guided():
        values = through(stages, pixels)
        units = values[torch.arange(len(pixels), device=values.device), maps, rows, columns]
        (gradient,) = torch.autograd.grad(units.sum(), pixels)
    return gradient
