"""The confirm test: freeze G, train D alone for 200 steps. A jump of its accuracy says it was stuck, not unable."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dcgan.data import Dataset
from dcgan.recipe import Recipe
from dcgan.training.engine import Engine
from dcgan.training.restore import restore
from dcgan.training.trainer import Trainer

STEPS, SHOWN = 200, 10
"""Steps of D alone; at either end, the mean over this many."""


def confirm(folder: Path, recipe: Recipe, data: Dataset, steps: int = STEPS) -> dict[str, float]:
    """Train D of the run's newest checkpoint in memory, G standing still; nothing is written.

    Returns steps, D's accuracy before and after, and jump, their difference. Raises `DcganError` without a checkpoint
    of this recipe, and `Diverged` when D does not stay finite.
    """
    trainer = Trainer(recipe, data, Engine.choose(recipe.precision))
    restored = restore(folder, trainer)
    trainer.method.rates["generator"] = 0.0
    right = [float(trainer.advance()["d_accuracy"]) for _ in range(steps)]
    before, after = float(np.mean(right[:SHOWN])), float(np.mean(right[-SHOWN:]))
    return {
        "steps": float(steps), "from": float(restored.step), "before": before, "after": after, "jump": after - before
    }  # fmt: skip


def seconds(rate: float | None, batch: int, steps: int = STEPS) -> float:
    """What the test takes, from a run's images a second; infinite where that is not known."""
    return steps * batch / rate if rate else float("inf")
