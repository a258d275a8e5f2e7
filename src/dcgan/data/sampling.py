"""Every random draw of the project, as a function of (purpose, seed, step, rank): nothing has to be restored.

The numbers are those of this version of numpy, which may improve a distribution between versions (NEP 19).
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from dcgan.errors import DcganError
from dcgan.recipe import LARGEST_SEED

BLOCK = 64
"""Generated images are drawn and computed in blocks of this many: image i of a seed is in block i // 64."""


class Stream(IntEnum):
    """What a draw is for. Draws of different purpose never share numbers."""

    ORDER = 0
    LATENT = 1
    LABELS = 2
    FLIPS = 3
    FIXED = 4
    GENERATE = 5
    GENERATE_LABELS = 6
    TORCH = 7
    SCORES = 8
    LABELLER = 12
    AUGMENT = 13
    ANALYSIS = 16


def stream(purpose: Stream, seed: int, step: int = 0, rank: int = 0) -> np.random.Generator:
    """The generator of random numbers for one purpose at one place.

    Philox is a keyed function of a 256-bit counter: (seed, purpose) is the key, and step and rank are the
    upper half of the counter, so that two places share no number before 2**128 draws (Salmon et al., 2011).
    A SeedSequence of the four would not do: to it (5 + 2**32, 7, 3) and (5, 1 + 7·2**32, 3) are the same.
    Raises `DcganError` when the seed is not in 0 … 2**63 − 1.
    """
    if not 0 <= seed <= LARGEST_SEED:
        raise DcganError(f"seed is {seed}: must be from 0 to {LARGEST_SEED}")
    key = np.array((seed, int(purpose)), np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=np.array((0, 0, step, rank), np.uint64)))


def torch_seed(seed: int, step: int, rank: int) -> int:
    """Seed for torch's own generator at one step: dropout and the like."""
    return int(stream(Stream.TORCH, seed, step, rank).integers(2**63))


def permutation(seed: int, epoch: int, n: int) -> NDArray[np.int64]:
    """The order in which epoch `epoch` visits n images: int64 (n,)."""
    return stream(Stream.ORDER, seed, epoch).permutation(n).astype(np.int64)


class BatchSampler:
    """Indices of the real images of each step, ranks disjoint, every image once an epoch.

    Positions run on across epochs, so the last batch of an epoch is filled from the next, and a batch may be
    larger than the data.
    """

    def __init__(self, n: int, batch: int, seed: int, rank: int = 0, world: int = 1) -> None:
        self.n, self.batch, self.seed, self.rank, self.world = n, batch, seed, rank, world
        self._orders: dict[int, NDArray[np.int64]] = {}

    def indices(self, step: int) -> NDArray[np.int64]:
        """int64 (batch,): this rank's share of positions step·batch·world … (step+1)·batch·world − 1."""
        position = (step * self.world + self.rank) * self.batch + np.arange(self.batch, dtype=np.int64)
        epochs, offsets = np.divmod(position, self.n)
        result = np.empty(self.batch, np.int64)
        for epoch in np.unique(epochs):
            here = epochs == epoch
            result[here] = self._order(int(epoch))[offsets[here]]
        return result

    def epoch(self, step: int) -> float:
        """Passes over the data made by all ranks before `step`."""
        return step * self.batch * self.world / self.n

    def _order(self, epoch: int) -> NDArray[np.int64]:
        if epoch not in self._orders:
            self._orders = {key: order for key, order in self._orders.items() if key == epoch - 1}
            self._orders[epoch] = permutation(self.seed, epoch, self.n)
        return self._orders[epoch]


def latent(
    seed: int, step: int, rank: int, count: int, dim: int, prior: str, purpose: Stream = Stream.LATENT
) -> NDArray[np.float32]:
    """float32 (count, dim) from N(0, 1) ("normal") or U(−1, 1) ("uniform")."""
    draw = stream(purpose, seed, step, rank)
    if prior == "normal":
        return draw.standard_normal((count, dim), np.float32)
    if prior == "uniform":
        return draw.random((count, dim), np.float32) * np.float32(2) - np.float32(1)
    raise ValueError(f"unknown prior {prior!r}")


def labels(
    seed: int, step: int, rank: int, count: int, counts: NDArray[np.int64], purpose: Stream = Stream.LABELS
) -> NDArray[np.int64]:
    """int64 (count,): classes drawn by their frequencies `counts`."""
    edges = np.cumsum(counts)
    draw = stream(purpose, seed, step, rank).integers(edges[-1], size=count)
    return np.searchsorted(edges, draw, side="right").astype(np.int64)


def flips(seed: int, step: int, rank: int, count: int) -> NDArray[np.bool_]:
    """bool (count,): which images to mirror, each with probability ½."""
    return stream(Stream.FLIPS, seed, step, rank).random(count) < 0.5


def chances(seed: int, step: int, rank: int, count: int, numbers: int) -> NDArray[np.float32]:
    """float32 (2, count, numbers) in [0, 1): what augmentation makes of each real and of each generated image."""
    return stream(Stream.AUGMENT, seed, step, rank).random((2, count, numbers), np.float32)


def generation_block(seed: int, block: int, dim: int, prior: str) -> NDArray[np.float32]:
    """float32 (BLOCK, dim): z of images block·BLOCK … of a seed, the same however many are made."""
    return latent(seed, block, 0, BLOCK, dim, prior, Stream.GENERATE)


def generation_labels(seed: int, block: int, counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """int64 (BLOCK,): their classes, drawn by frequency."""
    return labels(seed, block, 0, BLOCK, counts, Stream.GENERATE_LABELS)
