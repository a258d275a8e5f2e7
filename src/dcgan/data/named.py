"""A named set, opened: its files fetched, read by the reader of its row, and put together split by split."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from dcgan.data.catalog import NamedSet
from dcgan.data.dataset import Dataset
from dcgan.data.fetch import Report, fetch
from dcgan.data.idx import read_idx
from dcgan.errors import DcganError

Pictures = tuple[NDArray[np.uint8], NDArray[np.int64]]
"""Images (uint8, NCHW) and labels (int64, (N,)) of one split."""


def read_named(named: NamedSet, split: str = "train", report: Report | None = None) -> Dataset:
    """The set as its authors made it, at its own size; "all" is the train split, then the test split."""
    splits = named.splits(split)
    files = [file for part in splits for file in named.files_of(part)]
    fetched = fetch(named, files, report)
    parts = []
    for part in splits:
        contents = [fetched.contents[file.name] for file in named.files_of(part)]
        images, labels = READERS[named.reader](named, contents)
        if images.shape != (named.images[part], named.channels, *named.size) or len(labels) != len(images):
            raise DcganError(f"{named.name}: its {part} split, {images.shape}, is not as the catalog says")
        parts.append((images, labels))
    return Dataset(
        name=named.name,
        images=np.concatenate([images for images, _ in parts]),
        labels=np.concatenate([labels for _, labels in parts]),
        classes=named.classes,
        origin={
            "source": named.name,
            "split": split,
            "licence": named.licence,
            "files": {file.name: file.sha256 for file in files},
            "skipped": [],
            "skipped_count": 0,
            "notes": fetched.notes,
        },
    )


def _idx(named: NamedSet, contents: Sequence[bytes]) -> Pictures:
    images, labels = (read_idx(content, named.name) for content in contents)
    return images[:, None], labels.astype(np.int64)


def _csv(named: NamedSet, contents: Sequence[bytes]) -> Pictures:
    """Rows of grey values and, last, the label."""
    rows = np.loadtxt(contents[0].decode("ascii").splitlines(), np.uint8, delimiter=",", ndmin=2)
    return rows[:, :-1].reshape(-1, named.channels, *named.size), rows[:, -1].astype(np.int64)


def _digits(named: NamedSet, contents: Sequence[bytes]) -> Pictures:
    from sklearn.datasets import load_digits  # here, because it takes a second to import

    pixels, labels = load_digits(return_X_y=True)
    images = np.rint(pixels * (255 / 16)).astype(np.uint8)  # its greys are 0 … 16
    return images.reshape(-1, 1, *named.size), labels.astype(np.int64)


Reader = Callable[[NamedSet, Sequence[bytes]], Pictures]
READERS: dict[str, Reader] = {"idx": _idx, "csv": _csv, "digits": _digits}
"""How the files of one split, in the order of the catalog, become pictures."""
