"""`mnist-gan-2018`: the fully connected GAN that paper 002 sets beside its DCGAN.

The paper does not state its layers; these are those of the widespread Keras MLP GAN, whose "epochs" are steps, as in
the paper's "epoch 29800".
"""

from __future__ import annotations

from itertools import pairwise

from torch import nn

from dcgan.networks.layers import Judge, Probability, Upsampler, init_keras
from dcgan.recipe import Recipe


def build(recipe: Recipe) -> dict[str, nn.Module]:
    """Generator and discriminator for 8 to 64 pixels a side, 28×28 as published."""
    return {"generator": _generator(recipe), "discriminator": _discriminator(recipe)}


def _generator(recipe: Recipe) -> Upsampler:
    """z → 256 → 512 → 1024 → all pixels, tanh; batch norm, of Keras' momentum .8, after each hidden leaky ReLU."""
    shape = recipe.channels, recipe.height, recipe.width
    hidden: list[nn.Module] = []
    for inputs, outputs in pairwise((recipe.z_dim, 256, 512, 1024)):
        norm = nn.BatchNorm1d(outputs, eps=1e-3, momentum=0.2)
        hidden += [nn.Linear(inputs, outputs), nn.LeakyReLU(recipe.slope), norm]
    pixels = shape[0] * shape[1] * shape[2]
    paint = nn.Linear(1024, pixels), nn.Tanh(), nn.Unflatten(1, shape)
    return Upsampler(*hidden, *paint).apply(init_keras)


def _discriminator(recipe: Recipe) -> Judge:
    """Pixels → 512 → 256 → 1 → sigmoid, a probability."""
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs, outputs in pairwise((recipe.channels * recipe.height * recipe.width, 512, 256)):
        layers += [nn.Linear(inputs, outputs), nn.LeakyReLU(recipe.slope)]
    return Judge(*layers, nn.Linear(256, 1), Probability()).apply(init_keras)
