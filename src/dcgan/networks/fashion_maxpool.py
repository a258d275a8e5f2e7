"""`fashion-maxpool`: paper 004's DCGAN with global max pooling in D, and the switches of its ablations.

`batch_norm`, `output`, `head`, `pool`, `g_layers` and `d_layers` are those switches; the defaults are its figures 2, 3.
The paper does not give the layers of its four-layer networks. Ours follow the DCGAN paper's guidelines, which it names:
maps double from level to level, strides of 2 throughout (28 → 14 → 7 → 4 → 2), no batch norm on G's output and on D's
first layer, and D mirrors G.
"""

from __future__ import annotations

from torch import nn

from dcgan.errors import DcganError
from dcgan.networks.convolution import Maps
from dcgan.networks.layers import (
    Flatten,
    FromUnit,
    GlobalMaxPool,
    Judge,
    Probability,
    SameConv2d,
    SameConvTranspose2d,
    ToUnit,
    Upsampler,
    halved,
    init_keras,
    keras_batch_norm,
)
from dcgan.recipe import Recipe

MAPS = 64
"""Feature maps at the finest level of a four-layer network, and of D's first layer."""


def build(recipe: Recipe) -> dict[str, nn.Module]:
    """Generator and discriminator for 8 to 64 pixels a side, 28×28 as published."""
    for name in ("g_layers", "d_layers"):
        if getattr(recipe, name) not in (2, 4):
            raise DcganError(f"{name} is {getattr(recipe, name)}: {recipe.preset} has 2 or 4 layers")
    generator = _generator if recipe.g_layers == 2 else _deep_generator
    return {
        "generator": Upsampler(*generator(recipe)).apply(init_keras),
        "discriminator": Judge(*_discriminator(recipe)).apply(init_keras),
    }


def _generator(recipe: Recipe) -> list[nn.Module]:
    """z → dense 7×7×128 → convT 128 k4s2 → convT 128 k4s2 → conv 1 k7 (figure 2)."""
    size = recipe.height, recipe.width
    half, base = halved(size), halved(size, 2)
    units = 128 * base[0] * base[1]
    return [
        nn.Linear(recipe.z_dim, units),
        *([keras_batch_norm(units, flat=True)] if recipe.batch_norm == "everywhere" else []),
        Maps(128, *base),
        SameConvTranspose2d(128, 128, 4, 2, half),
        *_norm(recipe, 128),
        nn.LeakyReLU(recipe.slope),
        SameConvTranspose2d(128, 128, 4, 2, size),
        *_norm(recipe, 128),
        nn.LeakyReLU(recipe.slope),
        SameConv2d(128, recipe.channels, 7),
        *_paint(recipe),
    ]


def _deep_generator(recipe: Recipe) -> list[nn.Module]:
    """z → dense 2×2×512 → convT 256, 128, 64 and 1, k4s2 each: the mirror of the four-layer D."""
    size = recipe.height, recipe.width
    base = halved(size, 4)
    units = 8 * MAPS * base[0] * base[1]
    layers: list[nn.Module] = [
        nn.Linear(recipe.z_dim, units),
        *([keras_batch_norm(units, flat=True)] if recipe.batch_norm != "none" else []),
        nn.LeakyReLU(recipe.slope),
        Maps(8 * MAPS, *base),
    ]
    for level in (3, 2, 1):
        maps = MAPS * 2 ** (level - 1)
        layers.append(SameConvTranspose2d(2 * maps, maps, 4, 2, halved(size, level)))
        layers += [*_norm(recipe, maps), nn.LeakyReLU(recipe.slope)]
    return [*layers, SameConvTranspose2d(MAPS, recipe.channels, 4, 2, size), *_paint(recipe)]


def _discriminator(recipe: Recipe) -> list[nn.Module]:
    """conv 64 k3s2 → conv 128 k3s2 (→ 256 → 512) → global max pool or flatten → dense 1 (figure 3)."""
    layers: list[nn.Module] = [ToUnit()] if recipe.output == "sigmoid" else []
    maps = recipe.channels
    for level in range(recipe.d_layers):
        layers.append(SameConv2d(maps, MAPS * 2**level, 3, 2))
        maps = MAPS * 2**level
        layers += _norm(recipe, maps) if level or recipe.batch_norm == "everywhere" else []
        layers.append(nn.LeakyReLU(recipe.slope))
    if recipe.pool == "max":
        layers += [GlobalMaxPool(), nn.Linear(maps, 1)]
    else:
        height, width = halved((recipe.height, recipe.width), recipe.d_layers)
        layers += [Flatten(), nn.Linear(maps * height * width, 1)]
    layers += [keras_batch_norm(1, flat=True)] if recipe.batch_norm == "everywhere" else []
    return [*layers, Probability()] if recipe.head == "sigmoid" else layers


def _norm(recipe: Recipe, maps: int) -> list[nn.Module]:
    return [] if recipe.batch_norm == "none" else [keras_batch_norm(maps)]


def _paint(recipe: Recipe) -> list[nn.Module]:
    """The end of G. A sigmoid makes images in [0, 1], which D then sees as such: in between they are in [-1, 1]."""
    norm = [keras_batch_norm(recipe.channels)] if recipe.batch_norm == "everywhere" else []
    return [*norm, nn.Tanh()] if recipe.output == "tanh" else [*norm, nn.Sigmoid(), FromUnit()]
