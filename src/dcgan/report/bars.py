"""Accuracies side by side: one bar a row, its interval, its number."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


class Bar(NamedTuple):
    """name: of the row. value, half: 0 … 1, the share and half of its interval. marked: drawn in the accent colour."""

    name: str
    value: float
    half: float
    marked: bool = False


def bars(rows: Sequence[Bar], title: str) -> bytes:
    """PNG of horizontal bars, the first row on top. The axis begins below the lowest value; its ticks say where."""
    figure = Figure(figsize=(7.2, 1.1 + 0.42 * len(rows)), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    lowest = min(row.value - row.half for row in rows)
    left = max(0.0, int((lowest - 0.05) * 10) / 10)
    for place, row in enumerate(rows):
        axes.barh(place, row.value, height=0.62, color="#3060a0" if row.marked else "#b9bfc7")
        axes.plot(
            [row.value - row.half, row.value + row.half], [place, place], color="#222222", linewidth=1.4
        )
        axes.text(
            row.value + row.half,
            place,
            f"  {100 * row.value:.2f} % ± {100 * row.half:.2f}",
            va="center",
            fontsize=9,
        )
    axes.set_yticks(range(len(rows)), [row.name for row in rows], fontsize=9)
    axes.invert_yaxis()
    highest = max(row.value + row.half for row in rows)
    axes.set_xlim(left, left + (highest - left) * 1.28)
    ticks = [tick for tick in axes.get_xticks() if left <= tick <= 1]
    axes.set_xticks(ticks, [f"{100 * tick:.0f} %" for tick in ticks], fontsize=8)
    axes.set_title(title, fontsize=10, loc="left")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
