"""`fashion-2020`: the DCGAN of TensorFlow's tutorial, which paper 000 trains on Fashion-MNIST and paper 003 on MNIST.

No convolution has a bias in G; all of D's have. "Same" padding, Keras' initialisation and batch norm.
"""

from __future__ import annotations

from torch import nn

from dcgan.networks.convolution import Maps
from dcgan.networks.layers import (
    Dropout,
    Flatten,
    Judge,
    SameConv2d,
    SameConvTranspose2d,
    Upsampler,
    halved,
    init_keras,
    keras_batch_norm,
)
from dcgan.recipe import Recipe

DROPOUT = 0.3


def build(recipe: Recipe) -> dict[str, nn.Module]:
    """Generator and discriminator for 8 to 64 pixels a side, 28×28 as published; `slope` is the leaky ReLU's."""
    return {"generator": _generator(recipe), "discriminator": _discriminator(recipe)}


def _generator(recipe: Recipe) -> Upsampler:
    """z → dense 7×7×256 → convT 128 k5s1 → convT 64 k5s2 → convT 1 k5s2 → tanh."""
    size = recipe.height, recipe.width
    half, base = halved(size), halved(size, 2)
    units = 256 * base[0] * base[1]
    return Upsampler(
        nn.Linear(recipe.z_dim, units, bias=False),
        keras_batch_norm(units, flat=True),
        nn.LeakyReLU(recipe.slope),
        Maps(256, *base),
        SameConvTranspose2d(256, 128, 5, 1, base, bias=False),
        keras_batch_norm(128),
        nn.LeakyReLU(recipe.slope),
        SameConvTranspose2d(128, 64, 5, 2, half, bias=False),
        keras_batch_norm(64),
        nn.LeakyReLU(recipe.slope),
        SameConvTranspose2d(64, recipe.channels, 5, 2, size, bias=False),
        nn.Tanh(),
    ).apply(init_keras)


def _discriminator(recipe: Recipe) -> Judge:
    """conv 64 k5s2 → conv 128 k5s2 → dense 1, a logit; dropout .3 after each leaky ReLU."""
    base = halved((recipe.height, recipe.width), 2)
    return Judge(
        SameConv2d(recipe.channels, 64, 5, 2),
        nn.LeakyReLU(recipe.slope),
        Dropout(DROPOUT),
        SameConv2d(64, 128, 5, 2),
        nn.LeakyReLU(recipe.slope),
        Dropout(DROPOUT),
        Flatten(),
        nn.Linear(128 * base[0] * base[1], 1),
    ).apply(init_keras)
