"""The report of a run: one HTML page that needs nothing but itself."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from dcgan.errors import DcganError
from dcgan.files import is_folder, write_atomic
from dcgan.report.journal import read
from dcgan.report.judged import read_judged
from dcgan.report.page import render
from dcgan.report.snapshots import collect

__all__ = ["write_report"]


def write_report(folder: Path) -> Path:
    """Read the run in `folder` and write `folder/report.html`, atomically; returns its path.

    The page holds its pictures, plots, style and script and asks nothing of any server. What the folder
    lacks (a run that has just begun, a torn journal) is left out or said on the page. The run's own files are
    only read, so this may be called while it trains. Raises `DcganError` when there is no such folder or it
    can't be written to.
    """
    if not is_folder(folder):
        raise DcganError(f"no run at {folder}: a report needs the folder that training wrote.")
    record = read(folder)
    path = folder / "report.html"
    write_atomic(path, render(record, collect(folder, record), read_judged(record), datetime.now(UTC)))
    return path
