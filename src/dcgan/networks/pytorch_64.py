"""`pytorch-64`: the DCGAN of PyTorch's examples, from which most people start.

A fully convolutional pair, k4 throughout: z is a 1×1 image with z_dim maps, D's verdict a 1×1 map. No biases.
"""

from __future__ import annotations

from itertools import pairwise

from torch import nn

from dcgan.networks.convolution import Conv2d, ConvTranspose2d, Maps
from dcgan.networks.layers import Flatten, Judge, Probability, Upsampler, init_dcgan
from dcgan.recipe import Recipe

MAPS = 64
"""Feature maps at the finest level."""


def build(recipe: Recipe) -> dict[str, nn.Module]:
    """Generator and discriminator for 64×64 pixels, grey or colour."""
    return {"generator": _generator(recipe), "discriminator": _discriminator(recipe)}


def _generator(recipe: Recipe) -> Upsampler:
    """z → convT 512 k4s1 (4×4) → 256 → 128 → 64 → C, k4s2 each → tanh."""
    layers: list[nn.Module] = [
        Maps(recipe.z_dim, 1, 1),
        ConvTranspose2d(recipe.z_dim, 8 * MAPS, 4, 1, 0, bias=False),
        nn.BatchNorm2d(8 * MAPS),
        nn.ReLU(),
    ]
    for inputs, outputs in pairwise((8 * MAPS, 4 * MAPS, 2 * MAPS, MAPS)):
        up = ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False)
        layers += [up, nn.BatchNorm2d(outputs), nn.ReLU()]
    paint = ConvTranspose2d(MAPS, recipe.channels, 4, 2, 1, bias=False)
    return Upsampler(*layers, paint, nn.Tanh()).apply(init_dcgan)


def _discriminator(recipe: Recipe) -> Judge:
    """conv 64 → 128 → 256 → 512, k4s2 each → conv 1 k4 → sigmoid, a probability; no batch norm on the first layer."""
    layers: list[nn.Module] = [
        Conv2d(recipe.channels, MAPS, 4, 2, 1, bias=False),
        nn.LeakyReLU(recipe.slope),
    ]
    for inputs, outputs in pairwise((MAPS, 2 * MAPS, 4 * MAPS, 8 * MAPS)):
        down = Conv2d(inputs, outputs, 4, 2, 1, bias=False)
        layers += [down, nn.BatchNorm2d(outputs), nn.LeakyReLU(recipe.slope)]
    verdict = Conv2d(8 * MAPS, 1, 4, 1, 0, bias=False)
    return Judge(*layers, verdict, Flatten(), Probability()).apply(init_dcgan)
