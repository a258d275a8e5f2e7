"""Copies of a picture that show the same: the mean of their features says more of it than its own features do.

Strided layers see every second pixel's neighbourhood: moved by one, a picture has other features. What is averaged is
the features, as the answers are where a classifier is asked about several crops (Krizhevsky et al. 2012, section 4.1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from dcgan.errors import DcganError, one_of

Images = NDArray[np.uint8]
Copy = Callable[[Images], Images]

VIEWS = ("shifted", "mirrored")
"""Moved by one pixel each way, its edge continued; left and right exchanged, which letters and digits do not bear."""
_MOVES = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))


def moves(views: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """(down, right) of each copy in pixels, the picture itself first. Raises `DcganError` for an unknown view."""
    _known(views)
    return _MOVES if "shifted" in views else _MOVES[:1]


def mirrors(views: Sequence[str]) -> tuple[bool, ...]:
    """Whether each copy is mirrored, the picture itself first. Raises `DcganError` for an unknown view."""
    _known(views)
    return (False, True) if "mirrored" in views else (False,)


def copies(views: Sequence[str]) -> list[Copy]:
    """What makes each copy of uint8 (N, C, H, W), the picture itself first. Raises `DcganError` for an unknown view."""
    return [
        partial(_copy, down=down, right=right, mirrored=mirrored)
        for down, right in moves(views)
        for mirrored in mirrors(views)
    ]


def _known(views: Sequence[str]) -> None:
    if isinstance(views, str):
        raise DcganError(f"views is '{views}': must be a list of {', '.join(VIEWS)}")
    for name in views:
        if name not in VIEWS:
            raise one_of("view", name, VIEWS)


def _copy(images: Images, down: int, right: int, mirrored: bool) -> Images:
    height, width = images.shape[2:]
    if down or right:
        rows = (np.arange(height) - down).clip(0, height - 1)
        columns = (np.arange(width) - right).clip(0, width - 1)
        images = images[:, :, rows][..., columns]
    return np.ascontiguousarray(images[..., ::-1]) if mirrored else images
