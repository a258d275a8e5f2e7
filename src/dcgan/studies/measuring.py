"""A run scored at each checkpoint that it kept, once each: what is known already is read, not computed again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dcgan.data import Dataset
from dcgan.evaluation.choosing import choose
from dcgan.evaluation.evaluate import most
from dcgan.evaluation.reference import held_out
from dcgan.evaluation.scores import FOLDER
from dcgan.files import make_folder, open_file, write_json
from dcgan.judge import evaluate
from dcgan.run import Run
from dcgan.training import folder as layout
from dcgan.training.checkpoint import Manifest, list_manifests

FILE = "over-training.json"
MOST = 12
"""Checkpoints of a run that are scored, at most, evenly over its course."""
FOLLOWED = 512
"""Designs whose class is followed from checkpoint to checkpoint."""


@dataclass(frozen=True)
class Point:
    """A checkpoint's scores. epoch: in passes over the data.

    scores: as `dcgan evaluate` keeps them. classes: for each of the first designs of seed 0 the class that the
    labeller sees, the same z at every checkpoint; empty without a labeller. names: what the classes are called.
    """

    step: int
    images: int
    epoch: float
    seconds: float
    scores: dict[str, Any]
    classes: list[int]
    names: list[str]


def measure(
    run: Run, data: Dataset, extractor: str, n: int, tell: Callable[[str], None] = lambda line: None
) -> list[Point]:
    """The scores of a run's checkpoints, oldest first, against the pictures that it learned from."""
    chosen = _chosen(run)
    unseen = held_out(data.describe(), data.size, data.channels)
    found, labeller = choose(extractor, data, unseen, tell=tell, progress=_Told(data.name, tell))
    n = min(n, most(data, unseen))
    known = {point.step: point for point in _read(run.folder) if _alike(point, found.sha256, n)}
    points = []
    for manifest in chosen:
        point = known.get(manifest.step)
        if point is None:
            tell(f"scoring {run.name} at step {manifest.step:,}")
            scores = evaluate(run, data=data, extractor=extractor, n=n, start=manifest.step)
            classes: list[int] = []
            if labeller is not None:
                designs = run.model(start=manifest.step).generate(FOLLOWED, seed=0).images
                channels_first = np.ascontiguousarray(designs.transpose(0, 3, 1, 2))
                classes = [int(k) for k in labeller.probabilities(channels_first).argmax(1)]
            names = list(labeller.classes) if labeller is not None else []
            epoch = manifest.images / len(data)
            point = Point(
                manifest.step,
                manifest.images,
                epoch,
                manifest.seconds,
                json.loads(json.dumps(scores.to_dict(), allow_nan=False)),
                classes,
                names,
            )
            known[manifest.step] = point
            _write(run.folder, sorted(known.values(), key=lambda one: one.step))
        points.append(point)
    return points


class _Told:
    """Says how far the training of a labeller has come, each tenth of it; nothing when it is kept already."""

    def __init__(self, name: str, tell: Callable[[str], None]) -> None:
        self.name, self.tell, self.said = name, tell, 0

    def __call__(self, done: int, total: int) -> None:
        if self.said <= 10 * done // max(total, 1) < 10:
            self.said = 10 * done // total + 1
            self.tell(f"training the labeller of {self.name}, once: {100 * done // total} %")


def _chosen(run: Run) -> list[Manifest]:
    """The newest checkpoint and those that are kept for good, at most `MOST`."""
    every = [manifest for _, manifest in list_manifests(run.folder / layout.CHECKPOINTS)]
    kept = [found for found in every[:-1] if found.number % found.recipe.keep_every == 0] + every[-1:]
    if len(kept) <= MOST:
        return kept
    places = np.unique(np.linspace(0, len(kept) - 1, MOST).round().astype(int))
    return [kept[place] for place in places]


def _alike(point: Point, sha256: str, n: int) -> bool:
    """Whether a result can stand beside new ones: scores of another network or number of designs cannot."""
    return point.scores.get("extractor_sha256") == sha256 and point.scores.get("n") == n


def _read(folder: Path) -> list[Point]:
    """What is kept in the run's folder; nothing where it is missing or damaged."""
    try:
        with open_file(folder / FOLDER / FILE) as file:
            return [Point(**entry) for entry in json.loads(file.read())]
    except (OSError, ValueError, TypeError, RecursionError):
        return []


def _write(folder: Path, points: list[Point]) -> None:
    write_json(make_folder(folder / FOLDER) / FILE, [asdict(point) for point in points])
