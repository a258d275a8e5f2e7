"""The one who looks at a run while it trains: the check-up that scores it, and the doctor who reads its journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dcgan.analysis.doctor.live import LiveDoctor, is_collapse
from dcgan.data.dataset import Dataset
from dcgan.evaluation.checkup import CheckUp
from dcgan.evaluation.reference import held_out
from dcgan.recipe import Recipe
from dcgan.training.trainer import Trainer


class RunObserver:
    """A `training.observer.Observer`. With `stop_on_collapse`, a finding that does not mend ends the run."""

    def __init__(self, recipe: Recipe, data: Dataset) -> None:
        facts = data.describe()
        size = (recipe.height, recipe.width)
        self.stops = recipe.stop_on_collapse
        self.checkup = CheckUp(data, lambda: held_out(facts, size, recipe.channels))
        self.doctor = LiveDoctor(recipe)

    def score(self, trainer: Trainer) -> Mapping[str, Any]:
        return self.checkup(trainer)

    def diagnose(self, entry: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        return [
            {**found.to_dict(), "stop": self.stops and is_collapse(found)} for found in self.doctor.see(entry)
        ]
