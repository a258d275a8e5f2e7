"""The filters that touch the picture: D's first layer, which reads pixels, and G's last, which writes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dcgan.analysis.inside.layers import generator_layers, heads, stages_of
from dcgan.analysis.inside.responses import random_discriminator
from dcgan.model import Model
from dcgan.networks.stages import Stage


@dataclass(frozen=True)
class Filters:
    """read, random: float32 (F, C, k, l), the first layer's weights of D and of a D of random weights.

    dense: they are weights of a dense layer, one for each pixel of the picture. written: float32 (M, C, k, l), what one
    unit of each of G's last maps adds to the picture, before tanh; None for a G without maps. layer: whose maps.
    """

    read: NDArray[np.float32]
    random: NDArray[np.float32]
    dense: bool
    written: NDArray[np.float32] | None
    layer: str | None


def filters(model: Model, *, seed: int = 0) -> Filters:
    """The filters of both networks, and random ones of the same shape as D's."""
    read, dense = first_layer(model, model.discriminator)
    random, _ = first_layer(model, random_discriminator(model, seed))
    names = generator_layers(model)
    written = stamps(model) if names else None
    return Filters(read, random, dense, written, names[-1] if names else None)


def first_layer(model: Model, discriminator: nn.Module) -> tuple[NDArray[np.float32], bool]:
    """The weights of D's first layer, (F, C, k, l), and whether they are a dense layer's."""
    recipe = model.recipe
    for layer in discriminator.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            weight = layer.weight.detach().float().cpu().numpy()
            if isinstance(layer, nn.Conv2d):
                return weight, False
            return weight.reshape(-1, recipe.channels, recipe.height, recipe.width), True
    raise ValueError("a discriminator without weights")


@torch.no_grad()
def stamps(model: Model) -> NDArray[np.float32]:
    """What one unit of each map before G's last stage adds to the picture: float32 (M, C, k, l).

    The stage is affine but for its tanh at the end (or a sigmoid brought to [−1, 1], which is tanh of half): its
    derivative along an impulse, divided by that of tanh, is the filter itself, whatever the layers inside.
    """
    stages = stages_of(model.generator)
    z, labels = model.latents([(0, 0)])
    x = heads(model, z, labels)
    for stage in stages[:-1]:
        x = stage.compute(x)
    count, height, width = x.shape[1:]
    found = []
    for start in range(0, count, 64):
        some = torch.arange(start, min(start + 64, count), device=x.device)
        impulse = torch.zeros(len(some), count, height, width, device=x.device)
        impulse[torch.arange(len(some), device=x.device), some, height // 2, width // 2] = 1
        picture, change = _along(stages[-1], impulse)
        found.append((change.double() / (1 - picture.double().square()).clamp(min=1e-12)).cpu().numpy())
    whole = np.concatenate(found).astype(np.float32)
    rows = np.flatnonzero(np.abs(whole).max((0, 1, 3)) > 0)
    columns = np.flatnonzero(np.abs(whole).max((0, 1, 2)) > 0)
    if not len(rows) or not len(columns):
        return whole[:, :, :1, :1]
    return whole[:, :, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _along(stage: Stage, direction: Tensor) -> tuple[Tensor, Tensor]:
    """What a stage makes of nothing, and its derivative there along a direction: the gradient, by v, of its gradient
    weighted by v, which is linear in v."""
    with torch.enable_grad():
        x = torch.zeros_like(direction).requires_grad_(True)
        y = stage.compute(x)
        v = torch.zeros_like(y).requires_grad_(True)
        (back,) = torch.autograd.grad(y, x, v, create_graph=True)
        (change,) = torch.autograd.grad(back, v, direction)
    return y.detach(), change
