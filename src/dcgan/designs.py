"""Designs on disk: each picture a file of its own, a manifest that says what it is, and a contact sheet."""

from __future__ import annotations

import csv
import io
import os
import re
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dcgan.errors import DcganError
from dcgan.evaluation.labelling import Tally, columns
from dcgan.files import exists, is_folder, make_folder, whole_folder, write_atomic
from dcgan.model import Model
from dcgan.pictures import png, sheet
from dcgan.training.folder import new_name, slug

MANIFEST, SHEET = "manifest.csv", "sheet.png"
COLUMNS = ("file", "seed", "index", "label", "score")
LABELLED = ("class", "confidence", "runner_up", "runner_up_confidence")
"""Columns that a labeller adds: the class it sees, how sure it is (0 … 1), and the next likely class."""
ON_SHEET = 400
CLASSES = "classes"
"""The folder of the folders per class: nothing lies beside these, so that it can be trained on as it is."""


def write_designs(
    model: Model,
    out: Path,
    count: int,
    *,
    label: Sequence[str] | None = None,
    seed: int = 0,
    balanced: bool = False,
    tally: Tally | None = None,
    by_class: bool = False,
    folders: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write `count` designs of `seed` into a new folder `out` and return it: PNGs, `manifest.csv`, `sheet.png`.

    The folder appears when it is complete: made beside its place first, then renamed. The manifest's columns are
    file, seed, index, label (empty without classes) and score, D's logit: higher looks more real to D.
    tally: labels the designs, in the columns of `LABELLED`. by_class: the sheet has a row for each class seen in them,
    the most confident first. folders: each design lies in classes/CLASS, the class seen in it.
    progress is told (done, count).
    """
    check_place(out)
    blocks = model.blocks(count, label=label, seed=seed, balanced=balanced)
    with whole_folder(out) as making:
        rows = io.StringIO()
        table = csv.writer(rows, lineterminator="\n")
        table.writerow([*COLUMNS, *(LABELLED if tally else ())])
        places = class_folders(tally.labeller.classes) if tally and folders else ()
        shown: list[NDArray[np.uint8]] = []
        shown_labels: list[NDArray[np.int64]] = []
        done = 0
        for block in blocks:
            names = (
                [""] * len(block.index) if block.labels is None else [model.classes[k] for k in block.labels]
            )
            found = tally.add(block.images.transpose(0, 3, 1, 2)) if tally else None
            rest = zip(block.index, block.images, names, block.scores, strict=True)
            for at, (index, image, name, score) in enumerate(rest):
                file = f"{index:06d}-{file_word(name)}.png" if name else f"{index:06d}.png"
                if found and places:
                    file = f"{CLASSES}/{places[found.label[at]]}/{file}"
                    make_folder((making / file).parent)
                (making / file).write_bytes(png(image))
                seen = columns(found, at, tally.labeller.classes) if tally and found else []
                table.writerow([file, seed, index, name, f"{score:.4f}", *seen])
            if done < ON_SHEET:
                shown.append(block.images)
                shown_labels += [] if block.labels is None else [block.labels]
            done += len(block.index)
            if progress:
                progress(done, count)
        write_atomic(making / MANIFEST, rows.getvalue())
        write_atomic(
            making / SHEET,
            png(tally.sheet(f"{model.name}: {count:,} designs by the class seen in them"))
            if tally and by_class
            else _contact_sheet(model, shown, shown_labels, count),
        )
    return out


def file_word(name: str) -> str:
    """The part of a file's name that says `name`: letters and digits of any alphabet, and hyphens.

    The case is kept: Cat and cat may be two classes.

    At most 64 characters and 120 bytes; "class" where nothing is left.
    """
    # Vowel signs and accents (category M) belong to the letter before them.
    letters = unicodedata.normalize("NFC", name)
    kept = "".join(c if unicodedata.category(c)[0] in "LMN" else "-" for c in letters)
    word = re.sub("-+", "-", kept).strip("-")[:64]
    try:
        return os.fsdecode(os.fsencode(word)[:120].decode(errors="ignore")).strip("-") or "class"
    except UnicodeError:  # a system whose file names are ASCII
        return slug(name)


def class_folders(classes: Sequence[str]) -> tuple[str, ...]:
    """A folder's name for each class, safe on any disk; what would be one folder is told apart by a number."""
    taken: set[str] = set()
    names = []
    for name in classes:
        word = file_word(name)
        place, number = word, 2
        while place.casefold() in taken:
            place, number = f"{word}-{number}", number + 1
        taken.add(place.casefold())
        names.append(place)
    return tuple(names)


def check_place(out: Path) -> None:
    """Refuse a folder that holds something, and one that cannot be replaced by a new one."""
    if not out.name or out.resolve() in (Path.cwd(), *Path.cwd().parents):
        raise DcganError(
            f"--out {out} is the folder you are in, or above it: name a new one, such as designs"
        )
    try:
        if exists(out) and not is_folder(out):
            raise DcganError(f"{out} is a file: choose a folder with --out")
        if exists(out) and any(out.iterdir()):
            raise DcganError(f"{out} exists and is not empty: choose another folder with --out")
    except OSError as error:
        raise DcganError(f"cannot open {out}: {error.strerror}") from None


def new_folder(parent: Path, model: Model) -> Path:
    """A folder for designs that does not exist yet: parent/NAME-1, NAME-2, …"""
    return parent / new_name(parent, slug(model.name))


def _contact_sheet(
    model: Model, images: list[NDArray[np.uint8]], labels: list[NDArray[np.int64]], total: int
) -> bytes:
    pictures = np.concatenate(images)[:ON_SHEET]
    known = np.concatenate(labels)[:ON_SHEET] if labels else None
    caption = f"{model.name}: {total:,} design{'s' * (total > 1)}"
    if total > len(pictures):
        caption += f", the first {len(pictures)} shown"
    return png(sheet(pictures, known, model.classes, caption=caption))
