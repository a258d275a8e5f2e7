"""The sample grids of a run as data: URIs: the newest in full, all of them as a film that stays small."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from dcgan.report.journal import Record, number

FRAMES = 60
"""Grids in the film, at most."""
BUDGET = 3_000_000
"""Bytes of the film's pictures, at most; as data: URIs they are a third more, so 4 MB of the page."""
NEWEST = 1_500_000
"""Bytes up to which the newest grid is shown exactly as it was saved."""
PIXELS = 40_000_000
"""Grids of more pixels than this are not opened: a PNG of a few kB can claim any size."""
LEVELS = (None, (80, 1024), (60, 768), (40, 512))
"""How the film is made to fit: as saved, then as WebP of (quality, longest side in pixels), ever smaller."""


@dataclass(frozen=True)
class Snapshot:
    """One grid: its data: URI, its size in pixels, and when it was drawn (None where nothing tells)."""

    source: str
    width: int
    height: int
    epoch: float | None
    images: float | None
    seconds: float | None


@dataclass(frozen=True)
class Film:
    """newest: the last grid that could be read, None without any. frames: up to 60 grids, oldest first.

    total: grids in the folder. broken: how many of those that were opened are not readable pictures.
    """

    newest: Snapshot | None
    frames: list[Snapshot]
    total: int
    broken: int


def collect(folder: Path, record: Record) -> Film:
    """Read the grids in `folder`/samples, evenly spaced, always with the first and the last.

    Each must be a PNG that really lies in that folder; anything else counts as broken.
    """
    told = {
        Path(name).name: event for event in record.of("sample") if isinstance(name := event.get("file"), str)
    }
    files = sorted(
        (folder / "samples").glob("*.png"), key=lambda file: (_images(file, told) or 0.0, file.name)
    )
    total = len(files)
    while files and _open(files[-1]) is None:
        files.pop()
    if not files:
        return Film(None, [], total, total)
    last = _encode(files[-1], None if files[-1].stat().st_size <= NEWEST else (90, 1600))
    chosen = [files[index] for index in np.unique(np.linspace(0, len(files) - 1, FRAMES).round().astype(int))]
    grids, broken = _fit(chosen)
    return Film(
        _snapshot(last, told) if last else None,
        [_snapshot(grid, told) for grid in grids],
        total,
        total - len(files) + broken,
    )


class _Grid(NamedTuple):
    file: Path
    kind: str
    content: bytes
    width: int
    height: int


def _fit(files: list[Path]) -> tuple[list[_Grid], int]:
    """The readable ones of `files`, together within the budget, and how many were not readable.

    One grid is in memory at a time. If even the last level is too big, every other grid is dropped.
    """
    grids: list[_Grid] = []
    for level in LEVELS:
        grids, size = [], 0
        for file in files:
            grid = _encode(file, level)
            if grid is not None:
                grids.append(grid)
                size += len(grid.content)
            if size > BUDGET and level is not LEVELS[-1]:
                break
        if size <= BUDGET:
            break
    broken = len(files) - len(grids)
    while len(grids) > 2 and sum(len(grid.content) for grid in grids) > BUDGET:
        grids = [*grids[:-1:2], grids[-1]]
    return grids, broken


def _encode(file: Path, level: tuple[int, int] | None) -> _Grid | None:
    """`file` as it is (`level` None) or as WebP of (quality, longest side); None when it is broken."""
    image = _open(file)
    if image is None:
        return None
    width, height = image.size
    if level is None:
        return _Grid(file, "png", file.read_bytes(), width, height)
    quality, side = level
    image.thumbnail((side, side))
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=quality, method=2)
    return _Grid(file, "webp", buffer.getvalue(), width, height)


def _open(file: Path) -> Image.Image | None:
    """The picture in `file`, decoded, grey or RGB; None for links, giants and what is no whole PNG."""
    try:
        if file.is_symlink() or not file.is_file():
            return None
        with Image.open(file, formats=["PNG"]) as image:
            if image.width * image.height > PIXELS:
                return None
            return image.convert("L" if image.mode == "L" else "RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None


def _images(file: Path, told: dict[str, dict[str, Any]]) -> float | None:
    """Images seen when `file` was drawn: by the journal, else by the file's own name."""
    images = number(told.get(file.name, {}).get("images"))
    if images is None and file.stem.isdecimal():
        return float(file.stem)
    return images


def _snapshot(grid: _Grid, told: dict[str, dict[str, Any]]) -> Snapshot:
    event = told.get(grid.file.name, {})
    return Snapshot(
        f"data:image/{grid.kind};base64,{base64.b64encode(grid.content).decode()}",
        grid.width,
        grid.height,
        number(event.get("epoch")),
        _images(grid.file, told),
        number(event.get("seconds")),
    )
