"""`paper-64`: the DCGAN paper's 64×64 model of faces and bedrooms (Radford et al. 2016, figure 1, the authors' code).

k5s2 throughout with padding 2 on both sides, no biases, batch norm with an epsilon of 1e-8; in G the projection is
normalised per unit. The authors' code normalises by the batch's own statistics even when it draws samples; here, as
everywhere in this project, a trained generator uses stored ones, so that a picture does not depend on its neighbours.
"""

from __future__ import annotations

from itertools import pairwise

from torch import nn

from dcgan.networks.convolution import Conv2d, ConvTranspose2d, Maps
from dcgan.networks.layers import Flatten, Judge, Probability, Upsampler, init_dcgan
from dcgan.recipe import Recipe

MAPS = 128
"""Feature maps at the finest level."""
EPSILON = 1e-8


def build(recipe: Recipe) -> dict[str, nn.Module]:
    """Generator and discriminator for 64×64 pixels, grey or colour."""
    return {"generator": _generator(recipe), "discriminator": _discriminator(recipe)}


def _generator(recipe: Recipe) -> Upsampler:
    """z → dense 4×4×1024 → convT 512 → 256 → 128 → C → tanh."""
    units = 8 * MAPS * 4 * 4
    layers: list[nn.Module] = [
        nn.Linear(recipe.z_dim, units, bias=False),
        nn.BatchNorm1d(units, eps=EPSILON),
        nn.ReLU(),
        Maps(8 * MAPS, 4, 4),
    ]
    for inputs, outputs in pairwise((8 * MAPS, 4 * MAPS, 2 * MAPS, MAPS)):
        layers += [_up(inputs, outputs), nn.BatchNorm2d(outputs, eps=EPSILON), nn.ReLU()]
    return Upsampler(*layers, _up(MAPS, recipe.channels), nn.Tanh()).apply(init_dcgan)


def _discriminator(recipe: Recipe) -> Judge:
    """conv 128 → 256 → 512 → 1024 → dense 1 → sigmoid, a probability; no batch norm on the first layer."""
    layers: list[nn.Module] = [_down(recipe.channels, MAPS), nn.LeakyReLU(recipe.slope)]
    for inputs, outputs in pairwise((MAPS, 2 * MAPS, 4 * MAPS, 8 * MAPS)):
        norm = nn.BatchNorm2d(outputs, eps=EPSILON)
        layers += [_down(inputs, outputs), norm, nn.LeakyReLU(recipe.slope)]
    dense = nn.Linear(8 * MAPS * 4 * 4, 1, bias=False)
    return Judge(*layers, Flatten(), dense, Probability()).apply(init_dcgan)


def _up(inputs: int, outputs: int) -> nn.Module:
    return ConvTranspose2d(inputs, outputs, 5, 2, padding=2, output_padding=1, bias=False)


def _down(inputs: int, outputs: int) -> nn.Module:
    return Conv2d(inputs, outputs, 5, 2, padding=2, bias=False)
