"""A layer and its batch norm as one layer, once neither is trained any more.

In evaluation mode batch norm multiplies each map by a number and adds one (Ioffe & Szegedy 2015, algorithm 2, step 11).
Both go into the weights and the bias of the layer before it: the same function, with a pass over the maps less.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar, cast

import torch
from torch import Tensor, nn

from dcgan.networks.convolution import Layer, Maps


class _Keeper(Protocol):
    frozen: bool
    folded: tuple[tuple[object, ...], object] | None


M = TypeVar("M", bound=nn.Module)
R = TypeVar("R")


def normed(layer: Callable[[Tensor], Tensor], norm: nn.Module, x: Tensor) -> Tensor:
    """norm(layer(x)), x (N, C, H, W); of a frozen convolution, and where no gradient is wanted, as one layer."""
    if isinstance(layer, Layer) and isinstance(norm, nn.BatchNorm2d) and _folds(layer, layer, norm):
        return _kept(layer, layer, norm, _convolution)(x)  # type: ignore[no-any-return]
    maps: Tensor = norm(layer(x))
    return maps


def projected(
    dense: nn.Linear,
    maps: Maps,
    norm: nn.BatchNorm2d,
    z: Tensor,
    classes: nn.Embedding | None,
    labels: Tensor | None,
) -> Tensor:
    """norm(maps(dense([z, condition]))): z (N, z_dim) → (N, C, H, W), with the condition of `labels` beside z.

    Of frozen maps, and where no gradient is wanted, one product whose numbers come in the order in which channels-last
    maps lie in memory; what a class adds to it is computed once.
    """
    if maps.rewrite and _folds(maps, dense, norm):
        count, height, width = maps.unflattened_size
        one = _kept(maps, dense, norm, partial(_by_place, classes=classes), classes)
        return one(z, labels).view(-1, height, width, count).permute(0, 3, 1, 2)
    if classes is not None and labels is not None:
        z = torch.cat([z, condition(classes, labels)], 1)
    y: Tensor = norm(maps(dense(z)))
    return y


def condition(classes: nn.Embedding, labels: Tensor) -> Tensor:
    """What stands beside z, (N, width): of classes, int64 (N,), or of mixtures of them, float (N, classes)."""
    if labels.is_floating_point():
        return labels @ classes.weight
    vectors: Tensor = classes(labels)
    return vectors


def _folds(keeper: _Keeper, layer: nn.Module, norm: nn.BatchNorm2d) -> bool:
    """Whether both stay as they are, and the layer's weight is its own, not computed as by spectral norm."""
    return (
        keeper.frozen
        and "weight" in layer._parameters
        and not (norm.training or torch.is_grad_enabled())
        and norm.running_var is not None
    )


def _kept(
    keeper: _Keeper,
    layer: M,
    norm: nn.BatchNorm2d,
    fold: Callable[[M, Tensor, Tensor], R],
    beside: nn.Embedding | None = None,
) -> R:
    """All as one, kept until a number of any changes."""
    parts = (layer, norm) if beside is None else (layer, norm, beside)
    numbers = [number for part in parts for number in (*part._parameters.values(), *part._buffers.values())]
    key = tuple([None if number is None else (number.data_ptr(), number._version) for number in numbers])
    kept = keeper.folded  # another thread may be about to replace it
    if kept is None or kept[0] != key:
        # What inference makes has no version, by which what is made of it could be kept.
        with torch.inference_mode(False), torch.no_grad():
            kept = keeper.folded = key, fold(layer, *_affine(norm))
    return kept[1]  # type: ignore[return-value]


def _affine(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """By what it multiplies each map and what it adds, (C,) each."""
    mean, variance = cast(tuple[Tensor, Tensor], (norm.running_mean, norm.running_var))
    scale = (variance + norm.eps).rsqrt()
    shift = -mean * scale
    return (scale * norm.weight, shift * norm.weight + norm.bias) if norm.affine else (scale, shift)


def _convolution(layer: Layer, scale: Tensor, shift: Tensor) -> Layer:
    outputs = (1, -1, 1, 1) if isinstance(layer, nn.ConvTranspose2d) else (-1, 1, 1, 1)
    bias = shift if layer.bias is None else layer.bias * scale + shift
    return _with(layer, layer.weight * scale.view(outputs), bias)


@dataclass(frozen=True)
class _ByPlace:
    """dense: from [z, condition], or from z alone where `added`, (classes, P·C), is what each class adds to it."""

    dense: nn.Linear
    classes: nn.Embedding | None
    added: Tensor | None

    def __call__(self, z: Tensor, labels: Tensor | None) -> Tensor:
        if self.classes is None or labels is None:
            return self.dense(z)  # type: ignore[no-any-return]
        if self.added is None:
            return self.dense(torch.cat([z, condition(self.classes, labels)], 1))  # type: ignore[no-any-return]
        added = labels @ self.added if labels.is_floating_point() else self.added[labels]
        return self.dense(z).add_(added)  # type: ignore[no-any-return]


def _by_place(dense: nn.Linear, scale: Tensor, shift: Tensor, classes: nn.Embedding | None) -> _ByPlace:
    """A dense layer to C maps of P places, whose outputs come place by place."""
    maps = len(scale)
    weight = dense.weight.view(maps, -1, dense.in_features) * scale.view(-1, 1, 1)  # (C, P, inputs)
    bias = shift.view(-1, 1).expand(-1, weight.shape[1])
    if dense.bias is not None:
        bias = dense.bias.view(maps, -1) * scale.view(-1, 1) + bias
    weight, bias = weight.transpose(0, 1).flatten(0, 1), bias.t().flatten()
    # Of more classes than that, there would be more to keep than the weights themselves.
    if classes is None or classes.num_embeddings > dense.in_features:
        return _ByPlace(_with(dense, weight, bias), classes, None)
    z_dim = dense.in_features - classes.embedding_dim
    return _ByPlace(_with(dense, weight[:, :z_dim], bias), classes, classes.weight @ weight[:, z_dim:].t())


def _with(layer: M, weight: Tensor, bias: Tensor) -> M:
    """A layer of the same kernel, stride, padding and ways of computing, with other numbers."""
    one = copy.copy(layer)
    one._parameters = {
        name: nn.Parameter(value.contiguous(), requires_grad=False)
        for name, value in (("weight", weight), ("bias", bias))
    }
    return one
