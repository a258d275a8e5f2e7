"""`captions.csv` and `captions.jsonl`: a label and a sentence for each file, beside the pictures."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass

from dcgan.data.findings import printable
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


def read_captions(content: bytes, where: str) -> list[Line]:
    """All lines of a captions file; `where` names it, and its ending says how it is written.

    Raises `DcganError` with the number of the line that cannot be understood.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DcganError(f"{printable(where)}: line {line} is not UTF-8 text") from None
    rows = _jsonl(text, where) if where.endswith(".jsonl") else _csv(text, where)
    return [_line(number, row, where) for number, row in rows]


def _line(number: int, row: dict[str, str], where: str) -> Line:
    def first(names: tuple[str, ...]) -> str:
        return next((row[name] for name in names if row.get(name)), "")

    file = first(FILE).removeprefix("./")
    if not file:
        raise DcganError(f"{printable(where)}: line {number} names no file (column {FILE[0]})")
    return Line(number, file, first(LABEL) or None, first(CAPTION))


def _csv(text: str, where: str) -> Iterator[tuple[int, dict[str, str]]]:
    lines = csv.reader(text.splitlines(keepends=True), strict=True)
    try:
        header = [name.strip().lower() for name in next(lines, [])]
        if not set(FILE) & set(header):
            raise DcganError(
                f"{printable(where)}: line 1 must name the columns: file, and label or caption or both, not "
                f"'{printable(','.join(header))[:80]}'"
            )
        for cells in lines:
            if not cells:
                continue
            if len(cells) != len(header):
                raise DcganError(
                    f"{printable(where)}: line {lines.line_num} has {len(cells)} columns, line 1 has {len(header)}: "
                    'a sentence with a comma stands in quotes, "like, this"'
                )
            yield lines.line_num, dict(zip(header, (cell.strip() for cell in cells), strict=True))
    except csv.Error as error:
        raise DcganError(f"{printable(where)}: line {lines.line_num}: {error}") from None


def _jsonl(text: str, where: str) -> Iterator[tuple[int, dict[str, str]]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise DcganError(f"{printable(where)}: line {number} is not a JSON object")
        row = {str(key).lower(): value[key] for key in value if value[key] is not None}
        for key in (*FILE, *LABEL, *CAPTION):
            if key in row and (isinstance(row[key], bool) or not isinstance(row[key], str | int)):
                raise DcganError(f"{printable(where)}: line {number}: {key} must be text")
        yield number, {key: str(item) for key, item in row.items()}
