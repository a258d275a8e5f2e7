"""What the evaluation and the doctor left in RUN/evaluation, read without trusting a byte of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dcgan.report.images import Picture, read_picture
from dcgan.report.journal import Record, parse, read_text
from dcgan.report.words import quantity
from dcgan.training.journal import number

LIMIT = 4_000_000
"""Bytes of one JSON file that are read, at most."""
FINDINGS, RESULTS, CLASSES = 12, 200, 1000
"""Entries of each list that are kept, at most."""
PICTURES = ("real", "generated", "classes", "closest")


@dataclass(frozen=True)
class Diagnosis:
    """One finding of the doctor, in words; what it does not say is "" or None.

    sure: 0 … 1. mend: settings such as "g_lr=1e-4"; anew: those that take a new run. advice: a sentence.
    since, step: training steps, when it began and when it was seen.
    """

    finding: str
    sure: float | None
    evidence: str
    mend: list[str]
    now: str
    since: float | None
    step: float | None
    anew: list[str]
    advice: str


@dataclass(frozen=True)
class Histogram:
    """Shares of each class, 0 … 1, in the data and in what was generated."""

    classes: list[str]
    data: list[float]
    generated: list[float]


@dataclass(frozen=True)
class Judged:
    """The folder's contents. diagnoses: None where no doctor has looked. checked: what the doctor looked for.
    unchecked: what it could not, and why. early: why it is too early for a verdict, "" when it is not.

    during: findings that the journal has from the training. results: the scores, oldest first.
    pictures: by their names, without ".png". notes: one sentence for each thing that could not be read.
    """

    diagnoses: list[Diagnosis] | None
    checked: list[str]
    unchecked: list[str]
    early: str
    during: list[Diagnosis]
    results: list[dict[str, Any]]
    histogram: Histogram | None
    pictures: dict[str, Picture]
    notes: list[str]

    @property
    def findings(self) -> list[Diagnosis]:
        """The doctor's findings, then those of the training that it does not name again."""
        looked = self.diagnoses or []
        named = {one.finding for one in looked}
        return looked + [one for one in self.during if one.finding not in named]


def read_judged(record: Record) -> Judged:
    """Read RUN/evaluation and the journal's "doctor" events; nothing missing is an error."""
    folder, notes = record.folder / "evaluation", list[str]()
    looked = _json(folder / "doctor.json", notes)
    there, checked = looked is not None, list[str]()
    unchecked, early = list[str](), ""
    if isinstance(looked, dict):
        unchecked, early = _texts(looked.get("unchecked")), _words(looked.get("early"))
        checked = _texts(looked.get("checked"))
        looked = looked.get("diagnoses")
    diagnoses = None
    if isinstance(looked, list):
        diagnoses = _diagnoses(looked)
        if len(diagnoses) < min(len(looked), FINDINGS):
            notes.append("doctor.json holds entries that are no diagnoses; they were left out.")
    elif there:
        notes.append("doctor.json is not a list of diagnoses and was left out.")
    scores = _json(folder / "scores.json", notes)
    results = [one for one in scores if isinstance(one, dict)] if isinstance(scores, list) else []
    if scores is not None and (not isinstance(scores, list) or len(results) < len(scores)):
        notes.append("scores.json holds something else than scores; that was left out.")
    during: dict[str, Diagnosis] = {}
    for one in _diagnoses([event for event in record.history() if event.get("event") == "doctor"]):
        during.setdefault(one.finding, one)
    return Judged(
        diagnoses, checked, unchecked, early, list(during.values()), results[-RESULTS:],
        _histogram(_json(folder / "histogram.json", notes), notes), _pictures(folder, notes), notes,
    )  # fmt: skip


def _json(path: Path, notes: list[str]) -> object:
    content = read_text(path, notes, LIMIT)
    value = parse(content)
    if value is None and content:
        notes.append(f"{path.name} is not JSON and was left out.")
    return value


def _diagnoses(entries: list[Any]) -> list[Diagnosis]:
    found = []
    for entry in entries[-FINDINGS:]:
        if isinstance(entry, dict) and isinstance(name := entry.get("finding"), str) and name.strip():
            sure = number(entry.get("sure"))
            found.append(
                Diagnosis(
                    name.strip(),
                    sure if sure is not None and 0 <= sure <= 1 else None,
                    _words(entry.get("evidence")),
                    _texts(entry.get("mend")),
                    _words(entry.get("now")),
                    number(entry.get("since")),
                    number(entry.get("step")),
                    _texts(entry.get("anew")),
                    _words(entry.get("advice")),
                )
            )
    return found


def _words(value: object) -> str:
    """A sentence, a list of them, or facts by name, as one text; "" for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "; ".join(filter(None, map(_words, value[:FINDINGS]))) if not _deep(value) else ""
    if isinstance(value, dict):
        return "; ".join(
            f"{key} {told}" for key, one in list(value.items())[:FINDINGS] if (told := _fact(one))
        )
    return _fact(value)


def _deep(value: list[Any]) -> bool:
    return any(isinstance(one, list | dict) for one in value)


def _fact(value: object) -> str:
    one = number(value)
    return value if isinstance(value, str) else "" if one is None else quantity(one)


def _texts(value: object) -> list[str]:
    entries = value if isinstance(value, list) else [value]
    return [entry for entry in entries[:50] if isinstance(entry, str) and entry.strip()]


def _histogram(value: object, notes: list[str]) -> Histogram | None:
    if value is None:
        return None
    if isinstance(value, dict):
        names, data, generated = (value.get(key) for key in ("classes", "data", "generated"))
        if isinstance(names, list) and names:
            known = [_shares(shares, len(names)) for shares in (data, generated)]
            if known[0] is not None and known[1] is not None:
                return Histogram([str(_fact(name) or "?") for name in names[:CLASSES]], known[0], known[1])
    notes.append("histogram.json is no histogram and was left out.")
    return None


def _shares(value: object, length: int) -> list[float] | None:
    """Numbers from 0 to 1, one for each class, or None."""
    if not isinstance(value, list) or len(value) != length:
        return None
    shares = [share for share in map(number, value) if share is not None and 0 <= share <= 1.0001]
    return shares[:CLASSES] if len(shares) == length else None


def _pictures(folder: Path, notes: list[str]) -> dict[str, Picture]:
    found = {}
    for name in PICTURES:
        file = folder / f"{name}.png"
        picture = read_picture(file)
        if picture:
            found[name] = picture
        elif os.path.lexists(file):
            notes.append(f"evaluation/{name}.png is not a readable picture and is not shown.")
    return found
