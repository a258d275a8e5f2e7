"""When a run can afford to be scored, and which score was the best."""

from __future__ import annotations

import math
from collections.abc import Iterable

SHARE, LAST_SHARE = 0.035, 0.05
"""Parts of the time that scores may take: those on the way, and with the one at the end."""
FIRST_COST = 900
"""The first score takes about as long as so many images of training; afterwards it is measured."""


class Scoring:
    """Keeps the books of a sitting's scores; lower is better."""

    def __init__(self, every: float, earlier: Iterable[float | None] = ()) -> None:
        """every: seconds from one score to the next, 0 for none. earlier: the scores of the checkpoints there are."""
        self.every = every
        self.best = min((score for score in earlier if score is not None), default=math.inf)
        self.cost = self.spent = 0.0
        self.step, self.score = 0, None  # type: int, float | None

    def affords(self, sitting: float, images: int, *, last: bool = False) -> bool:
        """Whether one more, after `sitting` seconds and as many real images, keeps all of them below their share."""
        share = LAST_SHARE if last else SHARE
        cost = self.cost or FIRST_COST * sitting / max(images, 1)
        return 0 < self.every <= sitting and self.spent + cost <= share * sitting

    def note(self, step: int, score: float | None, cost: float) -> bool:
        """Enter a score, None where there was none to be had, and its seconds. Returns whether it is the best."""
        self.step, self.score, self.cost = step, score, cost
        self.spent += cost
        better = score is not None and score < self.best
        if score is not None and better:
            self.best = score
        return better

    def at(self, step: int) -> float | None:
        """The score of this very step, or None."""
        return self.score if step == self.step else None

    @property
    def why_not(self) -> str:
        """Why there has been no score, in words."""
        return f"a score must fit into {LAST_SHARE:.0%} of the time, and comes after {self.every:g} s at the earliest"

    def give_up(self) -> None:
        """No more scores in this sitting."""
        self.every = 0.0
