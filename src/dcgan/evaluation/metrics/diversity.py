"""How varied generated images are against real ones: mean distance of two images, in features."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from dcgan.data.sampling import Stream, stream
from dcgan.evaluation.metrics.features import Features, alike, checked, squared_distances, varied

MOST = 2000
"""Images of which all pairs are taken; of more, so many are drawn."""

_RANK = 2  # draws of its own: kid has rank 0, ms_ssim rank 1


def diversity(generated: Features, real: Features, seed: int = 0) -> float:
    """Mean distance of two generated images over that of two real ones: 1 as varied, 0 all the same, no upper bound.

    Raises `DcganError` for fewer than 2 images, features that are not finite, or real ones that do not vary.
    """
    x, y = checked(generated, 2, "generated"), varied(checked(real, 2, "real"))
    alike(y, x)
    return mean_distance(_some(x, seed)) / mean_distance(_some(y, seed))


def mean_distance(features: NDArray[np.float64]) -> float:
    """The mean Euclidean distance over all pairs of different rows of float64 (N, d), N ≥ 2."""
    points = torch.from_numpy(features)
    total = sum(float(distances.sqrt().sum()) for _, distances in squared_distances(points, points))
    return total / (len(points) * (len(points) - 1))


def _some(features: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    if len(features) <= MOST:
        return features
    return features[stream(Stream.SCORES, seed, 0, _RANK).choice(len(features), MOST, replace=False)]
