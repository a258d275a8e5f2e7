"""Precision and recall (Kynkäänniemi et al. 2019), density and coverage (Naeem et al. 2020), from nearest neighbours.

The manifold of a set is the union of balls around its points, each as large as the distance to the k-th nearest other
point. A ball holds its surface, as in Kynkäänniemi et al., eq. 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dcgan.evaluation.metrics.features import Features, alike, checked, squared_distances, varied

K = 5

_SURFACE = 1 + 1e-9
"""Squared radii are this much larger, so that rounding puts no point of the surface outside."""


@dataclass(frozen=True)
class ManifoldScores:
    """precision: share of generated images on the real manifold, 0 … 1 (are they good?).
    recall: share of real images on the generated manifold, 0 … 1 (is everything made?).
    density: real balls that hold a generated image, over k: about 1 for equal sets, no upper bound.
    coverage: share of real balls that hold a generated image, 0 … 1; little moved by outliers.
    """

    precision: float
    recall: float
    density: float
    coverage: float


class Manifold:
    """The real set with the radii of its balls, which are found once and used for any number of generated sets.

    real: (N, d), N > k, finite and not all the same, else `DcganError`. `radii` are float64 (N,), squared.
    """

    def __init__(self, real: Features, k: int = K) -> None:
        self.k = k
        self.real = torch.from_numpy(varied(checked(real, k + 1, "real")))
        self.radii = squared_radii(self.real, k)

    def scores(self, generated: Features) -> ManifoldScores:
        """All four for generated (M, d), M > k, finite, else `DcganError`."""
        points = checked(generated, self.k + 1, "generated")
        alike(self.real.numpy(), points)
        fake = torch.from_numpy(points)
        held_by = np.zeros(len(fake), np.int64)  # real balls around each generated image
        covered = torch.zeros(len(self.real), dtype=torch.bool)
        recalled = torch.zeros(len(self.real), dtype=torch.bool)
        reach = squared_radii(fake, self.k) * _SURFACE
        for rows, distances in squared_distances(self.real, fake):
            inside = distances <= self.radii[rows, None] * _SURFACE
            held_by += inside.numpy().sum(0)  # ten times as fast as torch's
            covered[rows] = inside.any(1)
            recalled[rows] = (distances <= reach).any(1)
        return ManifoldScores(
            precision=float((held_by > 0).mean()),
            recall=float(recalled.double().mean()),
            density=float(held_by.mean()) / self.k,
            coverage=float(covered.double().mean()),
        )


def squared_radii(points: Tensor, k: int) -> Tensor:
    """float64 (N,): squared distance from each row of float64 (N, d) to its k-th nearest other row, k < N."""
    radii = torch.empty(len(points), dtype=torch.float64)
    for rows, distances in squared_distances(points, points):
        # The nearest is the point itself, at 0: k + 1 with it.
        radii[rows] = distances.topk(k + 1, largest=False, sorted=True).values[:, k]
    return radii
