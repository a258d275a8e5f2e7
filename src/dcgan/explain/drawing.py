"""Numbers as pictures: signed ones in blue and red, amounts in amber; and pictures enlarged, side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dcgan.analysis.inside.fields import Box
from dcgan.pictures import READABLE, grid

GAP, BETWEEN = 2, 128
"""Pixels between cells, and their grey, which is seen on light and dark pages."""
RED, BLUE, AMBER = (178, 24, 43), (33, 102, 172), (255, 190, 60)
FRAME = (255, 120, 0)

Picture = NDArray[np.uint8]
"""uint8 (H, W, 3)."""


def cell_side(size: tuple[int, int], at_least: int = READABLE) -> tuple[int, int]:
    """(height, width) of a cell: a picture's size times a whole number, about `at_least` pixels on its longer side."""
    scale = max(1, round(at_least / max(size)))
    return size[0] * scale, size[1] * scale


def shown(image: NDArray[np.uint8], cell: tuple[int, int]) -> Picture:
    """A picture, uint8 (H, W, C), in a cell."""
    return _enlarged(image if image.shape[2] == 3 else image.repeat(3, 2), cell)


def signed(values: NDArray[np.float32], cell: tuple[int, int], largest: float | None = None) -> Picture:
    """Numbers (C, h, w): one channel white at 0, red above and blue below; three channels as colours about mid-grey.

    largest: what is drawn in full; by default the largest absolute value.
    """
    scale = float(np.abs(values).max()) if largest is None else largest
    part = np.clip(values / scale if scale > 0 else values * 0.0, -1, 1).transpose(1, 2, 0)
    if part.shape[2] == 3:
        return _enlarged(np.round(128 + 127 * part).astype(np.uint8), cell)
    ends = np.where(part > 0, np.array(RED), np.array(BLUE))
    return _enlarged(np.round(255 + (ends - 255) * np.abs(part)).astype(np.uint8), cell)


def amount(values: NDArray[np.float32], cell: tuple[int, int], largest: float | None = None) -> Picture:
    """Numbers (h, w) of 0 and more: black at 0, amber at the largest."""
    scale = float(values.max()) if largest is None else largest
    part = np.clip(values / scale if scale > 0 else values * 0.0, 0, 1)[:, :, None]
    return _enlarged(np.round(np.array(AMBER) * part).astype(np.uint8), cell)


def framed(picture: Picture, box: Box, size: tuple[int, int]) -> Picture:
    """An enlarged picture of `size` pixels with a line just inside the edge of a box."""
    scale = picture.shape[0] // size[0]
    line = max(1, scale // 2)
    top, left = box.top * scale, box.left * scale
    bottom, right = top + box.height * scale, left + box.width * scale
    drawn = picture.copy()
    drawn[top : top + line, left:right] = FRAME
    drawn[bottom - line : bottom, left:right] = FRAME
    drawn[top:bottom, left : left + line] = FRAME
    drawn[top:bottom, right - line : right] = FRAME
    return drawn


def tiled(rows: Sequence[Sequence[Picture | None]]) -> Picture:
    """Cells of one size in rows; None is an empty one."""
    empty = np.full_like(next(cell for row in rows for cell in row if cell is not None), BETWEEN)
    columns = max(len(row) for row in rows)
    cells = [cell for row in rows for cell in [*row, *[None] * (columns - len(row))]]
    return grid(np.stack([empty if cell is None else cell for cell in cells]), columns, GAP, BETWEEN)


def wrapped(cells: Sequence[Picture], columns: int) -> Picture:
    """Cells in rows of `columns`."""
    return tiled([cells[at : at + columns] for at in range(0, len(cells), columns)])


def _enlarged(image: NDArray[np.uint8], cell: tuple[int, int]) -> Picture:
    """To the cell's size, nearest neighbour."""
    rows, columns = (
        np.arange(side) * length // side for side, length in zip(cell, image.shape[:2], strict=True)
    )
    return np.ascontiguousarray(image[rows][:, columns])
