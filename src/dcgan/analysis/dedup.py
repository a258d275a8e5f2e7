"""Near-duplicates in a data set: pictures of equal or nearly equal codes, all but the first of which can go.

It complements `dcgan.data.check.duplicates`, which compares pictures cell by cell and pixel by pixel:
docs/duplicates.md has what each finds.
"""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dcgan.analysis.hashing import codes
from dcgan.data.dataset import Dataset
from dcgan.data.findings import printable
from dcgan.data.formats.tree import folder_tree
from dcgan.data.sampling import Stream, stream
from dcgan.errors import DcganError
from dcgan.evaluation.neighbours import pairs_within
from dcgan.files import exists, refused, whole_folder, write_atomic
from dcgan.pictures import pairs_sheet, png

LIST, SHEET, IMAGES = "duplicates.csv", "sheet.png", "images"
COLUMNS = ("kept", "duplicate", "distance")

WITHIN = 0
"""Bits in which the codes of duplicates differ, at most. On Fashion-MNIST, of 9 pairs within 1 bit, 7 are not one."""

MOST_WITHIN = 16
MOST_PAIRS = 2_000_000
"""Pairs within the threshold, at most: with more of them it does not tell duplicates from others."""

ON_SHEET = 40

_TABLES = frozenset({"captions.csv", "captions.jsonl", "metadata.csv", "metadata.jsonl"})
"""What is copied along with the pictures that it describes."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Deduplication:
    """images: how many were looked at. within: bits that codes may differ in.

    rows: int64 (D, 3), one a duplicate, in their order: the picture that is kept for it, itself, and the bits between
    their codes. Every duplicate is within the threshold of a picture that is kept: no chain leads away from it.
    """

    images: int
    within: int
    rows: NDArray[np.int64]

    @property
    def kept(self) -> NDArray[np.int64]:
        """The pictures that stay, ascending."""
        return np.setdiff1d(np.arange(self.images), self.rows[:, 1])


def find_near_duplicates(
    images: NDArray[np.uint8], within: int = WITHIN, *, seed: int = 0, progress: Progress | None = None
) -> Deduplication:
    """Train the autoencoder on `images`, uint8 NCHW, and compare their codes.

    within: bits; 0 is the paper's hash collision, found in linear time; more compares every code with every other.
    The same pictures, seed and machine give the same result. Raises `DcganError` for fewer than two pictures, and
    where a threshold is so wide that half the set would go.
    """
    check_threshold(within)
    if len(images) < 2:
        raise DcganError("one picture has no duplicates: it takes 2 or more")
    bits = codes(images, seed, progress=progress)
    rows = _equal(bits) if within == 0 else _close(bits, within)
    return Deduplication(len(images), within, rows)


def check_threshold(within: int) -> None:
    """Raise `DcganError` unless `within` is from 0 to 16 bits."""
    if not 0 <= within <= MOST_WITHIN:
        raise DcganError(f"the threshold is {within}: must be from 0 to {MOST_WITHIN} bits")


def _equal(bits: NDArray[np.bool_]) -> NDArray[np.int64]:
    _, first, group = np.unique(np.packbits(bits, axis=1), axis=0, return_index=True, return_inverse=True)
    kept = first[group.reshape(-1)]
    others = np.flatnonzero(kept != np.arange(len(bits)))
    return np.stack([kept[others], others, np.zeros(len(others), np.int64)], axis=1).astype(np.int64)


def _close(bits: NDArray[np.bool_], within: int) -> NDArray[np.int64]:
    """In order: a picture is a duplicate of the nearest earlier one that was kept, if that is near enough."""
    signs = np.where(bits, np.float32(1), np.float32(-1))
    found, count = [np.zeros((0, 2), np.int64)], 0
    for pairs in pairs_within(signs, 2 * (within + 0.5) ** 0.5):  # codes of h different bits are 2√h apart
        found.append(pairs)
        count += len(pairs)
        if count > MOST_PAIRS:
            raise DcganError(
                f"more than {MOST_PAIRS:,} pairs of codes are within {within} bits: choose a smaller --threshold"
            )
    pairs = np.concatenate(found)
    apart = (bits[pairs[:, 0]] != bits[pairs[:, 1]]).sum(axis=1)
    order = np.lexsort((pairs[:, 0], apart, pairs[:, 1]))
    gone: set[int] = set()
    rows = []
    for (first, second), distance in zip(pairs[order].tolist(), apart[order].tolist(), strict=True):
        if second not in gone and first not in gone:
            gone.add(second)
            rows.append((first, second, distance))
    return np.array(rows, np.int64).reshape(-1, 3)


def names_of(data: Dataset) -> list[str]:
    """The file of each picture; #0, #1, … where pictures have no files."""
    return list(data.names) if data.names else [f"#{index}" for index in range(len(data))]


def write_list(path: Path, data: Dataset, found: Deduplication) -> None:
    """Write the duplicates as CSV: kept, duplicate (files, or #index), distance in bits."""
    names, rows = names_of(data), io.StringIO()
    table = csv.writer(rows, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows([names[kept], names[other], distance] for kept, other, distance in found.rows.tolist())
    write_atomic(path, rows.getvalue())


def write_sheet(path: Path, data: Dataset, found: Deduplication, seed: int = 0) -> None:
    """Draw 40 duplicates, picked at random, beside what is kept for them. There must be one or more."""
    order = stream(Stream.ANALYSIS, seed, 4).permutation(len(found.rows))[:ON_SHEET]
    shown = found.rows[np.sort(order)]
    left, right = (data.images[shown[:, side]].transpose(0, 2, 3, 1) for side in (0, 1))
    captions = [f"{kept} | {other}: {bits} bit{'s' * (bits != 1)}" for kept, other, bits in shown.tolist()]
    caption = f"{data.name}: kept | duplicate, by index, {len(shown)} of {len(found.rows):,} at random"
    write_atomic(path, png(pairs_sheet(left, right, captions, caption=caption)))


def copy_kept(
    folder: Path, out: Path, data: Dataset, found: Deduplication, progress: Progress | None = None
) -> None:
    """Copy the files of the pictures that stay from `folder` to a new folder `out`, unchanged, under the same names.

    `out` appears when it is complete. Raises `DcganError` when it is there already, or a file cannot be copied.
    """
    if exists(out):
        raise DcganError(f"{out} exists: choose another folder with --out")
    there = folder_tree(folder).entries
    files = {printable(entry.name): entry.name for entry in there}
    names = names_of(data)
    wanted = [files.get(names[index], names[index]) for index in found.kept]
    wanted += [entry.name for entry in there if entry.name.rpartition("/")[2] in _TABLES]
    with whole_folder(out) as making:
        for done, name in enumerate(wanted, 1):
            target = making / name
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(folder / name, target)
            except OSError as error:
                raise refused(Path(error.filename or out), error) from error
            if progress:
                progress(done, len(wanted))
