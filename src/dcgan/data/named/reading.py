"""A named set, opened: its files fetched, read by the reader of its row, and put together split by split."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dcgan.data.dataset import Dataset
from dcgan.data.formats.idx import read_idx
from dcgan.data.named.celeba import captions_of, names_of, read_faces
from dcgan.data.named.emoji import emoji_rows
from dcgan.data.named.fetch import Fetched, Report, fetch
from dcgan.data.named.mat import read_mat
from dcgan.data.named.rows import NamedSet
from dcgan.data.options import Progress
from dcgan.errors import DcganError


class Pictures(NamedTuple):
    """One split: images (uint8, NCHW), labels (int64, (N,)); a caption and a file name per image, or none."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    captions: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Request:
    """What a reader is given: one split of a set, and its files.

    size: (height, width) to decode to, and how another shape comes to it, for pictures too large to be held as
    they are.
    """

    named: NamedSet
    split: str
    fetched: Fetched
    size: tuple[int, int]
    how: str = "crop"
    progress: Progress | None = None

    @property
    def contents(self) -> list[bytes]:
        """The files of the split, in the order of the catalog."""
        return [self.fetched.contents[file.name] for file in self.named.files_of(self.split)]


def read_named(
    named: NamedSet,
    split: str = "train",
    report: Report | None = None,
    size: tuple[int, int] | None = None,
    progress: Progress | None = None,
    how: str = "crop",
) -> Dataset:
    """The set as its authors made it; "all" is every split, one after the other.

    size: (height, width) asked for, how: one of `images.FITS`. Only a set in `SHRUNK` comes so; the others come at
        their own size.
    progress: given (pictures read, pictures in all) where reading takes long.
    """
    splits = named.splits(split)
    files = list(dict.fromkeys(file for part in splits for file in named.files_of(part)))
    fetched = fetch(named, files, report)
    shape = size if size and named.reader in SHRUNK else named.size
    parts = []
    for part in splits:
        read = READERS[named.reader](Request(named, part, fetched, shape, how, progress))
        expected = (named.images[part], named.channels, *shape)
        if read.images.shape != expected or len(read.labels) not in (0, len(read.images)):
            raise DcganError(
                f"{named.name}: its {part} split, {read.images.shape}, is not as the catalog says"
            )
        parts.append(read)
    labels = np.concatenate([part.labels for part in parts])
    captions = tuple(chain.from_iterable(part.captions for part in parts)) or None
    names = tuple(chain.from_iterable(part.names for part in parts)) or None
    used = [file for file in files if file not in fetched.missing(files)]
    return Dataset(
        name=named.name,
        images=_together(parts),
        labels=labels if named.classes else None,
        classes=named.classes,
        origin={
            "source": named.name,
            "split": split,
            "licence": named.licence,
            "files": {file.name: file.sha256 for file in used},
            "skipped": [],
            "skipped_count": 0,
            "notes": fetched.notes,
        },
        captions=captions,
        names=names,
    )


def _together(parts: list[Pictures]) -> NDArray[np.uint8]:
    """All images in one array of our own; a part is let go as soon as it was copied."""
    first = parts[0].images
    if (
        len(parts) == 1
        and first.flags.c_contiguous
        and (first.flags.writeable or isinstance(first, np.memmap))
    ):
        return first
    shape = first.shape[1:]
    del first
    images = np.empty((sum(len(part.images) for part in parts), *shape), np.uint8)
    at = 0
    while parts:
        part = parts.pop(0).images
        images[at : at + len(part)] = part
        at += len(part)
    return images


def _idx(request: Request) -> Pictures:
    images, labels = (read_idx(content, request.named.name) for content in request.contents)
    return Pictures(images[:, None], labels.astype(np.int64))


def _csv(request: Request) -> Pictures:
    """Rows of grey values and, last, the label."""
    rows = np.loadtxt(request.contents[0].decode("ascii").splitlines(), np.uint8, delimiter=",", ndmin=2)
    return Pictures(
        rows[:, :-1].reshape(-1, request.named.channels, *request.named.size), rows[:, -1].astype(np.int64)
    )


def _digits(request: Request) -> Pictures:
    from sklearn.datasets import load_digits  # here, because it takes a second to import

    pixels, labels = load_digits(return_X_y=True)
    images = np.rint(pixels * (255 / 16)).astype(np.uint8)  # its greys are 0 … 16
    return Pictures(images.reshape(-1, 1, *request.named.size), labels.astype(np.int64))


def _cifar(request: Request) -> Pictures:
    """Per image a byte of label, then the red, green and blue plane."""
    rows = np.frombuffer(b"".join(request.contents), np.uint8).reshape(
        -1, 1 + request.named.channels * math.prod(request.named.size)
    )
    return Pictures(
        rows[:, 1:].reshape(-1, request.named.channels, *request.named.size), rows[:, 0].astype(np.int64)
    )


def _emoji(request: Request) -> Pictures:
    """emoji.json, and the pictures as one RGBA array, composited on white here."""
    rows = emoji_rows(request.contents[0])
    height, width = request.named.size
    tall = Image.frombytes("RGBA", (width, height * len(rows)), request.contents[1])
    flat = Image.alpha_composite(Image.new("RGBA", tall.size, "white"), tall).convert("RGB")
    images = np.asarray(flat).reshape(-1, height, width, 3).transpose(0, 3, 1, 2)
    return Pictures(
        np.ascontiguousarray(images),
        np.array([request.named.classes.index(row.category) for row in rows], np.int64),
        tuple(row.name for row in rows),
        tuple(row.file for row in rows),
    )


def _svhn(request: Request) -> Pictures:
    """X is (32, 32, 3, N), y is (N, 1) with 10 for the digit 0."""
    where = f"{request.named.name} {request.split}"
    pixels = math.prod(request.named.size) * request.named.channels
    most = request.named.images[request.split] * (pixels + 8) + 4096  # a label is a double at most
    arrays = read_mat(request.contents[0], where, most)
    images, labels = arrays.get("X"), arrays.get("y")
    if images is None or images.dtype != np.uint8 or images.ndim != 4 or labels is None:
        raise DcganError(f"{where}: holds no pictures X and labels y")
    return Pictures(np.ascontiguousarray(images.transpose(3, 2, 0, 1)), labels.ravel().astype(np.int64) % 10)


def _celeba(request: Request) -> Pictures:
    """The zip, the list of splits and, where it is there, the list of attributes."""
    archive, partition, attributes = request.named.files
    names = names_of(request.fetched.contents[partition.name], request.split)
    told = request.fetched.contents.get(attributes.name)
    images = read_faces(
        request.fetched.paths[archive.name],
        archive.sha256,
        names,
        request.size,
        request.how,
        request.fetched.notes,
        request.progress,
    )
    return Pictures(images, np.zeros(0, np.int64), captions_of(told, names) if told else (), names)


Reader = Callable[[Request], Pictures]
READERS: dict[str, Reader] = {
    "idx": _idx,
    "csv": _csv,
    "digits": _digits,
    "cifar": _cifar,
    "emoji": _emoji,
    "svhn": _svhn,
    "celeba": _celeba,
}
"""How the files of one split become pictures."""

SHRUNK = {"celeba"}
"""Readers that decode straight to the size asked for: at their own size the pictures would fill the memory."""
