"""`captions.csv` and `captions.jsonl`: a label and a sentence for each file, beside the pictures."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass

from dcgan.data.findings import Findings, printable
from dcgan.errors import DcganError

NAMES = ("captions.csv", "captions.jsonl", "metadata.csv", "metadata.jsonl")
"""Looked for in this order, at the top of a tree of pictures."""

FILE, LABEL, CAPTION = (
    ("file", "file_name", "filename", "image"),
    ("label", "class"),
    ("caption", "text"),
)
"""What the columns may be called."""


@dataclass(frozen=True)
class Line:
    """What one line says. number: in the file, from 1. label: None where none is given; caption: "" likewise."""

    number: int
    file: str
    label: str | None
    caption: str


class _UnusableLineError(ValueError):
    """A line that cannot be understood; the message says why, without its number."""


Row = dict[str, str] | _UnusableLineError


def read_captions(content: bytes, where: str, found: Findings) -> list[Line]:
    """The lines of a captions file; `where` names it, and its ending says how it is written.

    A line that cannot be understood is skipped by its number in the file, from 1, and `found` is told. Raises
    `DcganError` with the first of these when no line is left, and when the columns are not named.
    """
    # What is no UTF-8 becomes surrogates, and they are told line by line.
    text = content.decode("utf-8", errors="surrogateescape").removeprefix("\ufeff")
    lines, bad = list[Line](), list[tuple[int, str]]()
    for number, row in _jsonl(text) if where.endswith(".jsonl") else _csv(text, where):
        try:
            if isinstance(row, _UnusableLineError):
                raise row
            lines.append(_line(number, row))
        except _UnusableLineError as error:
            bad.append((number, printable(str(error))))
    if bad and not lines:
        raise DcganError(f"{printable(where)}: line {bad[0][0]}: {bad[0][1]}")
    for number, why in bad:
        found.skip(f"line {number} of {where.rpartition('/')[2]}", why, "corrupt")
    return lines


def _line(number: int, row: dict[str, str]) -> Line:
    def first(names: tuple[str, ...]) -> str:
        return next((row[name] for name in names if row.get(name)), "")

    file = first(FILE).removeprefix("./")
    if not file:
        raise _UnusableLineError(f"it names no file (column {FILE[0]})")
    return Line(number, file, first(LABEL) or None, first(CAPTION))


def _csv(text: str, where: str) -> Iterator[tuple[int, Row]]:
    lines = list(io.StringIO(text, newline=""))
    at = next((index for index, line in enumerate(lines) if line.strip()), len(lines))
    names, at = _record(lines, at)
    if isinstance(names, _UnusableLineError):
        raise DcganError(f"{printable(where)}: line {at}: {names}")
    header = [name.strip().lower() for name in names]
    if not set(FILE) & set(header):
        why = f"'{printable(','.join(header))[:80]}'"
        if len(header) == 1 and (separator := next((sign for sign in ";\t|" if sign in header[0]), "")):
            mark = "a tab" if separator == "\t" else f"'{separator}'"
            why = f"{why}: separate them with a comma, not with {mark}"
        raise DcganError(
            f"{printable(where)}: line {max(1, at)} must name the columns: file, and label or caption or both, "
            f"not {why}"
        )
    while at < len(lines):
        number = at + 1
        cells, at = _record(lines, at)
        if isinstance(cells, _UnusableLineError):
            yield number, cells
        elif not any(cell.strip() for cell in cells):
            continue
        elif len(cells) == len(header):
            yield number, dict(zip(header, (cell.strip() for cell in cells), strict=True))
        else:
            at = number  # a quote that was left open may have taken whole lines into a cell
            yield (
                number,
                _UnusableLineError(
                    f"{len(cells)} columns, the first line has {len(header)}: "
                    'a sentence with a comma stands in quotes, "like, this"'
                ),
            )


def _record(lines: list[str], at: int) -> tuple[list[str] | _UnusableLineError, int]:
    """The cells that begin in line `at`, and the line after them; after one that is damaged, the next."""
    reader = csv.reader((lines[index] for index in range(at, len(lines))), strict=True)
    try:
        cells = next(reader, [])
        _check_text("".join(cells))
    except csv.Error as error:
        return _UnusableLineError(str(error)), at + 1
    except _UnusableLineError as error:
        return error, at + 1
    return cells, at + max(1, reader.line_num)


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _UnusableLineError("it is not UTF-8 text") from None


def _jsonl(text: str) -> Iterator[tuple[int, Row]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield number, _object(line)
            except _UnusableLineError as error:
                yield number, error


def _object(line: str) -> dict[str, str]:
    _check_text(line)
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise _UnusableLineError("it is not a JSON object")
    row = {str(key).lower(): value[key] for key in value if value[key] is not None}
    for key in (*FILE, *LABEL, *CAPTION):
        if key in row and (isinstance(row[key], bool) or not isinstance(row[key], str | int)):
            raise _UnusableLineError(f"{key} must be text")
    return {key: str(item) for key, item in row.items()}
