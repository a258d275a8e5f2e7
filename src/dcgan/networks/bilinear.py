"""The three passes of a convolution, each derived by the other two, as often as asked.

A convolution y of maps x and weights w, the transpose x of y and w, and the kernel w of x and y are one function that
is linear in each of three: the derivatives of each are the other two. So who computes convolutions in a way of his own
(`products`, `tiles`) says how each pass is computed, and this file derives them.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.autograd import Function


@dataclass
class Known:
    """What a pass made of x, of y or of the weights alone, and the next pass need not make again."""

    x: Tensor | None = None
    y: Tensor | None = None
    weight: Tensor | None = None


class Form(Protocol):
    """A way to compute the passes of one convolution. Shapes: x (N, C, H, W), y (N, O, h, w), weight (O, C, k, k).

    Each may take what is `known`, and adds what it made.
    """

    def convolve(self, x: Tensor, weight: Tensor, known: Known) -> Tensor:
        """y."""

    def transpose(self, y: Tensor, weight: Tensor, known: Known) -> Tensor:
        """x."""

    def kernel(self, x: Tensor, y: Tensor, known: Known) -> Tensor:
        """The weight, contiguous: fused Adam pairs weights and gradients by their place in memory."""


def convolve(x: Tensor, weight: Tensor, form: Form, weights: Tensor | None = None) -> Tensor:
    """y of x and the weight. weights: what `form` makes of the weight alone, where it is kept."""
    y: Tensor = _apply(_Convolve, x, _asked_apart(weight), form, Known(weight=weights))
    return y


def transpose_convolve(y: Tensor, weight: Tensor, form: Form, weights: Tensor | None = None) -> Tensor:
    """x of y and the weight: the transpose of `convolve`."""
    x: Tensor = _apply(_Transpose, y, _asked_apart(weight), form, Known(weight=weights))
    return x


class _Convolve(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, form: Form, known: Known) -> Tensor:
        y = form.convolve(x, weight, known)
        by_x, by_weight, *_ = ctx.needs_input_grad
        ctx.save_for_backward(x, weight, known.x if by_weight else None, known.weight if by_x else None)
        ctx.form = form
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, *made = ctx.saved_tensors
        known = Known(x=made[0], weight=made[1])
        by_x = _apply(_Transpose, gradient, weight, ctx.form, known) if ctx.needs_input_grad[0] else None
        by_weight = _apply(_Kernel, x, gradient, ctx.form, known) if _is_asked(ctx) else None
        return by_x, by_weight, None, None


class _Transpose(Function):
    @staticmethod
    def forward(ctx: Any, y: Tensor, weight: Tensor, form: Form, known: Known) -> Tensor:
        x = form.transpose(y, weight, known)
        by_y, by_weight, *_ = ctx.needs_input_grad
        ctx.save_for_backward(y, weight, known.y if by_weight else None, known.weight if by_y else None)
        ctx.form = form
        return x

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        y, weight, *made = ctx.saved_tensors
        known = Known(y=made[0], weight=made[1])
        by_y = _apply(_Convolve, gradient, weight, ctx.form, known) if ctx.needs_input_grad[0] else None
        by_weight = _apply(_Kernel, gradient, y, ctx.form, known) if _is_asked(ctx) else None
        return by_y, by_weight, None, None


class _Kernel(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, form: Form, known: Known) -> Tensor:
        weight = form.kernel(x, y, known)
        by_x, by_y, *_ = ctx.needs_input_grad
        ctx.save_for_backward(x, y, known.x if by_y else None, known.y if by_x else None)
        ctx.form = form
        return weight

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, y, *made = ctx.saved_tensors
        known = Known(x=made[0], y=made[1])
        by_x = _apply(_Transpose, y, gradient, ctx.form, known) if ctx.needs_input_grad[0] else None
        by_y = _apply(_Convolve, x, gradient, ctx.form, known) if ctx.needs_input_grad[1] else None
        return by_x, by_y, None, None


def as_given(x: Tensor) -> AbstractContextManager[object]:
    """Computation in the precision of what it is given, whatever is asked for around it."""
    kind = x.device.type
    return torch.autocast(kind, enabled=False) if torch.is_autocast_enabled(kind) else nullcontext()


def empty_maps(like: Tensor, n: int, maps: int, size: tuple[int, int]) -> Tensor:
    """Maps to be written into, (n, maps, *size), channels last: no view, so that what comes after a layer may change
    them in place."""
    shape = n, maps, *size
    return torch.empty(shape, dtype=like.dtype, device=like.device, memory_format=torch.channels_last)


def _apply(function: Any, maps: Tensor, *inputs: Any) -> Any:
    with as_given(maps):  # derivatives may be taken where another precision is asked for
        return function.apply(maps, *inputs)


def _asked_apart(weight: Tensor) -> Tensor:
    """The weight as a step of the graph, of which alone autograd says whether its gradient is asked for."""
    return weight.view_as(weight) if weight.requires_grad and torch.is_grad_enabled() else weight


def _is_asked(ctx: Any) -> bool:
    """Whether the gradient by the weight is. A penalty asks for that by the images alone, though weights have one."""
    node = ctx.next_functions[1][0]
    return bool(ctx.needs_input_grad[1] and torch._C._will_engine_execute_node(node))
