"""Decoded pictures kept for the next time: one .npy file and its facts, bounded, checked, never half written."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import secrets
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from dcgan.data.decoding import in_parallel
from dcgan.data.memory import Shape, in_memory
from dcgan.data.named.fetch import cache_folder
from dcgan.errors import DcganError
from dcgan.files import TEMPORARY, make_folder, remove, sync_directory, write_atomic

READER = 1
"""Version of the way from files to pixels. A change that gives other pixels or other facts must raise it."""

DEFAULT_LIMIT = 20 * 10**9
"""Bytes of all prepared pictures together, unless $DCGAN_CACHE_LIMIT says otherwise; the least recently used go."""

HEADER = 128
"""Bytes before the pixels: the header of the .npy format, padded."""

_BLOCK = 2**26
_STALE_SECONDS = 3600.0


@dataclass(frozen=True)
class Pixels:
    """Prepared pictures: uint8 NCHW, and the facts that were kept with them."""

    images: NDArray[np.uint8]
    facts: dict[str, Any]


class Cache:
    """The folder of prepared pictures.

    A set of pictures is `KEY.npy` and `KEY.json`, the latter written last: without it the former is nothing. A listing,
    `listing-PRINT.json`, says what a folder held when it was read; its print is made of names, sizes and times.
    `notes` collects what the user should know.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder, self.limit = folder, limit
        self.notes: list[str] = []

    @classmethod
    def find(cls) -> Cache | None:
        """The cache in $DCGAN_CACHE/prepared or ~/.cache/dcgan/prepared; None when its limit is 0."""
        limit = cache_limit()
        try:
            return cls(cache_folder("prepared"), limit) if limit else None
        except DcganError:  # no home folder
            return None

    def load(self, key: str) -> Pixels | None:
        """The pictures kept as `key`, or None. Damaged ones are removed, with a note."""
        facts = self._read(self._path(key, "json"))
        if facts is None:
            return None
        path = self._path(key, "npy")
        try:
            shape = _shape(facts)
            with path.open("rb") as stream:
                good = os.fstat(stream.fileno()).st_size == HEADER + prod(shape)
                good = good and stream.read(HEADER) == _header(shape)
                images = _map_or_read(stream, path, shape) if good else None
            if images is None or _checksums(images) != facts["crc32"]:
                raise ValueError
        except (OSError, ValueError, KeyError, TypeError):
            self.notes.append("the prepared pictures in the cache were damaged and are made anew")
            with contextlib.suppress(DcganError):
                remove(self._path(key, "json"))
                remove(path)
            return None
        with contextlib.suppress(OSError):
            os.utime(self._path(key, "json"))  # used just now: the last to go
        return Pixels(images, facts)

    def recall(self, listing: str) -> dict[str, Any] | None:
        """What was kept for a folder of this listing, or None."""
        return self._read(self._path(f"listing-{listing}", "json"))

    def remember(self, listing: str, facts: dict[str, Any]) -> None:
        """Keep `facts` for the next time a folder has this listing."""
        try:
            self._write(self._path(f"listing-{listing}", "json"), facts)
        except DcganError as error:
            self.notes.append(f"the listing was not kept for next time: {error}")

    def prepare(
        self, shape: Shape, fill: Callable[[NDArray[np.uint8]], tuple[str, Shape, dict[str, Any]]]
    ) -> Pixels | None:
        """Make room for pictures of `shape`, have `fill` write them, and keep them.

        fill: given uint8 `shape`, mapped from a file; returns the key, the shape of what is to be kept from the start
        of it, and its facts. None, with a note, when the cache has no room or cannot be written; whatever `fill`
        raises leaves nothing behind.
        """
        size = HEADER + prod(shape)
        if size > self.limit:
            self.notes.append(
                f"{size / 1e9:.1f} GB of prepared pictures were not kept: the limit is {self.limit / 1e9:.1f} GB "
                "($DCGAN_CACHE_LIMIT)"
            )
            return None
        try:
            with self._room(size) as stream:
                whole = np.memmap(stream, np.uint8, "r+", HEADER, shape)
                key, shape, facts = fill(whole)
                facts = {**facts, "shape": list(shape), "crc32": _checksums(whole.reshape(-1)[: prod(shape)])}
                whole.flush()
                del whole
                return Pixels(self._keep(stream, key, shape, facts), facts)
        except OSError as error:
            self.notes.append(f"prepared pictures were not kept for next time: {error.strerror or error}")
        except _NotKeptError as error:
            self.notes.append(f"prepared pictures were not kept for next time: {error}")
        return None

    @contextlib.contextmanager
    def _room(self, size: int) -> Iterator[IO[bytes]]:
        """A locked temporary file of `size` bytes, which is gone afterwards unless it was renamed."""
        with _not_kept():
            make_folder(self.folder)
        temporary = self.folder / f"{TEMPORARY}{os.getpid()}-{secrets.token_hex(4)}.npy"
        try:
            # Under one lock for all: between being made and being locked a file would look like a leftover.
            with (self.folder / ".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                with _not_kept():
                    self._sweep(size)
                stream = temporary.open("xb+")
                fcntl.flock(stream, fcntl.LOCK_EX)
            with stream:
                # Without this a full disk would be a signal in the midst of decoding, not an error here.
                os.posix_fallocate(stream.fileno(), 0, size)
                yield stream
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)

    def _keep(self, stream: IO[bytes], key: str, shape: Shape, facts: dict[str, Any]) -> NDArray[np.uint8]:
        """Finish the temporary file and put it and its facts in place."""
        stream.seek(0)
        stream.write(_header(shape))
        stream.truncate(HEADER + prod(shape))
        stream.flush()
        os.fsync(stream.fileno())
        path = self._path(key, "npy")
        Path(stream.name).replace(path)
        with _not_kept():
            sync_directory(self.folder)
            self._write(self._path(key, "json"), facts)
        return _map_or_read(stream, path, shape)

    def _path(self, name: str, ending: str) -> Path:
        return self.folder / f"{name}.{ending}"

    def _read(self, path: Path) -> dict[str, Any] | None:
        """The facts in a file, or None when it is not there or not as it was written."""
        try:
            seal, _, text = path.read_bytes().partition(b"\n")
            if hashlib.sha256(text).hexdigest().encode() != seal:
                raise ValueError
            value = json.loads(text)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError):
            self.notes.append(f"{path.name} in the cache was damaged and is made anew")
            return None
        return value if isinstance(value, dict) else None

    def _write(self, path: Path, facts: dict[str, Any]) -> None:
        text = json.dumps(facts, allow_nan=False).encode()
        write_atomic(path, hashlib.sha256(text).hexdigest().encode() + b"\n" + text)

    def _sweep(self, coming: int) -> None:
        """Remove what dead processes left, then the least recently used pictures until `coming` bytes fit."""
        for leftover in self.folder.glob(f"{TEMPORARY}*.npy"):
            _remove_if_dead(leftover)
        for leftover in self.folder.glob(
            f"{TEMPORARY}*.json"
        ):  # not locked; a living process is done at once
            with contextlib.suppress(FileNotFoundError):
                if time.time() - leftover.stat().st_mtime > _STALE_SECONDS:
                    remove(leftover)
        ages = []
        for path in self.folder.glob("*.npy"):
            if path.name.startswith(TEMPORARY):
                continue
            facts = path.with_suffix(".json")
            with contextlib.suppress(FileNotFoundError):
                size = path.stat().st_size
                ages.append((facts.stat().st_mtime if facts.exists() else 0.0, size, path))
        total = sum(size for _, size, _ in ages) + coming
        dropped = False
        for _, size, path in sorted(ages):
            if total <= self.limit:
                break
            remove(path.with_suffix(".json"))
            remove(path)
            total -= size
            dropped = True
        if dropped:
            notes, self.notes = self.notes, []
            for path in self.folder.glob("listing-*.json"):
                listing = self._read(path)
                if not listing or not self._path(str(listing.get("key")), "npy").exists():
                    remove(path)
            self.notes = notes


def cache_limit() -> int:
    """$DCGAN_CACHE_LIMIT in bytes: a number, or one with kB, MB, GB or TB; 0 keeps nothing."""
    text = os.environ.get("DCGAN_CACHE_LIMIT", "").strip()
    if not text:
        return DEFAULT_LIMIT
    match = re.fullmatch(r"(\d{1,15}(?:\.\d{1,6})?)\s*([kMGT]?)B?", text, re.IGNORECASE)
    if not match:
        raise DcganError(
            f"DCGAN_CACHE_LIMIT is '{text[:40]}': write a number of bytes, or one like 500MB or 20GB"
        )
    return int(float(match[1]) * 1000 ** " KMGT".index(match[2].upper() or " "))


def _header(shape: Shape) -> bytes:
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}"
    return b"\x93NUMPY\1\0" + (HEADER - 10).to_bytes(2, "little") + text.ljust(HEADER - 11).encode() + b"\n"


def _shape(facts: dict[str, Any]) -> Shape:
    n, c, h, w = (int(side) for side in facts["shape"])
    if min(n, c, h, w) < 1:
        raise ValueError
    return n, c, h, w


def _map_or_read(stream: IO[bytes], path: Path, shape: Shape) -> NDArray[np.uint8]:
    if not in_memory(prod(shape)):
        return np.memmap(path, np.uint8, "r", HEADER, shape)
    stream.seek(HEADER)
    return np.fromfile(stream, np.uint8, prod(shape)).reshape(shape)


def _checksums(images: NDArray[np.uint8]) -> list[int]:
    """CRC-32 of every 64 MiB, on all cores: against damage, not against malice, at several GB a second."""
    flat = images.reshape(-1)
    return in_parallel(
        lambda start: zlib.crc32(flat[start : start + _BLOCK].data), range(0, len(flat), _BLOCK)
    )


def _remove_if_dead(path: Path) -> None:
    """Remove a temporary file that no living process holds."""
    with contextlib.suppress(OSError), path.open("rb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()


class _NotKeptError(Exception):
    """The cache refuses a write, with the reason."""


@contextlib.contextmanager
def _not_kept() -> Iterator[None]:
    """Tell the refusals of `dcgan.files` from what goes wrong with the pictures."""
    try:
        yield
    except DcganError as error:
        raise _NotKeptError(str(error)) from error
