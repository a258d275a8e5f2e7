"""Pictures of one's own labelled: a table, a sheet, and on request copies in a folder per class."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from dcgan import designs
from dcgan.data import Dataset
from dcgan.data.findings import printable
from dcgan.data.formats.tree import Tree, folder_tree
from dcgan.data.formats.zipped import is_zip, zip_tree
from dcgan.data.images import UnreadableError
from dcgan.errors import DcganError
from dcgan.evaluation.labeller import Labeller
from dcgan.evaluation.labelling import Tally, columns
from dcgan.files import encoded, exists, is_file, is_folder, make_folder, whole_folder, write_atomic
from dcgan.pictures import png

TABLE = "labels.csv"
BLOCK = 512
LARGEST_MANIFEST = 64 * 2**20
"""Bytes of a manifest that is read for the classes asked for."""

Report = Callable[[str], None]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Labelled:
    """What came of it. folder: holds `table`, a sheet and, where asked for, the pictures in a folder per class.

    counts: int64 (K,), pictures of each of the labeller's classes. doubtful: those below a confidence of 0.5.
    asked, agreed: pictures whose class was known before, and those of them that the labeller gives the same class.
    """

    folder: Path
    table: Path
    labeller: Labeller
    counts: NDArray[np.int64]
    doubtful: int
    asked: int
    agreed: int


def label_pictures(
    source: str | Path,
    pictures: Dataset,
    labeller: Labeller,
    out: Path,
    folders: bool,
    tell: Report | None,
    progress: Progress | None,
) -> Labelled:
    """Label `pictures`, read from `source`, into a new folder `out`: `labels.csv`, `sheet.png`, copies if `folders`.

    The folder appears when it is complete. The table's columns are file, label, confidence, runner_up,
    runner_up_confidence, and asked where a picture's class is known, by its folder or by a manifest of designs.
    """
    names = pictures.names or tuple(f"{index:06d}" for index in range(len(pictures)))
    asked, listed = _asked(source, pictures, names)
    # A user's own folders may mean something else than classes.
    classes = {name.casefold() for name in labeller.classes}
    asked = [name if name.casefold() in classes else "" for name in asked]
    chosen = [index for index, name in enumerate(names) if listed is None or name in listed]
    if tell and len(chosen) < len(names):
        tell(f"{len(names) - len(chosen)} of the pictures are not in {designs.MANIFEST} and were left out")
    if not chosen:
        raise DcganError(f"{source}: {designs.MANIFEST} lists none of the pictures here")
    known = any(asked)
    tally = Tally(labeller)
    rows = io.StringIO()
    table = csv.writer(rows, lineterminator="\n")
    table.writerow(["file", "label", *designs.LABELLED[1:], *(["asked"] if known else [])])
    asked_count = agreed = 0
    with whole_folder(out) as making:
        with _files(source, pictures, folders) as tree:
            copies = _Copies(making, labeller.classes, tree)
            for start in range(0, len(chosen), BLOCK):
                block = chosen[start : start + BLOCK]
                found = tally.add(np.ascontiguousarray(pictures.images[block]))
                for at, index in enumerate(block):
                    seen = columns(found, at, labeller.classes)
                    table.writerow([names[index], *seen, *([asked[index]] if known else [])])
                    asked_count += bool(asked[index])
                    agreed += bool(asked[index]) and asked[index].casefold() == seen[0].casefold()
                    if folders:
                        copies.add(names[index], int(found.label[at]), pictures.images[index])
                if progress:
                    progress(start + len(block), len(chosen))
        write_atomic(making / TABLE, encoded(rows.getvalue()))
        write_atomic(
            making / designs.SHEET, png(tally.sheet(f"{pictures.name}: {len(chosen):,} pictures labelled"))
        )
    return Labelled(out, out / TABLE, labeller, tally.counts, tally.doubtful, asked_count, agreed)


class _Copies:
    """Pictures copied into a folder per class: the file's own bytes, or a PNG where a picture has no file."""

    def __init__(self, folder: Path, classes: tuple[str, ...], tree: Tree | None) -> None:
        self.folder, self.tree = folder, tree
        self.places = designs.class_folders(classes)
        self.entries = {printable(entry.name): entry for entry in tree.entries} if tree else {}
        self.taken: set[tuple[int, str]] = set()

    def add(self, name: str, label: int, image: NDArray[np.uint8]) -> None:
        """Copy the picture called `name`."""
        content, ending = png(image.transpose(1, 2, 0)), ".png"
        if self.tree and name in self.entries:
            with suppress(UnreadableError):  # it changed since it was labelled: what was labelled is kept
                content, ending = self.tree.read(self.entries[name]), PurePosixPath(name).suffix.lower()
        stem, ending = designs.file_word(PurePosixPath(name).stem), f".{designs.file_word(ending)}"
        word, number = stem, 2
        while (label, word.casefold() + ending) in self.taken:
            word, number = f"{stem}-{number}", number + 1
        self.taken.add((label, word.casefold() + ending))
        place = make_folder(self.folder / designs.CLASSES / self.places[label])
        (place / f"{word}{ending}").write_bytes(content)


def _files(source: str | Path, pictures: Dataset, wanted: bool) -> AbstractContextManager[Tree | None]:
    """The files that the pictures came from, where they did."""
    path = Path(source)
    if not wanted or pictures.names is None or not exists(path):
        return nullcontext(None)
    if is_folder(path):
        return nullcontext(folder_tree(path))
    return zip_tree(path) if is_zip(path) else nullcontext(None)


def _asked(
    source: str | Path, pictures: Dataset, names: tuple[str, ...]
) -> tuple[list[str], Mapping[str, str] | None]:
    """The class that each picture was to be of, "" where unknown; and the files that a manifest of designs lists."""
    manifest = Path(source) / designs.MANIFEST
    if is_file(manifest) and manifest.stat().st_size <= LARGEST_MANIFEST:
        table = csv.reader(io.StringIO(manifest.read_text("utf-8", "replace")))
        try:
            if tuple(next(table, [])[: len(designs.COLUMNS)]) == designs.COLUMNS:
                listed = {row[0]: row[3] for row in table if len(row) >= len(designs.COLUMNS)}
                return [listed.get(name, "") for name in names], listed
        except csv.Error:
            pass
    if pictures.labels is None:
        return [""] * len(names), None
    return [pictures.classes[label] for label in pictures.labels], None
