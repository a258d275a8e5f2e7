"""A network layer by layer, as the papers' tables give it: layer, output shape, parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dcgan.networks import build_networks, fast, layers
from dcgan.networks.convolution import Maps
from dcgan.networks.outline import outline
from dcgan.recipe import Recipe

Convolution = nn.Conv2d | nn.ConvTranspose2d


@dataclass(frozen=True)
class Layer:
    """One row. output: without the batch, channels last as in the papers. statistics: batch norm's mean and variance,
    which Keras counts as parameters that are not trained."""

    name: str
    output: tuple[int, ...]
    parameters: int
    statistics: int = 0


@dataclass(frozen=True)
class Count:
    """The numbers in a network: those that are trained, and batch norm's running statistics."""

    trainable: int
    statistics: int

    def total(self, *, with_statistics: bool) -> int:
        """As Keras counts (with the statistics) or as PyTorch does."""
        return self.trainable + (self.statistics if with_statistics else 0)


def count(module: nn.Module) -> Count:
    """The numbers in `module`."""
    statistics = sum(len(norm.running_mean) + len(norm.running_var) for norm in _norms(module))
    return Count(sum(parameter.numel() for parameter in module.parameters()), statistics)


def summarize(recipe: Recipe) -> dict[str, list[Layer]]:
    """The layers of a recipe's networks by role, in the order in which they are run. No memory is taken for weights.

    What a forward pass computes outside a layer of its own (the `fast` family's activations) has no row.
    """
    with outline():
        networks = build_networks(recipe)
        labels = torch.zeros(2, dtype=torch.int64) if recipe.conditional else None
        z = torch.zeros(2, recipe.z_dim)
        rows = {}
        images = torch.zeros(2, recipe.channels, recipe.height, recipe.width)
        rows["generator"] = _rows(networks["generator"], z, labels)
        for role in ("discriminator", "encoder"):
            if role in networks:
                rows[role] = _rows(networks[role], images, labels)
    return rows


def _rows(network: nn.Module, inputs: Tensor, labels: Tensor | None) -> list[Layer]:
    rows: list[Layer] = []

    def note(module: nn.Module, _: Any, output: Tensor) -> None:
        shape = tuple(output.shape[1:])
        counted = count(module)
        rows.append(Layer(describe(module), (*shape[1:], *shape[:1]), counted.trainable, counted.statistics))

    hooks = [
        module.register_forward_hook(note)
        for module in network.modules()
        if type(module) in _NAMES or isinstance(module, Convolution)
    ]
    try:
        network(inputs, labels)
    finally:
        for hook in hooks:
            hook.remove()
    return rows


def describe(module: nn.Module) -> str:
    """A layer's name with what sets it apart: "conv 5×5, stride 2"."""
    if isinstance(module, Convolution):
        kind = "transposed conv" if isinstance(module, nn.ConvTranspose2d) else "conv"
        kernel, stride = module.kernel_size, module.stride
        moves = "" if set(stride) == {1} else f", stride {_sides(stride)}"
        return f"{kind} {kernel[0]}×{kernel[1]}{moves}"
    return _NAMES[type(module)](module)


def _sides(pair: tuple[int, ...]) -> str:
    return str(pair[0]) if len(set(pair)) == 1 else "×".join(map(str, pair))


def _norms(module: nn.Module) -> list[Any]:
    return [part for part in module.modules() if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d)]


def _named(name: str) -> Callable[[Any], str]:
    return lambda module: name


_NAMES: dict[type[nn.Module], Callable[[Any], str]] = {
    nn.Linear: _named("dense"),
    nn.Embedding: _named("class embedding"),
    nn.BatchNorm1d: _named("batch norm"),
    nn.BatchNorm2d: _named("batch norm"),
    nn.ReLU: _named("ReLU"),
    nn.ELU: _named("ELU"),
    nn.LeakyReLU: lambda module: f"leaky ReLU {module.negative_slope:g}",
    nn.Tanh: _named("tanh"),
    nn.Sigmoid: _named("sigmoid"),
    layers.Probability: _named("sigmoid"),
    layers.Dropout: lambda module: f"dropout {module.p:g}",
    nn.Flatten: _named("flatten"),
    layers.Flatten: _named("flatten"),
    nn.Unflatten: _named("reshape"),
    Maps: _named("reshape"),
    fast.Spread: lambda module: "×".join(map(str, module.phases)) + " phases to pixels",
    layers.GlobalMaxPool: _named("global max pool"),
    layers.FromUnit: _named("[0, 1] to [-1, 1]"),
    layers.ToUnit: _named("[-1, 1] to [0, 1]"),
}
"""The layers that have a row; spectral norm counts with the layer it normalises."""
