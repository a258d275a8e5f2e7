"""What a run folder says of itself, read without trusting a byte of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcgan.files import open_file
from dcgan.report.words import duration, instant, moment
from dcgan.training.journal import number

SILENCE = 900.0
"""Seconds without a journal line after which a run that claims to be running is called silent."""
DRAWABLE = 1e30
"""Larger numbers are treated as infinite: a plot's arithmetic would overflow."""


@dataclass(frozen=True)
class Record:
    """A run folder's texts.

    name: the folder's name. folder: where it lies, as it was given. recipe, data: the two JSON files, {} where missing.
    events: every journal line that could be read, in order.
    notes: one sentence for each thing that could not be read.
    """

    name: str
    folder: Path
    recipe: dict[str, Any]
    data: dict[str, Any]
    events: list[dict[str, Any]]
    notes: list[str]

    def of(self, *kinds: str) -> list[dict[str, Any]]:
        """The events of these kinds, in order, whether or not a later resume went back behind them."""
        return [event for event in self.events if event.get("event") in kinds]

    def history(self) -> list[dict[str, Any]]:
        """The events that lead to the present state.

        A resume goes back to its checkpoint: what an interrupted process journalled after that step was
        trained again, so it is left out here; curves would otherwise run backwards.
        """
        kept: list[dict[str, Any]] = []
        for event in self.events:
            step = number(event.get("step"))
            if event.get("event") == "resume" and step is not None:
                kept = [old for old in kept if (number(old.get("step")) or 0.0) <= step]
            kept.append(event)
        return kept

    def images_at(self, step: float) -> float | None:
        """How many images had been seen at `step`, between the journal's lines in proportion; None without lines."""
        known = [
            (at, images)
            for event in self.history()
            if (at := number(event.get("step"))) is not None
            and (images := number(event.get("images"))) is not None
            and max(abs(at), abs(images)) < DRAWABLE
        ]
        if not known:
            return None
        steps, images = np.array(sorted(known), np.float64).T
        return float(np.interp(step, steps, images))


@dataclass(frozen=True)
class State:
    """Where a run stands: one word for a badge, and a sentence that explains it (may be empty)."""

    word: str
    detail: str


def read(folder: Path) -> Record:
    """Read recipe.json, data.json and journal.jsonl of the run in `folder`; nothing missing is an error."""
    notes: list[str] = []
    recipe = _object(folder / "recipe.json", notes)
    data = _object(folder / "data.json", notes)
    events: list[dict[str, Any]] = []
    lines = read_text(folder / "journal.jsonl", notes).split("\n")
    torn = 0
    for line in lines:
        value = parse(line)
        if isinstance(value, dict):
            events.append(value)
        elif line.strip():
            torn += 1
    if torn:
        lost = "1 journal line" if torn == 1 else f"{torn:,} journal lines"
        notes.append(f"{lost} could not be read and was left out; a kill can tear the line being written.")
    return Record(folder.resolve().name, folder, recipe, data, events, notes)


def curve(events: list[dict[str, Any]], key: str) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """(images seen, value) of `key` over `events`, and how many values can't be drawn.

    Both are float64 of shape (n,), by rising images. Values that are NaN, infinite (or one of them written as
    text) or beyond 1e30 can't be drawn.
    """
    points = []
    lost = 0
    for event in events:
        images, value = number(event.get("images")), number(event.get(key))
        if images is not None and value is not None and max(abs(images), abs(value)) < DRAWABLE:
            points.append((images, value))
        elif event.get(key) is not None:
            lost += 1
    array = np.array(sorted(points, key=lambda point: point[0]), np.float64).reshape(-1, 2)
    return array[:, 0], array[:, 1], lost


def state(record: Record, now: datetime) -> State:
    """Where the run stands at `now`, by the last event that says so."""
    turns = record.of("start", "resume", "stop", "finish", "error")
    if not turns:
        return State("not started", "The journal has no start yet.")
    last = turns[-1]
    if last["event"] == "finish":
        return State("finished", "")
    if last["event"] == "stop":
        return State("stopped", f"Reason: {last['reason']}." if last.get("reason") else "")
    if last["event"] == "error":
        return State("failed", str(last.get("message") or "The journal gives no reason."))
    heard = max((time for event in record.events if (time := instant(event.get("time")))), default=None)
    if heard is None:
        return State("running", "")
    silence = (now - heard).total_seconds()
    if silence > SILENCE:
        return State(
            "silent", f"No word for {duration(silence)} (last: {moment(heard)}); it may have been killed."
        )
    return State("running", f"Last heard of at {moment(heard)}.")


def read_text(path: Path, notes: list[str], limit: int | None = None) -> str:
    """The text of a file, "" with a note where it cannot be read or holds more than `limit` bytes."""
    try:
        with open_file(path) as file:
            content = file.read(-1 if limit is None else limit + 1)
    except FileNotFoundError:
        return ""
    except OSError as error:
        notes.append(f"{path.name} could not be read: {error.strerror or error}.")
        return ""
    if limit is not None and len(content) > limit:
        notes.append(f"{path.name} is longer than {limit / 1e6:g} MB and was left out.")
        return ""
    return content.decode("utf-8", "replace")


def _object(path: Path, notes: list[str]) -> dict[str, Any]:
    content = read_text(path, notes)
    value = parse(content)
    if isinstance(value, dict):
        return value
    if content:
        notes.append(f"{path.name} is not a JSON object and was left out.")
    return {}


def parse(content: str) -> object:
    """The value of a JSON text, None for what is none."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None
