"""What every score asks of its features, and distances between them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dcgan.errors import DcganError

Features = NDArray[np.floating]
"""float32 or float64, shape (N, d): one row an image."""

_BLOCK_VALUES = 2**24
"""Distances held at a time: 128 MiB."""


def checked(features: Features, least: int, what: str) -> NDArray[np.float64]:
    """`features` as float64 (N, d).

    what: whose they are, "real" or "generated", for the message. Raises `DcganError` when they are fewer than `least`
    or not finite.
    """
    if features.ndim != 2 or features.shape[1] == 0:
        raise ValueError(f"features must have shape (N, d), not {features.shape}")
    enough(len(features), least, what)
    result = features.astype(np.float64)
    if not np.isfinite(result).all():
        raise DcganError(f"features of {what} pictures are not finite: this extractor cannot judge them")
    return result


def enough(n: int, least: int, what: str) -> None:
    """Raise `DcganError` when there are fewer than `least` pictures."""
    if n < least:
        raise DcganError(f"{n} {what} picture{'s' * (n != 1)}: this score needs at least {least}")


def alike(real: NDArray[np.float64], generated: NDArray[np.float64]) -> None:
    """Raise `ValueError` unless both have features of the same length."""
    if real.shape[1] != generated.shape[1]:
        raise ValueError(
            f"features of {real.shape[1]} and of {generated.shape[1]} numbers cannot be compared"
        )


def varied(features: NDArray[np.float64], what: str = "real") -> NDArray[np.float64]:
    """`features`, or `DcganError` when every row is the same: nothing can be measured against them.

    Only asked of real pictures: generated ones that are all alike are a collapse, which scores must show.
    """
    if (features == features[0]).all():
        raise DcganError(
            f"all {what} pictures have the same features: they do not vary, so nothing can be scored"
        )
    return features


def squared_distances(a: Tensor, b: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Squared Euclidean distances of the rows of `a` (N, d) to those of `b` (M, d), both float64, in blocks.

    Yields which rows of `a`, and float64 (rows, M). What is only rounding is 0: equal rows have distance 0.
    """
    centre = b.mean(0)  # what is common to all cancels, and would cost digits below
    a, b = a - centre, b - centre
    a_norms, b_norms = (a * a).sum(1), (b * b).sum(1)
    rounding = 1e-13 * float(a_norms.max() + b_norms.max())
    rows = max(1, _BLOCK_VALUES // len(b))
    for start in range(0, len(a), rows):
        block = slice(start, min(start + rows, len(a)))
        distances = (-2 * a[block]) @ b.T
        distances.add_(a_norms[block, None]).add_(b_norms)
        torch.threshold_(distances, rounding, 0)
        yield block, distances
