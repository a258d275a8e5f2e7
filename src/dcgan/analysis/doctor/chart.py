"""A patient's chart: what is known of a run, as numbers, without opening a file."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcgan.objectives import OBJECTIVES
from dcgan.recipe import Recipe
from dcgan.training.journal import number

Floats = NDArray[np.float64]

LASTING = 100
"""Steps that something must last to count: single batches say nothing."""
EARLY = 100
"""Steps before which no run is judged by its losses."""
NUMBERS = (
    "loss_d", "loss_g", "real_score", "fake_score", "d_accuracy", "logit_std",
    "weights_g", "weights_d", "grad_g", "grad_d",
)  # fmt: skip
NEUTRAL = {
    "bce": (2 * math.log(2), math.log(2)),
    "bce-probability": (2 * math.log(2), math.log(2)),
    "hinge": (2.0, 0.0),
    "relativistic": (math.log(2), math.log(2)),
}
"""D's and G's loss when D says the same of every image, by objective."""


@dataclass(frozen=True)
class Chart:
    """What is known of a run.

    intervals: the journal's, as rows of numbers, oldest first; what one does not say is NaN. scores: its "score"
    events. exam: the same numbers and more of the newest checkpoint (see `exam`), {} without one.
    mishaps: sentences on what became NaN or infinite. checkpoints: their steps, rising.
    samples: (step, file) of the sample grids, oldest first. images: in the data, 0 where not known.
    began: the step before the first interval. confirmed: what the confirm test found: see `confirm`.
    """

    recipe: Recipe
    intervals: Sequence[Mapping[str, Any]] = ()
    scores: Sequence[Mapping[str, Any]] = ()
    exam: Mapping[str, Any] = field(default_factory=dict)
    mishaps: tuple[str, ...] = ()
    checkpoints: tuple[int, ...] = ()
    samples: tuple[tuple[int, str], ...] = ()
    images: int = 0
    began: int = 0
    confirmed: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def steps(self) -> Floats:
        """float64 (n,): the step at the end of each interval."""
        return np.array([entry["step"] for entry in self.intervals], np.float64)

    @cached_property
    def weights(self) -> Floats:
        """float64 (n,): steps in each interval, so that long ones count for more."""
        return np.diff(self.steps, prepend=min(float(self.began), *self.steps[:1], math.inf))

    @property
    def step(self) -> int:
        """The newest step."""
        return int(max([*self.steps[-1:], self.exam.get("step", 0), 0]))

    @property
    def relative(self) -> bool:
        """Whether D compares a real image with a fake one."""
        return OBJECTIVES[self.recipe.objective].relative

    @property
    def neutral(self) -> tuple[float, float]:
        """D's and G's loss when D says the same of every image."""
        return NEUTRAL[self.recipe.objective]

    def series(self, name: str) -> Floats:
        """float64 (n,): a quantity by interval, NaN where it is not told."""
        return np.array([entry.get(name, math.nan) for entry in self.intervals], np.float64)

    def recent(self, name: str, steps: int = LASTING) -> float | None:
        """The mean over the last `steps` steps, or None when it is not known of most of them."""
        values, weights = self.series(name), self.weights
        if not len(values):
            return None
        inside = self.steps > self.steps[-1] - steps
        known = inside & np.isfinite(values)
        if weights[known].sum() < 0.5 * weights[inside].sum() or not weights[known].sum() > 0:
            return None
        return float(np.average(values[known], weights=weights[known]))

    def lasting(self, holds: NDArray[np.bool_], steps: int = LASTING) -> int | None:
        """The step since which `holds` (n,) has been true of nine steps in ten, if that is `steps` or more ago."""
        if not holds.any():
            return None
        weights = self.weights[::-1]
        share = np.cumsum(weights * holds[::-1]) / np.maximum(np.cumsum(weights), 1e-9)
        good = np.flatnonzero((share >= 0.9) & holds[::-1])
        if not len(good):
            return None
        first = len(holds) - 1 - int(good[-1])
        since = self.steps[first] - self.weights[first]
        return int(since) if self.steps[-1] - since >= steps else None

    def looks(self, name: str) -> float | None:
        """A number of the newest look at the pictures: the exam's, else the newest score's."""
        for facts in (self.exam, *reversed(self.scores)):
            value = facts.get(name)
            if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
                return float(value)
        return None

    @property
    def looked(self) -> int | None:
        """The step of the newest look at the pictures."""
        step = self.exam.get("step", self.scores[-1].get("step") if self.scores else None)
        return int(step) if isinstance(step, int | float) else None

    @property
    def best(self) -> int | None:
        """The step of the best score, None without scores."""
        told = [(score["frechet"], score["step"]) for score in self.scores if "frechet" in score]
        return int(min(told)[1]) if told else None

    def before(self, since: int | None) -> int | None:
        """Where to roll back to: the best score's checkpoint, else the newest, before `since`."""
        limit = self.step if since is None else since
        best = self.best
        if best is not None and 0 < best <= limit:
            return best
        return max((step for step in self.checkpoints if 0 < step <= limit), default=None)

    def shown(self, since: int | None) -> tuple[str, ...]:
        """The newest sample grid, and the last one before `since`, to see the difference."""
        files = [file for step, file in self.samples[-1:]]
        if since is not None:
            files += [file for step, file in self.samples if step <= since][-1:]
        return tuple(dict.fromkeys(files))


def interval(entry: Mapping[str, Any]) -> dict[str, float] | None:
    """The numbers of an "interval" event; None when it has no step."""
    step = number(entry.get("step"))
    if step is None:
        return None
    found = {name: value for name in NUMBERS if (value := number(entry.get(name))) is not None}
    return {"step": step, **found}


def mishap(entry: Mapping[str, Any]) -> str | None:
    """What an event says became NaN or infinite, or None."""
    message = entry.get("message")
    if entry.get("event") == "error" and isinstance(message, str) and "NaN or infinite" in message:
        return message.partition(":")[0]
    if entry.get("event") != "interval":
        return None
    bad = [name for name in NUMBERS if isinstance(entry.get(name), str)]
    return f"{', '.join(bad)} not finite at step {entry.get('step')}" if bad else None


def chart_of(recipe: Recipe, entries: Iterable[Mapping[str, Any]], **facts: Any) -> Chart:
    """The chart of a journal's entries, oldest first, since the recipe last changed; what a resume went back behind is
    left out."""
    intervals: list[dict[str, float]] = []
    scores: list[dict[str, Any]] = []
    samples: list[tuple[int, str]] = []
    mishaps: list[tuple[float, str]] = []
    began = 0
    for entry in entries:
        step = number(entry.get("step"))
        event = entry.get("event")
        if event == "resume" and step is not None:
            intervals = [old for old in intervals if old["step"] <= step]
            scores = [old for old in scores if old["step"] <= step]
            mishaps = []
        if event == "change" and step is not None:
            # Another recipe from here on: what its forerunner did says nothing of it.
            intervals, scores, began = [], [], int(step)
        if (said := mishap(entry)) is not None:
            mishaps.append((step or 0.0, said))
        if event == "interval" and (row := interval(entry)) is not None:
            if not intervals or row["step"] > intervals[-1]["step"]:
                intervals.append(row)
        elif event == "score" and step is not None:
            scores.append({**entry, "step": step})
        elif event == "sample" and step is not None and isinstance(entry.get("file"), str):
            samples.append((int(step), entry["file"]))
    return Chart(
        recipe, intervals, scores, samples=tuple(samples), mishaps=tuple(said for _, said in mishaps), began=began,
        **facts,
    )  # fmt: skip
