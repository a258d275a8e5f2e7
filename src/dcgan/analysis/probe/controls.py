"""What learned features have to beat: pixels, the same network untrained, principal components, k-means."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from torch import nn

from dcgan.analysis.probe.layers import ENCODER, LayerFeatures
from dcgan.data.sampling import Stream, stream
from dcgan.model import Model
from dcgan.networks import build_networks, take_statistics
from dcgan.networks.stages import Staged, through

Progress = Callable[[int, int], None]
Features = Callable[..., NDArray[np.float32]]
"""uint8 (N, C, H, W) and `progress` → float32 (N, d)."""

CONTROLS = ("pixels", "pca", "untrained", "kmeans", "cnn")
"""What can stand in the table beside a model's features, cheapest first; "cnn" is trained with the labels."""
QUICK = ("pixels", "pca", "untrained")
COMPONENTS = 256
FITTED = 20_000
"""Pictures that the components are found on."""
CALIBRATED = 2048
"""Pictures over which the statistics of an untrained network's batch norm are taken."""


def pixels(images: NDArray[np.uint8], progress: Progress | None = None) -> NDArray[np.float32]:
    """The pictures themselves, row by row, 0 … 1."""
    rows = images.reshape(len(images), -1).astype(np.float32)
    rows /= 255
    return rows


def principal_components(train: NDArray[np.uint8], seed: int) -> Features:
    """The leading components of the pixels: at most 256, of at most 20,000 pictures."""
    some = np.sort(stream(Stream.ANALYSIS, seed, 25).permutation(len(train))[:FITTED])
    known = pixels(train[some])
    pca = PCA(min(COMPONENTS, *known.shape), svd_solver="covariance_eigh").fit(known)

    def features(images: NDArray[np.uint8], progress: Progress | None = None) -> NDArray[np.float32]:
        found: NDArray[np.float32] = pca.transform(pixels(images)).astype(np.float32)
        return found

    return features


@torch.no_grad()
def untrained(
    model: Model,
    train: NDArray[np.uint8],
    seed: int,
    layers: str | Sequence[str],
    pool: int,
    views: Sequence[str] = (),
) -> LayerFeatures:
    """The same layers of networks of the same shape as they are before training, drawn from `seed`.

    Batch norm without statistics would do nothing: its own are taken from pictures of the training split.
    """
    recipe = model.recipe
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        built = build_networks(recipe)
    networks: dict[str, nn.Module] = {"": built["discriminator"]}
    if "encoder" in built:
        networks[ENCODER] = built["encoder"]
    some, unit = train[:CALIBRATED], CALIBRATED // 4
    blocks = [np.ascontiguousarray(some[start : start + unit]) for start in range(0, len(some), unit)]
    for network in networks.values():
        model.engine.place(network)
        batches = (model.engine.scaled(model.engine.tensor(block)) for block in blocks)
        take_statistics(network, batches, partial(through, cast(Staged, network).stages()))
        network.requires_grad_(False)
    shape = (recipe.channels, recipe.height, recipe.width)
    return LayerFeatures(networks, model.engine, shape, layers, pool, views)
