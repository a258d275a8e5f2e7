"""Runs side by side: one HTML page that needs nothing but itself, as the report of one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dcgan.files import write_atomic
from dcgan.report.differences import data_differences, recipe_differences, side_by_side, table
from dcgan.report.images import from_png, img
from dcgan.report.journal import Record, read, state
from dcgan.report.judged import Judged, read_judged
from dcgan.report.overlay import colour, overlay
from dcgan.report.page import framed
from dcgan.report.score_curves import newest_score
from dcgan.report.score_table import METRICS, Result, measured, score_table
from dcgan.report.verdict import in_a_word
from dcgan.report.words import count, duration, text
from dcgan.training.journal import latest

LEAST, MOST = 2, 8
"""How many runs can be read side by side; there are as many colours."""


@dataclass(frozen=True)
class Side:
    """One run beside the others. grid: PNG bytes, None where there is none, and then `why`, one sentence."""

    record: Record
    judged: Judged
    grid: bytes | None = None
    why: str = ""


def read_side(folder: Path, grid: bytes | None = None, why: str = "") -> Side:
    """The run in `folder`, read as for its report."""
    record = read(folder)
    return Side(record, read_judged(record), grid, why)


def write_comparison(path: Path, sides: Sequence[Side], latents: str = "") -> None:
    """Write the page of `sides` to `path`, atomically; raises `DcganError` when it can't be written.

    latents: the sentence under the grids that says whether all were drawn from the same z; without it and
    without grids that part is left out.
    """
    write_atomic(path, render(sides, latents, datetime.now(UTC)))


def render(sides: Sequence[Side], latents: str, now: datetime) -> str:
    """The page as HTML, the same for the same arguments."""
    records = [side.record for side in sides]
    names = distinct([record.folder for record in records])
    heads = [colour(index, name) for index, name in enumerate(names)]
    shown = [text(name, 64) for name in names]
    recipe, data = recipe_differences(records), data_differences(records)
    body = (
        f"<header><h1>{count(len(sides))} runs side by side</h1></header>{_standing(sides, heads, shown, now)}"
        f"{_grids(sides, heads, shown, latents)}"
        f"<h2>Recipe: what differs</h2>{table(recipe, heads, shown, 'The recipes are the same.')}"
        f"<h2>Data: what differs</h2>{table(data, heads, shown, 'All learned from the same pictures.')}"
        f"<h2>Curves</h2>{_objectives(recipe)}{overlay(records, names)}"
        f"<h2>Final scores</h2>{_scores(sides, heads, 'sha256' not in data)}{_notes(sides, shown)}"
    )
    return framed(f"{', '.join(names)} – dcgan compare", body, now)


def summary(sides: Sequence[Side]) -> list[dict[str, Any]]:
    """One row a run, JSON-ready: where it stands, its newest score (None without one) and its verdict."""
    rows = []
    for side, name in zip(sides, distinct([side.record.folder for side in sides]), strict=True):
        record, history = side.record, side.record.history()
        images, seconds = (latest(history, key) or 0.0 for key in ("images", "seconds"))
        score = newest_score(record, side.judged.results)
        rows.append(
            {
                "name": name,
                "preset": str(record.recipe.get("preset", "?")),
                "data": str(record.data.get("name", "?")),
                "images": int(images) if 0 <= images < 1e15 else 0,
                "seconds": seconds if 0 <= seconds < 1e12 else 0.0,
                "frechet": score["frechet"] if score else None,
                "extractor": score["extractor"] if score else "–",
                "n": score["n"] if score else 0,
                "verdict": in_a_word(side.judged),
                "folder": str(record.folder),
                "score": score,
            }
        )
    return rows


def distinct(folders: Sequence[Path]) -> list[str]:
    """A name for each folder: its own, with its parent's in front where two are called the same."""
    names = [folder.resolve().name for folder in folders]
    return [
        f"{folder.resolve().parent.name}/{name}" if names.count(name) > 1 else name
        for folder, name in zip(folders, names, strict=True)
    ]


def _standing(sides: Sequence[Side], heads: Sequence[str], names: Sequence[str], now: datetime) -> str:
    """Where each run stands, and its verdict."""
    rows: dict[str, list[str]] = {key: [] for key in ("State", "Images seen", "Training time", "Verdict")}
    for side in sides:
        history = side.record.history()
        images, seconds = latest(history, "images"), latest(history, "seconds")
        rows["State"].append(text(state(side.record, now).word))
        rows["Images seen"].append(count(images) if images is not None and abs(images) < 1e15 else "–")
        rows["Training time"].append(
            duration(seconds) if seconds is not None and abs(seconds) < 1e12 else "–"
        )
        rows["Verdict"].append(text(in_a_word(side.judged)))
    lines = "".join(
        f'<tr><th scope="row">{name}</th>'
        + "".join(f'<td data-of="{of}">{cell}</td>' for cell, of in zip(cells, names, strict=True))
        + "</tr>"
        for name, cells in rows.items()
    )
    return side_by_side(heads, lines)


def _grids(sides: Sequence[Side], heads: Sequence[str], names: Sequence[str], latents: str) -> str:
    if not latents and not any(side.grid or side.why for side in sides):
        return ""
    figures = []
    for side, head, name in zip(sides, heads, names, strict=True):
        picture = from_png(side.grid) if side.grid else None
        shown = img(picture, f"Pictures generated by {name}") if picture else f"<p>{text(side.why)}</p>"
        figures.append(f'<figure class="grid"><h3>{head}</h3>{shown}</figure>')
    layout = "pair" if len(sides) in (2, 4) else "many"
    told = f'<p class="muted">{text(latents, 1000)}</p>'
    return f'<h2>Pictures</h2>{told}<div class="{layout}">{"".join(figures)}</div>'


def _objectives(recipe: dict[str, list[object]]) -> str:
    """The warning that losses of different objectives can't be compared, "" where they can."""
    if not recipe.keys() & {"objective", "method"}:
        return ""
    return "<p>These runs have different objectives: the heights of their losses can't be compared.</p>"


def _scores(sides: Sequence[Side], heads: Sequence[str], same_data: bool) -> str:
    """One table for each way of measuring and kind of checkpoint, the newest result of each run in it."""
    groups: dict[tuple[str, ...], list[Result | None]] = {}
    for index, side in enumerate(sides):
        for one in side.judged.results:
            if any(key in one for key in METRICS):
                key = (*measured(one), str(one.get("checkpoint")))
                groups.setdefault(key, [None] * len(sides))[index] = one
    tables = []
    for key, results in list(groups.items())[:12]:
        which = {"best": "the best", "last": "the last"}.get(key[-1], "of a step")
        tables.append(f"<h3>Checkpoint: {which}</h3>{score_table(results, heads, same_data)}")
    if not tables:
        return "<p>No run has been evaluated yet: <code>dcgan evaluate RUN</code> does it.</p>"
    warning = (
        ""
        if same_data
        else "<p>Not all runs learned from the same pictures: compare the scores of those that did.</p>"
    )
    return warning + "".join(tables)


def _notes(sides: Sequence[Side], names: Sequence[str]) -> str:
    notes = [
        f"<li>{name}: {text(note)}</li>"
        for side, name in zip(sides, names, strict=True)
        for note in [*side.record.notes, *side.judged.notes]
    ]
    return f'<h2>Not read</h2><ul class="plain">{"".join(notes)}</ul>' if notes else ""
