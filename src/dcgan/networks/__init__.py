"""Generators and discriminators, by family name. A new family is one file here and one row in `FAMILIES`."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from dcgan.errors import one_of
from dcgan.networks import fast
from dcgan.recipe import Recipe

Family = Callable[[Recipe], dict[str, nn.Module]]
"""Builds a recipe's networks by role: at least "generator" and "discriminator".

A generator maps z, float (N, z_dim), and labels, int64 (N,) or None, to images (N, C, H, W) in [-1, 1].
A discriminator maps images and labels to logits (N,).
"""

FAMILIES: dict[str, Family] = {"fast": fast.build}


def build_networks(recipe: Recipe) -> dict[str, nn.Module]:
    """The networks of a recipe whose image size is known, freshly initialised from torch's global generator."""
    if recipe.network not in FAMILIES:
        raise one_of("network", recipe.network, FAMILIES)
    return FAMILIES[recipe.network](recipe)
