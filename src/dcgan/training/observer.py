"""Who looks at a run while it goes on: scores its generator now and then, and says when something is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

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
