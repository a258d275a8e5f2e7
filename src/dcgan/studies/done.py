"""A run that a study has carried out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dcgan.run import Run
from dcgan.studies.measuring import Point
from dcgan.studies.study import Planned


@dataclass(frozen=True)
class Done:
    """A run at the end of its budget.

    points: its scores, oldest first. verdict: the doctor's, as `dcgan doctor` keeps it. ended: why it ended before
    its budget, "" where it did not.
    """

    plan: Planned
    run: Run
    points: list[Point]
    verdict: Mapping[str, Any]
    ended: str = ""

    @property
    def reached(self) -> tuple[int, float, float]:
        """(images, epochs, seconds) at its end."""
        last = next(entry for entry in reversed(self.run.journal()) if "images" in entry)
        return last["images"], last["epoch"], last["seconds"]

    def tail(self, key: str, share: float = 0.1) -> float | None:
        """The mean of a journal quantity over the last `share` of its batches; None where it was not kept."""
        known = [
            (entry["step"], entry[key])
            for entry in self.run.journal()
            if entry["event"] == "interval" and isinstance(entry.get(key), int | float)
        ]
        if not known:
            return None
        end = known[-1][0]
        last = [value for step, value in known if step > (1 - share) * end] or [known[-1][1]]
        return float(np.mean(last))
