"""Checkerboards: energy at the highest frequencies against real images (Odena et al. 2016; Zhang et al. 2019).

A transposed convolution that overlaps unevenly draws with a period of two pixels: across, down, or both. That shifts
the picture's spectrum, whose energy is near 0, to near three points: (½, 0), (0, ½) and (½, ½) cycles a pixel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dcgan.errors import DcganError
from dcgan.evaluation.metrics.features import enough

CHECKERBOARD = 1.5
"""A ratio above this is a checkerboard."""

BAND = 1 / 16
"""Frequencies this near, across and down, to one of the three points are the Nyquist band.

Of 1000 CIFAR-10 images against 1000 others: 0.93; with a checkerboard of ±4 grey levels 3.4, blurred 3 × 3 0.11, with
noise of 8 grey levels 1.6. All frequencies across or down above 7/16 gave 0.96, 2.0, 0.08 and 2.2: noise looked more
like a checkerboard than a checkerboard.
"""

_BLOCK_VALUES = 2**22


def nyquist_ratio(generated: NDArray[np.uint8], real: NDArray[np.uint8]) -> float:
    """`nyquist_share` of generated images over that of real ones: 1 the same, over 1.5 a checkerboard, below 1 blurred.

    Both uint8 NCHW of one size. Raises `DcganError` for no images, for images below 8 pixels a side, and where all
    images of a set are of one colour each.
    """
    if generated.shape[1:] != real.shape[1:]:
        raise ValueError(f"images of shapes {generated.shape} and {real.shape} cannot be compared")
    return nyquist_share(generated, "generated") / nyquist_share(real, "real")


def nyquist_share(images: NDArray[np.uint8], what: str = "real") -> float:
    """The energy in the Nyquist band over all energy but the mean's, in (0, 1), summed over images and channels.

    A Hann window keeps the picture's edges out. Rounding to 256 values has an energy of 1/12 a pixel, spread evenly
    over frequencies: it is added, so that pictures enlarged from small ones do not have next to nothing.
    """
    enough(len(images), 1, what)
    height, width = images.shape[2:]
    if min(height, width) < 8:
        raise DcganError(f"pictures of {width} × {height} pixels: the spectrum needs at least 8 × 8")
    window = np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1])
    down, across = np.abs(np.fft.fftfreq(height))[:, None], np.fft.rfftfreq(width)[None]
    high_down, high_across = down >= 0.5 - BAND, across >= 0.5 - BAND
    band = (high_down | (down <= BAND)) & (high_across | (across <= BAND)) & (high_down | high_across)
    # The real transform leaves out the negative half of the frequencies across.
    twice = np.where((across == 0) | (across == 0.5), 1.0, 2.0)
    power = np.zeros((height, width // 2 + 1))
    rows = max(1, _BLOCK_VALUES // images[:1].size)
    for start in range(0, len(images), rows):
        block = images[start : start + rows].astype(np.float64)
        block -= (block * window).sum((2, 3), keepdims=True) / window.sum()
        power += (np.abs(np.fft.rfft2(block * window)) ** 2).sum((0, 1))
    total = float((power * twice).sum())
    if total < 1e-6 * images.size:
        raise DcganError(f"every {what} picture is of one colour: it has no spectrum")
    rounding = len(images) * images.shape[1] * float((window**2).sum()) / 12 * np.ones_like(power)
    return float(((power + rounding) * twice * band).sum() / ((power + rounding) * twice).sum())


def phase_imbalance(images: NDArray[np.uint8]) -> float:
    """How unevenly detail lies over the four kinds of pixels (even or odd row and column), 0 for evenly.

    The standard deviation over the four of the mean absolute Laplacian, over their mean. A transposed convolution that
    covers every second pixel twice is uneven; noise, which has as much energy at these frequencies, is not.
    images: uint8 NCHW of at least 4×4.
    """
    x = images.astype(np.float32)
    laplacian = np.abs(
        4 * x[:, :, 1:-1, 1:-1]
        - x[:, :, :-2, 1:-1]
        - x[:, :, 2:, 1:-1]
        - x[:, :, 1:-1, :-2]
        - x[:, :, 1:-1, 2:]
    )
    height, width = (side // 2 * 2 for side in laplacian.shape[2:])
    detail = laplacian[:, :, :height, :width]
    kinds = np.array([[detail[:, :, row::2, column::2].mean() for column in (0, 1)] for row in (0, 1)])
    return float(kinds.std() / max(float(kinds.mean()), 1e-9))
