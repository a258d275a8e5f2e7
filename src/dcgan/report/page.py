"""The page: its frame, its head, and the sample grids; the other parts come from curves and tables."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from datetime import datetime
from importlib.resources import files
from string import Template

from dcgan.report import tables
from dcgan.report.beside import beside
from dcgan.report.curves import curves
from dcgan.report.figures import marks
from dcgan.report.images import img
from dcgan.report.journal import Record, state
from dcgan.report.judged import Judged
from dcgan.report.score_curves import score_curves
from dcgan.report.score_table import score_tables
from dcgan.report.snapshots import Film, Snapshot
from dcgan.report.verdict import verdict
from dcgan.report.words import count, duration, moment, quantity, text
from dcgan.training.journal import latest


def render(record: Record, film: Film, judged: Judged, now: datetime) -> str:
    """The whole report as HTML, the same for the same arguments.

    now: the moment of writing, with a time zone; a run silent for long before it is called so.
    """
    more = (
        f"<div><h2>Recipe</h2>{tables.recipe(record)}</div>"
        f"<div><h2>Events</h2>{tables.events(record, film.broken, judged.notes)}"
        f"<h2>How to go on</h2>{tables.going_on(record)}"
        f"<h2>Versions</h2>{tables.versions(record)}</div>"
    )
    marked = marks(record, [(one.finding, one.since) for one in judged.findings])
    final, course = score_tables(judged.results), score_curves(record, marked)
    body = (
        f"{_head(record, now)}{verdict(record, judged)}{_samples(film)}"
        f"{final and f'<h2>Scores</h2>{final}'}{course and f'<h2>Scores over time</h2>{course}'}{beside(judged)}"
        f"<h2>Curves</h2>{curves(record, marked)}<h2>Data</h2>{tables.data(record)}"
        f'<div class="pair">{more}</div>'
    )
    return framed(
        f"{record.name} – dcgan report", body, now, [[frame.source, _caption(frame)] for frame in film.frames]
    )


def framed(title: str, body: str, now: datetime | None = None, frames: Sequence[Sequence[str]] = ()) -> str:
    """`body` in the page's frame: its style, its script and the policy that allows no other.

    title: plain text. now: when it is written, said at its foot; None for a page that is always the same.
    frames: (data: URI, caption) of each grid that the film shows.
    """
    page = files("dcgan.report").joinpath("page.html").read_text("utf-8")
    script = re.findall(r"<script>(.*?)</script>", page, re.S)[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    when = f" at {text(moment(now))}" if now else ""
    footer = (
        f'<footer class="muted">Written by dcgan{when}. This page is one file and loads no other.</footer>'
    )
    return Template(page).substitute(
        title=text(title),
        script_hash=f"sha256-{digest}",
        body=f"<main>{body}{footer}</main>",
        frames=_script_json(frames),
    )


def _script_json(value: object) -> str:
    """`value` as JSON that no HTML parser sees a tag in, whatever its texts are."""
    content = json.dumps(value, separators=(",", ":"))
    return content.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _head(record: Record, now: datetime) -> str:
    standing = state(record, now)
    history = record.history()
    images, seconds, epoch = (latest(history, key) for key in ("images", "seconds", "epoch"))
    facts = [
        ("Images seen", count(images) if images is not None else "0"),
        ("Training time", duration(seconds) if seconds is not None else "–"),
        ("Images per second", quantity(images / seconds) if images and seconds and seconds > 0 else "–"),
        ("Epochs", quantity(epoch) if epoch is not None else "–"),
    ]
    source = record.data.get("name") or record.recipe.get("data")
    preset = record.recipe.get("preset")
    line = [
        f"trained on <strong>{text(source)}</strong>" if source else "",
        f"preset <strong>{text(preset)}</strong>" if preset else "",
    ]
    told = " · ".join(part for part in line if part)
    return (
        f'<header><h1>{text(record.name)} <span class="badge {standing.word.replace(" ", "-")}">'
        f"{standing.word}</span></h1>"
        + (f"<p>{told[0].upper()}{told[1:]}</p>" if told else "")
        + (f'<p class="muted">{text(standing.detail)}</p>' if standing.detail else "")
        + '<dl class="facts">'
        + "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts)
        + "</dl></header>"
    )


def _samples(film: Film) -> str:
    """The newest grid, and beside it the film of all grids with its controls."""
    newest = film.newest
    if newest is None:
        return "<h2>Samples</h2><p>No sample grids yet.</p>"
    now = (
        f'<figure class="grid"><h2>Newest samples</h2>{_image(newest, "newest")}'
        f"<figcaption>{text(_caption(newest))}</figcaption></figure>"
    )
    if len(film.frames) < 2:
        return f'<div class="pair">{now}</div>'
    first, last = film.frames[0], len(film.frames) - 1
    some = (
        f"{len(film.frames)} of {count(film.total)} grids" if film.total > len(film.frames) else "Every grid"
    )
    return (
        f'<div class="pair">{now}'
        f'<figure class="grid" id="player"><h2>Samples over time</h2>{_image(first, "film")}'
        f'<output for="time">{text(_caption(first))}</output>'
        f'<input type="range" id="time" max="{last}" value="0" aria-label="Moment of training">'
        '<div class="controls"><button type="button" data-do="previous">Previous</button>'
        '<button type="button" data-do="play">Play</button>'
        '<button type="button" data-do="next">Next</button></div>'
        f"<figcaption>{some}, all drawn from the same latent vectors: watch one place in the grid. "
        '<span class="hint">Keys: <kbd>←</kbd> <kbd>→</kbd> step, <kbd>p</kbd> plays.</span></figcaption>'
        "</figure></div>"
    )


def _image(snapshot: Snapshot, name: str) -> str:
    return img(snapshot, f"Grid of generated pictures: {_caption(snapshot)}", name)


def _caption(snapshot: Snapshot) -> str:
    """When the grid was drawn, as plain text: 'epoch 1.05 · 64,000 images seen · 1 min 14 s'."""
    told = [
        f"epoch {quantity(snapshot.epoch)}" if snapshot.epoch is not None else "",
        f"{count(snapshot.images)} images seen" if snapshot.images is not None else "",
        duration(snapshot.seconds) if snapshot.seconds is not None else "",
    ]
    return " · ".join(part for part in told if part) or "at an unknown moment"
