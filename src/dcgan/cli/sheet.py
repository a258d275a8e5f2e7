"""A contact sheet of a data set: some pictures of each class, in as many columns of classes as look well."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dcgan.pictures import PAPER, sheet

if TYPE_CHECKING:
    from dcgan.data import Dataset

MOST_CLASSES = 400
"""Classes shown; a sheet of more could not be looked at."""

ONE_COLUMN = 25
"""Classes below each other, before there are more columns of them."""

WITHOUT_CLASSES = 100
"""Pictures of a set without classes, when no number is given."""


def class_sheet(data: Dataset, n: int | None, seed: int) -> NDArray[np.uint8]:
    """uint8 HWC: `n` pictures of each class, or of all, drawn without repeats by `seed`.

    n: by default 10 of each class, 5 where the classes take more than one column; 100 without classes.
    """
    draw = np.random.default_rng(seed)
    if data.labels is None:
        picked = np.sort(draw.permutation(len(data))[: n or WITHOUT_CLASSES])
        return sheet(_nhwc(data, picked), limit=len(picked), caption=_caption(data, len(picked), seed))
    present = np.flatnonzero(data.counts)
    shown = present[:MOST_CLASSES]
    # With 5 pictures a class, a row is about seven times as wide as high: a square has √(C / 7) columns.
    columns = 1 if len(shown) <= ONE_COLUMN else math.ceil(math.sqrt(len(shown) / 7))
    each = n or (10 if columns == 1 else 5)
    picked_of = {
        int(label): np.sort(draw.permutation(np.flatnonzero(data.labels == label))[:each]) for label in shown
    }
    rest = f", {len(shown)} of {len(present):,} classes" if len(shown) < len(present) else ""
    blocks: list[NDArray[np.uint8]] = []
    for column in np.array_split(shown, columns):
        picked = np.concatenate([picked_of[int(label)] for label in column])
        total = sum(map(len, picked_of.values()))
        blocks.append(
            sheet(
                _nhwc(data, picked),
                data.labels[picked],
                data.classes,
                per_row=min(each, max(len(picked_of[int(label)]) for label in column))
                if columns > 1
                else None,
                limit=len(picked),
                caption=_caption(data, total, seed) + rest if not blocks else " ",
            )
        )
    return _beside(blocks)


def _nhwc(data: Dataset, picked: NDArray[np.int64]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(data.images[picked].transpose(0, 2, 3, 1))


def _caption(data: Dataset, shown: int, seed: int) -> str:
    return f"{data.name}: {shown:,} of {len(data):,} pictures, seed {seed}"


def _beside(blocks: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Blocks of different heights next to each other, on paper."""
    height = max(len(block) for block in blocks)
    padded = [
        np.pad(block, ((0, height - len(block)), (0, 0), (0, 0)), constant_values=PAPER) for block in blocks
    ]
    return np.concatenate(padded, axis=1)
