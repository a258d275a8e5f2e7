"""A named set, opened: its files fetched, read by the reader of its row, and put together split by split."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dcgan.data.catalog import NamedSet
from dcgan.data.dataset import Dataset
from dcgan.data.emoji import emoji_rows
from dcgan.data.fetch import Report, fetch
from dcgan.data.idx import read_idx
from dcgan.errors import DcganError


class Pictures(NamedTuple):
    """One split: images (uint8, NCHW), labels (int64, (N,)); a caption and a file name per image, or none."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    captions: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


def read_named(named: NamedSet, split: str = "train", report: Report | None = None) -> Dataset:
    """The set as its authors made it, at its own size; "all" is the train split, then the test split."""
    splits = named.splits(split)
    files = [file for part in splits for file in named.files_of(part)]
    fetched = fetch(named, files, report)
    parts = []
    for part in splits:
        contents = [fetched.contents[file.name] for file in named.files_of(part)]
        read = READERS[named.reader](named, contents)
        expected = (named.images[part], named.channels, *named.size)
        if read.images.shape != expected or len(read.labels) != len(read.images):
            raise DcganError(
                f"{named.name}: its {part} split, {read.images.shape}, is not as the catalog says"
            )
        parts.append(read)
    return Dataset(
        name=named.name,
        images=np.concatenate([part.images for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
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
        captions=tuple(chain.from_iterable(part.captions for part in parts)) or None,
        names=tuple(chain.from_iterable(part.names for part in parts)) or None,
    )


def _idx(named: NamedSet, contents: Sequence[bytes]) -> Pictures:
    images, labels = (read_idx(content, named.name) for content in contents)
    return Pictures(images[:, None], labels.astype(np.int64))


def _csv(named: NamedSet, contents: Sequence[bytes]) -> Pictures:
    """Rows of grey values and, last, the label."""
    rows = np.loadtxt(contents[0].decode("ascii").splitlines(), np.uint8, delimiter=",", ndmin=2)
    return Pictures(rows[:, :-1].reshape(-1, named.channels, *named.size), rows[:, -1].astype(np.int64))


def _digits(named: NamedSet, contents: Sequence[bytes]) -> Pictures:
    from sklearn.datasets import load_digits  # here, because it takes a second to import

    pixels, labels = load_digits(return_X_y=True)
    images = np.rint(pixels * (255 / 16)).astype(np.uint8)  # its greys are 0 … 16
    return Pictures(images.reshape(-1, 1, *named.size), labels.astype(np.int64))


def _cifar(named: NamedSet, contents: Sequence[bytes]) -> Pictures:
    """Per image a byte of label, then the red, green and blue plane."""
    rows = np.frombuffer(b"".join(contents), np.uint8).reshape(-1, 1 + named.channels * math.prod(named.size))
    return Pictures(rows[:, 1:].reshape(-1, named.channels, *named.size), rows[:, 0].astype(np.int64))


def _emoji(named: NamedSet, contents: Sequence[bytes]) -> Pictures:
    """emoji.json, and the pictures as one RGBA array, composited on white here."""
    rows = emoji_rows(contents[0])
    height, width = named.size
    tall = Image.frombytes("RGBA", (width, height * len(rows)), contents[1])
    flat = Image.alpha_composite(Image.new("RGBA", tall.size, "white"), tall).convert("RGB")
    images = np.asarray(flat).reshape(-1, height, width, 3).transpose(0, 3, 1, 2)
    return Pictures(
        np.ascontiguousarray(images),
        np.array([named.classes.index(row.category) for row in rows], np.int64),
        tuple(row.name for row in rows),
        tuple(row.file for row in rows),
    )


Reader = Callable[[NamedSet, Sequence[bytes]], Pictures]
READERS: dict[str, Reader] = {"idx": _idx, "csv": _csv, "digits": _digits, "cifar": _cifar, "emoji": _emoji}
"""How the files of one split, in the order of the catalog, become pictures."""
