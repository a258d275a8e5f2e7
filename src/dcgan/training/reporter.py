"""The run's report while it trains: drawn now and then, so that it can be read before the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from dcgan.training.loop import Watcher

REPORT_COST = 50
"""The report is drawn anew when this many times its own drawing time has gone by: at most 2 % of a run."""


class LiveReport:
    """Passes journal entries on, and now and then draws the report, so that it can be read while the run goes on."""

    def __init__(self, folder: Path, watch: Watcher | None, draw: Callable[[Path], None]) -> None:
        self.folder, self.watch, self.draw = folder, watch, draw
        self.due = time.monotonic() + 60

    def __call__(self, entry: dict[str, Any]) -> None:
        if self.watch:
            self.watch(entry)
        if entry["event"] == "checkpoint" and time.monotonic() > self.due:
            before = time.monotonic()
            with suppress(Exception):  # it is drawn at the end again, and told then; the run goes on
                self.draw(self.folder)
            after = time.monotonic()
            self.due = after + REPORT_COST * (after - before)
