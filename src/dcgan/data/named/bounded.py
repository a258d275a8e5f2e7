"""Reading from strangers with an end: bytes are counted as they come, and every failure is a reason."""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
import time
import zipfile
import zlib
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import IO, Protocol

from dcgan.data.named.rows import File

FILE_SECONDS = 900.0
"""How long one file may take in all; 26 MB in that time is 30 kB/s."""

BROKEN = (OSError, EOFError, zlib.error, HTTPException, zipfile.BadZipFile, tarfile.TarError, RuntimeError)
"""What the readers of archives, gzip and https raise. (zipfile tells encryption by RuntimeError.)"""


class UnavailableError(Exception):
    """A source that cannot give a file, with the reason in a few words."""


class Stream(Protocol):
    """Anything that gives bytes as they come."""

    def read1(self, size: int, /) -> bytes:
        """At most `size` bytes; none only at the end."""
        ...


def read_bounded(stream: Stream, file: File, *, compressed: bool) -> bytes:
    """The content of `file` from a gzip or plain stream.

    Raises `UnavailableError` as soon as it proves longer than `file.size` or broken.
    """
    try:
        if not compressed:
            return _read(stream, file.size)
        # gzip adds a few bytes per block to what it cannot compress, and a header with a name.
        packed = _read(stream, file.size + file.size // 1000 + 4096)
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as plain:
            return _read(plain, file.size)
    except BROKEN as error:
        raise UnavailableError(f"{file.name} cannot be read: {short(error)}") from error


def open_regular(path: Path) -> IO[bytes]:
    """`path` for reading. Raises `OSError`, and `UnavailableError` for anything but a regular file."""
    # O_NONBLOCK: opening a named pipe must not wait for someone to write into it.
    stream = open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise UnavailableError("not a regular file")
    return stream


def short(error: BaseException | str) -> str:
    """The last line of an error, fit to stand inside another line."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1].strip()[:160]


def copy_bounded(stream: Stream, kept: IO[bytes], file: File) -> None:
    """Write the stream to `kept`. Raises `UnavailableError` as soon as it is longer than `file.size`."""
    for part in _parts(stream, file.size):
        kept.write(part)


def _read(stream: Stream, cap: int) -> bytes:
    return b"".join(_parts(stream, cap))


def _parts(stream: Stream, cap: int) -> Iterator[bytes]:
    end = time.monotonic() + FILE_SECONDS
    left = cap
    while part := stream.read1(min(1 << 18, left + 1)):
        left -= len(part)
        if left < 0:
            raise UnavailableError(f"holds more than the {cap:,} bytes expected")
        if time.monotonic() > end:
            raise UnavailableError(f"not done after {FILE_SECONDS:.0f} s")
        yield part
