"""Activation maps: what each stage of G makes of some designs, and each stage of D of some pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from dcgan.analysis.inside.layers import Layer, heads, map_layers, stages_of
from dcgan.model import Model

SHOWN = 6
"""Maps of a stage, those that vary most over the pictures looked at and over places."""


@dataclass(frozen=True)
class Activations:
    """The liveliest maps of one stage for some pictures.

    numbers: int64 (K,), which maps, from 0. values: float32 (N, K, h, w), each map divided by its largest absolute
    value over the pictures. count: maps the stage has. idle: those that are 0 everywhere for these pictures.
    """

    layer: str
    numbers: NDArray[np.int64]
    values: NDArray[np.float32]
    count: int
    idle: int


def of_generator(model: Model, z: NDArray[np.float32], labels: NDArray[np.int64] | None) -> list[Activations]:
    """For designs z, each stage of G but the last, which makes the picture; none of a fully connected G."""
    return [
        _liveliest(layer) for layer in map_layers(stages_of(model.generator)[:-1], heads(model, z, labels))
    ]


def of_discriminator(model: Model, images: NDArray[np.uint8]) -> list[Activations]:
    """For pictures, uint8 (N, C, H, W), each stage of D that has maps."""
    seen = model.engine.scaled(model.engine.tensor(np.ascontiguousarray(images)))
    return [_liveliest(layer) for layer in map_layers(stages_of(model.discriminator), seen)]


def _liveliest(layer: Layer) -> Activations:
    size = layer.values.abs().amax((0, 2, 3)).cpu().numpy()
    spread = layer.values.float().std((0, 2, 3), correction=0).cpu().numpy()
    numbers = np.argsort(-spread, kind="stable")[:SHOWN].astype(np.int64)
    chosen = layer.values[:, torch.from_numpy(numbers).to(layer.values.device)].float().cpu().numpy()
    largest = np.abs(chosen).max((0, 2, 3), keepdims=True)
    scaled = (chosen / np.where(largest > 0, largest, 1)).astype(np.float32)
    return Activations(layer.name, numbers, scaled, layer.values.shape[1], int((size == 0).sum()))
