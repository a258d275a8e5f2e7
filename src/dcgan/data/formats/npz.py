"""NPY and NPZ files: arrays of pictures and labels, found by their usual names; never a pickle."""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from dcgan.data.dataset import Dataset
from dcgan.data.findings import printable, some
from dcgan.data.formats.arrays import Part, Source, check_counts, times
from dcgan.data.formats.layout import SPLIT_NAMES
from dcgan.data.formats.zipped import BROKEN, check_directory
from dcgan.data.options import Options

IMAGES = ("images", "image", "imgs", "x", "data", "pixels", "samples", "arr_0")
LABELS = ("labels", "label", "y", "targets", "target", "classes", "class", "arr_1")
"""What the arrays may be called, in any case; with train, test or val before or after an underscore for splits."""

MOST_ARRAYS = 1000

LARGEST_RATIO, FREE_BYTES = 200, 2**26
"""An array of more bytes than that may not unpack to more than so many times its packed size."""

_SPLIT = "|".join(SPLIT_NAMES)


@dataclass(frozen=True)
class _Array:
    """An array in a file, not yet read. start: where its values begin, in bytes."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool
    start: int


def is_npz(path: Path) -> bool:
    """Whether this is a NumPy file, by name."""
    return path.suffix.lower() in (".npy", ".npz") and not path.is_dir()


def read_npz(path: Path, options: Options) -> Dataset:
    """Pictures and labels of an .npz, with its train and test arrays as splits, or the pictures of an .npy.

    (N, H, W), (N, H, W, C), (N, C, H, W) or (N, pixels) of bytes, whole numbers of 0 … 255, or floats in [0, 1],
    [-1, 1] or [0, 255]. Shape, type and size are checked against the file before memory is taken. Raises `DcganError`
    for arrays of objects, which only a pickle could read, and for whatever else is no array of pictures.
    """
    source = Source(path, options)
    if path.suffix.lower() == ".npy":
        with source.opened(path) as stream:
            size = path.stat().st_size
            array = _header(source, stream, path.name, size, size)
            images = source.images(_values(source, stream, array))
        return source.dataset({"train": lambda: Part(images)})
    with _archive(source) as archive:
        arrays = {}
        for info in archive.infolist():
            if info.filename.endswith(".npy"):
                with archive.open(info) as stream:
                    name = info.filename.removesuffix(".npy")
                    if name in arrays:
                        raise source.error(f"it holds two arrays called {printable(name)}")
                    arrays[name] = _header(source, stream, name, info.file_size, info.compress_size)

        def read(name: str) -> NDArray[Any]:
            with archive.open(f"{name}.npy") as stream:
                stream.read(arrays[name].start)
                return _values(source, stream, arrays[name])

        def part(images: str, labels: str | None) -> Part:
            pictures = source.images(read(images))
            if labels is None:
                return Part(pictures)
            values = read(labels)
            check_counts(source, len(pictures), len(values) if values.ndim else 1)
            return Part(pictures, source.labels(values))

        parts: dict[str, Callable[[], Part]] = {
            split: partial(part, images, labels)
            for split, (images, labels) in _splits(source, arrays).items()
        }
        return source.dataset(parts)


def _splits(source: Source, arrays: dict[str, _Array]) -> dict[str, tuple[str, str | None]]:
    """Split → names of its pictures and of its labels."""
    images: dict[str, str] = {}
    labels: dict[str, str] = {}
    for name in arrays:
        split, base = _parse(name.lower())
        if base in IMAGES and len(arrays[name].shape) in (2, 3, 4):
            images.setdefault(split, name)
        elif base in LABELS:
            labels.setdefault(split, name)
    if not images:
        likely = [name for name, array in arrays.items() if len(array.shape) in (3, 4)]
        if len(likely) != 1:
            held = ", ".join(f"{printable(name)} ({times(a.shape)})" for name, a in list(arrays.items())[:6])
            raise source.error(
                f"no array of pictures: it holds {held or 'no arrays'}; expected images, x or x_train"
            )
        images["all"] = likely[0]
        source.found.notes.append(
            f"the pictures are the array {printable(likely[0])}, the only one of their shape"
        )
    unused = [name for name in arrays if name not in (*images.values(), *labels.values())]
    if "train" not in images and "test" not in images and "val" not in images:
        images = {"train": images["all"]}
        labels = {"train": labels["all"]} if "all" in labels else {}
    elif "all" in images:
        unused.append(images.pop("all"))
    if "val" in images:
        if "test" in images:
            unused.append(images.pop("val"))
        else:
            images["test"] = images.pop("val")
            if "val" in labels:
                labels["test"] = labels.pop("val")
    if unused:
        source.found.notes.append(f"arrays not read: {some(unused, 6)}")
    return {split: (images[split], labels.get(split)) for split in ("train", "test") if split in images}


def _parse(name: str) -> tuple[str, str]:
    """("train", "x") of x_train, train_x or xtrain; ("all", name) of a name without a split."""
    if match := re.fullmatch(rf"({_SPLIT})_?(.+)", name):
        return SPLIT_NAMES[match[1]], match[2]
    if match := re.fullmatch(rf"(.+?)_?({_SPLIT})", name):
        return SPLIT_NAMES[match[2]], match[1]
    return "all", name


@contextmanager
def _archive(source: Source) -> Iterator[zipfile.ZipFile]:
    with source.opened(source.path) as stream:
        if not zipfile.is_zipfile(stream):
            raise source.error("not a whole NPZ file: it is another kind of file, or cut off")
        check_directory(stream, printable(str(source.path)))
        try:
            with zipfile.ZipFile(stream) as archive:
                if len(archive.infolist()) > MOST_ARRAYS:
                    raise source.error(f"it holds more than {MOST_ARRAYS} arrays")
                yield archive
        except BROKEN as error:
            raise source.error(
                f"damaged: {' '.join(str(error).split())[:120] or type(error).__name__}"
            ) from error


def _header(source: Source, stream: IO[bytes], name: str, size: int, packed: int) -> _Array:
    """Shape and type of the array in `stream`, checked against the `size` of the whole and its `packed` size."""
    shown = printable(name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers written by Python 2
            version = np.lib.format.read_magic(stream)
            if version == (1, 0):
                shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
            elif version == (2, 0):
                shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream)
            else:
                raise ValueError(f"version {version} of the format is not read")
    except (
        Exception
    ) as error:  # the header is an expression: what NumPy's parser raises for a strange one is open
        raise source.error(
            f"the header of {shown} is damaged: {' '.join(str(error).split())[:80]}"
        ) from error
    if dtype.hasobject:
        raise source.error(
            f"{shown} is an array of objects, which only a pickle can read: save it as numbers"
        )
    if dtype.kind not in "buifSU":
        raise source.error(f"{shown} is of type {str(dtype)[:40]}, which is neither numbers nor names")
    start = stream.tell()
    expected = prod(shape) * dtype.itemsize
    if any(side < 0 for side in shape) or start + expected != size:
        raise source.error(
            f"{shown} is damaged: its header promises {expected:,} bytes, {size - start:,} are there"
        )
    if expected > max(FREE_BYTES, LARGEST_RATIO * packed):
        raise source.error(
            f"{shown} would unpack to {expected // max(1, packed):,} times its size: a bomb, not read"
        )
    source.check_memory(expected)
    return _Array(name, shape, dtype, fortran, start)


def _values(source: Source, stream: IO[bytes], array: _Array) -> NDArray[Any]:
    """The values, read as they come: memory is taken only for what is there."""
    parts = []
    left = prod(array.shape) * array.dtype.itemsize
    while left and (part := stream.read(min(left, 2**22))):
        parts.append(part)
        left -= len(part)
    if left or stream.read(1):  # the read beyond the end also checks the archive's checksum
        raise source.error(f"{printable(array.name)} is damaged: it does not end where its header says")
    flat = np.frombuffer(bytearray().join(parts), array.dtype)
    try:
        return flat.reshape(array.shape[::-1]).transpose() if array.fortran else flat.reshape(array.shape)
    except ValueError:  # a side of 0 beside others whose product no array can have
        raise source.error(
            f"{printable(array.name)} is an array of {times(array.shape)}: no such can be"
        ) from None
