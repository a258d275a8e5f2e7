"""Writing files so that a crash, a kill or a full disk leaves the old file or the new one, never half of one."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from dcgan.errors import DcganError

TEMPORARY = ".tmp-"
"""Prefix of a file that is being written. One that is found later was left by a dead save."""


def write_atomic(path: Path, content: bytes | str) -> None:
    """Write `content` to `path`: temporary file, fsync, rename, fsync of the directory.

    Raises `DcganError` when the system refuses; `path` is then untouched and the temporary file is gone.
    """
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f"{TEMPORARY}{os.getpid()}-{path.name}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise refused(path, error) from error
    sync_directory(path.parent)


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
    """Create `path` with its parents and return it, or say in one line why it cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise refused(path, error) from error
    return path


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
    return DcganError(
        f"cannot write {path}: {error.strerror or error}. Free some space or choose another folder."
    )
