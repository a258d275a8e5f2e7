"""CIFAR-10 and CIFAR-100 in their binary version: records of a label or two and 3,072 bytes of pixels."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dcgan.data.dataset import Dataset
from dcgan.data.formats.arrays import Part, Source
from dcgan.data.options import Options

PIXELS = 3 * 32 * 32
"""Bytes of a picture: red, then green, then blue, each row by row."""

_BATCH = re.compile(r"(data_batch_\d+|test_batch|train|test)\.bin")
_PICKLED = re.compile(r"data_batch_\d+|test_batch|batches\.meta|train|test|meta")


def is_cifar(path: Path) -> bool:
    """Whether this is a binary batch, a folder with one, or either in the Python version, which is refused."""
    if path.is_dir():
        return bool(_batches(path)) or any(_is_pickled(path / name) for name in ("data_batch_1", "train"))
    return path.suffix.lower() == ".bin" or _is_pickled(path)


def read_cifar(path: Path, options: Options) -> Dataset:
    """The pictures of binary CIFAR batches, train and test by the names of the files; one file is all there is.

    Class names come from batches.meta.txt or fine_label_names.txt beside them. Raises `DcganError` for a file that is
    no whole number of records, and for the Python version: its pickles could run any code.
    """
    source = Source(path, options)
    batches = _batches(path) if path.is_dir() else [path]
    if not batches or _is_pickled(path):
        raise source.error(
            "this is the pickled Python version of CIFAR, which is not read because a pickle can run any code: "
            "take the binary version (cifar-10-binary.tar.gz, cifar-100-binary.tar.gz)"
        )
    if not path.is_dir():
        return source.dataset({"train": lambda: _part(source, batches)})
    test = [file for file in batches if file.name.startswith("test")]
    train = [file for file in batches if file not in test]
    parts = {"train": lambda: _part(source, train), "test": lambda: _part(source, test)}
    if not train or not test:
        del parts["test" if train else "train"]
    return source.dataset(parts)


def _part(source: Source, files: Sequence[Path]) -> Part:
    rows, heads = [], set()
    for file in files:
        with source.opened(file) as stream:
            size = file.stat().st_size
            source.check_memory(size, file)
            head = next((labels for labels in (1, 2) if size % (PIXELS + labels) == 0), None)
            if head is None:
                raise source.error(
                    f"{size:,} bytes are no whole number of CIFAR records of {PIXELS + 1:,} or {PIXELS + 2:,}",
                    file,
                )
            content = stream.read(size)
        if len(content) != size:
            raise source.error("it changed while it was being read", file)
        heads.add(head)
        rows.append(np.frombuffer(content, np.uint8).reshape(-1, PIXELS + head))
    if len(heads) > 1:
        raise source.error("some batches are of CIFAR-10 and some of CIFAR-100")
    head = heads.pop()
    labels = np.concatenate([row[:, head - 1] for row in rows]).astype(np.int64)  # of CIFAR-100 the fine one
    most = 10 if head == 1 else 100
    if labels.max() >= most:
        raise source.error(
            f"record {int(labels.argmax()) + 1} has the label {labels.max()}: these are no CIFAR batches"
        )
    images = np.concatenate([row[:, head:] for row in rows]).reshape(-1, 3, 32, 32)
    names = _names(files[0].parent / ("batches.meta.txt" if head == 1 else "fine_label_names.txt"), most)
    return Part(images, labels, names)


def _names(path: Path, most: int) -> list[str]:
    try:
        lines = path.read_text("utf-8", errors="replace").split("\n")
    except OSError:
        return []
    names = [line.strip() for line in lines if line.strip()]
    return names if len(names) == most == len(set(names)) else []


def _batches(folder: Path) -> list[Path]:
    try:
        return sorted(file for file in folder.iterdir() if _BATCH.fullmatch(file.name) and file.is_file())
    except OSError:
        return []


def _is_pickled(path: Path) -> bool:
    if not _PICKLED.fullmatch(path.name) or not path.is_file():
        return False
    try:
        with path.open("rb") as stream:
            return stream.read(1) == b"\x80"
    except OSError:
        return False
