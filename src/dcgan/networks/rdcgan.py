"""`rdcgan`: the regularized DCGAN of paper 001 (Mehralian & Karasfi 2018), a small DCGAN with an encoder beside it.

k5s2 throughout with "same" padding, maps of 1, 2, 4 and 8 times `maps` from the finest level on (8-16-32-64 as
published), batch norm on all of D's layers, on all of E's but the first, and in G between layers. Initialisation and
batch norm's constants are stated nowhere: the DCGAN paper's N(0, .02) and PyTorch's are used.
"""

from __future__ import annotations

from torch import Tensor, nn

from dcgan.networks.convolution import Maps
from dcgan.networks.layers import (
    Flatten,
    Judge,
    SameConv2d,
    SameConvTranspose2d,
    Upsampler,
    halved,
    init_dcgan,
)
from dcgan.networks.stages import chain
from dcgan.recipe import Recipe

LEVELS = 4


class Encoder(Judge):
    """The encoder, layer by layer: images (N, C, H, W) in [-1, 1] → z (N, z_dim)."""

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        return chain(self)(images)


def build(recipe: Recipe) -> dict[str, nn.Module]:
    """Generator and discriminator for 8 to 128 pixels a side; an encoder, where the method trains one."""
    units = 8 * recipe.maps * _area(recipe)
    ends: list[nn.Module] = [nn.Tanh()] if recipe.encoder == "tanh" else []
    adversarial: dict[str, nn.Module] = {
        "generator": _generator(recipe).apply(init_dcgan),
        "discriminator": Judge(*_down(recipe, 0), Flatten(), nn.Linear(units, 1)).apply(init_dcgan),
    }
    if recipe.method != "regularized":
        return adversarial
    return {
        **adversarial,
        "encoder": Encoder(*_down(recipe, 1), Flatten(), nn.Linear(units, recipe.z_dim), *ends).apply(
            init_dcgan
        ),
    }


def _generator(recipe: Recipe) -> Upsampler:
    """z → dense 8w maps of a sixteenth of the sides → convT 4w → 2w → w → C → tanh."""
    size, finest = (recipe.height, recipe.width), recipe.maps
    base, units = halved(size, LEVELS), 8 * finest * _area(recipe)
    layers: list[nn.Module] = [
        nn.Linear(recipe.z_dim, units),
        nn.BatchNorm1d(units),
        nn.ReLU(),
        Maps(8 * finest, *base),
    ]
    for level in (3, 2, 1):
        maps = finest * 2 ** (level - 1)
        layers += [
            SameConvTranspose2d(2 * maps, maps, 5, 2, halved(size, level)),
            nn.BatchNorm2d(maps),
            nn.ReLU(),
        ]
    return Upsampler(*layers, SameConvTranspose2d(finest, recipe.channels, 5, 2, size), nn.Tanh())


def _down(recipe: Recipe, normed_from: int) -> list[nn.Module]:
    """conv w → 2w → 4w → 8w, batch norm from the layer `normed_from` on, leaky ReLU."""
    layers: list[nn.Module] = []
    inputs = recipe.channels
    for level in range(LEVELS):
        outputs = recipe.maps * 2**level
        norm = [nn.BatchNorm2d(outputs)] if level >= normed_from else []
        layers += [SameConv2d(inputs, outputs, 5, 2), *norm, nn.LeakyReLU(recipe.slope)]
        inputs = outputs
    return layers


def _area(recipe: Recipe) -> int:
    height, width = halved((recipe.height, recipe.width), LEVELS)
    return height * width
