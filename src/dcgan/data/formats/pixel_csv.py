"""CSV files of pixels: one picture a line, a label before or after its values."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from dcgan.data.dataset import Dataset
from dcgan.data.findings import printable
from dcgan.data.formats.arrays import NO_SHAPE, Part, Source, shape_of
from dcgan.data.formats.layout import is_whole
from dcgan.data.options import Options
from dcgan.errors import DcganError

LABEL_NAMES = {"label", "labels", "class", "target", "y"}
"""Headers of a label column, in any case; it is the first or the last."""

LONGEST_LINE = 4 * 2**20
"""Bytes of a line: 3 × 512 × 512 values and more."""

_BLOCK = 2 * 2**20


@dataclass(frozen=True)
class _Columns:
    """How a line is read. label: the index of its label, None without one. shape: (C, H, W) of the rest."""

    count: int
    label: int | None
    shape: tuple[int, int, int]

    @property
    def pixels(self) -> slice:
        """The places of the pixel values."""
        if self.label is None:
            return slice(0, self.count)
        return slice(1, self.count) if self.label == 0 else slice(0, self.count - 1)


def is_pixel_csv(path: Path) -> bool:
    """Whether this is a CSV file by name, packed or not."""
    return path.name.lower().endswith((".csv", ".csv.gz")) and not path.is_dir()


def read_pixel_csv(path: Path, options: Options) -> Dataset:
    """Pictures given as lines of values from 0 to 255, with or without a line of headers.

    A column called label (class, target, y) is the label. Without such a header the first column is, when the others
    make a picture: of the size asked for, a grey square, or a square in colour; else there is none, when all columns
    make one. Labels that are whole numbers are classes in their order, others are names. Raises `DcganError` with the
    line and the column, from 1, of the first value that is missing, no whole number, or not from 0 to 255, and of the
    first line of another length.
    """
    source = Source(path, options)
    with source.opened(path) as stream:
        part = _part(source, stream)
    return source.dataset({"train": lambda: part})


def _part(source: Source, stream: IO[bytes]) -> Part:
    first = _line(source, stream).removeprefix(b"\xef\xbb\xbf")
    header = _header(_cells(source, first, 1) or [""])
    number = 2 if header else 1
    start = _line(source, stream) if header else first
    width = len(_cells(source, start or first, number))
    columns = _columns(source, width, header)
    blocks, labels, size = [], list[str](), 0
    for lines, text in _blocks(source, stream, start, number):
        done = _fast(text, columns)
        if done is None:
            done = _slow(source, text, lines, columns)
        blocks.append(done[0])
        labels += done[1]
        size += done[0].nbytes
        source.check_memory(2 * size)
    rows = np.concatenate(blocks) if blocks else np.zeros((0, 1), np.uint8)
    if not len(rows):
        raise source.error("it holds no lines of pixels")
    return Part(source.pictures(rows, columns.shape), _named(labels) if columns.label is not None else None)


def _columns(source: Source, count: int, header: list[str] | None) -> _Columns:
    size = source.options.size
    if not count:
        raise source.error("it holds no lines of pixels")
    if header and len(header) != count:
        raise source.error(f"line 2 has {count} columns, line 1 has {len(header)}")
    named = [at for at in (0, count - 1) if header and header[at] in LABEL_NAMES]
    # Grey pictures before coloured ones: 49 columns are 7×7, not a label and 4×4 in colour.
    for depth in (1, 3):
        for label in named or (0, None):
            shape = shape_of(count - (label is not None), size)
            if shape and shape[0] == depth:
                return _Columns(count, label, shape)
    raise source.error(f"{count} columns, with or without a label, are {NO_SHAPE}")


def _header(cells: list[str]) -> list[str] | None:
    """The first line's names, when it is no line of values: it names a label, no other cell is a number, or the
    cells count up, as pandas names columns without a name.
    """
    names = [cell.strip().lower() for cell in cells]
    numbers = [_number(cell) for cell in cells]
    counted = len(cells) > 1 and numbers in (list(range(len(cells))), list(range(1, len(cells) + 1)))
    words = len(cells) > 1 and all(number is None for number in numbers[1:])
    return names if counted or words or {names[0], names[-1]} & LABEL_NAMES else None


def _line(source: Source, stream: IO[bytes]) -> bytes:
    line = stream.readline(LONGEST_LINE + 1)
    if len(line) > LONGEST_LINE:
        raise source.error(f"a line is longer than {LONGEST_LINE >> 20} MB: this is no CSV of pictures")
    return line


def _blocks(source: Source, stream: IO[bytes], start: bytes, number: int) -> Iterator[tuple[int, bytes]]:
    """Whole lines, some megabytes at a time, with the number of the first one."""
    rest = start
    while part := stream.read(_BLOCK):
        text = rest + part
        end = text.rfind(b"\n") + 1
        if not end and len(text) > LONGEST_LINE:
            raise source.error(
                f"line {number} is longer than {LONGEST_LINE >> 20} MB: this is no CSV of pictures"
            )
        if end:
            yield number, text[:end]
            number += text.count(b"\n", 0, end)
        rest = text[end:]
    if rest:
        yield number, rest if rest.endswith(b"\n") else rest + b"\n"


def _fast(text: bytes, columns: _Columns) -> tuple[NDArray[np.uint8], list[str]] | None:
    """Rows and labels of lines that hold nothing but labels, commas and one to three digits; None for any other.

    All cells at once: a cell's value is the sum of the digits before its comma, whose places say their weights.
    """
    text = text.replace(b"\r\n", b"\n")
    letters = np.frombuffer(text, np.uint8)
    places = np.flatnonzero((letters == 44) | (letters == 10)).astype(np.int32)
    if not len(places) or len(places) % columns.count:
        return None
    ends = places.reshape(-1, columns.count)
    newlines = letters[ends] == 10
    if b'"' in text or not newlines[:, -1].all() or newlines[:, :-1].any():
        return None
    starts = np.concatenate((np.zeros(1, np.int32), places[:-1] + np.int32(1))).reshape(ends.shape)
    end, length = ends[:, columns.pixels], (ends - starts)[:, columns.pixels]
    if length.min() < 1 or length.max() > 3:
        return None
    values = np.zeros(end.shape, np.uint16)
    for place, weight in enumerate((1, 10, 100)):
        digits = np.take(letters, end - np.int32(1 + place), mode="clip") - np.uint8(
            48
        )  # no digit wraps to above 9
        digits[length <= place] = 0
        if digits.max() > 9:
            return None
        values += digits * np.uint16(weight)
    if values.max() > 255:
        return None
    labels = []
    if columns.label is not None:
        spans = zip(starts[:, columns.label].tolist(), ends[:, columns.label].tolist(), strict=True)
        try:
            labels = [text[begin:stop].decode().strip() for begin, stop in spans]
        except UnicodeDecodeError:
            return None
        if not all(labels):
            return None
    return values.astype(np.uint8), labels


def _slow(source: Source, text: bytes, number: int, columns: _Columns) -> tuple[NDArray[np.uint8], list[str]]:
    """The same, line by line: quotes, spaces, 12.0, empty lines; and the place of what cannot be read."""
    rows, labels = [], []
    for at, line in enumerate(text.split(b"\n")[:-1], number):
        if not line.strip():
            continue
        cells = _cells(source, line, at)
        if len(cells) != columns.count:
            raise source.error(
                f"line {at} has {len(cells)} columns, the lines before it have {columns.count}"
            )
        if columns.label is not None:
            label = cells[columns.label].strip()
            if not label:
                raise source.error(f"line {at}, column {columns.label + 1}: the label is missing")
            labels.append(label)
        values = [_number(cell) for cell in cells[columns.pixels]]
        for column, value in enumerate(values, columns.pixels.start + 1):
            if value is None or not 0 <= value <= 255 or value % 1:
                raise _bad(source, at, column, cells[column - 1])
        rows.append(np.array(values, np.uint8))
    width = columns.pixels.stop - columns.pixels.start
    return np.array(rows, np.uint8).reshape(len(rows), width), labels


def _bad(source: Source, line: int, column: int, cell: str) -> DcganError:
    said = (
        f"'{printable(cell.strip())[:40]}' is no whole number from 0 to 255"
        if cell.strip()
        else "the value is missing"
    )
    return source.error(f"line {line}, column {column}: {said}")


def _cells(source: Source, line: bytes, number: int) -> list[str]:
    try:
        return next(csv.reader([line.decode("utf-8").rstrip("\r\n")], strict=True), [])
    except UnicodeDecodeError:
        raise source.error(f"line {number} is not UTF-8 text") from None
    except csv.Error as error:
        raise source.error(f"line {number}: {error}") from None


def _number(cell: str) -> float | None:
    try:
        return None if "_" in cell else float(cell)  # 1_0 is a number to Python alone
    except ValueError:
        return None


def _named(labels: list[str]) -> NDArray[np.int64] | list[str]:
    """Labels as whole numbers when all are."""
    return np.array([int(label) for label in labels], np.int64) if all(map(is_whole, set(labels))) else labels
