"""`mnist-2018`: the DCGAN of paper 002, by its tables 2 and 3 (variant "table") or by its prose (variant "prose").

The paper contradicts itself: its tables put batch norm on every layer, G's output and D's one unit included, with ReLU
in G and ELU in D; its prose says leaky ReLU throughout, and no batch norm on D's first and output layers. Of G's output
the prose says nothing, so it keeps none, as in the paper's own "Convolution > Batch Normalization > Leaky ReLU" for the
layers between.
"""

from __future__ import annotations

from torch import nn

from dcgan.networks.convolution import Maps
from dcgan.networks.layers import (
    Flatten,
    Judge,
    Probability,
    SameConv2d,
    SameConvTranspose2d,
    Upsampler,
    halved,
    init_keras,
    keras_batch_norm,
)
from dcgan.recipe import Recipe


def build(recipe: Recipe) -> dict[str, nn.Module]:
    """Generator and discriminator for 8 to 64 pixels a side, 28×28 as published."""
    return {"generator": _generator(recipe), "discriminator": _discriminator(recipe)}


def _generator(recipe: Recipe) -> Upsampler:
    """z → dense 7×7×128 → convT 64 k5s2 → convT 1 k5s2 → tanh."""
    prose = recipe.variant == "prose"
    size = recipe.height, recipe.width
    half, base = halved(size), halved(size, 2)
    units = 128 * base[0] * base[1]
    paint: list[nn.Module] = [SameConvTranspose2d(64, recipe.channels, 5, 2, size)]
    return Upsampler(
        nn.Linear(recipe.z_dim, units),
        keras_batch_norm(units, flat=True),
        _rectifier(recipe),
        Maps(128, *base),
        SameConvTranspose2d(128, 64, 5, 2, half),
        keras_batch_norm(64),
        _rectifier(recipe),
        *(paint if prose else [*paint, keras_batch_norm(recipe.channels)]),
        nn.Tanh(),
    ).apply(init_keras)


def _discriminator(recipe: Recipe) -> Judge:
    """conv 64 k5s2 → conv 128 k5s2 → dense 1 → sigmoid, a probability."""
    prose = recipe.variant == "prose"
    base = halved((recipe.height, recipe.width), 2)
    return Judge(
        SameConv2d(recipe.channels, 64, 5, 2),
        *([] if prose else [keras_batch_norm(64)]),
        nn.LeakyReLU(recipe.slope) if prose else nn.ELU(),
        SameConv2d(64, 128, 5, 2),
        keras_batch_norm(128),
        nn.LeakyReLU(recipe.slope) if prose else nn.ELU(),
        Flatten(),
        nn.Linear(128 * base[0] * base[1], 1),
        *([] if prose else [keras_batch_norm(1, flat=True)]),
        Probability(),
    ).apply(init_keras)


def _rectifier(recipe: Recipe) -> nn.Module:
    return nn.LeakyReLU(recipe.slope) if recipe.variant == "prose" else nn.ReLU()
