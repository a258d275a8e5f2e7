"""What designs are like: the attributes that directions are fitted to, each a yes or no for every design.

From a table of labels by seed and index (manifest.csv, or one's own), from what a labeller sees, or, of pictures of any
kind, from two measures that need neither.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dcgan.analysis.latent.points import Images, Points, designs, one_hot
from dcgan.errors import DcganError, one_of
from dcgan.evaluation.labeller import Labeller
from dcgan.files import open_file
from dcgan.model import Model
from dcgan.pictures import nchw

MEASURES: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "bright": lambda pixels: pixels.mean((1, 2, 3)),
    "contrast": lambda pixels: pixels.std((1, 2, 3)),
}
"""Of pictures, float64 (N, H, W, C) → (N,). The attribute is to be above the median."""

LARGEST_TABLE = 64 * 2**20
MOST_ROWS, MOST_VALUES = 100_000, 20
KEYS = ("seed", "index")
COLUMNS = ("class", "label")
"""Of a table, the column that is taken when none is named: the first of these that it has."""


@dataclass(frozen=True, eq=False)
class Attribute:
    """yes: bool (N,), whether design i has it. name: as it is called in a picture and in a file."""

    name: str
    yes: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Table:
    """Designs by their numbers, and what is said of each. labels: the class that each was asked for, or None."""

    numbers: tuple[tuple[int, int], ...]
    values: tuple[str, ...]
    labels: tuple[str, ...] | None
    column: str


def read_table(path: Path, column: str | None = None) -> Table:
    """A CSV with the columns seed and index, and one that says what each design is like.

    Raises `DcganError` for a file without them.
    """
    try:
        with open_file(path) as file:
            content = file.read(LARGEST_TABLE + 1)
    except (OSError, ValueError) as error:
        raise DcganError(f"cannot open {path}: {getattr(error, 'strerror', None) or error}") from None
    if len(content) > LARGEST_TABLE:
        raise DcganError(f"{path} is larger than {LARGEST_TABLE >> 20} MB")
    try:
        reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
        rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DcganError(f"{path} is not a table in CSV: {str(error)[:80]}") from None
    names = [name for name in reader.fieldnames or () if name]
    missing = [key for key in KEYS if key not in names]
    if missing:
        raise DcganError(
            f"{path} has no column {' and no column '.join(missing)}: a table of designs has seed and index, as "
            "manifest.csv does"
        )
    if column is None:
        column = next((one for one in COLUMNS if one in names and any(row[one] for row in rows)), None)
        if column is None:
            raise DcganError(f"{path} says nothing of its designs: name a column of it with --column")
    if column not in names:
        raise one_of("column", column, names)
    kept = [row for row in rows if row.get(column)][:MOST_ROWS]
    if not kept:
        raise DcganError(f"{path} has no row that says anything in its column {column}")
    numbers = []
    seen: dict[tuple[str, ...], int] = {}
    for at, row in enumerate(kept, 2):
        pair = row["seed"] or "", row["index"] or ""
        if not all(text.isascii() and text.isdecimal() and len(text) < 20 for text in pair):
            raise DcganError(
                f"{path}: row {at} has seed '{pair[0][:20]}' and index '{pair[1][:20]}': not numbers"
            )
        numbers.append((int(pair[0]), int(pair[1])))
        # Learned from and held out at once, a design would be foretold by itself.
        first = seen.setdefault((*pair, row.get("label") or ""), at)
        if first != at:
            raise DcganError(
                f"{path}: row {at} has the design of row {first} again, seed {pair[0]} and index {pair[1]}"
            )
    labels = tuple(row["label"] or "" for row in kept) if "label" in names else None
    return Table(tuple(numbers), tuple(row[column] for row in kept), labels, column)


def table_points(model: Model, table: Table) -> Points:
    """The designs of a table, of the class that its column label says where the model has one of this name."""
    points = designs(model, table.numbers)
    if table.labels is None or points.mixture is None:
        return points
    known = {name: at for at, name in enumerate(model.classes)}
    asked = np.array([known.get(label, -1) for label in table.labels], np.int64)
    drawn = points.mixture.argmax(1)
    return Points(points.z, one_hot(model, np.where(asked < 0, drawn, asked)), points.names)


def table_attributes(table: Table, wanted: Sequence[str]) -> list[Attribute]:
    """The wanted values of the table, or without such all: those of a column of numbers are above its median or not."""
    values = np.array(table.values)
    different = sorted(set(table.values))
    if not wanted and len(different) > MOST_VALUES:
        try:
            numbers = values.astype(np.float64)
        except ValueError:
            raise DcganError(
                f"column {table.column} has {len(different):,} different values: name some of them with --attribute"
            ) from None
        return [Attribute(f"high {table.column}", numbers > np.median(numbers))]
    folded = {one.casefold(): one for one in different}
    found = []
    for name in wanted or different:
        if name.casefold() not in folded:
            raise one_of("attribute", name, different)
        value = folded[name.casefold()]
        found.append(Attribute(value, values == value))
    return found


def seen_attributes(pictures: Images, wanted: Sequence[str], labeller: Labeller | None) -> list[Attribute]:
    """The wanted classes as a labeller sees them in pictures, (N, H, W, C), and measures of `MEASURES`."""
    known = {name.casefold(): at for at, name in enumerate(labeller.classes if labeller else ())}
    seen = None
    found = []
    for name in wanted:
        if name.casefold() in known and labeller:
            if seen is None:
                channels_first = nchw(pictures)
                seen = labeller.probabilities(channels_first).argmax(1)
            at = known[name.casefold()]
            found.append(Attribute(labeller.classes[at], seen == at))
        elif name.casefold() in MEASURES:
            value = MEASURES[name.casefold()](pictures.astype(np.float64))
            found.append(Attribute(name.casefold(), value > np.median(value)))
        else:
            more = "" if labeller else "Classes need a labeller: name labelled pictures with --labeller."
            raise one_of("attribute", name, [*(labeller.classes if labeller else ()), *MEASURES], more)
    return found
