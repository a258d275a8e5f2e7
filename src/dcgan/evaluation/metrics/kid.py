"""The kernel distance KID: unbiased, so it may be compared between sets of any size (Bińkowski et al. 2018)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcgan.data.sampling import Stream, stream
from dcgan.evaluation.metrics.features import Features, alike, checked, varied

SUBSETS = 100
SUBSET_SIZE = 1000

LEAST = 4
"""Images a set must have: subsets of two."""


@dataclass(frozen=True)
class Kid:
    """The mean over subsets, its standard deviation (how far one subset strays), and how they were drawn."""

    mean: float
    spread: float
    subsets: int
    subset_size: int


def kid(
    real: Features, generated: Features, seed: int = 0, subsets: int = SUBSETS, subset_size: int = SUBSET_SIZE
) -> Kid:
    """The mean of `squared_mmd` over subsets drawn without replacement: about 0 for equal distributions, may be < 0.

    A subset is at most half of either set, or all would be the same and their spread would say nothing. Raises
    `DcganError` for fewer than 4 images, features that are not finite, or real ones that do not vary.
    """
    x = varied(checked(real, LEAST, "real"))
    y = checked(generated, LEAST, "generated")
    alike(x, y)
    size = min(subset_size, len(x) // 2, len(y) // 2)
    values = np.empty(subsets)
    for subset in range(subsets):
        draw = stream(Stream.SCORES, seed, subset)
        rows_x = draw.choice(len(x), size, replace=False)
        rows_y = draw.choice(len(y), size, replace=False)
        values[subset] = squared_mmd(x[rows_x], y[rows_y])
    return Kid(float(values.mean()), float(values.std()), subsets, size)


def squared_mmd(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Unbiased MMD² of float64 (m, d) and (n, d), m and n ≥ 2, with the kernel (x·y/d + 1)³ (section 4, eq. 4)."""
    m, n, d = len(x), len(y), x.shape[1]
    within_x = _kernel_sum(x @ x.T, d) - float((((x * x).sum(1) / d + 1) ** 3).sum())
    within_y = _kernel_sum(y @ y.T, d) - float((((y * y).sum(1) / d + 1) ** 3).sum())
    between = _kernel_sum(x @ y.T, d)
    return within_x / (m * (m - 1)) + within_y / (n * (n - 1)) - 2 * between / (m * n)


def _kernel_sum(products: NDArray[np.float64], d: int) -> float:
    """The sum of (p/d + 1)³ over all products, in place: a power is 20 times slower than two multiplications."""
    products /= d
    products += 1
    return float(np.einsum("ij,ij,ij->", products, products, products))
