"""Single-layer k-means features: the strong baseline of the papers' tables (Coates, Ng & Lee 2011, section 3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad, unfold

from dcgan.analysis.probe.views import mirrors, moves
from dcgan.data.sampling import Stream, stream
from dcgan.errors import DcganError
from dcgan.training.threads import in_order

Progress = Callable[[int, int], None]

PATCH = 6
"""Side of a patch in pixels."""
PATCHES = 400_000
ROUNDS = 50
CONTRAST, WHITENING = 10.0, 0.1
"""Added to a patch's variance (pixels are 0 … 255), and to the variances that whitening divides by."""
BLOCK = 8192
PICTURES = 16


class KMeansFeatures:
    """uint8 (N, C, H, W) → float32 (N, 4K): how near each patch is to each of K means, summed over four quarters.

    Patches of 6×6 with stride 1, each brought to mean 0 and variance 1, whitened by ZCA, and coded by the triangle
    f_k = max(0, mean(d) − d_k), d the distances to the means.

    views: of `VIEWS`; a row is then the mean of the rows of the picture's copies. Those moved by a pixel have the same
    patches but for an edge, and sums of other quarters: the picture with its edge continued is coded once, each patch
    counted as often as a copy has it in the quarter.
    """

    def __init__(self, means: Tensor, centre: Tensor, whitening: Tensor, views: Sequence[str] = ()) -> None:
        """means: (K, 36 C), whitened. centre: (36 C,). whitening: (36 C, 36 C)."""
        self.means, self.centre, self.whitening = means, centre, whitening
        self.moves, self.mirrors = moves(views), mirrors(views)
        half = means.square().sum(1, keepdim=True) / 2
        self._products = torch.cat([-means, half, torch.ones_like(half)], 1).t().contiguous()

    def __call__(self, images: NDArray[np.uint8], progress: Progress | None = None) -> NDArray[np.float32]:
        count, _, height, width = images.shape
        edge = max(down for down, _ in self.moves)
        quarters = self._quarters(height, width, edge)
        result = np.empty((count, 4 * len(self.means)), np.float32)

        @torch.inference_mode()
        def block(number: int) -> Tensor:
            some = images[number * PICTURES : (number + 1) * PICTURES]
            pictures = torch.from_numpy(np.ascontiguousarray(some)).float()
            if edge:
                pictures = pad(pictures, (edge,) * 4, "replicate")
            rows = [
                self._coded(pictures.flip(3) if mirrored else pictures, quarters) for mirrored in self.mirrors
            ]
            return sum(rows[1:], rows[0])

        for number, rows in enumerate(in_order(block, -(-count // PICTURES))):
            start = number * PICTURES
            result[start : start + len(rows)] = rows.numpy()
            if progress:
                progress(start + len(rows), count)
        return result

    def _coded(self, images: Tensor, quarters: Tensor) -> Tensor:
        """float32 (n, C, H, W) → (n, 4K). One picture at a time: its distances stay in the processor's cache."""
        patches = _normalised(unfold(images, PATCH).transpose(1, 2)).sub_(self.centre) @ self.whitening
        half = patches.square().sum(2, keepdim=True) / 2
        patches = torch.cat([patches, torch.ones_like(half), half], 2)
        rows = []
        for own in patches:
            distances = (own @ self._products).clamp_(min=0).sqrt_()  # d / √2, as d²/2 = x²/2 − x·m + m²/2
            code = torch.sub(distances.mean(1, keepdim=True), distances, out=distances).clamp_(min=0)
            rows.append((quarters @ code).flatten())
        return torch.stack(rows)

    def _quarters(self, height: int, width: int, edge: int) -> Tensor:
        """(4, patches): how much of each patch each quarter's sum has, in the mean over all copies; times √2."""
        rows, columns = height - PATCH + 1, width - PATCH + 1
        counts = torch.zeros(2, 2, rows + 2 * edge, columns + 2 * edge)
        for down, right in self.moves:
            top, left = edge - down, edge - right
            middle, centre = top + rows // 2, left + columns // 2
            for i, tall in enumerate((slice(top, middle), slice(middle, top + rows))):
                for j, wide in enumerate((slice(left, centre), slice(centre, left + columns))):
                    counts[i, j, tall, wide] += 1
        return counts.view(4, -1) * (2**0.5 / (len(self.moves) * len(self.mirrors)))


@torch.inference_mode()
def fit_kmeans(
    images: NDArray[np.uint8],
    units: int,
    *,
    seed: int = 0,
    views: Sequence[str] = (),
    progress: Progress | None = None,
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
    return KMeansFeatures(means, centre, whitening, views)


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
    centred = patches - patches.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + CONTRAST).sqrt()
