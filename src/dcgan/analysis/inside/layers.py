"""Which stages of a network give maps that can be looked at, and what they are for some pictures."""

from __future__ import annotations

from typing import NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dcgan.model import Model
from dcgan.networks.layers import TwoParts
from dcgan.networks.stages import Stage, Staged

STEPS = {"pictures": 40, "random": 41, "elsewhere": 42, "control": 43}
"""The steps of `Stream.ANALYSIS` that looking inside draws from, by purpose."""


class Layer(NamedTuple):
    """A stage's maps. values: float32 (N, M, h, w), after the activation."""

    name: str
    values: Tensor


@torch.no_grad()
def map_layers(stages: list[Stage], x: Tensor) -> list[Layer]:
    """What each stage gives that are maps, (N, M, h, w): dense layers are left out."""
    found = []
    for stage in stages:
        x = stage.compute(x)
        if x.ndim == 4:
            found.append(Layer(stage.name, x))
    return found


def stages_of(network: nn.Module) -> list[Stage]:
    """The network's stages."""
    return cast("Staged", network).stages()


@torch.no_grad()
def heads(model: Model, z: NDArray[np.float32], labels: NDArray[np.int64] | None) -> Tensor:
    """What G's head makes of z (N, z_dim) and classes (N,): the input of its stages."""
    y = None if labels is None else model.engine.tensor(labels)
    return cast("TwoParts", model.generator).head(model.engine.tensor(z), y)


@torch.no_grad()
def generator_layers(model: Model) -> list[str]:
    """The names of G's stages that give maps, last of all the second highest, whose maps the picture is made of.

    The last stage makes the picture itself and is left out; a fully connected G has none.
    """
    z, labels = model.latents([(0, 0)])
    return [layer.name for layer in map_layers(stages_of(model.generator)[:-1], heads(model, z, labels))]


@torch.no_grad()
def discriminator_layers(model: Model) -> list[str]:
    """The names of D's stages that give maps; a fully connected D has none."""
    recipe = model.recipe
    blank = torch.zeros(1, recipe.channels, recipe.height, recipe.width, device=model.engine.device)
    return [layer.name for layer in map_layers(stages_of(model.discriminator), blank)]


def upto(stages: list[Stage], name: str) -> int:
    """How many stages there are up to and with the one called `name`."""
    return [stage.name for stage in stages].index(name) + 1
