"""The features of a study's runs, probed once each: what is known already is read, not computed again."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from typing import Any

from dcgan.analysis.probe.probe import Probed
from dcgan.data import Dataset
from dcgan.evaluation.reference import open_alike
from dcgan.evaluation.scores import FOLDER
from dcgan.files import make_folder, open_file, write_json
from dcgan.probes import Asked, probe
from dcgan.run import Run
from dcgan.studies.page import table

FILE = "probes.json"
NAMES = {
    "pixels": "raw pixels",
    "pca": "principal components of the pixels",
    "untrained": "the same networks, untrained",
    "kmeans": "single-layer k-means, 4 K features",
    "cnn": "the same architecture, trained with the labels",
}


def probed(run: Run, asked: Asked, tell: Callable[[str], None] = lambda line: None) -> list[Probed]:
    """The rows of `dcgan probe` for the run's newest checkpoint, on the pictures that it learned from.

    The newest, not the best: which is best was chosen by designs, and says nothing of features.
    """
    model, data = run.model(start="last"), pictures_of(run)
    key = json.dumps([model.facts.get("step"), data.sha256, dataclasses.asdict(asked)])
    known = _read(run)
    if key not in known:
        rows = list(probe(model, data, asked, tell=tell))
        known[key] = [row.as_json() for row in rows]
        write_json(make_folder(run.folder / FOLDER) / FILE, known)
    return [Probed(**{**row, "draws": tuple(row["draws"])}) for row in known[key]]


def pictures_of(run: Run) -> Dataset:
    """What the run learned from, in its own size and channels."""
    facts = run.data
    size = int(facts["height"]), int(facts["width"])
    return open_alike(facts, size, int(facts["channels"]))


def row(name: str, found: Probed) -> list[str]:
    """A measured line: name, numbers, accuracy with its interval, C."""
    chosen = f"{found.c:g}" if found.c else f"best of {found.facts['trials']} trials"
    numbers = f"{found.numbers:,}" if found.numbers else "–"
    return [name, numbers, percent(found), chosen]


def percent(found: Probed) -> str:
    """82.8 ± 0.4."""
    return f"{100 * found.accuracy:.2f} ± {100 * found.interval:.2f}"


def over_seeds(found: Sequence[Probed]) -> str:
    """The mean over runs of different seeds, and the lowest and highest."""
    values = [100 * one.accuracy for one in found]
    if len(values) == 1:
        return f"{values[0]:.2f} (one seed)"
    return f"{sum(values) / len(values):.2f} ({min(values):.2f} to {max(values):.2f}, {len(values)} seeds)"


def results(features: str, found: Sequence[Probed], run: str) -> str:
    """The table of one run: its features first, then the controls."""
    lines = [row(f"`{run}`: {features}", found[0]), *(row(NAMES[one.features], one) for one in found[1:])]
    return table(("features", "numbers", "accuracy, %", "C"), lines, numeric=True)


def _read(run: Run) -> dict[str, Any]:
    """What is kept in the run's folder; nothing where it is missing or damaged."""
    try:
        with open_file(run.folder / FOLDER / FILE) as file:
            known = json.loads(file.read())
        return known if isinstance(known, dict) else {}
    except (OSError, ValueError, RecursionError):
        return {}
