"""Single-layer k-means features: the strong baseline of the papers' tables (Coates, Ng & Lee 2011, section 3)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import unfold

from dcgan.data.sampling import Stream, stream
from dcgan.errors import DcganError

Progress = Callable[[int, int], None]

PATCH = 6
"""Side of a patch in pixels."""
PATCHES = 400_000
ROUNDS = 50
CONTRAST, WHITENING = 10.0, 0.1
"""Added to a patch's variance (pixels are 0 … 255), and to the variances that whitening divides by."""
BLOCK = 8192
PICTURES = 32


class KMeansFeatures:
    """uint8 (N, C, H, W) → float32 (N, 4K): how near each patch is to each of K means, summed over four quarters.

    Patches of 6×6 with stride 1, each brought to mean 0 and variance 1, whitened by ZCA, and coded by the triangle
    f_k = max(0, mean(d) − d_k), d the distances to the means.
    """

    def __init__(self, means: Tensor, centre: Tensor, whitening: Tensor) -> None:
        """means: (K, 36 C), whitened. centre: (36 C,). whitening: (36 C, 36 C)."""
        self.means, self.centre, self.whitening = means, centre, whitening

    @torch.inference_mode()
    def __call__(self, images: NDArray[np.uint8], progress: Progress | None = None) -> NDArray[np.float32]:
        result = np.empty((len(images), 4 * len(self.means)), np.float32)
        for start in range(0, len(images), PICTURES):
            block = images[start : start + PICTURES]
            result[start : start + len(block)] = self._coded(
                torch.from_numpy(np.ascontiguousarray(block)).float()
            )
            if progress:
                progress(start + len(block), len(images))
        return result

    def _coded(self, images: Tensor) -> NDArray[np.float32]:
        count, _, height, width = images.shape
        rows, columns = height - PATCH + 1, width - PATCH + 1
        patches = unfold(images, PATCH).transpose(1, 2).reshape(count * rows * columns, -1)
        distances = torch.cdist(_normalised(patches).sub_(self.centre) @ self.whitening, self.means)
        code = (distances.mean(1, keepdim=True) - distances).clamp_(min=0)
        maps = code.view(count, rows, columns, -1)
        down, right = rows // 2, columns // 2
        quarters = [
            half.sum((1, 2))
            for part in (maps[:, :down], maps[:, down:])
            for half in (part[:, :, :right], part[:, :, right:])
        ]
        return torch.cat(quarters, 1).numpy()


@torch.inference_mode()
def fit_kmeans(
    images: NDArray[np.uint8], units: int, *, seed: int = 0, progress: Progress | None = None
) -> KMeansFeatures:
    """Learn whitening and `units` means from patches of uint8 (N, C, H, W), no labels. A function of pictures and seed.

    Raises `DcganError` for pictures smaller than a patch, or fewer patches than means.
    """
    count, _, height, width = images.shape
    if min(height, width) <= PATCH:
        raise DcganError(
            f"k-means features take pictures of more than {PATCH} pixels a side, not {height}x{width}"
        )
    draw = stream(Stream.ANALYSIS, seed, 24)
    total = min(PATCHES, count * (height - PATCH + 1) * (width - PATCH + 1))
    if not 1 <= units <= total:
        raise DcganError(
            f"--kmeans-units is {units}: must be from 1 to {total:,}, the patches of these pictures"
        )
    which = draw.integers(count, size=total)
    top, left = (draw.integers(side - PATCH + 1, size=total) for side in (height, width))
    offsets = np.arange(PATCH)
    raw = images.transpose(0, 2, 3, 1)[
        which[:, None, None], top[:, None, None] + offsets[:, None], left[:, None, None] + offsets
    ]
    # As `unfold` orders them: channel, row, column.
    patches = torch.from_numpy(raw.transpose(0, 3, 1, 2).reshape(total, -1).astype(np.float32))
    patches = _normalised(patches)
    centre = patches.mean(0)
    patches -= centre
    covariance = (patches.t() @ patches / total).double()
    values, vectors = torch.linalg.eigh(covariance)
    whitening = (vectors / (values + WHITENING).sqrt() @ vectors.t()).float()
    white = patches @ whitening
    means = white[torch.from_numpy(draw.permutation(total)[:units].copy())].clone()
    for round_ in range(ROUNDS):
        means = _moved(white, means)
        if progress:
            progress(round_ + 1, ROUNDS)
    return KMeansFeatures(means, centre, whitening)


def _moved(points: Tensor, means: Tensor) -> Tensor:
    """One round of Lloyd's: each mean to that of its nearest points; one without any stays."""
    sums, counts = torch.zeros_like(means), torch.zeros(len(means))
    half = means.square().sum(1) / 2
    for start in range(0, len(points), BLOCK):
        block = points[start : start + BLOCK]
        nearest = torch.addmm(half, block, means.t(), alpha=-1).argmin(1)
        sums.index_add_(0, nearest, block)
        counts += torch.bincount(nearest, minlength=len(means))
    return torch.where(counts[:, None] > 0, sums / counts.clamp(min=1)[:, None], means)


def _normalised(patches: Tensor) -> Tensor:
    """Each to mean 0 and, softly, variance 1."""
    centred = patches - patches.mean(1, keepdim=True)
    return centred / (centred.square().mean(1, keepdim=True) + CONTRAST).sqrt()
