"""One plot with its heading, its legend and the sentence that says how to read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dcgan.report.journal import Record, curve
from dcgan.report.plots import SERIES, Series, line_plot
from dcgan.report.words import count, quantity, text

MARKS = 6
"""Marks on a plot, at most."""


@dataclass(frozen=True)
class Mark:
    """A place on the curves: the images seen there, and what the doctor found from there on."""

    images: float
    name: str


def marks(record: Record, found: Sequence[tuple[str, float | None]]) -> list[Mark]:
    """The marks of (finding, step since when) in the order of the steps; a finding without a step has none."""
    places = [
        Mark(images, name)
        for name, step in found
        if step is not None and (images := record.images_at(step)) is not None
    ]
    return sorted(places, key=lambda mark: mark.images)[:MARKS]


def lines(
    events: list[dict[str, Any]],
    title: str,
    names: Mapping[str, str],
    caption: str,
    *,
    bounds: tuple[float, float] | None = None,
    marked: Sequence[Mark] = (),
    dashed: Sequence[str] = (),
    best: tuple[float, float] | None = None,
) -> str:
    """One plot over the images seen, "" when none of its curves has a point.

    names: what each key of `events` is called. bounds: the y axis's limits where all values lie within them.
    dashed: keys that are levels. best: a point of the first curve to ring.
    """
    measured = [(key, name, curve(events, key)) for key, name in names.items()]
    series = [
        Series(name, x, y, key in dashed, best if key == next(iter(names)) else None)
        for key, name, (x, y, _) in measured
        if len(x)
    ]
    return overlaid(
        series,
        title,
        caption,
        lost=sum(lost for _, _, (_, _, lost) in measured),
        bounds=bounds,
        marked=marked,
    )


def overlaid(
    series: Sequence[Series],
    title: str,
    caption: str,
    *,
    lost: int = 0,
    bounds: tuple[float, float] | None = None,
    marked: Sequence[Mark] = (),
) -> str:
    """The same of curves that were read before; one without points keeps its colour from the others.

    lost: how many of their values can't be drawn.
    """
    remarks = [text(caption, 2000)]
    if lost:
        remarks.append(f"{_values(lost)} NaN, infinite or beyond all bounds, and not drawn.")
    drawn = [(index, one) for index, one in enumerate(series) if len(one.x)]
    if not drawn:
        return f'<figure class="plot"><h3>{text(title)}</h3><p>{remarks[-1]}</p></figure>' if lost else ""
    values = np.concatenate([one.y for _, one in drawn])
    fitting = bounds if bounds and values.min() >= bounds[0] and values.max() <= bounds[1] else None
    svg, outside = line_plot(series, "images seen", bounds=fitting, marks=[mark.images for mark in marked])
    if outside:
        remarks.append(f"{_values(outside)} outside the frame.")
    entries = [
        f'<li style="color:var(--series-{index % SERIES + 1})"><i{" class=dashed" * one.dashed}></i>'
        f"<span>{text(one.name, 48)} {quantity(one.y[-1])}</span></li>"
        for index, one in drawn
    ]
    entries += [
        f'<li class="mark"><b>{number}</b><span>{text(mark.name, 48)}</span></li>'
        for number, mark in enumerate(marked, 1)
    ]
    return (
        f'<figure class="plot"><h3>{text(title)}</h3><ul class="legend">{"".join(entries)}</ul>{svg}'
        f"<figcaption>{' '.join(remarks)}</figcaption></figure>"
    )


def _values(how_many: int) -> str:
    return "1 value is" if how_many == 1 else f"{count(how_many)} values are"
