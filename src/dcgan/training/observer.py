"""Who looks at a run while it goes on: scores its generator now and then, and says when something is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from dcgan.errors import Collapsed, Diverged
from dcgan.recipe import Recipe
from dcgan.training import folder as layout
from dcgan.training.checkpoint import best_manifest
from dcgan.training.trainer import Trainer


class Observer(Protocol):
    """What the loop asks. It must change nothing that training reads: not a weight, a buffer or a mode."""

    def score(self, trainer: Trainer) -> Mapping[str, Any]:
        """The facts of a "score" event; `frechet`, lower for better, decides which checkpoint is the best.

        Empty when the run cannot be scored. Raises `DcganError` with the reason; it is then not asked again.
        """
        ...

    def diagnose(self, entry: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """The facts of a "doctor" event for each finding that this journal entry brings; `stop` ends the run."""
        ...


class Unobserved:
    """Nobody looks."""

    def score(self, trainer: Trainer) -> Mapping[str, Any]:
        return {}

    def diagnose(self, entry: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        return ()


def diverged(error: Diverged, saved: int, recipe: Recipe) -> Diverged:
    """The error of a run that diverged, with the step of its last good checkpoint (0: none) and what mends it."""
    kept = f"the last good checkpoint is step {saved}" if saved else "no checkpoint was made yet"
    gentler = f"--set g_lr={recipe.g_lr / 4:g} --set d_lr={recipe.d_lr / 4:g}"
    return Diverged(f"{error}: {kept}. Usually mends it: {gentler}")


def collapsed(folder: Path, step: int, finding: Mapping[str, Any]) -> Collapsed:
    """What to raise for a run that a finding ended at `step`, after it was saved: the finding, and how to go on."""
    best = best_manifest(folder / layout.CHECKPOINTS)
    where = f"the best checkpoint is step {best.step}" if best else "there is no best checkpoint"
    settings = "".join(f" --set {mend}" for mend in finding.get("mend", ())) or " --set KEY=VALUE"
    again = f"{layout.command('resume', folder)} --from {'best' if best else 'last'}{settings}"
    told = f"{finding.get('finding')}: {finding.get('evidence')}"
    return Collapsed(f"stopped at step {step}, saved: {told}. To go on ({where}): `{again}`")
