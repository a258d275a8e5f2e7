"""IDX files as they lie about: pictures, the labels beside them, and a folder of train and t10k pairs."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dcgan.data.dataset import Dataset
from dcgan.data.findings import printable, some
from dcgan.data.formats.arrays import Part, Source, check_counts
from dcgan.data.formats.idx import read_idx
from dcgan.data.options import Options

_NAME = re.compile(r"(.*)(images|labels)([-.])idx(\d)([-.])ubyte(\.gz)?", re.IGNORECASE)


def is_idx(path: Path) -> bool:
    """Whether this is an IDX file by its name or its first bytes, or a folder that holds one of pictures."""
    if path.is_dir():
        return bool(_pictures_in(path))
    if _NAME.fullmatch(path.name):
        return True
    if not path.is_file():
        return False
    try:
        with path.open("rb") as stream:
            head = stream.read(4)
    except OSError:
        return False
    return len(head) == 4 and head[:3] == b"\0\0\x08" and 1 <= head[3] <= 4


def read_idx_files(path: Path, options: Options) -> Dataset:
    """Pictures of an IDX file of two to four dimensions with the labels of the file beside it, if there is one.

    In a folder the pair called t10k or test is the test split. Raises `DcganError` for what is no IDX file, and
    where labels and pictures are not as many.
    """
    source = Source(path, options)
    if not path.is_dir():
        return source.dataset({"train": lambda: _pair(source, path)})
    splits: dict[str, Path] = {}
    for file in _pictures_in(path):
        role = "test" if re.search(r"t10k|test", file.name, re.IGNORECASE) else "train"
        if role in splits:
            both = some([splits[role].name, file.name])
            raise source.error(f"it holds more than one set ({both}): open one of the files instead")
        splits[role] = file
    ordered = {role: splits[role] for role in ("train", "test") if role in splits}
    if len(ordered) > 1:
        source.found.notes.append(
            f"splits by name: {', '.join(f'{printable(f.name)} is {r}' for r, f in ordered.items())}"
        )
    return source.dataset({role: lambda file=file: _pair(source, file) for role, file in ordered.items()})  # type: ignore[misc]


def _pair(source: Source, path: Path) -> Part:
    array = _array(source, path)
    if array.ndim == 1:
        raise source.error("it holds labels, not pictures: open the images file beside it", path)
    images = source.images(array, path)
    beside = _labels_of(path)
    if beside is None:
        source.found.notes.append(f"no labels were found beside {printable(path.name)}")
        return Part(images)
    labels = _array(source, beside)
    check_counts(source, len(images), len(labels), beside)
    return Part(images, source.labels(labels, beside))


def _array(source: Source, path: Path) -> NDArray[np.uint8]:
    with source.opened(path) as stream:
        head = stream.read(20)
        # More than the header says is never read, so that a small file cannot unpack into all memory.
        dimensions = min(4, head[3]) if len(head) > 3 else 0
        shape = [int.from_bytes(head[at : at + 4]) for at in range(4, 4 + 4 * dimensions, 4)]
        size = math.prod(shape) + 4 + 4 * dimensions
        source.check_memory(size, path)
        rest = stream.read(max(0, size - len(head) + 1))
    return read_idx(head + rest, printable(str(path)))


def _pictures_in(folder: Path) -> list[Path]:
    """The IDX files of pictures at the top of a folder, by name; of a file and its .gz the former."""
    try:
        names = sorted(item.name for item in folder.iterdir())
    except OSError:
        return []
    found = [name for name in names if (match := _NAME.fullmatch(name)) and match[2].lower() == "images"]
    return [folder / name for name in found if name.removesuffix(".gz") == name or name[:-3] not in found]


def _labels_of(path: Path) -> Path | None:
    match = _NAME.fullmatch(path.name)
    if not match or match[2].lower() != "images":
        return None
    word = {"images": "labels", "Images": "Labels", "IMAGES": "LABELS"}.get(match[2], "labels")
    stem = f"{match[1]}{word}{match[3]}idx1{match[5]}ubyte"
    return next(
        (file for file in (path.with_name(stem), path.with_name(f"{stem}.gz")) if file.is_file()), None
    )
