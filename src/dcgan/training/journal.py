"""The journal: one JSON object a line, for every interval and every event of a run."""

from __future__ import annotations

import errno
import io
import json
import math
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dcgan.errors import DcganError
from dcgan.files import encoded, exists, open_file, refused, write_atomic


class Journal:
    """Appends events to `journal.jsonl`. A line is written by one system call, so readers see whole lines."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, event: str, **facts: Any) -> dict[str, Any]:
        """Append one event with the time of day, and return it. Numbers that are not finite become words."""
        entry = {"event": event, **facts, "time": datetime.now(UTC).isoformat(timespec="seconds")}
        line = json.dumps(
            {key: _plain(value) for key, value in entry.items()}, ensure_ascii=False, allow_nan=False
        )
        data = encoded(line) + b"\n"
        try:
            # Without waiting: a pipe in the journal's place would wait for its reader for ever.
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK
            descriptor = os.open(self.path, flags, 0o644)
            try:
                if os.write(descriptor, data) < len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            finally:
                os.close(descriptor)
        except OSError as error:
            raise refused(self.path, error) from error
        return entry

    def rewind(self, step: int) -> None:
        """Forget what came after `step`: a run that resumes from there writes it again."""
        if exists(self.path):
            kept = [entry for entry in read_journal(self.path) if _step(entry) <= step]
            write_atomic(self.path, "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in kept))


def read_journal(path: Path) -> Iterator[dict[str, Any]]:
    """The events of a journal, oldest first. A line torn by a crash is passed over."""
    try:
        file = io.TextIOWrapper(open_file(path), encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return
    except OSError as error:
        raise DcganError(f"{path} cannot be read: {error.strerror}") from None
    with file:
        for line in file:
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(entry, dict) and isinstance(entry.get("event"), str):
                yield entry


def number(value: object) -> float | None:
    """`value` as a finite float, or None: for booleans, texts, NaN, infinities and what float can't hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def latest(events: list[dict[str, Any]], key: str) -> float | None:
    """The last finite value of `key`, or None."""
    return next((value for event in reversed(events) if (value := number(event.get(key))) is not None), None)


def _step(entry: dict[str, Any]) -> float:
    step = entry.get("step")
    return step if isinstance(step, int) else math.inf


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
