"""CelebA: faces as JPEGs in one zip, decoded straight to the size asked for, with their attributes as words."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dcgan.data.images import LARGEST_FILE, UnreadableError, decode, fit
from dcgan.errors import DcganError

PARTS = {"train": "0", "val": "1", "test": "2"}
"""How list_eval_partition.txt names the splits."""

FOLDER = "img_align_celeba/"
_IN_FLIGHT = 256
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
    names: tuple[str, ...],
    size: tuple[int, int],
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.uint8]:
    """The pictures `names` of the zip: uint8 (N, 3, *size), read in place, centre crop.

    The archive was verified by its checksum, so a picture that cannot be read is a `DcganError`, not skipped.
    """
    try:
        images = np.empty((len(names), 3, *size), np.uint8)
    except MemoryError:
        need = len(names) * 3 * size[0] * size[1] / 2**30
        raise DcganError(
            f"celeba: {len(names):,} images of {size[0]}×{size[1]} need {need:.1f} GiB of memory: "
            "choose a smaller size"
        ) from None

    with zipfile.ZipFile(archive) as opened, ThreadPoolExecutor(os.cpu_count()) as pool:

        def read(index: int) -> None:
            with opened.open(FOLDER + names[index]) as member:
                content = member.read(LARGEST_FILE + 1)
            pixels = np.asarray(fit(decode(content, near=max(size)).convert("RGB"), size))
            images[index] = pixels.transpose(2, 0, 1)

        try:
            for start in range(0, len(names), _IN_FLIGHT):
                stop = min(start + _IN_FLIGHT, len(names))
                for _ in pool.map(read, range(start, stop)):
                    pass
                if progress:
                    progress(stop, len(names))
        except (*_BROKEN, UnreadableError) as error:
            pool.shutdown(cancel_futures=True)
            raise DcganError(f"celeba: {archive} holds a picture that cannot be read: {error}") from error
    return images
