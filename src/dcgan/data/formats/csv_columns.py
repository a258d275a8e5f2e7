"""What the columns of a CSV of pixels are: the label, the pixels, and those that are neither."""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from dcgan.data.findings import some
from dcgan.data.formats.arrays import NO_SHAPE, Source, shape_of, times

LABEL_NAMES = ("label", "labels", "class", "target", "y")
"""Headers of a label column, in any case, wherever it is; of several the first of these."""

EXTRA_NAMES = {
    *("id", "ids", "uid", "image_id", "imageid", "index", "idx", "row"),
    *("split", "fold", "usage", "set", "subset", "partition"),
    *("file", "filename", "file_name", "image", "image_name", "path"),
}
"""Headers of columns that are neither labels nor pixels."""

_MOST_EXCESS = 20
"""So many columns beside a picture's are taken for extra ones in messages; more are another picture."""


class UnusableLineError(ValueError):
    """A line that cannot be read; the message says why, without its number."""


@dataclass(frozen=True)
class Columns:
    """How a line is read. count: its cells. label, pixels: their indices, None without a label.

    shape: (C, H, W) of the pixels.
    """

    count: int
    label: int | None
    pixels: Sequence[int]
    shape: tuple[int, int, int]
    separator: str = ","

    @property
    def chosen(self) -> slice | NDArray[np.intp]:
        """The pixels as an index of arrays: a slice, which copies nothing, where they are one beside the other."""
        first, last = self.pixels[0], self.pixels[-1]
        if last - first + 1 == len(self.pixels):
            return slice(first, last + 1)
        return np.array(self.pixels, np.intp)


def cells_of(line: bytes, separator: str) -> list[str]:
    """The cells of one line. Raises `UnusableLineError`."""
    try:
        return next(csv.reader([line.decode("utf-8").rstrip("\r\n")], delimiter=separator, strict=True), [])
    except UnicodeDecodeError:
        raise UnusableLineError("it is not UTF-8 text") from None
    except csv.Error as error:
        raise UnusableLineError(str(error)) from None


def number(cell: str) -> float | None:
    """The value of a cell, None when it is no number."""
    try:
        return None if "_" in cell else float(cell)  # 1_0 is a number to Python alone
    except ValueError:
        return None


def header_of(cells: Sequence[str]) -> list[str] | None:
    """The first line's names, when it is no line of values: most are words, or its numbers count up from 0 or 1, as
    pandas names columns without a name.
    """
    names = [cell.strip().lower() for cell in cells]
    numbers = [value for value in map(number, cells) if value is not None]
    words = sum(bool(name) and number(name) is None for name in names)
    counted = len(numbers) > 1 and numbers in (
        list(range(len(numbers))),
        list(range(1, len(numbers) + 1)),
    )
    return names if counted or (len(cells) > 1 and 2 * words > len(cells)) else None


def columns_of(
    source: Source, header: Sequence[str] | None, sample: Sequence[Sequence[str]], separator: str
) -> Columns:
    """What each column is, by the names in `header`, else by how many there are in most lines of the `sample`.

    The label is the column that is called so; else the first, when the others make a picture: of the size asked for,
    a grey square, or a square in colour; else there is none, when all make one. Named columns that are neither are
    left out with a note. Raises `DcganError` when nothing makes a picture.
    """
    if not header:
        count = Counter(map(len, sample)).most_common(1)[0][0]
        label, shape = _picture(source, range(count), (0, None)) or _refuse(source, count)
        return Columns(count, label, _without(range(count), label), shape, separator)
    count = len(header)
    named = sorted(
        (at for at in range(count) if header[at] in LABEL_NAMES), key=lambda at: LABEL_NAMES.index(header[at])
    )
    label = named[0] if named else None
    extra = {at for at in range(count) if _is_extra(header[at])} | set(named[1:])
    if not header[0] and (named or _is_index([cells[0] for cells in sample if len(cells) == count])):
        extra.add(0)
    kept = [at for at in range(count) if at not in extra]
    found = _picture(source, kept, (label,) if named else (*kept[:1], None))
    if not found:
        # Pixels are called alike but for their numbers: p0, p1, …; whatever is called otherwise is none.
        kinds = [re.sub(r"\d+", "#", name) for name in header]
        common = Counter(kinds).most_common(1)[0][0]
        kept = [at for at in range(count) if kinds[at] == common or at == label]
        found = _picture(source, kept, (label,))
    label, shape = found or _refuse(source, count)
    left = [header[at] or f"column {at + 1} (without a name)" for at in range(count) if at not in kept]
    if left:
        source.found.notes.append(f"columns that are no pixels were left out: {some(left, 6)}")
    return Columns(count, label, _without(kept, label), shape, separator)


def _without(columns: Sequence[int], label: int | None) -> tuple[int, ...]:
    return tuple(at for at in columns if at != label)


def _picture(
    source: Source, kept: Sequence[int], labels: Sequence[int | None]
) -> tuple[int | None, tuple[int, int, int]] | None:
    """The label among `labels` without which the columns kept are a picture, and its shape."""
    # Grey pictures before coloured ones: 49 columns are 7×7, not a label and 4×4 in colour.
    for depth in (1, 3):
        for label in labels:
            shape = shape_of(len(kept) - (label is not None), source.options.size)
            if shape and shape[0] == depth:
                return label, shape
    return None


def _is_extra(name: str) -> bool:
    return name in EXTRA_NAMES or name.startswith("unnamed:")


def _is_index(cells: Sequence[str]) -> bool:
    """Whether a column numbers its lines: whole numbers that grow with every line."""
    values = [value for value in map(number, cells) if value is not None]
    growing = all(before < after for before, after in pairwise(values))
    return bool(values) and growing and all(value % 1 == 0 for value in values)


def _refuse(source: Source, count: int) -> tuple[int | None, tuple[int, int, int]]:
    """Always raises: what `count` columns are not, and what would be a picture."""
    size = source.options.size
    if size:
        pixels, colour = math.prod(size), ""
        if count > 2 * pixels:
            pixels, colour = 3 * pixels, " in colour"
        raise source.error(
            f"{times(size)}{colour} needs {pixels} or {pixels + 1} columns, not {count}: remove the others, "
            "or ask for another size"
        )
    squares = []
    for depth in (1, 3):
        side = math.isqrt(count // depth)
        squares.append((count - depth * side * side, side, depth))
    excess, side, depth = min(squares)
    if side < 8 or excess > _MOST_EXCESS:
        raise source.error(f"{count} columns, with or without a label, are {NO_SHAPE}")
    pixels, colour = depth * side * side, " in colour" if depth == 3 else ""
    raise source.error(
        f"{count} columns: {pixels} make {side}×{side}{colour} and {pixels + 1} with a label; remove the others, "
        "or say the size (--size HxW)"
    )
