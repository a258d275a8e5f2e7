"""One door to all data: the name of a set, or a path."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dcgan.data.catalog import SETS
from dcgan.data.dataset import Dataset
from dcgan.data.fetch import Report
from dcgan.data.folder import LARGEST, SMALLEST, Progress, printable, read_folder
from dcgan.data.images import fit_all, with_channels
from dcgan.data.named import read_named
from dcgan.data.rows import SPLITS
from dcgan.errors import DcganError, one_of


@dataclass(frozen=True)
class Kind:
    """One kind of path that can be read; `read` takes the path and `read_folder`'s options."""

    title: str
    fits: Callable[[Path], bool]
    read: Callable[..., Dataset]


KINDS = (Kind("a folder of images", Path.is_dir, read_folder),)
"""Tried in order; the first that fits reads. A new format is a new row."""


def open_dataset(
    source: str | Path,
    *,
    split: str = "train",
    size: tuple[int, int] | None = None,
    channels: int | None = None,
    fallback: int | None = None,
    report: Report | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """The pictures of a named set or of a path.

    source: a name of the catalog, or a path. A name of the catalog is the set even where a folder has the
        same name: './mnist', or a `Path`, is the folder.
    split: "train", "test" or "all". A path has no splits: "test" is refused.
    size: (height, width), each 8 … 128; pictures are cropped around the centre and resized.
    channels: 1 or 3; by default what the set has.
    fallback: side of the square to bring a folder's images to when `size` is not given and they share none.
    report: given a line when something takes long; progress: given (images done, images in all).

    Raises `DcganError` in one line for every mistake.
    """
    if split not in (*SPLITS, "all"):
        raise one_of("split", str(split), (*SPLITS, "all"))
    if size is not None and not all(SMALLEST <= side <= LARGEST for side in size):
        raise DcganError(f"size is {size[0]}×{size[1]}: sides must be from {SMALLEST} to {LARGEST} pixels")
    if channels not in (None, 1, 3):
        raise DcganError(f"channels is {channels}: must be 1 (grey) or 3 (colour)")
    if isinstance(source, str) and source in SETS:
        data = read_named(SETS[source], split, report, size, progress)
        images = with_channels(fit_all(data.images, size or data.size), channels or data.channels)
        return dataclasses.replace(data, images=images)
    path = _existing(source)
    if split == "test":
        raise DcganError(f"{printable(str(source))} has no test split: leave split out, or open another path")
    for kind in KINDS:
        if kind.fits(path):
            data = kind.read(path, size=size, channels=channels, fallback=fallback, progress=progress)
            return dataclasses.replace(data, origin={**data.origin, "split": split})
    readable = ", ".join(kind.title for kind in KINDS)
    raise DcganError(f"{printable(str(source))} is not a kind of data that is read, which is: {readable}")


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
