"""How varied generated images are against real ones, in features: any two of them, and each and its nearest other."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from dcgan.data.sampling import Stream, stream
from dcgan.evaluation.metrics.features import Features, alike, checked, squared_distances, varied
from dcgan.evaluation.neighbours import nearest

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


def spacing(generated: Features, real: Features, seed: int = 0) -> float:
    """How far a generated image is from the nearest other one, over that of as many real ones: 1 as far, 0 the same.

    Distances are medians in units of `mean_distance` of their own kind, so that images which are all alike, as those of
    a generator that has just begun, are not taken for a few that recur. Of both as many are taken as the fewer has.

    Raises `DcganError` for fewer than 2 images, features that are not finite, or real ones that do not vary.
    """
    x, y = checked(generated, 2, "generated"), varied(checked(real, 2, "real"))
    alike(y, x)
    count = min(len(x), len(y), MOST)
    return _nearest_other(_some(x, seed, count)) / _nearest_other(_some(y, seed, count))


def _nearest_other(features: NDArray[np.float64]) -> float:
    rows = features.astype(np.float32)
    distances, _ = nearest(rows, rows, 1, own=np.arange(len(rows)))
    return float(np.median(distances)) / max(mean_distance(features), 1e-12)


def mean_distance(features: NDArray[np.float64]) -> float:
    """The mean Euclidean distance over all pairs of different rows of float64 (N, d), N ≥ 2."""
    points = torch.from_numpy(features)
    total = sum(float(distances.sqrt().sum()) for _, distances in squared_distances(points, points))
    return total / (len(points) * (len(points) - 1))


def _some(features: NDArray[np.float64], seed: int, count: int = MOST) -> NDArray[np.float64]:
    if len(features) <= count:
        return features
    return features[stream(Stream.SCORES, seed, 0, _RANK).choice(len(features), count, replace=False)]
