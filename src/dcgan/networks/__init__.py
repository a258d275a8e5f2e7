"""Generators and discriminators, by family name. A new family is one file here and one row in `FAMILIES`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from dcgan.errors import DcganError, one_of
from dcgan.networks import (
    fashion_2020,
    fashion_maxpool,
    fast,
    mnist_2018,
    mnist_gan_2018,
    paper_64,
    pytorch_64,
    rdcgan,
)
from dcgan.recipe import FIELDS, Recipe


@dataclass(frozen=True)
class Family:
    """One pair of networks and what a recipe can change about them.

    build: a recipe's networks by role, at least "generator" and "discriminator"; an "encoder" maps images to z,
        (N, z_dim). A generator maps z, float
        (N, z_dim), and labels, int64 (N,) or None, to images (N, C, H, W) in [-1, 1]; a discriminator maps images and
        labels to float32 logits, or to float64 probabilities where the recipe's head is a sigmoid, (N,).
    sizes: the smallest and the largest side in pixels that it makes.
    switches: the recipe's architecture fields that it obeys, by name, each with the values it can have (none
        listed: any that the recipe allows).
    conditional: whether it can be asked for a class.
    """

    build: Callable[[Recipe], dict[str, nn.Module]]
    sizes: tuple[int, int]
    switches: dict[str, tuple[object, ...]]
    conditional: bool = False


_MAXPOOL = ("slope", "batch_norm", "output", "head", "pool", "g_layers", "d_layers")
_SIGMOID: dict[str, tuple[object, ...]] = {"slope": (), "head": ("sigmoid",)}

FAMILIES: dict[str, Family] = {
    "fast": Family(
        fast.build,
        (8, 128),
        dict.fromkeys(("g_maps", "d_maps", "g_mix", "paint", "spectral_norm", "slope"), ()),
        True,
    ),
    "fashion-2020": Family(fashion_2020.build, (8, 64), {"slope": ()}),
    "mnist-2018": Family(mnist_2018.build, (8, 64), {**_SIGMOID, "variant": ("table", "prose")}),
    "mnist-gan-2018": Family(mnist_gan_2018.build, (8, 64), _SIGMOID),
    "fashion-maxpool": Family(fashion_maxpool.build, (8, 64), dict.fromkeys(_MAXPOOL, ())),
    "paper-64": Family(paper_64.build, (64, 64), _SIGMOID),
    "pytorch-64": Family(pytorch_64.build, (64, 64), _SIGMOID),
    "rdcgan": Family(rdcgan.build, (8, 128), {"slope": (), "maps": (), "encoder": ()}),
}


def build_networks(recipe: Recipe) -> dict[str, nn.Module]:
    """The networks of a recipe whose image size is known, freshly initialised from torch's global generator.

    Raises `DcganError` for an unknown family, a size it cannot make, classes it cannot learn, or a switch it has not.
    """
    if recipe.network not in FAMILIES:
        raise one_of("network", recipe.network, FAMILIES)
    family = FAMILIES[recipe.network]
    _check_size(recipe, family)
    if recipe.classes and not family.conditional:
        raise DcganError(
            f"{recipe.preset} learns no classes: leave --labels out, or choose --preset fast-28, fast-32 or fast-64"
        )
    for name, spec in FIELDS.items():
        if spec.metadata["architecture"]:
            _check_switch(recipe, family, name, spec.default)
    return family.build(recipe)


@contextmanager
def evaluating(*networks: nn.Module) -> Iterator[None]:
    """The networks in evaluation mode, and afterwards every part of them as it was."""
    modes = [(part, part.training) for network in networks for part in network.modules()]
    for network in networks:
        network.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


@torch.no_grad()
def take_statistics(
    network: nn.Module, batches: Iterable[Tensor], compute: Callable[[Tensor], Tensor] | None = None
) -> None:
    """Give batch norm the statistics of `batches`, the mean over all: each is normalised by its own on its way.

    compute: what is made of a batch, the network's whole pass if not given. All other layers, and all afterwards, are
    in evaluation mode.
    """
    norms = [part for part in network.eval().modules() if isinstance(part, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.train().reset_running_stats()
        norm.momentum = None  # the mean, not a moving average
    for batch in batches:
        (compute or network)(batch)
    network.eval()
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def _check_size(recipe: Recipe, family: Family) -> None:
    smallest, largest = family.sizes
    size = recipe.height, recipe.width
    nearest = tuple(min(max(side, smallest), largest) for side in size)
    if size == nearest:
        return
    makes = f"{smallest}x{smallest}" + (f" to {largest}x{largest}" if smallest < largest else "")
    others = (
        ""
        if recipe.network == "fast"
        else ", or choose --preset fast-28, fast-32 or fast-64, which make any size"
    )
    raise DcganError(
        f"{recipe.preset} makes images of {makes}, not {size[0]}x{size[1]}: "
        f"add --size {nearest[0]}x{nearest[1]}{others}"
    )


def _check_switch(recipe: Recipe, family: Family, name: str, default: object) -> None:
    value = getattr(recipe, name)
    if name in family.switches:
        allowed = family.switches[name]
        if allowed and value not in allowed:
            words = " or ".join(map(str, allowed))
            raise DcganError(f"{name} is '{value}': the network {recipe.network} takes {words}")
    elif value != default:
        raise DcganError(
            f"{name}={value} means nothing to the network {recipe.network}, whose switches are "
            f"{', '.join(sorted(family.switches))}: leave it out"
        )
