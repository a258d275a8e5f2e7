"""Where the object is: boxes from a file, or the window of each design without which it is least what it is."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from dcgan.analysis.inside.fields import Box
from dcgan.errors import DcganError
from dcgan.evaluation.kept import Labeller
from dcgan.files import open_file
from dcgan.pictures import nchw

KEYS = ("seed", "index", "top", "left", "height", "width")
LARGEST = 2**20
"""Bytes of a file of boxes."""
MOST = 1000
"""Boxes."""
LATEST = 100_000_000
"""The first index that no design has."""
WINDOW = 3
"""A found box is this part of each side: a third."""

Images = NDArray[np.uint8]


@dataclass(frozen=True)
class Marked:
    """A box on design `index` of `seed`, as `dcgan generate --seed SEED` numbers them."""

    seed: int
    index: int
    box: Box


def read_boxes(path: Path, picture: tuple[int, int]) -> list[Marked]:
    """The boxes in a JSON file, a list of objects, or else a CSV file with a header; both have the keys `KEYS`.

    picture: (height, width) of the designs. Raises `DcganError` that names the line or entry, and the column.
    """
    try:
        with open_file(path) as file:
            content = file.read(LARGEST + 1)
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise DcganError(f"cannot open {path}: {error.strerror or error}") from None
    except (UnicodeDecodeError, ValueError):
        raise DcganError(f"{path} is not a text file: boxes come as CSV or JSON") from None
    if len(content) > LARGEST:
        raise DcganError(f"{path} is larger than 1 MB: it should hold {MOST:,} boxes at most")
    rows = _json_rows(path, text) if path.suffix.lower() == ".json" else _csv_rows(path, text)
    marked = []
    for place, row in rows:
        values = [_whole(path, place, key, row.get(key)) for key in KEYS]
        marked.append(Marked(values[0], values[1], _inside(path, place, Box(*values[2:]), picture)))
        if len(marked) > MOST:
            raise DcganError(f"{path} holds more than {MOST:,} boxes")
    return marked


def _csv_rows(path: Path, text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), skipinitialspace=True)
    try:
        names = [name.strip() for name in reader.fieldnames or []]
        for key in KEYS:
            if key not in names:
                raise DcganError(f"{path}: line 1 has no column {key}: expected {','.join(KEYS)}")
        reader.fieldnames = names
        for row in reader:
            yield f"line {reader.line_num}", row
    except csv.Error as error:
        raise DcganError(f"{path}: line {reader.line_num} is not CSV: {error}") from None


def _json_rows(path: Path, text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        where = f"line {error.lineno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else "it"
        raise DcganError(f"{path} is not JSON: {where}") from None
    if not isinstance(rows, list):
        raise DcganError(f"{path}: expected a list of objects with the keys {', '.join(KEYS)}")
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise DcganError(
                f"{path}: entry {number} is {row!r:.40}: expected an object with {', '.join(KEYS)}"
            )
        for key in KEYS:
            if key not in row:
                raise DcganError(f"{path}: entry {number} has no {key}: expected {', '.join(KEYS)}")
        yield f"entry {number}", row


def _whole(path: Path, place: str, key: str, value: object) -> int:
    """A number of 0 or more; a size of 1 or more; within what a seed and an index can be."""
    least = 1 if key in ("height", "width") else 0
    most = 2**63 if key == "seed" else LATEST
    text = value.strip() if isinstance(value, str) else value
    whole = isinstance(text, int) and not isinstance(text, bool)
    if whole or (isinstance(text, str) and text.isdecimal() and len(text) < 20):
        number = int(text)  # type: ignore[call-overload]
        if least <= number < most:
            return int(number)
    raise DcganError(f"{path}: {place}: {key} is {value!r:.40}: expected a whole number from {least}")


def _inside(path: Path, place: str, box: Box, picture: tuple[int, int]) -> Box:
    for side, (start, length, edge) in {
        "row": (box.top, box.height, picture[0]),
        "column": (box.left, box.width, picture[1]),
    }.items():
        if start + length > edge:
            raise DcganError(
                f"{path}: {place}: the box ends before {side} {start + length}, outside the picture of "
                f"{picture[0]}x{picture[1]}"
            )
    return box


def found_by_class(
    images: Images, labels: NDArray[np.int64], labeller: Labeller
) -> tuple[list[Box], NDArray[np.float32]]:
    """The window of each design, uint8 (N, H, W, C), that its class can do least without, and by how much.

    Every window, a third of each side, is painted over with the designs' background (the median of their borders), and
    the labeller asked for the probability of the design's class, labels int64 (N,). G's maps take no part in it.
    Returns the boxes and float32 (N,), the fall of that probability.
    """
    places = windows(images.shape[1:3])
    blank = background(images)
    before = labeller.probabilities(nchw(images))[np.arange(len(images)), labels]
    lowest, best = before.copy(), np.zeros(len(images), np.int64)
    for number, box in enumerate(places):
        covered = images.copy()
        covered[:, box.top : box.top + box.height, box.left : box.left + box.width] = blank
        now = labeller.probabilities(nchw(covered))[np.arange(len(images)), labels]
        lower = now < lowest
        lowest[lower], best[lower] = now[lower], number
    return [places[number] for number in best], before - lowest


def found_by_difference(images: Images) -> list[Box]:
    """The window of each design, uint8 (N, H, W, C), that differs most from the mean of all designs."""
    places = windows(images.shape[1:3])
    away = np.abs(images.astype(np.float64) - images.mean(0)).mean(3)
    height, width = places[0].height, places[0].width
    sums = sliding_window_view(away, (height, width), axis=(1, 2)).sum((3, 4))
    values = np.stack([sums[:, box.top, box.left] for box in places], 1)
    return [places[number] for number in values.argmax(1)]


def windows(picture: tuple[int, ...]) -> list[Box]:
    """All windows of a third of each side, at every 14th of a side, the last flush with the edge."""
    sizes = [max(1, round(side / WINDOW)) for side in picture]
    steps = [max(1, side // 14) for side in picture]
    starts = [
        sorted({*range(0, side - size + 1, step), side - size})
        for side, size, step in zip(picture, sizes, steps, strict=True)
    ]
    return [Box(top, left, sizes[0], sizes[1]) for top in starts[0] for left in starts[1]]


def background(images: Images) -> NDArray[np.uint8]:
    """uint8 (C,): the median of the pictures' outermost pixels."""
    edge = np.concatenate([images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]], 1)
    middle: NDArray[np.uint8] = np.median(edge, (0, 1)).astype(np.uint8)
    return middle
