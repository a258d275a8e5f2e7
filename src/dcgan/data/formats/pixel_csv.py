"""CSV files of pixels: one picture a line, a label among its values."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from dcgan.data.dataset import Dataset
from dcgan.data.findings import printable
from dcgan.data.formats.arrays import Part, Source
from dcgan.data.formats.csv_columns import (
    Columns,
    UnusableLineError,
    cells_of,
    columns_of,
    header_of,
    number,
)
from dcgan.data.formats.layout import is_whole
from dcgan.data.options import Options
from dcgan.errors import DcganError

LONGEST_LINE = 4 * 2**20
"""Bytes of a line: 3 × 512 × 512 values and more."""

SAMPLE = 20
"""Lines looked at to tell what the columns are."""

MOST_BAD = 10_000
"""Lines that may be skipped when they are more than those that are used."""

_BLOCK = 2 * 2**20


def is_pixel_csv(path: Path) -> bool:
    """Whether this is a CSV file by name, packed or not."""
    return path.name.lower().endswith((".csv", ".csv.gz")) and not path.is_dir()


def read_pixel_csv(path: Path, options: Options) -> Dataset:
    """Pictures given as lines of values from 0 to 255, with or without a line of headers.

    `columns_of` says what the columns are; they may be separated by commas, semicolons or tabs. Labels that are whole
    numbers are classes in their order, others are names. Blank lines are nothing. A line with a value that is
    missing, no whole number, or not from 0 to 255, without its label, or of another length is skipped by its number
    in the file, from 1, and the column. Raises `DcganError` with the first of these when no line is left.
    """
    source = Source(path, options)
    with source.opened(path) as stream:
        part = _part(source, stream)
    return source.dataset({"train": lambda: part})


def _part(source: Source, stream: IO[bytes]) -> Part:
    columns, start, at = _head(source, stream)
    blocks, labels, size, count = [], list[str](), 0, 0
    for first, text in _blocks(source, stream, start, at):
        rows, names = _pictures(source, text, first, columns)
        blocks.append(rows)
        labels += names
        size += rows.nbytes
        count += len(rows)
        source.check_memory(2 * size)
        if len(source.found.skipped) > max(MOST_BAD, count):
            raise _nothing(source, "most of its lines cannot be used")
    if not count:
        raise _nothing(source, "none of its lines can be used")
    rows = np.concatenate(blocks)
    return Part(source.pictures(rows, columns.shape), _named(labels) if columns.label is not None else None)


def _nothing(source: Source, what: str) -> DcganError:
    if not source.found.skipped:
        return source.error("it holds no lines of pixels")
    name, reason, _ = source.found.skipped[0]
    return source.error(f"{what}: {name}, {reason}")


def _head(source: Source, stream: IO[bytes]) -> tuple[Columns, bytes, int]:
    """What the columns are; and the first lines of values, as they are, with the number of the first one."""
    lines = list[bytes]()
    filled = list[int]()
    size = 0
    while len(filled) <= SAMPLE and size <= LONGEST_LINE and (line := _line(source, stream)):
        if not lines:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if line.strip():
            filled.append(len(lines))
        lines.append(line)
        size += len(line)
    if not filled:
        raise source.error("it holds no lines of pixels")
    separator = _separator(source, lines[filled[1] if len(filled) > 1 else filled[0]])
    read = list[list[str]]()
    why = ""
    header = None
    for at in filled:
        try:
            cells = cells_of(lines[at], separator)
        except UnusableLineError as error:
            why = why or f"line {at + 1}, {error}"
            continue
        if at == filled[0] and (header := header_of(cells)):
            continue
        read.append(cells)
    start = filled[0] + 1 if header else 0
    if not read:
        raise source.error(why or "it holds no lines of pixels")
    columns = columns_of(source, header, read, separator)
    if separator != ",":
        shown = "tabs" if separator == "\t" else f"'{separator}'"
        source.found.notes.append(f"the columns are separated by {shown}")
    if any(b"." in line for line in lines[start:]):
        _check_range(source, [cells for cells in read if len(cells) == columns.count], columns)
    return columns, b"".join(lines[start:]), start + 1


def _separator(source: Source, line: bytes) -> str:
    counts = {separator: line.count(separator.encode()) for separator in (",", ";", "\t")}
    best = max(counts, key=lambda separator: counts[separator])
    if not counts[best] and line.strip().count(b" ") > 1:
        raise source.error("its values are separated by spaces: write commas between them")
    return best


def _check_range(source: Source, sample: list[list[str]], columns: Columns) -> None:
    """Refuse fractions from 0 to 1, or -1 to 1, in one line."""
    values = [number(cells[at]) for cells in sample for at in columns.pixels]
    known = [value for value in values if value is not None and math.isfinite(value)]
    if known and min(known) >= -1 and max(known) <= 1 and any(value % 1 for value in known):
        low = -1 if min(known) < 0 else 0
        mend = "add 1 and multiply by 127.5" if low else "multiply them by 255"
        raise source.error(
            f"its values go from {low} to 1, and pixels are whole numbers from 0 to 255: {mend}, "
            "or save them as NPZ"
        )


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


def _pictures(
    source: Source, text: bytes, first: int, columns: Columns
) -> tuple[NDArray[np.uint8], list[str]]:
    """Rows and labels of whole lines; what cannot be read is skipped. first: the number of the first line."""
    text = text.replace(b"\r\n", b"\n")
    letters = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero(letters == 10)
    plain, rows, labels = _plain(text, letters, ends, columns)
    begins = np.concatenate((np.zeros(1, np.intp), ends[:-1] + 1))
    other = ends > begins
    other[plain] = False
    if not other.any():
        return rows, labels
    added, places = [], plain.tolist()
    for at in np.flatnonzero(other).tolist():
        line = text[begins[at] : ends[at]]
        if not line.strip():
            continue
        try:
            row, label = _careful(line, columns)
        except UnusableLineError as error:
            source.found.skip(f"line {first + at}", str(error), "corrupt")
            continue
        added.append(row)
        labels.append(label)
        places.append(at)
    if added:
        rows = np.concatenate((rows, np.stack(added)))
    order = np.argsort(places)
    return rows[order], [labels[at] for at in order.tolist()]


def _plain(
    text: bytes, letters: NDArray[np.uint8], line_ends: NDArray[np.intp], columns: Columns
) -> tuple[NDArray[np.intp], NDArray[np.uint8], list[str]]:
    """Indices, rows and labels of those lines that hold nothing but labels, separators and one to three digits.

    All cells at once: a cell's value is the sum of the digits before its end, whose places say their weights.
    """
    places = np.flatnonzero((letters == ord(columns.separator)) | (letters == 10)).astype(np.int32)
    starts = np.concatenate((np.zeros(1, np.int32), places[:-1] + np.int32(1)))
    cells = np.diff(np.searchsorted(places, line_ends, side="right"), prepend=0)
    regular = cells == columns.count
    if b'"' in text:
        regular[np.searchsorted(line_ends, np.flatnonzero(letters == 34))] = False
    if not regular.all():
        inside = np.repeat(regular, cells)
        places, starts = places[inside], starts[inside]
    ends, starts = places.reshape(-1, columns.count), starts.reshape(-1, columns.count)
    end, length = ends[:, columns.chosen], (ends - starts)[:, columns.chosen]
    good = np.ones(len(end), bool)
    if length.size and (length.min() < 1 or length.max() > 3):
        good &= ((length >= 1) & (length <= 3)).all(axis=1)
    values = np.zeros(end.shape, np.uint16)
    for place, weight in enumerate((1, 10, 100)):
        # No digit wraps to above 9.
        digits = np.take(letters, end - np.int32(1 + place), mode="clip") - np.uint8(48)
        digits[length <= place] = 0
        if digits.size and digits.max() > 9:
            good &= (digits <= 9).all(axis=1)
        values += digits * np.uint16(weight)
    if values.size and values.max() > 255:
        good &= (values <= 255).all(axis=1)
    labels = [""] * len(end)
    if columns.label is not None:
        spans = zip(starts[:, columns.label].tolist(), ends[:, columns.label].tolist(), strict=True)
        # What is not UTF-8 is left to be told by name.
        labels = [text[begin:stop].decode(errors="replace").strip() for begin, stop in spans]
        good &= np.array([bool(label) and "\ufffd" not in label for label in labels], bool)
    if not good.all():
        values = values[good]
        labels = [label for label, fine in zip(labels, good.tolist(), strict=True) if fine]
    return np.flatnonzero(regular)[good], values.astype(np.uint8), labels


def _careful(line: bytes, columns: Columns) -> tuple[NDArray[np.uint8], str]:
    """One line with quotes, spaces or 12.0. Raises `UnusableLineError` with the column of what cannot be read."""
    cells = cells_of(line, columns.separator)
    if len(cells) != columns.count:
        raise UnusableLineError(f"{len(cells)} columns instead of {columns.count}")
    label = "" if columns.label is None else cells[columns.label].strip()
    if columns.label is not None and not label:
        raise UnusableLineError(f"column {columns.label + 1}: the label is missing")
    values = []
    for at in columns.pixels:
        value, shown = number(cells[at]), printable(cells[at].strip())[:40]
        if value is None or not 0 <= value <= 255 or value % 1:
            why = f"'{shown}' is no whole number from 0 to 255" if shown else "the value is missing"
            raise UnusableLineError(f"column {at + 1}: {why}")
        values.append(value)
    return np.array(values, np.uint8), label


def _named(labels: list[str]) -> NDArray[np.int64] | list[str]:
    """Labels as whole numbers when all are, 1.0 too."""
    whole = {label: label.rstrip("0").removesuffix(".") if "." in label else label for label in set(labels)}
    if all(map(is_whole, whole.values())):
        return np.array([int(whole[label]) for label in labels], np.int64)
    return labels
