"""Writing files so that a crash, a kill or a full disk leaves the old file or the new one, never half of one."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from dcgan.errors import DcganError

TEMPORARY = ".tmp-"
"""Prefix of a file that is being written. One that is found later was left by a dead save."""


def write_atomic(path: Path, content: bytes | str) -> None:
    """Write `content` to `path`: temporary file, fsync, rename, fsync of the directory.

    Raises `DcganError` when the system refuses; `path` is then untouched and the temporary file is gone.
    """
    data = encoded(content) if isinstance(content, str) else content
    with _replaced(path) as descriptor:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write to, which takes the place of `path` when all has gone well, as in `write_atomic`."""
    with _replaced(path) as descriptor, os.fdopen(descriptor, "wb", closefd=False) as file:
        yield file


@contextmanager
def _replaced(path: Path) -> Iterator[int]:
    """The descriptor of a temporary file that becomes `path`."""
    temporary = path.with_name(f"{TEMPORARY}{os.getpid()}-{path.name}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            yield descriptor
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(path)
    except BaseException as error:  # a signal too
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise refused(path, error) from error
        raise
    sync_directory(path.parent)


def encoded(text: str) -> bytes:
    """UTF-8, whatever the text: the undecodable bytes of a file's name are written \\udcXX, as JSON writes them."""
    return text.encode("utf-8", "backslashreplace")


def sync_directory(folder: Path) -> None:
    """Make renames and removals in `folder` survive a power cut."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise refused(folder, error) from error


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically. NaN and infinity are refused: they are not JSON."""
    write_atomic(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def make_folder(path: Path) -> Path:
    """Create `path` with its parents, to be written into, and return it, or say in one line why it cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        if not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise refused(path, error) from error
    except ValueError as error:
        raise DcganError(f"cannot write {path}: {error}. Choose another folder.") from None
    return path


@contextmanager
def filled_folder(path: Path) -> Iterator[Path]:
    """A folder to write into, made first of all, so that what cannot be is told before the work; one that was made for
    nothing is removed again."""
    fresh = [folder for folder in (path, *path.parents) if not exists(folder)]
    make_folder(path)
    try:
        yield path
    finally:
        for folder in fresh:
            with suppress(OSError):  # it holds what was made
                folder.rmdir()


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """A folder to fill beside `out`, which becomes it when all has gone well and leaves nothing behind otherwise.

    `out`: not there, or an empty folder. What a killed process left there does not get into it. Raises `DcganError`
    when the system refuses.
    """
    make_folder(out.parent)
    making = out.with_name(f"{TEMPORARY}{out.name}")
    shutil.rmtree(making, ignore_errors=True)
    make_folder(making)
    try:
        yield making
        if exists(out):
            out.rmdir()
        making.rename(out)
    except OSError as error:
        raise refused(out, error) from error
    except DcganError as error:  # a person knows the folder by the name that it is to have
        error.args = (str(error).replace(str(making), str(out)),)
        raise
    finally:
        shutil.rmtree(making, ignore_errors=True)


def exists(path: Path) -> bool:
    """Whether anything is at `path`. Raises `DcganError` where that cannot be told, as for the next two."""
    return _mode(path) is not None


def is_file(path: Path) -> bool:
    """Whether `path` is a plain file: no folder, pipe or device."""
    return stat.S_ISREG(_mode(path) or 0)


def is_folder(path: Path) -> bool:
    """Whether `path` is a folder."""
    return stat.S_ISDIR(_mode(path) or 0)


def open_file(path: Path) -> BinaryIO:
    """A plain file, open for reading. A pipe or a device, which may never end, is an `OSError` like any other."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise OSError(errno.EINVAL, "it is not a file", str(path))
    return path.open("rb")


def clean_temporaries(folder: Path) -> None:
    """Remove what dead saves left in `folder`. Only the one writer of a folder may call this."""
    for leftover in folder.glob(f"{TEMPORARY}*"):
        if leftover.is_dir() and not leftover.is_symlink():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            remove(leftover)


def remove(path: Path) -> None:
    """Remove a file, if it is there, or say in one line why it cannot be."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise refused(path, error) from error


def refused(path: Path, error: OSError) -> DcganError:
    """The one-line error for a write that the system refused."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG)
    mend = "Free some space or choose another folder." if full else "Choose another folder."
    return DcganError(f"cannot write {path}: {error.strerror or error}. {mend}")


def _mode(path: Path) -> int | None:
    """The type bits of what is at `path`; None for nothing and for what no path can be."""
    try:
        return path.stat().st_mode
    except ValueError:
        return None
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP):
            return None
        raise DcganError(f"cannot open {path}: {error.strerror}") from None
