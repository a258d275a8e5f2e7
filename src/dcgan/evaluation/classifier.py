"""A small convolutional classifier for pictures of 8 to 128 pixels; its penultimate layer is a 128-d description."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dcgan.data.sampling import Stream, permutation, stream, torch_seed

FEATURES = 128
MAPS = (16, 32, 64)
"""Of each convolution. With the rates and passes below: 91.4 % on Fashion-MNIST's test split in 94 seconds of one core
(AVX2, float32; one run, reading the data included)."""

BATCH = 128
LARGEST_MAP = 32
"""Sides of the first map, at most: larger pictures are taken in by a convolution with a stride."""

PASSES_OF_PICTURES, FEWEST_PASSES, MOST_PASSES = 300_000, 4, 40
"""Pictures seen in training, as long as that is 4 passes over the data at least and 40 at most."""

STANDARDISED = 10_000
"""Pictures over which the features' mean and variance are measured after training."""

RATE, DECAY = 4e-3, 5e-2

Progress = Callable[[int, int], None]


class Classifier(nn.Module):
    """Images uint8 (N, C, H, W) → features float32 (N, 128), from which a linear layer makes class logits (N, K).

    Three 3×3 convolutions, each with a 2×2 max-pool, batch norm and ReLU, and a linear layer to 128 numbers with batch
    norm without scale and shift: over the training data each feature has mean 0 and variance 1, so that no direction
    counts more because of its unit. The logits see them after a ReLU.
    """

    def __init__(self, channels: int, size: tuple[int, int], classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        height, width = size
        before = channels
        for number, maps in enumerate(MAPS):
            down, right = (math.ceil(side / LARGEST_MAP) if number == 0 else 1 for side in (height, width))
            # A stride of s looks at 2s + 1 pixels: neighbours overlap, and nothing is skipped.
            layers.append(
                nn.Conv2d(
                    before, maps, (2 * down + 1, 2 * right + 1), (down, right), (down, right), bias=False
                )
            )
            height, width = (height - 1) // down + 1, (width - 1) // right + 1
            pools = (2 if height >= 4 else 1, 2 if width >= 4 else 1)
            # Pooled first: norm and ReLU have a quarter of the work.
            layers += [nn.MaxPool2d(pools), nn.BatchNorm2d(maps), nn.ReLU()]
            height, width = height // pools[0], width // pools[1]
            before = maps
        self.convolutions = nn.Sequential(*layers, nn.Flatten())
        self.penultimate = nn.Linear(before * height * width, FEATURES, bias=False)
        self.norm = nn.BatchNorm1d(FEATURES, affine=False)
        self.logits = nn.Linear(FEATURES, classes)

    def features(self, images: Tensor) -> Tensor:
        """uint8 (N, C, H, W) → float32 (N, 128)."""
        result: Tensor = self.norm(self.described(images))
        return result

    def described(self, images: Tensor) -> Tensor:
        """uint8 (N, C, H, W) → the features before they are brought to mean 0 and variance 1."""
        scaled = images.float().div_(127.5).sub_(1)
        result: Tensor = self.penultimate(self.convolutions(scaled))
        return result

    def classes(self, features: Tensor) -> Tensor:
        """(N, 128) → class logits (N, K)."""
        result: Tensor = self.logits(features.relu())
        return result


def on_device(network: Classifier, device: torch.device) -> Classifier:
    """The network on its device, in place.

    On a CPU channels_last took two thirds of the time of NCHW for these maps (128 pictures of 28×28, AVX2).
    """
    network.to(device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def passes(count: int) -> int:
    """Passes over `count` pictures that training makes."""
    return min(max(round(PASSES_OF_PICTURES / count), FEWEST_PASSES), MOST_PASSES)


def fit_classifier(
    network: Classifier,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    *,
    seed: int,
    device: torch.device,
    progress: Progress | None = None,
) -> None:
    """Train `network` in place on uint8 (N, C, H, W) and int64 (N,), and leave it in evaluation mode on `device`.

    AdamW, the rate going up for a fifth of the steps and down to nothing in a cosine (Smith, 2018), and each picture
    shifted by up to a fourteenth of its side. The outcome is a function of data and seed (same machine and threads).
    progress is told (pictures seen, of how many).
    """
    _initialise(network, seed)
    on_device(network, device).train()
    count, rounds = len(images), passes(len(images))
    batch = min(BATCH, max(2, count // 8))
    a_pass = count // batch
    total = a_pass * rounds
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=total + 1, pct_start=0.2)
    for step in range(total):
        if step % a_pass == 0:
            order = permutation(seed, step // a_pass, count)
        chosen = np.sort(order[step % a_pass * batch :][:batch])  # sorted: they may lie in a file
        seen = torch.from_numpy(shifted(np.ascontiguousarray(images[chosen]), seed, step)).to(device)
        logits = network.classes(network.features(seen))
        loss = nn.functional.cross_entropy(logits, torch.from_numpy(labels[chosen]).to(device))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if progress:
            progress((step + 1) * batch, total * batch)
    network.eval().requires_grad_(False)
    _standardise(network, images[np.sort(permutation(seed, rounds, count)[:STANDARDISED])], device)


def shifted(images: NDArray[np.uint8], seed: int, step: int) -> NDArray[np.uint8]:
    """uint8 NCHW → the same, each picture moved by up to a fourteenth of its side; its border is repeated."""
    count, _, height, width = images.shape
    draw = stream(Stream.LABELLER, seed, step)
    down, right = (
        draw.integers(-most, most + 1, (count, 1)) for most in (round(height / 14), round(width / 14))
    )
    return moved(images, down, right)


def moved(images: NDArray[np.uint8], down: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.uint8]:
    """uint8 NCHW → the same, each picture moved by its own whole pixels, int64 (N, 1); its border is repeated."""
    height, width = images.shape[2:]
    rows = np.clip(np.arange(height) + down, 0, height - 1)
    columns = np.clip(np.arange(width) + right, 0, width - 1)
    each = np.arange(len(images))[:, None, None]
    result = images.transpose(0, 2, 3, 1)[each, rows[:, :, None], columns[:, None, :]]
    return np.ascontiguousarray(result.transpose(0, 3, 1, 2))


@torch.no_grad()
def _standardise(network: Classifier, images: NDArray[np.uint8], device: torch.device) -> None:
    """Make mean 0 and variance 1 of each feature exact over `images`; training's own are of its last batches."""
    raw = torch.cat(
        [
            network.described(
                torch.from_numpy(np.ascontiguousarray(images[at : at + 500])).to(device)
            ).double()
            for at in range(0, len(images), 500)
        ]
    )
    for buffer, value in (
        (network.norm.running_mean, raw.mean(0)),
        (network.norm.running_var, raw.var(0, correction=0)),
    ):
        if buffer is not None:
            buffer.copy_(value)


def _initialise(network: Classifier, seed: int) -> None:
    """He's initialisation (2015) for every weight, drawn from `seed` alone."""
    draw = torch.Generator().manual_seed(torch_seed(seed, 0, 0))
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=draw)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
