"""The parts of the report that are words: recipe, data, events, versions, and how to go on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dcgan.report.journal import Record
from dcgan.report.words import count, duration, instant, moment, plain, shell, text
from dcgan.training.folder import command
from dcgan.training.journal import number

OPEN = 30
"""Classes shown at once; the others are a click away."""
CLASSES = 1000
SKIPPED = 50
TURNS = 60
BOOKKEEPING = {"event", "step", "images", "seconds", "time", "epoch"}


def recipe(record: Record) -> str:
    """The table of the recipe's fields."""
    if not record.recipe:
        return "<p>The run has no readable recipe.json.</p>"
    return _table([(text(field), text(plain(value))) for field, value in record.recipe.items()])


def data(record: Record) -> str:
    """What the run learned from: counts per class, origin, licence, checksums, what was left out."""
    facts = record.data
    if not facts:
        return "<p>The run has no readable data.json.</p>"
    rows = [("Name", text(facts.get("name", "")))]
    images = number(facts.get("images"))
    if images is not None:
        rows.append(("Images", count(images)))
    sides = [number(facts.get(side)) for side in ("height", "width", "channels")]
    if None not in sides:
        height, width, channels = (int(side or 0) for side in sides)
        colour = {1: "grey", 3: "colour"}.get(channels, f"{channels} channels")
        rows.append(("Size", f"{height} × {width} pixels, {colour}"))
    for key in ("source", "split", "licence"):
        if facts.get(key):
            rows.append((key.capitalize(), text(facts[key])))
    if facts.get("sha256"):
        rows.append(("SHA-256", _digest(facts["sha256"])))
    files = facts.get("files")
    if isinstance(files, dict):
        rows += [(text(name), _digest(digest)) for name, digest in list(files.items())[:SKIPPED]]
    parts = [_classes(facts), f"<div><h3>Origin</h3>{_table(rows)}</div>"]
    return (
        f'<div class="pair">{"".join(part for part in parts if part)}</div>' + _skipped(facts) + _notes(facts)
    )


def _classes(facts: dict[str, Any]) -> str:
    names, counts = facts.get("classes"), facts.get("counts")
    if not isinstance(names, list) or not names:
        return "<div><h3>Classes</h3><p>The pictures have no labels.</p></div>"
    numbers = [number(value) or 0.0 for value in counts] if isinstance(counts, list) else []
    most = max(numbers, default=0.0) or 1.0
    items = []
    for index, name in enumerate(names[:CLASSES]):
        own = max(numbers[index], 0.0) if index < len(numbers) else 0.0
        label = count(own) if numbers else ""
        items.append(
            f'<li><span title="{text(name)}">{text(name, 48)}</span>'
            f'<i style="width:{100 * own / most:.1f}%"></i><b>{label}</b></li>'
        )
    shown = f'<ul class="classes">{"".join(items[:OPEN])}</ul>'
    if len(names) > OPEN:
        shown += (
            f"<details><summary>{count(len(names) - OPEN)} more classes</summary>"
            f'<ul class="classes">{"".join(items[OPEN:])}</ul></details>'
        )
    return f"<div><h3>Images per class</h3>{shown}</div>"


def _skipped(facts: dict[str, Any]) -> str:
    listed = facts.get("skipped")
    skipped = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    total = int(number(facts.get("skipped_count")) or len(skipped))
    if not total:
        return ""
    rows = [(text(entry.get("file", "?")), text(entry.get("reason", ""))) for entry in skipped[:SKIPPED]]
    more = f'<p class="muted">… and {count(total - len(rows))} more.</p>' if total > len(rows) else ""
    files = "file" if total == 1 else "files"
    return f"<h3>{count(total)} {files} skipped</h3>{_table(rows)}{more}"


def _notes(facts: dict[str, Any]) -> str:
    notes = facts.get("notes")
    if not isinstance(notes, list) or not notes:
        return ""
    return _list([text(note) for note in notes[:SKIPPED]])


def events(record: Record, broken: int, more: Sequence[str] = ()) -> str:
    """Starts, stops, warnings and mishaps in order, the number of checkpoints, and what could not be read.

    broken: sample grids that are not readable pictures. more: what could not be read besides.
    """
    turns = record.of("start", "resume", "warning", "stop", "finish", "error")
    rows = []
    for event in turns[-TURNS:]:
        when = instant(event.get("time"))
        images, seconds = number(event.get("images")), number(event.get("seconds"))
        told = [
            f"{count(images)} images" if images else "",
            duration(seconds) if images and seconds else "",
            text(event.get("reason") or event.get("message") or ""),
        ]
        what = f"<strong>{text(event['event'])}</strong> " + " · ".join(part for part in told if part)
        rows.append((text(moment(when)) if when else "–", what))
    checkpoints = record.of("checkpoint")
    if checkpoints:
        last = text(checkpoints[-1].get("file") or "?")
        kept = "1 checkpoint" if len(checkpoints) == 1 else f"{count(len(checkpoints))} checkpoints"
        rows.append((kept, f"last: <code>{last}</code>"))
    earlier = len(turns) - TURNS
    notes = [text(note) for note in [*record.notes, *more]]
    if broken:
        grids = "1 sample grid" if broken == 1 else f"{count(broken)} sample grids"
        notes.append(f"{grids} could not be read and {'is' if broken == 1 else 'are'} not shown.")
    return (
        (f'<p class="muted">{count(earlier)} earlier events are left out.</p>' if earlier > 0 else "")
        + (_table(rows) if rows else "<p>Nothing has happened yet.</p>")
        + (_list(notes) if notes else "")
    )


def going_on(record: Record) -> str:
    """The commands that make pictures with the run and continue it."""
    generate, resume = (command(verb, record.folder) for verb in ("generate", "resume"))
    waiting = (
        "" if record.of("checkpoint") else "<p>From the first checkpoint on, which is still to come:</p>"
    )
    return (
        f"{waiting}<p>Make a hundred new pictures:</p>{shell(f'{generate} -n 100')}"
        f"<p>Train on, from the last checkpoint:</p>{shell(resume)}"
    )


def versions(record: Record) -> str:
    """What the run was last started with: program, torch, device, and whatever else its journal says."""
    told: dict[str, Any] = {}
    for event in record.of("start", "resume"):
        told.update({key: value for key, value in event.items() if key not in BOOKKEEPING})
    names = {"version": "dcgan"}
    rows = [(text(names.get(key, key)), text(plain(value))) for key, value in told.items()]
    return _table(rows) if rows else "<p>The journal does not tell.</p>"


def _digest(value: object) -> str:
    """A checksum's first twelve characters, the whole of it as a tooltip."""
    digest = str(value)
    return f'<code title="{text(digest)}">{text(digest[:12])}{"…" if len(digest) > 12 else ""}</code>'


def _table(rows: list[tuple[str, str]]) -> str:
    """Rows of HTML that is already safe."""
    lines = "".join(f'<tr><th scope="row">{head}</th><td>{cell}</td></tr>' for head, cell in rows)
    return f"<table>{lines}</table>"


def _list(items: list[str]) -> str:
    """Items of HTML that is already safe."""
    return f'<ul class="plain">{"".join(f"<li>{item}</li>" for item in items)}</ul>'
