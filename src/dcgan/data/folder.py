"""A folder of images, flat or with a subfolder per class, read in parallel; what cannot be used is named."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from dcgan.data.dataset import Dataset
from dcgan.data.images import UnreadableError, decode, fit, measure, read_file
from dcgan.errors import DcganError

Progress = Callable[[int, int], None]
"""Called with (images done, images in all)."""

SMALLEST, LARGEST = 8, 128
"""Bounds of a picture's sides in pixels, for every data set."""

MOST_NAMED = 100
"""Skipped files told by name; all are counted."""

_IN_FLIGHT = 256
_SPLIT_NAMES = {"train", "training", "test", "testing", "val", "valid", "validation", "dev"}
_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass(frozen=True)
class _File:
    path: Path
    name: str  # relative to the folder, with slashes
    label: int


@dataclass
class _Findings:
    notes: list[str] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def skip(self, file: _File, reason: UnreadableError) -> None:
        self.skipped.append((printable(file.name), str(reason)))


def read_folder(
    folder: Path,
    *,
    size: tuple[int, int] | None = None,
    channels: int | None = None,
    fallback: int | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """The images of a folder, in the order of their names, cropped and resized to one size.

    Images at the top make the set flat, without labels; subfolders are then not read. Without images at the
    top each subfolder is a class, in the order of the names, with all images anywhere below it. Hidden files
    and folders are ignored, links to files are followed, links to folders are not.

    size: (height, width). By default the size that all images share, when it is within 8 … 128; else a square
        of `fallback` pixels, by default the 64 or 32 that the median short side allows, below 32 that side.
    channels: 1 or 3. By default 1 when every pixel of every image is grey.

    `origin` has `notes` on every such decision, the `skipped` files with their reasons and `skipped_count`.
    Raises `DcganError` when nothing is usable.
    """
    found = _Findings()
    with warnings.catch_warnings():  # around all threads: the filters are the process's own, not a thread's
        warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
        files, classes = _list(folder, found)
        sizes = dict(_measured(files, found))
        if not sizes:
            raise _nothing(folder, found)
        shape = size or _size_for(list(sizes.values()), fallback, found.notes)
        images, kept, digests = _decoded(list(sizes), shape, channels, found, progress)
    if not kept:
        raise _nothing(folder, found)
    enlarged = sum(sizes[file][0] < shape[0] or sizes[file][1] < shape[1] for file in kept)
    if enlarged:
        found.notes.append(f"{enlarged} images smaller than {shape[0]}×{shape[1]} were enlarged")
    labels, classes = _labels(kept, classes, found.notes)
    return Dataset(
        name=printable(folder.resolve().name) or "folder",
        images=images,
        labels=labels,
        classes=classes,
        origin={
            "source": printable(str(folder)),
            "path": str(folder.absolute()),  # as it is: resume opens it
            "split": "train",
            "licence": "unknown: your own folder",
            "files": {"combined": _combined(kept, digests)},
            "skipped": [{"file": name, "reason": why} for name, why in sorted(found.skipped)[:MOST_NAMED]],
            "skipped_count": len(found.skipped),
            "notes": found.notes,
        },
        names=tuple(printable(file.name) for file in kept),
    )


def printable(name: str) -> str:
    """`name` fit for JSON and terminals: undecodable bytes and control characters become U+FFFD."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in name)


def _list(folder: Path, found: _Findings) -> tuple[list[_File], tuple[str, ...]]:
    """All candidate files, and the class names their labels index (none for a flat set)."""
    names, subfolders = _scan(folder, found)
    top = [_File(folder / name, name, -1) for name in names]
    if not subfolders:
        return top, ()
    strangers = _Findings()
    if any(_measured(top, strangers)):
        shown = ", ".join(map(printable, subfolders[:3])) + (", …" if len(subfolders) > 3 else "")
        found.notes.append(
            f"images lie at the top, so the {len(subfolders)} subfolders ({shown}) were not read; "
            "to make them classes, move every image into one of them"
        )
        return top, ()
    found.skipped += strangers.skipped
    files: list[_File] = []
    for label, subfolder in enumerate(subfolders):
        files += _below(folder, subfolder, label, found)
    spellings = Counter(name.casefold() for name in subfolders)
    alike = [printable(name) for name in subfolders if spellings[name.casefold()] > 1]
    if alike:
        found.notes.append(f"classes that differ only in case are kept apart: {', '.join(alike)}")
    if len(subfolders) > 1 and {name.lower() for name in subfolders} <= _SPLIT_NAMES:
        found.notes.append("the classes look like splits: if they are, open one of the folders instead")
    return files, tuple(subfolders)


def _below(folder: Path, inside: str, label: int, found: _Findings) -> list[_File]:
    files: list[_File] = []
    waiting = [inside]
    while waiting:
        here = waiting.pop()
        names, subfolders = _scan(folder / here, found)
        files += [_File(folder / here / name, f"{here}/{name}", label) for name in names]
        waiting += [f"{here}/{subfolder}" for subfolder in reversed(subfolders)]
    return files


def _scan(folder: Path, found: _Findings) -> tuple[list[str], list[str]]:
    """Names of the files and of the folders in `folder`, hidden ones left out, each sorted."""
    try:
        with os.scandir(folder) as entries:
            seen = sorted((entry for entry in entries if entry.name[0] != "."), key=lambda entry: entry.name)
    except OSError as error:
        raise DcganError(f"cannot read the folder {printable(str(folder))}: {error.strerror}") from error
    linked = [entry.name for entry in seen if entry.is_dir() and entry.is_symlink()]
    if linked:
        found.notes.append(f"links to folders were not followed: {', '.join(map(printable, linked[:3]))}")
    folders = [entry.name for entry in seen if entry.is_dir(follow_symlinks=False)]
    return [entry.name for entry in seen if not entry.is_dir()], folders


def _measured(files: Sequence[_File], found: _Findings) -> Iterable[tuple[_File, tuple[int, int]]]:
    """The files whose header is that of a usable image, with (height, width); the others are skipped."""

    def look(file: _File) -> tuple[int, int] | UnreadableError:
        try:
            return measure(read_file(file.path))
        except UnreadableError as reason:
            return reason

    for file, size in zip(files, _in_parallel(look, files), strict=True):
        if isinstance(size, UnreadableError):
            found.skip(file, size)
        else:
            yield file, size


def _decoded(
    files: Sequence[_File],
    size: tuple[int, int],
    channels: int | None,
    found: _Findings,
    progress: Progress | None,
) -> tuple[NDArray[np.uint8], list[_File], list[bytes]]:
    """Pixels (uint8, NCHW) of the files that could be decoded, those files, and the SHA-256 of each."""
    shape = (len(files), channels or 3, *size)
    try:
        images = np.empty(shape, np.uint8)
    except MemoryError:
        raise DcganError(
            f"{len(files):,} images of {size[0]}×{size[1]} need {np.prod(shape) / 2**30:.1f} GiB of memory: "
            "choose a smaller size"
        ) from None
    grey = np.ones(len(files), bool)

    def read(index: int) -> bytes | UnreadableError:
        try:
            content = read_file(files[index].path)
            picture = decode(content, near=max(size))
        except UnreadableError as reason:
            return reason
        pixels = np.asarray(fit(picture.convert("L") if channels == 1 else picture, size))
        if pixels.ndim == 3:
            grey[index] = bool((pixels == pixels[..., :1]).all())
            pixels = pixels.transpose(2, 0, 1)
        images[index] = pixels
        return hashlib.sha256(content).digest()

    results = _in_parallel(read, range(len(files)), progress)
    for file, result in zip(files, results, strict=True):
        if isinstance(result, UnreadableError):
            found.skip(file, result)
    good = [index for index, result in enumerate(results) if isinstance(result, bytes)]
    if len(good) < len(files):
        images = images[good]
    if channels is None and grey[good].all():
        images = np.ascontiguousarray(images[:, :1])
    return images, [files[index] for index in good], [r for r in results if isinstance(r, bytes)]


def _in_parallel(work: Callable[[_T], _R], items: Sequence[_T], progress: Progress | None = None) -> list[_R]:
    """`work` of every item, in order, on all cores: Pillow and hashlib leave the interpreter free."""
    results: list[_R] = []
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        for start in range(0, len(items), _IN_FLIGHT):  # a million futures at once would take a gigabyte
            for result in pool.map(work, items[start : start + _IN_FLIGHT]):
                results.append(result)
                if progress:
                    progress(len(results), len(items))
    finally:
        pool.shutdown(cancel_futures=True)
    return results


def _size_for(sizes: Sequence[tuple[int, int]], fallback: int | None, notes: list[str]) -> tuple[int, int]:
    height, width = sizes[0]
    same = len(set(sizes)) == 1
    if same and min(height, width) >= SMALLEST and max(height, width) <= LARGEST:
        return height, width
    short = sorted(min(size) for size in sizes)[len(sizes) // 2]
    side = fallback or max(SMALLEST, next((choice for choice in (64, 32) if choice <= short), short))
    why = f"all are {height}×{width}" if same else f"their sizes differ, the median short side is {short}"
    notes.append(f"images are cropped and resized to {side}×{side} ({why}); the option size chooses another")
    return side, side


def _labels(
    files: Sequence[_File], classes: tuple[str, ...], notes: list[str]
) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    """Labels and class names without the classes that have no usable image."""
    if not classes:
        return None, ()
    used, labels = np.unique([file.label for file in files], return_inverse=True)
    empty = [printable(name) for label, name in enumerate(classes) if label not in used]
    if empty:
        notes.append(f"classes without a usable image were left out: {', '.join(empty[:10])}")
    return labels.astype(np.int64), tuple(printable(classes[label]) for label in used)


def _combined(files: Sequence[_File], digests: Sequence[bytes]) -> str:
    """SHA-256 over the names and contents of the files used, in the order of the names."""
    whole = hashlib.sha256()
    names = [os.fsencode(file.name) for file in files]
    for name, digest in sorted(zip(names, digests, strict=True)):
        whole.update(name + b"\0" + digest)
    return whole.hexdigest()


def _nothing(folder: Path, found: _Findings) -> DcganError:
    where = printable(str(folder))
    if not found.skipped:
        return DcganError(f"{where}: no images here, neither at the top nor in class folders")
    name, reason = min(found.skipped)
    count = len(found.skipped)
    return DcganError(f"{where}: no usable image among {count} files; the first, {name}: {reason}")
