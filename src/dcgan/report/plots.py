"""Curves as inline SVG that takes its colours and its font from the page it stands in."""

from __future__ import annotations

import io
import itertools
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from dcgan.report.words import compact

SIZE = (4.4, 2.7)
"""Inches. 4.4 are 317 units of the SVG: a phone 360 pixels wide draws its 11-unit letters 11 pixels high."""
FONT = 11
POINTS = 600
"""Points of a curve that are drawn, at most."""
NOISY = 60
"""From this many points on, a curve gets a smooth line over a faint one."""
CLEAR = 3
"""With more curves than this only the smooth lines are drawn: faint ones would cover them."""
SERIES = 8
"""Colours that the page defines as --series-1 … --series-8; more curves than that start over."""

# matplotlib wants real colours, a page in two colour schemes wants variables: each of these stands for one
# and is replaced in the finished SVG. None is a colour that anything else would draw with.
_INK, _GRID, _MARK, _PAPER = "#010203", "#010204", "#010205", "#010206"
_COLOURS = [f"#0103{index:02x}" for index in range(1, SERIES + 1)]
_VARIABLES = {
    _INK: "var(--muted)",
    _GRID: "var(--line)",
    _MARK: "var(--bad)",
    _PAPER: "var(--paper)",
} | {colour: f"var(--series-{index})" for index, colour in enumerate(_COLOURS, 1)}

# rc_context changes settings of the whole process, so two threads must not be in it at once.
_settings = threading.Lock()


@dataclass(frozen=True)
class Series:
    """One curve: x and y are float64 of the same shape (n,), finite, x rising.

    dashed: a level to compare with rather than a course. best: a point to ring.
    """

    name: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    dashed: bool = False
    best: tuple[float, float] | None = None


def line_plot(
    series: Sequence[Series],
    x_name: str,
    *,
    log: bool | None = None,
    bounds: tuple[float, float] | None = None,
    marks: Sequence[float] = (),
) -> tuple[str, int]:
    """The curves as an `<svg>` element, and how many of their points lie outside its frame.

    A curve without points is not drawn and keeps its colour; one at least has some.

    log: a logarithmic y axis; None decides: no bounds, all values above zero and spread over more than a factor of 100.
    bounds: the y axis's limits; without them they hold all but the wildest hundredth of the points.
    marks: places on the x axis that get a vertical line each, numbered from 1.
    """
    figure, axes = _axes(x_name)
    values = np.concatenate([one.y for one in series])
    if log is None:
        wide = values.min() > 1e-30 and np.quantile(values, 0.99) > 100 * np.quantile(values, 0.01)
        log = bool(wide) and bounds is None
    low, high = bounds or _limits(values, log)
    drawn = [one for one in series if len(one.x)]
    for one, colour in zip(series, _cycle(len(series)), strict=True):
        if not len(one.x):
            continue
        if one.dashed:
            axes.plot(*_thin(one.x, one.y), color=colour, linewidth=1.4, dashes=(4, 3))
        elif len(one.x) >= NOISY:
            if len(drawn) <= CLEAR:
                axes.plot(*_thin(one.x, one.y), color=colour, linewidth=0.8, alpha=0.35)
            axes.plot(*_smooth(one.x, one.y), color=colour, linewidth=1.8)
        else:
            axes.plot(one.x, one.y, color=colour, linewidth=1.8, marker="o", markersize=3.5)
        if one.best:
            axes.plot(*one.best, "o", markersize=9, markeredgecolor=colour, markerfacecolor="none")
    if log:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(numticks=6))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.tick_params(which="minor", length=0)
    else:
        axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.set_ylim(low, high)
    left = min(0.0, *(one.x[0] for one in drawn))
    right = max([*(one.x[-1] for one in drawn), *marks])
    axes.set_xlim(left, 1.02 * right or 1.0)
    _mark(axes, marks)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: compact(value)))
    return _svg(figure), int(((values < low) | (values > high)).sum())


def bar_plot(one: Series, x_name: str) -> str:
    """Values from zero up as an `<svg>` element: bars, or dots when there are more than 40."""
    figure, axes = _axes(x_name)
    # Short epochs are journalled a few at a time, so neighbours may be further apart than one.
    gaps = np.diff(one.x)
    pitch = float(gaps[gaps > 0].min(initial=np.inf))
    pitch = pitch if np.isfinite(pitch) else 1.0
    if len(one.x) <= 40:
        axes.bar(one.x, one.y, color=_COLOURS[0], width=0.7 * pitch)
    else:
        axes.plot(*_thin(one.x, one.y), ".", color=_COLOURS[0], markersize=4)
    axes.set_ylim(0, 1.1 * float(one.y.max()) or 1.0)
    axes.set_xlim(one.x[0] - 0.6 * pitch, max(one.x[-1], one.x[0] + 4 * pitch) + 0.6 * pitch)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: compact(value)))
    return _svg(figure)


def _axes(x_name: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=SIZE)
    # Fixed, because a layout engine draws every plot twice, and so that plots below each other align.
    axes = figure.add_axes((0.13, 0.19, 0.82, 0.77))
    axes.set_xlabel(x_name, color=_INK, fontsize=FONT)
    axes.tick_params(colors=_INK, labelsize=FONT, length=0, pad=5)
    axes.grid(visible=True, axis="y", color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.margins(x=0.02)
    for side in ("top", "left", "right"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(_GRID)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: compact(value)))
    return figure, axes


def _mark(axes: Axes, marks: Sequence[float]) -> None:
    """A dashed line from top to bottom at each of `marks`, its number at the top; near ones step down."""
    left, right = axes.get_xlim()
    placed: list[tuple[float, int]] = []
    for number, x in enumerate(marks, 1):
        taken = {row for other, row in placed if abs(other - x) < 0.06 * (right - left)}
        row = next(row for row in range(len(marks) + 1) if row not in taken)
        placed.append((x, row))
        axes.axvline(x, color=_MARK, linewidth=1.2, dashes=(3, 2))
        axes.plot(
            [x], [0.95 - 0.15 * row], "o", transform=axes.get_xaxis_transform(), clip_on=False,
            markersize=13, markeredgecolor=_MARK, markerfacecolor=_PAPER,
        )  # fmt: skip
        axes.text(
            x, 0.945 - 0.15 * row, str(number), transform=axes.get_xaxis_transform(),
            color=_MARK, fontsize=FONT, ha="center", va="center",
        )  # fmt: skip


def _cycle(count: int) -> list[str]:
    return [_COLOURS[index % SERIES] for index in range(count)]


def _limits(values: NDArray[np.float64], log: bool) -> tuple[float, float]:
    """A frame around all values, or around 98 of 100 when the others are further out than those are wide."""
    scaled = np.log10(values) if log else values
    low, high = scaled.min(), scaled.max()
    usual_low, usual_high = np.quantile(scaled, (0.01, 0.99))
    spread = usual_high - usual_low
    if spread > 0:
        low = low if usual_low - low < spread else usual_low
        high = high if high - usual_high < spread else usual_high
    margin = 0.06 * (high - low) or 0.5 * abs(high) or 0.5
    frame = (float(low - margin), float(high + margin))
    return (10.0 ** frame[0], 10.0 ** frame[1]) if log else frame


def _thin(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """At most 600 of the points: the lowest and the highest of each of 300 stretches, so that peaks stay."""
    if len(x) <= POINTS:
        return x, y
    edges = np.linspace(0, len(x), POINTS // 2 + 1).astype(int)
    keep: list[int] = []
    for start, stop in itertools.pairwise(edges):
        stretch = y[start:stop]
        keep += sorted({start + int(stretch.argmin()), start + int(stretch.argmax())})
    return x[keep], y[keep]


def _smooth(
    x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The running mean over a thirtieth of the points, at no more than 200 places."""
    half = max(2, len(x) // 60)
    sums = np.concatenate([[0.0], np.cumsum(y)])
    places = np.unique(np.linspace(0, len(x) - 1, 200).round().astype(int))
    start, stop = np.maximum(places - half, 0), np.minimum(places + half + 1, len(x))
    return x[places], (sums[stop] - sums[start]) / (stop - start)


def _svg(figure: Figure) -> str:
    """The figure as an `<svg>` element without namespaces, fonts or colours of its own.

    Ids are hashes of what they name, so two plots of a page share one only where both mean the same.
    """
    buffer = io.StringIO()
    blank = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with _settings, matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "dcgan"}):
        figure.savefig(buffer, format="svg", transparent=True, metadata=blank)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<style.*?</style>", "", svg, flags=re.S)
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.S)
    svg = re.sub(
        r"<svg[^>]*?(viewBox=\"[^\"]*\")[^>]*>", r'<svg \1 aria-hidden="true" focusable="false">', svg
    )
    svg = re.sub(r"font-family: [^;\"]*;? ?", "", svg)
    svg = re.sub(r"<g id=\"[^\"]*\">", "<g>", svg)
    # Hundredths of a unit are enough for coordinates; what stands between tags is an axis's label.
    svg = re.sub(r"<[^>]*>", lambda tag: re.sub(r"(\d\.\d\d)\d+", r"\1", tag[0]), svg)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, variable)
    return re.sub(r"\s+", " ", svg).replace("> <", "><").strip()
