"""A folder or a zip archive of images: looked at, decoded in parallel or taken from the cache, and put together."""

from __future__ import annotations

import hashlib
import math
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcgan.data.dataset import Dataset
from dcgan.data.decoding import Decoded, decode_all, in_parallel
from dcgan.data.findings import Findings, counted, printable, some
from dcgan.data.formats.layout import Candidate, candidates
from dcgan.data.formats.tree import Tree, folder_tree
from dcgan.data.formats.zipped import zip_tree
from dcgan.data.images import Header, UnreadableError, measure
from dcgan.data.memory import Shape, out_of_memory
from dcgan.data.options import Options
from dcgan.data.prepared import READER, Cache, Pixels
from dcgan.errors import DcganError

CACHED_FROM_FILES, CACHED_FROM_BYTES = 256, 16 * 2**20
"""A tree with fewer files and fewer bytes than this is decoded in no time and not worth a place in the cache."""

MANY = 5_000
"""Files from which on looking at them is announced."""


@dataclass(frozen=True)
class _Picture:
    """A candidate whose header is that of a usable picture, and the SHA-256 of its bytes."""

    file: Candidate
    header: Header
    digest: bytes

    @property
    def size(self) -> tuple[int, int]:
        return self.header.height, self.header.width


def read_folder(folder: Path, options: Options) -> Dataset:
    """The images of a folder, in the order of their names; see `layout.candidates` for what its folders mean.

    By default one channel when every pixel of every image is grey. Raises `DcganError` when nothing is usable.
    """
    return _read(folder_tree(folder), options, "folder")


def read_zip(path: Path, options: Options) -> Dataset:
    """The images of a zip archive, read in place, as `read_folder` reads them."""
    with zip_tree(path) as tree:
        return _read(tree, options, "zip archive")


def _read(tree: Tree, options: Options, what: str) -> Dataset:
    large = len(tree.entries) >= CACHED_FROM_FILES or sum(e.size for e in tree.entries) >= CACHED_FROM_BYTES
    cache = Cache.find() if large else None
    listing = _listing(tree, options)
    parts = _recalled(cache, listing) if cache else None
    if parts is None:
        with warnings.catch_warnings():  # around all threads: the filters are the process's, not a thread's
            warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
            parts = _made(tree, options, cache)
        if cache and parts.key:
            cache.remember(listing, parts.kept())
    facts = {**parts.facts, "notes": [*parts.facts["notes"], *(cache.notes if cache else ())]}
    name = tree.path.resolve().name if what == "folder" else tree.path.stem
    data = Dataset(
        name=printable(name) or what,
        images=parts.images,
        labels=parts.labels,
        classes=parts.classes,
        captions=parts.captions,
        names=parts.names,
        origin={
            "source": printable(str(tree.path)),
            "path": str(tree.path.absolute()),  # as it is: resume opens it
            "split": options.split,
            "licence": f"unknown: your own {what}",
            **facts,
        },
    )
    if parts.sha256:
        data.__dict__["sha256"] = parts.sha256  # of the same pixels, as their checksum has shown
    return data


@dataclass
class _Parts:
    """A data set without its name and place; all but the images is kept with a listing."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None
    classes: tuple[str, ...]
    captions: tuple[str, ...] | None
    names: tuple[str, ...]
    facts: dict[str, Any]
    key: str | None
    sha256: str = ""

    def kept(self) -> dict[str, Any]:
        self.sha256 = Dataset("", self.images, self.labels, self.classes, {}, self.captions).sha256
        return {
            "key": self.key,
            "labels": None if self.labels is None else self.labels.tolist(),
            "classes": self.classes,
            "captions": self.captions,
            "names": self.names,
            "facts": self.facts,
            "sha256": self.sha256,
        }


def _recalled(cache: Cache, listing: str) -> _Parts | None:
    record = cache.recall(listing)
    pixels = cache.load(record["key"]) if record else None
    if record is None or pixels is None:
        return None
    return _Parts(
        pixels.images,
        None if record["labels"] is None else np.array(record["labels"], np.int64),
        tuple(record["classes"]),
        None if record["captions"] is None else tuple(record["captions"]),
        tuple(record["names"]),
        record["facts"],
        record["key"],
        record["sha256"],
    )


def _made(tree: Tree, options: Options, cache: Cache | None) -> _Parts:
    found = Findings(list(tree.findings.notes), list(tree.findings.skipped))
    files, classes = candidates(tree, options.split, found)
    if options.report and len(files) >= MANY:
        options.report(f"{printable(str(tree.path))}: looking at {len(files):,} files")
    pictures = _looked_at(tree, files, bool(classes), found)
    if not pictures:
        raise _nothing(tree, found)
    size = options.size_for([picture.size for picture in pictures], found.notes)
    pixels, key = _pixels(tree, pictures, size, options, cache, found)
    failed = {index for index, _, _ in pixels.facts["failed"]}
    kept = [picture for index, picture in enumerate(pictures) if index not in failed]
    _tell_sizes(kept, size, options.fit, found)
    labels, classes = _labels(kept, classes, found.notes)
    captions = [picture.file.caption for picture in kept]
    texts = tuple(text or "" for text in captions) if any(text is not None for text in captions) else None
    facts = {"files": {"combined": _combined(kept)}, **found.facts()}
    names = tuple(printable(picture.file.entry.name) for picture in kept)
    return _Parts(pixels.images, labels, classes, texts, names, facts, key)


def _listing(tree: Tree, options: Options) -> str:
    """A print of what can be seen without opening a file: it changes when the pictures may have changed."""
    asked = (options.split, options.size, options.channels, options.fit, options.fallback)
    whole = hashlib.sha256(repr((READER, os.fsencode(tree.path.absolute()), asked)).encode())
    whole.update(os.fsencode("\n".join(map(repr, tree.entries))))
    return whole.hexdigest()


def _looked_at(tree: Tree, files: Sequence[Candidate], labelled: bool, found: Findings) -> list[_Picture]:
    """The files whose header is that of a usable picture; the others are skipped."""

    def look(file: Candidate) -> _Picture | UnreadableError:
        try:
            content = tree.read(file.entry)
            return _Picture(file, measure(content), hashlib.sha256(content).digest())
        except UnreadableError as reason:
            return reason

    pictures = []
    for file, result in zip(files, in_parallel(look, files), strict=True):
        if isinstance(result, UnreadableError):
            found.skip(file.entry.name, str(result), result.kind)
        elif labelled and file.label is None:
            found.skip(file.entry.name, "it lies beside the class folders", "unlisted")
        else:
            pictures.append(result)
    return pictures


def _pixels(
    tree: Tree,
    pictures: Sequence[_Picture],
    size: tuple[int, int],
    options: Options,
    cache: Cache | None,
    found: Findings,
) -> tuple[Pixels, str | None]:
    """The pictures' pixels, from the cache or decoded, and the key under which they are kept, if they are."""
    for channels in (1, 3) if options.channels is None else (options.channels,):
        key = _key(pictures, size, options.fit, channels)
        kept = cache.load(key) if cache else None
        if kept and (options.channels or kept.facts["grey"] is (channels == 1)):
            _skip_failed(pictures, kept.facts, found)
            return kept, key
    all_grey = all(picture.header.mode == "grey" for picture in pictures)
    shape = (len(pictures), options.channels or (1 if all_grey else 3), *size)

    def decoded(array: NDArray[np.uint8]) -> tuple[str, Shape, dict[str, Any]]:
        done: Decoded = decode_all(
            array,
            lambda index: tree.read(pictures[index].file.entry),
            [picture.digest for picture in pictures],
            channels=options.channels,
            how=options.fit,
            progress=options.progress,
        )
        facts = {"failed": done.failed, "grey": done.grey}
        if not done.kept:
            _skip_failed(pictures, facts, found)
            raise _nothing(tree, found)
        return _key(pictures, size, options.fit, done.shape[1]), done.shape, facts

    prepared = cache.prepare(shape, decoded) if cache else None
    if prepared:
        _skip_failed(pictures, prepared.facts, found)
        return prepared, _key(pictures, size, options.fit, prepared.images.shape[1])
    with out_of_memory(shape):
        array = np.empty(shape, np.uint8)
        _, used, facts = decoded(array)
        _skip_failed(pictures, facts, found)
        images = array if used == shape else array.reshape(-1)[: math.prod(used)].reshape(used).copy()
    return Pixels(images, facts), None


def _skip_failed(pictures: Sequence[_Picture], facts: dict[str, Any], found: Findings) -> None:
    for index, reason, kind in facts["failed"]:
        found.skip(pictures[index].file.entry.name, reason, kind)


def _key(pictures: Sequence[_Picture], size: tuple[int, int], how: str, channels: int) -> str:
    """Names pixels by what they are made of: contents in their order, and every option that changes them."""
    whole = hashlib.sha256(repr((READER, size, how, channels)).encode())
    for picture in pictures:
        whole.update(picture.digest)
    return whole.hexdigest()


def _tell_sizes(kept: Sequence[_Picture], size: tuple[int, int], how: str, found: Findings) -> None:
    found.sizes.update(picture.size for picture in kept)
    found.modes.update(picture.header.mode for picture in kept)
    height, width = size
    small = sum(
        (h < height and w < width) if how == "pad" else (h < height or w < width)
        for h, w in (picture.size for picture in kept)
    )
    if small:
        smaller = counted(
            small, f"image smaller than {height}×{width} was", f"images smaller than {height}×{width} were"
        )
        found.notes.append(f"{smaller} enlarged")
    other = sum(h * width != w * height for h, w in (picture.size for picture in kept))
    if how != "crop" and other:
        done = "padded with white" if how == "pad" else "stretched"
        shape = f"of another shape than {height}×{width}"
        found.notes.append(f"{counted(other, f'image {shape} was', f'images {shape} were')} {done}")


def _labels(
    kept: Sequence[_Picture], classes: tuple[str, ...], notes: list[str]
) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    """Labels and class names without the classes that have no usable image."""
    if not classes:
        return None, ()
    used = {picture.file.label for picture in kept}
    empty = [name for name in classes if name not in used]
    if empty:
        notes.append(f"classes without a usable image were left out: {some(empty, 10)}")
    classes = tuple(name for name in classes if name in used)
    index = {name: label for label, name in enumerate(classes)}
    labels = np.array([index[str(picture.file.label)] for picture in kept], np.int64)
    return labels, tuple(printable(name) for name in classes)


def _combined(kept: Sequence[_Picture]) -> str:
    """SHA-256 over the names and contents of the files used, in the order of the names."""
    whole = hashlib.sha256()
    for name, digest in sorted((os.fsencode(picture.file.entry.name), picture.digest) for picture in kept):
        whole.update(name + b"\0" + digest)
    return whole.hexdigest()


def _nothing(tree: Tree, found: Findings) -> DcganError:
    where = printable(str(tree.path))
    if not found.skipped:
        return DcganError(f"{where}: no images here, neither at the top nor in class folders")
    name, reason, _ = min(found.skipped)
    count = len(found.skipped)
    return DcganError(
        f"{where}: no usable image among {counted(count, 'file', 'files')}; the first, {name}: {reason}"
    )
