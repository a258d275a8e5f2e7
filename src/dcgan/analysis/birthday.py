"""The birthday test: how many different pictures a generator makes, told from how soon two are the same.

Among s pictures drawn from K equally frequent ones, two are the same with probability ½ when s is about
√(2 ln 2 · K). Arora & Zhang 2017 ("Do GANs actually learn the distribution?") turn this around: when a batch of s
pictures holds a duplicate with probability ½ or more, most of what the generator makes comes from about s² pictures.

What it can't show: what is a duplicate is a matter of a threshold. Blurry pictures are duplicates sooner, and pixels
or features call pictures different that a person would not. So the same test on as many real pictures belongs beside
it, and a support in the thousands says as much of blur as of variety.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcgan.data.sampling import Stream, stream
from dcgan.errors import DcganError
from dcgan.evaluation.neighbours import pairs_within

NEAR = 0.5
"""A duplicate is nearer than this part of the median distance of a held-out picture to its nearest training picture."""

LEAST = 100
_FIRST, _ENOUGH = 300, 1000
"""Pictures looked at first, then four times as many, until they hold enough pairs: more would add little but time."""

_ORDERS = 400
"""Random orders in which the pictures are put into batches."""


@dataclass(frozen=True)
class Birthday:
    """What was found.

    pictures: how many were looked at. threshold: distance below which two are duplicates. pairs: how many are.
    batch: the smallest number of pictures of which at least half the batches hold a duplicate; None without pairs.
    support: batch², Arora & Zhang's estimate; None without pairs.
    low, high: its range. From what batch would mean if all pictures were equally frequent, to batch², both widened by
        the 95 % interval of the number of pairs. Without pairs low is where one would be seen in 95 of 100 tries, and
        high is None: there is no upper bound.
    """

    pictures: int
    threshold: float
    pairs: int
    batch: int | None
    support: int | None
    low: int
    high: int | None

    def as_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    @property
    def verdict(self) -> str:
        """One line for a person."""
        if self.batch is None:
            return f"no duplicates among {self.pictures:,}: support above {rounded(self.low)}"
        return (
            f"half the batches of {self.batch:,} hold a duplicate: support about {rounded(self.support or 0)} "
            f"({rounded(self.low)} to {rounded(self.high or 0)})"
        )


def birthday(features: NDArray[np.float32], threshold: float, *, seed: int = 0) -> Birthday:
    """Estimate of the support from the features (N, d), float32, of N ≥ 100 pictures made independently.

    threshold: distance of duplicates, for example `NEAR` × `Memorization.held_out_median`; 0 counts equal features.
    seed: of the order in which pictures are put into batches. Batches are taken from the same N pictures again and
    again, so that every pair counts, not only those that one partition puts together.
    Raises `DcganError` for too few pictures.
    """
    if len(features) < LEAST:
        raise DcganError(
            f"{len(features):,} pictures are too few for the birthday test: it takes {LEAST} or more"
        )
    if not np.isfinite(features).all() or not threshold >= 0:
        raise DcganError("the birthday test needs finite features and a threshold of 0 or more")
    count = min(_FIRST, len(features))
    while len(pairs := _pairs(features[:count], threshold)) < _ENOUGH and count < len(features):
        count = min(4 * count, len(features))
    if not len(pairs):
        # With p the chance of one pair, (1 - p)^(N(N-1)/2) = 0.05 where p·N²/2 is about 3, and K = 1/p.
        return Birthday(count, float(threshold), 0, None, None, math.ceil(count**2 / 6), None)
    batch = _median_batch(count, pairs, seed)
    fewest, most = _poisson_interval(len(pairs))
    # One picture fewer held a duplicate in less than half the batches.
    low = (batch - 1) * (batch - 2) / (2 * math.log(2)) * len(pairs) / most
    high = batch**2 * len(pairs) / fewest
    return Birthday(
        count, float(threshold), len(pairs), batch, batch**2, max(1, math.floor(low)), math.ceil(high)
    )


def rounded(number: int) -> str:
    """Two digits of a number are all that an estimate has."""
    digits = max(0, len(str(number)) - 2)
    return f"{round(number, -digits):,}"


def _pairs(features: NDArray[np.float32], threshold: float) -> NDArray[np.int64]:
    return np.concatenate([np.zeros((0, 2), np.int64), *pairs_within(features, threshold)])


def _median_batch(count: int, pairs: NDArray[np.int64], seed: int) -> int:
    """The smallest s at which the first s pictures of at least half the random orders hold a pair."""
    draw = stream(Stream.ANALYSIS, seed, 2)
    sizes = np.empty(_ORDERS, np.int64)
    for index in range(_ORDERS):
        place = draw.permutation(count).astype(np.int32)
        sizes[index] = 1 + np.maximum(place[pairs[:, 0]], place[pairs[:, 1]]).min()
    return int(np.sort(sizes)[(_ORDERS - 1) // 2])


def _poisson_interval(number: int) -> tuple[float, float]:
    """The 95 % interval of a Poisson mean, given one count of 1 or more: Byar's approximation (Breslow & Day 1987)."""

    def end(count: int, side: float) -> float:
        return float(count * (1 - 1 / (9 * count) + side * 1.96 / (3 * math.sqrt(count))) ** 3)

    return max(end(number, -1), 0.025), end(number + 1, 1)
