"""The Fréchet distance between two sets of features, each taken as a Gaussian (Heusel et al. 2017, eq. 6)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcgan.evaluation.metrics.features import Features, checked, varied


@dataclass(frozen=True, eq=False)
class Moments:
    """What the distance needs of a set, to be kept for the next time.

    mean: float64 (d,). covariance: float64 (d, d), unbiased (divided by n − 1). n: the images they are of.
    """

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]
    n: int


def moments(features: Features, what: str = "real") -> Moments:
    """Mean and covariance of features (N, d). Raises `DcganError` when N < 2 or a feature is not finite."""
    x = checked(features, 2, what)
    mean = x.mean(0)
    x -= mean
    return Moments(mean, x.T @ x / (len(x) - 1), len(x))


def frechet_distance(real: Features, generated: Features) -> float:
    """The squared distance |m₁ − m₂|² + tr(C₁ + C₂ − 2 (C₁C₂)^½): 0 for equal sets, no upper bound.

    With fewer images than some thousand it is too high by about d/n: compare at equal n only (Chong & Forsyth 2020).
    Raises `DcganError` for fewer than 2 images, features that are not finite, or real ones that do not vary.
    """
    varied(checked(real, 2, "real"))
    return frechet_between(moments(real), moments(generated, "generated"))


def frechet_between(a: Moments, b: Moments) -> float:
    """`frechet_distance` from moments.

    tr (C₁C₂)^½ is the sum of the singular values of AᵀB where C₁ = AAᵀ and C₂ = BBᵀ: no square root of a matrix that
    is not symmetric, nothing complex, and a singular covariance is as good as any other.
    """
    if a.mean.shape != b.mean.shape:
        raise ValueError(f"moments of {len(a.mean)} and of {len(b.mean)} features cannot be compared")
    factor_a, factor_b = _factor(a.covariance), _factor(b.covariance)
    cross = 0.0
    if factor_a.size and factor_b.size:
        cross = float(np.linalg.svd(factor_a.T @ factor_b, compute_uv=False).sum())
    offset = a.mean - b.mean
    distance = float(offset @ offset + np.trace(a.covariance) + np.trace(b.covariance) - 2 * cross)
    return max(0.0, distance)


def _factor(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """A (d, r) with AAᵀ = covariance of rank r. Eigenvalues that are only rounding would count as their root."""
    values, vectors = np.linalg.eigh(covariance)
    kept = values > values.max(initial=0) * len(values) * np.finfo(np.float64).eps
    return np.asarray(vectors[:, kept] * np.sqrt(values[kept]))
