"""What a study's page shows: curves as PNG, and grids side by side."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from dcgan.errors import DcganError
from dcgan.pictures import FONT_SIZE, GAP, INK, MARGIN, PAPER, grid, png
from dcgan.run import Run

COLOURS = ("#3060a0", "#c05028", "#3a8a4a", "#8a5aa8")
DPI = 80
NOISY = 80
"""From this many points on, a curve gets a smooth line over a faint one."""


@dataclass(frozen=True)
class Line:
    """One curve: x, y float64 (n,)."""

    name: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]


@dataclass(frozen=True)
class Panel:
    """One plot. level: (value, name) of a dashed line to compare with. log: a logarithmic y axis."""

    title: str
    x_name: str
    lines: Sequence[Line]
    level: tuple[float, str] | None = None
    log: bool = False


def curves(panels: Sequence[Panel], columns: int = 2) -> bytes:
    """The plots as one PNG, `columns` in a row."""
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(5.2 * columns, 2.9 * rows), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    for number, panel in enumerate(panels, 1):
        axes = figure.add_subplot(rows, columns, number)
        for colour, line in zip(COLOURS, panel.lines, strict=False):
            dense = len(line.x) >= NOISY
            axes.plot(
                line.x,
                line.y,
                color=colour,
                linewidth=0.8 if dense else 1.6,
                alpha=0.35 if dense else 1.0,
                marker=None if dense else "o",
                markersize=3.5,
                label=None if dense else line.name,
            )
            if dense:
                axes.plot(line.x, _smooth(line.y), color=colour, linewidth=1.8, label=line.name)
        if panel.level:
            axes.axhline(panel.level[0], color="#777777", linewidth=1, dashes=(4, 3), label=panel.level[1])
        if panel.log:
            axes.set_yscale("log")
        axes.set_title(panel.title, fontsize=10, loc="left")
        axes.set_xlabel(panel.x_name, fontsize=9)
        axes.tick_params(labelsize=8)
        axes.grid(visible=True, axis="y", color="#dddddd", linewidth=0.7)
        if len(panel.lines) + bool(panel.level) > 1:
            axes.legend(fontsize=8, frameon=False)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    # 64 colours are enough for lines on white, and a third of the bytes.
    image = Image.open(buffer, formats=["PNG"]).convert("RGB").quantize(64, dither=Image.Dither.NONE)
    small = io.BytesIO()
    image.save(small, "PNG", optimize=True)
    return small.getvalue()


def losses(run: Run, keys: Sequence[str] = ("loss_d", "loss_g")) -> list[Line]:
    """The curves of a run's journal over its batches; each point is the mean since the one before."""
    intervals = [entry for entry in run.journal() if entry["event"] == "interval"]
    names = {"loss_d": "D", "loss_g": "G"}
    found = []
    for key in keys:
        points = [(e["step"], e[key]) for e in intervals if isinstance(e.get(key), int | float)]
        x, y = np.array(points, np.float64).reshape(-1, 2).T
        found.append(Line(names.get(key, key), x, y))
    return found


def beside(pictures: Sequence[tuple[str, NDArray[np.uint8]]], columns: int = 2, scale: int = 1) -> bytes:
    """Pictures (uint8 HWC, of one number of channels) with a caption above each, as one PNG."""
    pictures = [(caption, image.repeat(scale, 0).repeat(scale, 1)) for caption, image in pictures]
    font = ImageFont.load_default(size=FONT_SIZE)
    width = max(image.shape[1] for _, image in pictures)
    width = max(width, *(round(font.getlength(caption)) for caption, _ in pictures)) + MARGIN
    height = max(image.shape[0] for _, image in pictures) + FONT_SIZE + MARGIN
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    canvas = Image.new("L", (columns * width + MARGIN, rows * height + MARGIN // 2), PAPER)
    draw = ImageDraw.Draw(canvas)
    corners = [
        (MARGIN + i % columns * width, MARGIN // 2 + i // columns * height) for i in range(len(pictures))
    ]
    for (x, y), (caption, _) in zip(corners, pictures, strict=True):
        draw.text((x, y), caption, INK, font)
    pixels = np.asarray(canvas)[:, :, None].repeat(pictures[0][1].shape[2], axis=2)
    for (x, y), (_, image) in zip(corners, pictures, strict=True):
        top = y + FONT_SIZE + GAP
        pixels[top : top + image.shape[0], x : x + image.shape[1]] = image
    return png(pixels)


def designs(run: Run, count: int = 64, columns: int = 8) -> NDArray[np.uint8]:
    """The first designs of seed 0 by a run's newest checkpoint, not chosen, as one picture."""
    return grid(run.model(start="last").generate(count, seed=0).images, columns)


def sample_at(run: Run, key: str, value: float) -> tuple[int, float, NDArray[np.uint8]]:
    """(images, seconds, picture) of the newest sample of a run at or before `value` of "images" or "seconds".

    Raises `DcganError` when the sample cannot be read.
    """
    found = [entry for entry in run.journal() if entry["event"] == "sample"]
    fitting = [entry for entry in found if entry[key] <= value] or found[:1]
    if not fitting:
        raise DcganError(f"{run.folder} has no samples: its journal tells of none")
    entry = fitting[-1]
    return entry["images"], entry["seconds"], read_picture(run.folder / entry["file"])


def read_picture(path: Path) -> NDArray[np.uint8]:
    """A PNG of ours as uint8 HWC."""
    try:
        with Image.open(path, formats=["PNG"]) as image:
            pixels = np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB"))
    except (OSError, ValueError, Image.DecompressionBombError):
        raise DcganError(f"{path} cannot be read as a PNG") from None
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def _smooth(y: NDArray[np.float64]) -> NDArray[np.float64]:
    """The running mean over a thirtieth of the points."""
    half = max(2, len(y) // 60)
    sums = np.concatenate([[0.0], np.cumsum(y)])
    places = np.arange(len(y))
    start, stop = np.maximum(places - half, 0), np.minimum(places + half + 1, len(y))
    return np.asarray((sums[stop] - sums[start]) / (stop - start))
