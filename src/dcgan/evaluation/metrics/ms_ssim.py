"""Multi-scale structural similarity (Wang et al. 2003), and within a class as a sign of collapse (Odena et al. 2017).

The window is a Gaussian of 11 × 11 pixels and σ 1.5, inside the picture only. A scale is used where the window fits:
5 scales from 176 pixels a side, 4 from 88, 3 from 44, 2 from 22 (so 28 × 28 has two), 1 below. The paper's exponents,
where fewer than five are used, are divided by their sum: one scale is plain SSIM. Pictures smaller than 11 pixels have
a window of the largest odd side that fits, σ in proportion. So scores compare between pictures of one size only.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d

from dcgan.data.sampling import Stream, stream
from dcgan.errors import DcganError
from dcgan.evaluation.metrics.features import enough

EXPONENTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Of scales 1 (finest) … 5 (Wang et al. 2003, section 3.2)."""

WINDOW, SIGMA = 11, 1.5
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2

_BLOCK_VALUES = 2**21
"""Pixel values worked on at a time, 8 bytes each, some ten times over."""

_RANK = 1  # draws of its own: kid has rank 0, diversity rank 2

Images = NDArray[np.uint8]


def scales(height: int, width: int) -> int:
    """How many scales fit a picture of this size, 1 … 5."""
    side, count = min(height, width), 1
    while count < len(EXPONENTS) and side // 2 >= WINDOW:
        side, count = side // 2, count + 1
    return count


def ms_ssim(a: Images, b: Images) -> NDArray[np.float64]:
    """float64 (N,): the similarity of image i of `a` to image i of `b`, uint8 NCHW of the same shape; 1 when equal.

    Of colour pictures, the mean over channels. A scale whose structure is the opposite counts as 0, as a negative
    number has no such powers. Raises `DcganError` for pictures below 3 pixels a side.
    """
    if a.shape != b.shape:
        raise ValueError(f"images of shapes {a.shape} and {b.shape} cannot be compared")
    if min(a.shape[2:]) < 3:
        raise DcganError(f"pictures of {a.shape[3]} × {a.shape[2]} pixels: MS-SSIM needs at least 3 × 3")
    rows = max(1, _BLOCK_VALUES // a[:1].size)
    parts = [_similarity(a[i : i + rows], b[i : i + rows]) for i in range(0, len(a), rows)]
    return np.concatenate(parts) if parts else np.zeros(0)


def within_class_ms_ssim(
    images: Images, labels: NDArray[np.integer] | None, pairs: int = 100, seed: int = 0
) -> dict[int, float]:
    """The mean similarity of two different images of a class, by class; classes with fewer than 2 are left out.

    images: uint8 (N, C, H, W). labels: (N,), or None: all are one class, 0. pairs: drawn per class, with replacement.
    Higher than among real images means less varied (Odena et al. 2017, section 4.2). Raises `DcganError` when no
    class has two images.
    """
    labels = np.zeros(len(images), np.int64) if labels is None else labels
    result: dict[int, float] = {}
    most = 0
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        most = max(most, len(members))
        if len(members) < 2:
            continue
        draw = stream(Stream.SCORES, seed, int(label), _RANK)
        first = draw.integers(len(members), size=pairs)
        second = (first + 1 + draw.integers(len(members) - 1, size=pairs)) % len(members)
        result[int(label)] = float(ms_ssim(images[members[first]], images[members[second]]).mean())
    if not result:
        enough(most, 2, "same-class")
    return result


def _similarity(a: Images, b: Images) -> NDArray[np.float64]:
    """`ms_ssim` of one block: the product over scales of contrast-structure, and of luminance at the last (eq. 7)."""
    height, width = a.shape[2:]
    count = scales(height, width)
    exponents = np.array(EXPONENTS[:count])
    if count < len(EXPONENTS):
        exponents /= exponents.sum()
    window = _window(min(height, width))
    x, y = _plane(a), _plane(b)
    result = torch.ones(len(x), dtype=torch.float64)
    for scale, exponent in enumerate(exponents):
        if scale:
            x, y = avg_pool2d(x, 2), avg_pool2d(y, 2)  # an odd last row or column is left out
        luminance, structure = _maps(x, y, window)
        last = scale == count - 1
        value = (luminance * structure if last else structure).mean((1, 2, 3))
        result *= value.clamp(min=0) ** exponent
    per_channel: NDArray[np.float64] = result.numpy().reshape(a.shape[0], a.shape[1])
    return np.asarray(per_channel.mean(1))


def _plane(images: Images) -> Tensor:
    """float64 (N·C, 1, H, W): every channel a picture of its own."""
    n, c, h, w = images.shape
    return torch.from_numpy(images.astype(np.float64)).reshape(n * c, 1, h, w)


def _window(side: int) -> Tensor:
    """float64 (w,): the Gaussian, sum 1; the window is its outer product with itself."""
    size = min(WINDOW, side - (side + 1) % 2)
    offsets = torch.arange(size, dtype=torch.float64) - size // 2
    weights = torch.exp(-(offsets**2) / (2 * (SIGMA * size / WINDOW) ** 2))
    return weights / weights.sum()


def _maps(x: Tensor, y: Tensor, window: Tensor) -> tuple[Tensor, Tensor]:
    """Luminance, and contrast times structure, at each place of the window (Wang et al. 2003, eqs. 1 to 3)."""
    stacked = torch.cat([x, y, x * x, y * y, x * y])
    stacked = conv2d(conv2d(stacked, window.reshape(1, 1, -1, 1)), window.reshape(1, 1, 1, -1))
    mean_x, mean_y, xx, yy, xy = stacked.chunk(5)
    product = mean_x * mean_y
    squares = mean_x**2 + mean_y**2
    luminance = (2 * product + C1) / (squares + C1)
    structure = (2 * (xy - product) + C2) / (xx + yy - squares + C2)
    return luminance, structure
