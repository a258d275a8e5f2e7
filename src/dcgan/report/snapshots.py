"""The sample grids of a run as data: URIs: the newest in full, all of them as a film that stays small."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dcgan.report.images import EXACT, SMALLER, Picture, data_uri, open_png, webp
from dcgan.report.journal import Record
from dcgan.training.journal import number

FRAMES = 60
"""Grids in the film, at most."""
BUDGET = 3_000_000
"""Bytes of the film's pictures, at most; as data: URIs they are a third more, so 4 MB of the page."""
LEVELS = (None, (80, 1024), (60, 768), (40, 512))
"""How the film is made to fit: as saved, then as WebP of (quality, longest side in pixels), ever smaller."""


@dataclass(frozen=True)
class Snapshot(Picture):
    """One grid, and when it was drawn (None where nothing tells)."""

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
    while files and open_png(files[-1]) is None:
        files.pop()
    if not files:
        return Film(None, [], total, total)
    last = _encode(files[-1], None if files[-1].stat().st_size <= EXACT else SMALLER)
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
    image = open_png(file)
    if image is None:
        return None
    width, height = image.size
    if level is None:
        return _Grid(file, "png", file.read_bytes(), width, height)
    return _Grid(file, "webp", webp(image, *level), width, height)


def _images(file: Path, told: dict[str, dict[str, Any]]) -> float | None:
    """Images seen when `file` was drawn: by the journal, else by the file's own name."""
    images = number(told.get(file.name, {}).get("images"))
    if images is None and file.stem.isdecimal():
        return float(file.stem)
    return images


def _snapshot(grid: _Grid, told: dict[str, dict[str, Any]]) -> Snapshot:
    event = told.get(grid.file.name, {})
    return Snapshot(
        data_uri(grid.kind, grid.content),
        grid.width,
        grid.height,
        number(event.get("epoch")),
        _images(grid.file, told),
        number(event.get("seconds")),
    )
