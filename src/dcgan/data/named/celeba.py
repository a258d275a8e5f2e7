"""CelebA: faces as JPEGs in one zip, decoded straight to the size asked for, with their attributes as words."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcgan.data.decoding import in_parallel
from dcgan.data.images import LARGEST_FILE, UnreadableError, decode, fit
from dcgan.data.memory import Shape, out_of_memory
from dcgan.data.prepared import READER, Cache
from dcgan.errors import DcganError

PARTS = {"train": "0", "val": "1", "test": "2"}
"""How list_eval_partition.txt names the splits."""

FOLDER = "img_align_celeba/"
_BROKEN = (OSError, EOFError, KeyError, RuntimeError, NotImplementedError, zlib.error, zipfile.BadZipFile)


def names_of(partition: bytes, split: str) -> tuple[str, ...]:
    """The file names of one split, from list_eval_partition.txt, in its order."""
    lines = (line.split() for line in partition.decode("ascii").splitlines())
    return tuple(line[0] for line in lines if len(line) == 2 and line[1] == PARTS[split])


def captions_of(attributes: bytes, names: tuple[str, ...]) -> tuple[str, ...]:
    """What list_attr_celeba.txt says of each picture: "arched eyebrows, smiling, young"."""
    lines = attributes.decode("ascii").splitlines()
    words = [word.replace("_", " ").lower() for word in lines[1].split()]
    told = {}
    for line in lines[2:]:
        name, *values = line.split()
        told[name] = ", ".join(word for word, value in zip(words, values, strict=True) if value == "1")
    return tuple(told[name] for name in names)


def read_faces(
    archive: Path,
    sha256: str,
    names: tuple[str, ...],
    size: tuple[int, int],
    how: str,
    notes: list[str],
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.uint8]:
    """The pictures `names` of the zip: uint8 (N, 3, *size), read in place; kept prepared for the next time.

    sha256: of the archive, which was verified: so a picture that cannot be read is a `DcganError`, not skipped.
    how: one of `images.FITS`. notes: gets what the user should know of the cache.
    """
    shape = (len(names), 3, *size)
    key = hashlib.sha256(repr((READER, "celeba", sha256, names, size, how)).encode()).hexdigest()

    def decoded(images: NDArray[np.uint8]) -> tuple[str, Shape, dict[str, Any]]:
        try:
            with zipfile.ZipFile(archive) as opened:
                in_parallel(
                    lambda index: _decode(opened, names, index, how, images), range(len(names)), progress
                )
        except (*_BROKEN, UnreadableError) as error:
            raise DcganError(f"celeba: {archive} holds a picture that cannot be read: {error}") from error
        return key, shape, {}

    cache = Cache.find()
    kept = (cache.load(key) or cache.prepare(shape, decoded)) if cache else None
    if cache:
        notes += cache.notes
    if kept:
        return kept.images
    with out_of_memory(shape):
        images = np.empty(shape, np.uint8)
    decoded(images)
    return images


def _decode(
    opened: zipfile.ZipFile, names: tuple[str, ...], index: int, how: str, images: NDArray[np.uint8]
) -> None:
    size = images.shape[2], images.shape[3]
    with opened.open(FOLDER + names[index]) as member:
        content = member.read(LARGEST_FILE + 1)
    pixels = np.asarray(fit(decode(content, near=max(size)).convert("RGB"), size, how))
    images[index] = pixels.transpose(2, 0, 1)
