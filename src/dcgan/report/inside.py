"""The page that looks inside a model: sections of words, pictures with captions, and tables; one HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dcgan.files import write_atomic
from dcgan.pictures import png
from dcgan.report.differences import side_by_side
from dcgan.report.images import from_png, img
from dcgan.report.page import framed
from dcgan.report.words import text

PAGE = "inside.html"


@dataclass(frozen=True)
class Figure:
    """picture: uint8 HWC, enlarged already. title may be "". caption: how to read it, plain text."""

    title: str
    picture: NDArray[np.uint8]
    caption: str = ""
    alt: str = ""


@dataclass(frozen=True)
class Table:
    """rows: a head and its values, plain text each. columns: names of the values. caption: how to read them."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""


@dataclass(frozen=True)
class Section:
    """One question. words: paragraphs of plain text. parts: shown in order; figures of one tuple side by side."""

    title: str
    words: tuple[str, ...] = ()
    parts: tuple[tuple[Figure, ...] | Table | str, ...] = field(default=())


def write_inside(
    path: Path,
    title: str,
    facts: Sequence[tuple[str, str]],
    words: Sequence[str],
    sections: Sequence[Section],
) -> None:
    """Write the page to `path`, atomically: the same arguments give the same bytes.

    facts: (name, value) for its head. words: the first paragraphs.
    """
    head = "".join(f"<div><dt>{text(name)}</dt><dd>{text(value, 80)}</dd></div>" for name, value in facts)
    body = (
        f'<header><h1>{text(title, 120)}</h1>{_paragraphs(words)}<dl class="facts">{head}</dl></header>'
        f"{''.join(_section(section) for section in sections)}"
    )
    write_atomic(path, framed(f"{title} – dcgan explain", body))


def _section(section: Section) -> str:
    return f"<h2>{text(section.title)}</h2>{_paragraphs(section.words)}{''.join(map(_part, section.parts))}"


def _part(part: tuple[Figure, ...] | Table | str) -> str:
    if isinstance(part, str):
        return f"<h3>{text(part)}</h3>"
    if isinstance(part, Table):
        return _table(part)
    layout = "many" if len(part) > 2 else "pair"
    return f'<div class="{layout}">{"".join(map(_figure, part))}</div>'


def _figure(figure: Figure) -> str:
    shown = from_png(png(figure.picture))
    assert shown is not None  # noqa: S101 - it was just made
    title = f"<h3>{text(figure.title, 120)}</h3>" if figure.title else ""
    caption = f"<figcaption>{text(figure.caption, 2000)}</figcaption>" if figure.caption else ""
    return f'<figure class="grid">{title}{img(shown, figure.alt or figure.title or figure.caption)}{caption}</figure>'


def _table(table: Table) -> str:
    heads = [text(name, 60) for name in table.columns]
    rows = "".join(
        f'<tr><th scope="row">{text(row[0], 60)}</th>'
        + "".join(
            f'<td data-of="{head}">{text(cell, 80)}</td>' for head, cell in zip(heads, row[1:], strict=True)
        )
        + "</tr>"
        for row in table.rows
    )
    return side_by_side(heads, rows, text(table.caption, 2000))


def _paragraphs(words: Sequence[str]) -> str:
    return "".join(f"<p>{text(paragraph, 4000)}</p>" for paragraph in words if paragraph)
