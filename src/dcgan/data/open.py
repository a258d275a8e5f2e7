"""One door to all data: the name of a set, or a path."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dcgan.data.dataset import Dataset
from dcgan.data.findings import Findings, printable
from dcgan.data.formats.cifar import is_cifar, read_cifar
from dcgan.data.formats.folder import read_folder, read_zip
from dcgan.data.formats.idx_files import is_idx, read_idx_files
from dcgan.data.formats.npz import is_npz, read_npz
from dcgan.data.formats.pixel_csv import is_pixel_csv, read_pixel_csv
from dcgan.data.formats.zipped import is_zip
from dcgan.data.images import fit_all, with_channels
from dcgan.data.named.catalog import SETS
from dcgan.data.named.reading import read_named
from dcgan.data.options import Options, Progress, Report
from dcgan.errors import DcganError, one_of


@dataclass(frozen=True)
class Kind:
    """One kind of path that can be read."""

    title: str
    fits: Callable[[Path], bool]
    read: Callable[[Path, Options], Dataset]


KINDS = (
    Kind("a CSV of pixels", is_pixel_csv, read_pixel_csv),
    Kind("a NumPy file", is_npz, read_npz),
    Kind("IDX files", is_idx, read_idx_files),
    Kind("CIFAR batches", is_cifar, read_cifar),
    Kind("a zip of images", is_zip, read_zip),
    Kind("a folder of images", Path.is_dir, read_folder),
)
"""Tried in order; the first that fits reads. A new format is a new row."""


def open_dataset(
    source: str | Path,
    *,
    split: str = "train",
    size: tuple[int, int] | None = None,
    channels: int | None = None,
    fit: str = "crop",
    fallback: int | None = None,
    report: Report | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """The pictures of a named set or of a path.

    source: a name of the catalog, or a path of one of `KINDS`. A name of the catalog is the set even where a folder
        has the same name: './mnist', or a `Path`, is the folder.
    split: "train", "test" or "all". A path without splits has only "train".
    size: (height, width), each 8 … 128.
    channels: 1 or 3; by default what the set has.
    fit: how pictures of another shape come to `size`: "crop" their centre, "pad" with white, or "stretch".
    fallback: side of the square to bring a path's images to when `size` is not given and they share none.
    report: given a line when something takes long; progress: given (images done, images in all).

    `origin` says what was read: `kind` (a title of `KINDS`, or "a named set"), `split`, `fit`, and the facts of
    `findings.Findings`. Raises `DcganError` in one line for every mistake.
    """
    options = Options(split, size, channels, fit, fallback, report, progress)
    if isinstance(source, str) and source in SETS:
        data = read_named(SETS[source], split, report, size, progress, fit)
        images = with_channels(fit_all(data.images, size or data.size, fit), channels or data.channels)
        changed = dataclasses.replace(data, images=images, origin=_origin(data, "a named set", options))
        if data.shape != changed.shape:
            changed.origin["notes"] = [f"pictures of {data.shape} were brought to {changed.shape}"]
        return changed
    path = _existing(source)
    for kind in KINDS:
        if kind.fits(path):
            try:
                data = kind.read(path, options)
            except MemoryError:
                raise DcganError(f"{printable(str(source))} needs more memory than there is") from None
            data.origin.update(_origin(data, kind.title, options))
            return data
    readable = ", ".join(kind.title for kind in KINDS)
    raise DcganError(f"{printable(str(source))} is not a kind of data that is read, which is: {readable}")


def _origin(data: Dataset, kind: str, options: Options) -> dict[str, Any]:
    """The reader's own facts, with those that every origin has."""
    return {**Findings().facts(), **data.origin, "kind": kind, "split": options.split, "fit": options.fit}


def _existing(source: str | Path) -> Path:
    if not isinstance(source, str | Path):
        raise DcganError(f"data is {source!r:.80}: expected the name of a set or a path")
    path = Path(source)
    try:
        path.stat()
    except (OSError, ValueError) as error:
        if isinstance(source, Path) or os.sep in source:
            reason = getattr(error, "strerror", None) or "no such path"
            raise DcganError(f"cannot open {printable(str(source))[:200]}: {reason}") from None
        raise one_of("data", printable(source), SETS, "A path to a folder of images works too.") from None
    if source == "":
        raise one_of("data", source, SETS, "A path to a folder of images works too.")
    return path
