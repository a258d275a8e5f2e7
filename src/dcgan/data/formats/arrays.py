"""What array files share: shapes, ranges, class names, splits, and the way from an array to a `Dataset`."""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import stat
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from dcgan.data.dataset import Dataset
from dcgan.data.findings import Findings, printable
from dcgan.data.formats.layout import class_names
from dcgan.data.images import SMALLEST_SIDE, fit_all, with_channels
from dcgan.data.memory import physical_memory
from dcgan.data.options import Options
from dcgan.errors import DcganError

Labels = NDArray[np.int64] | Sequence[str] | None

_ROWS = 2**22
"""Values converted at a time."""


@dataclass
class Part:
    """One split as its file has it. images: uint8 NCHW. labels: whole numbers, names, or None.

    names: the class called i, for labels that are whole numbers, where the source knows them.
    """

    images: NDArray[np.uint8]
    labels: Labels = None
    names: Sequence[str] = ()


@dataclass
class Source:
    """An array file, or several, being read: where, and what is found on the way."""

    path: Path
    options: Options
    found: Findings = field(default_factory=Findings)
    files: dict[str, str] = field(default_factory=dict)

    def error(self, why: str, path: Path | None = None) -> DcganError:
        """The one-line error about this source, or about one file of it."""
        return DcganError(f"{printable(str(path or self.path))}: {why}")

    @contextmanager
    def opened(self, path: Path) -> Iterator[IO[bytes]]:
        """The bytes of a regular file, unpacked when it ends in .gz. What breaks while it is read is one line."""
        try:
            # O_NONBLOCK: opening a named pipe must not wait for someone to write into it.
            with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as stream:
                facts = os.fstat(stream.fileno())
                if not stat.S_ISREG(facts.st_mode):
                    raise self.error("not a regular file", path)
                if not facts.st_size:
                    raise self.error("the file is empty", path)
                self.files[printable(path.name)] = hashlib.file_digest(stream, "sha256").hexdigest()
                stream.seek(0)
                if path.suffix.lower() == ".gz":
                    with gzip.GzipFile(fileobj=stream) as plain:
                        yield cast(IO[bytes], plain)
                else:
                    yield stream
        except (OSError, EOFError, zlib.error) as error:
            why = " ".join(str(getattr(error, "strerror", None) or error).split())[:120]
            raise self.error(f"cannot be read: {why or type(error).__name__}", path) from error

    def check_memory(self, size: int, path: Path | None = None) -> None:
        """Refuse what would not fit, before memory is taken."""
        if size > physical_memory() // 2:
            raise self.error(f"its {size / 2**30:.1f} GiB are more than half of this machine's memory", path)

    def images(self, array: NDArray[Any], path: Path | None = None) -> NDArray[np.uint8]:
        """uint8 NCHW from (N, pixels), (N, H, W), (N, H, W, C) or (N, C, H, W) of any numbers that are pictures."""
        if array.ndim not in (2, 3, 4) or not array.size:
            raise self.error(f"an array of {times(array.shape)} holds no pictures", path)
        values = self._bytes(array, path)
        if array.ndim == 2:
            shape = shape_of(array.shape[1], self.options.size)
            if shape is None:
                raise self.error(f"{array.shape[1]} values a picture are {NO_SHAPE}", path)
            return self.pictures(values, shape)
        if array.ndim == 3:
            values = values[:, None]
        elif values.shape[3] in (1, 3):
            values = values.transpose(0, 3, 1, 2)
        elif values.shape[1] not in (1, 3):
            raise self.error(f"an array of {times(array.shape)} has neither 1 nor 3 channels", path)
        return np.ascontiguousarray(values)

    def pictures(self, rows: NDArray[np.uint8], shape: tuple[int, int, int]) -> NDArray[np.uint8]:
        """Rows of pixel values as NCHW of `shape` (C, H, W), with a note where more than one reading is possible."""
        channels, height, width = shape
        if height != width:
            self.found.notes.append(
                f"{rows.shape[1]} values were read as {height}×{width}, as the size asked for says"
            )
        if channels == 1:
            return rows.reshape(-1, *shape)
        planes = rows.reshape(-1, *shape)
        mixed = np.ascontiguousarray(rows.reshape(-1, height, width, channels).transpose(0, 3, 1, 2))
        # Neighbours are alike in the right order and strangers in the wrong one.
        in_planes = _roughness(planes[:200]) <= _roughness(mixed[:200])
        order = "all reds, then greens, then blues" if in_planes else "red, green, blue of each pixel in turn"
        self.found.notes.append(f"{rows.shape[1]} values were read as {height}×{width} in colour: {order}")
        return planes if in_planes else mixed

    def _bytes(self, array: NDArray[Any], path: Path | None) -> NDArray[np.uint8]:
        """0 … 255 from bytes, whole numbers of that range, or floats in [0, 1], [-1, 1] or [0, 255]."""
        if array.dtype.kind not in "buif":
            raise self.error(f"values of type {array.dtype} are no pixels", path)
        blocks = _blocks(array)
        with np.errstate(invalid="ignore"):
            low = min(float(block.min()) for block in blocks())
            high = max(float(block.max()) for block in blocks())
        if not (math.isfinite(low) and math.isfinite(high)):
            raise self.error("it holds values that are no numbers (NaN or infinite)", path)
        scale, shift, told = 1.0, 0.0, ""
        if array.dtype.kind == "f" and -1 <= low < 0 and high <= 1:
            scale, shift, told = 127.5, 127.5, "values from -1 to 1 were brought to 0 to 255"
        elif array.dtype.kind == "f" and low >= 0 and high <= 1:
            scale, told = 255.0, "values from 0 to 1 were brought to 0 to 255"
        elif low >= 0 and high == 1:
            scale, told = 255.0, "the values are 0 and 1 only and were taken for black and white"
        elif low < 0 or high > 255:
            raise self.error(
                f"its values go from {low:g} to {high:g}: pixels are 0 to 255, 0 to 1 or -1 to 1", path
            )
        elif array.dtype.kind == "f":
            told = "fractional values from 0 to 255 were rounded"
        if told:
            self.found.notes.append(told)
        if array.dtype == np.uint8 and scale == 1:
            return cast(NDArray[np.uint8], array)
        result = np.empty(array.shape, np.uint8)
        done = 0
        for block in blocks():
            result[done : done + len(block)] = np.rint(block.astype(np.float64) * scale + shift)
            done += len(block)
        return result

    def labels(self, array: NDArray[Any], path: Path | None = None) -> Labels:
        """Whole numbers or names, (N,) or (N, 1), from an array; `DcganError` for anything else."""
        if array.ndim == 2 and array.shape[1] == 1:
            array = array[:, 0]
        if array.ndim != 1:
            raise self.error(f"labels must be one a picture, not an array of {times(array.shape)}", path)
        if array.dtype.kind == "S":
            return [value.decode("utf-8", "replace") for value in array.tolist()]
        if array.dtype.kind == "U":
            return [str(value) for value in array.tolist()]
        with np.errstate(invalid="ignore"):
            whole = array.astype(np.int64) if array.dtype.kind in "buif" else None
        if whole is None or not (whole == array).all():
            raise self.error("labels must be whole numbers or names", path)
        return whole

    def dataset(self, parts: Mapping[str, Callable[[], Part]]) -> Dataset:
        """The split asked for, of those in `parts` ("train", "test"), at the size asked for."""
        asked = self.options.split
        chosen = [parts[name] for name in parts if asked in (name, "all")]
        if not chosen:
            has = " and ".join(parts)
            raise self.error(f"it has no split '{asked}', only {has}: ask for that, or for all")
        read = [part() for part in chosen]
        images = read[0].images if len(read) == 1 else self._joined([part.images for part in read])
        labels, classes = self._classes(read)
        height, width = images.shape[2:]
        if min(height, width) < SMALLEST_SIDE:
            raise self.error(f"too small: {height}×{width}")
        self.found.sizes[height, width] = len(images)
        self.found.modes["grey" if images.shape[1] == 1 else "colour"] = len(images)
        size = self.options.size_for([(height, width)], self.found.notes)
        fitted = fit_all(images, size, self.options.fit)
        fitted = with_channels(fitted, self.options.channels or images.shape[1])
        name = self.path.resolve().name.partition(".")[0]
        return Dataset(
            name=printable(name) or "arrays",
            images=np.require(fitted, requirements=("C", "W")),
            labels=labels,
            classes=classes,
            origin={
                "source": printable(str(self.path)),
                "path": str(self.path.absolute()),  # as it is: resume opens it
                "licence": "unknown: your own file",
                "files": self.files,
                **self.found.facts(),
            },
        )

    def _joined(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
        if len({array.shape[1:] for array in images}) > 1:
            shapes = " and ".join(times(array.shape[1:]) for array in images)
            raise self.error(f"its splits are of {shapes}: open one of them")
        return np.concatenate(images)

    def _classes(self, parts: Sequence[Part]) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
        labels = [part.labels for part in parts if part.labels is not None]
        if len(labels) < len(parts):
            return None, ()
        if all(isinstance(part, np.ndarray) for part in labels):
            values, indices = np.unique(
                np.concatenate([np.asarray(part) for part in labels]), return_inverse=True
            )
            known = parts[0].names
            names = [known[value] if known else str(value) for value in values.tolist()]
            return indices.reshape(-1).astype(np.int64), tuple(printable(name) for name in names)
        texts = [printable(str(name)) for part in labels for name in part]
        classes = class_names(texts)
        index = {name: label for label, name in enumerate(classes)}
        return np.array([index[name] for name in texts], np.int64), classes


NO_SHAPE = "neither a square nor three, in grey or in colour: say its size (--size HxW)"


def shape_of(count: int, size: tuple[int, int] | None) -> tuple[int, int, int] | None:
    """(C, H, W) of a picture given as `count` values.

    The size asked for, when it has as many pixels, grey or in colour; else a grey square; else a square in colour.
    """
    if count < 1:
        return None
    if size and count in (math.prod(size), 3 * math.prod(size)):
        return count // math.prod(size), *size
    for channels in (1, 3):
        side = math.isqrt(count // channels)
        if side and channels * side * side == count:
            return channels, side, side
    return None


def check_counts(source: Source, images: int, labels: int | None, path: Path | None = None) -> None:
    """Refuse labels that are not one for each picture."""
    if labels is not None and labels != images:
        raise source.error(f"{images:,} pictures and {labels:,} labels: there must be one for each", path)


def times(shape: Sequence[int]) -> str:
    """28×28."""
    return "×".join(map(str, shape)) or "no dimensions"


def _blocks(array: NDArray[Any]) -> Callable[[], Iterator[NDArray[Any]]]:
    rows = max(1, _ROWS // max(1, math.prod(array.shape[1:])))
    return lambda: (array[start : start + rows] for start in range(0, len(array), rows))


def _roughness(images: NDArray[np.uint8]) -> float:
    """Mean difference of neighbours in NCHW; 0 along a side of one pixel."""
    values = images.astype(np.int16)
    steps = (np.abs(np.diff(values, axis=axis)) for axis in (2, 3) if values.shape[axis] > 1)
    return float(sum(step.mean() for step in steps))
