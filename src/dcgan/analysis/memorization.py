"""Does a generator copy its training pictures? Nearest training neighbours, generated against held out.

Two questions are asked of a picture and its neighbours in the training set. How near is the nearest, against how near
it is to pictures that were held out? And how much nearer is it than the sixth nearest? A copy is alone with its
original: the nearest is near, the sixth as far as ever. A blurry or a plain picture is near to many.

The first number, the ratio of medians, is what is usually reported. It mixes copying with quality: pictures without
detail lie near the middle of the data and so near to everything (held-out pictures, blurred, have a ratio of 0.90 to
0.98 on Fashion-MNIST), and pictures of artefacts lie far from everything, copies too. So the alarm is rung by the
second number. docs/duplicates.md has the measurements.

What this cannot show: copies that were blurred, shifted or mixed half and half so far that they are as near to others
as to their originals. A generator that replays a few such pictures is seen by `birthday` instead. No alarm is no proof.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcgan.data.sampling import Stream, stream
from dcgan.errors import DcganError
from dcgan.evaluation.neighbours import nearest

Floats = NDArray[np.float32]
Progress = Callable[[int, int], None]

KTH = 6
"""The neighbour that the nearest is compared with: training sets hold some pictures twice or thrice."""

EXPECTED = 0.05
"""Share of held-out pictures called isolated, by definition; without copying, the share of generated ones too."""

ALARM = 0.10
"""The alarm rings when the isolated share, at the lower end of its interval, is above this: twice the expected."""

PAIRS = 10
LEAST_GENERATED, LEAST_HELD_OUT = 100, 20
_RESAMPLES = 1000
_LEFT_OUT = 2000
"""Training pictures that stand for held-out ones where there are none, at most."""


@dataclass(frozen=True)
class Pair:
    """A generated picture and its nearest training picture, by index; isolation: distance / that of the sixth."""

    generated: int
    train: int
    distance: float
    isolation: float


@dataclass(frozen=True)
class Memorization:
    """What was found. Intervals are of 95 %, by bootstrap over both kinds of pictures.

    generated, train, held_out: how many pictures. left_one_out: held_out are training pictures, each against the rest.
    generated_median, held_out_median: of the distances to the nearest training picture; ratio: the first / the second.
    below_1, below_5: share of generated ones nearer than the 1st and 5th percentile of held-out ones.
    isolated: share of generated ones whose nearest / sixth nearest distance is below the 5th percentile of that of
        held-out ones; about 0.05 without copying.
    threshold: the alarm rings when the lower end of isolated_interval is above it.
    closest: the 10 nearest pairs, nearest first, of different training pictures where there are so many.
    """

    generated: int
    train: int
    held_out: int
    left_one_out: bool
    generated_median: float
    held_out_median: float
    ratio: float
    ratio_interval: tuple[float, float]
    below_1: float
    below_5: float
    isolated: float
    isolated_interval: tuple[float, float]
    threshold: float
    alarm: bool
    closest: tuple[Pair, ...]

    def as_json(self) -> dict[str, Any]:
        """JSON-ready; every number is finite."""
        return asdict(self)

    @property
    def verdict(self) -> str:
        """One line for a person."""
        low, high = (f"{100 * end:.1f}" for end in self.isolated_interval)
        those = "left-out" if self.left_one_out else "held-out"
        share = (
            f"{100 * self.isolated:.1f} % (95 %: {low} to {high}) are as alone with a training picture as the "
            f"5 % most alone of {those} ones; the alarm is at {100 * self.threshold:.0f} %"
        )
        return f"{'copies training pictures' if self.alarm else 'no sign of copying'}: {share}"


def memorization(
    generated: Floats,
    train: Floats,
    held_out: Floats | None = None,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> Memorization:
    """Compare generated → train with held-out → train, in one feature space.

    generated, train, held_out: float32 (N, d) features, at least 100, 8 and 20 of them. held_out: of pictures that
    training did not see; without them, up to 2,000 training pictures are each compared with all the others, which is
    the same where no picture is in the set twice, and sees less copying where many are.
    seed: of the bootstrap and of the choice of left-out pictures. Raises `DcganError` for too few pictures and for
    features that tell none apart.

    The comparison of distances is that of Meehan, Chaudhuri & Dasgupta 2020 (their test: generated ones are nearer
    than held-out ones); the isolation is the ratio of distances by which Lowe 2004 tells a match from a chance one.
    """
    _check(generated, train, held_out)
    own: NDArray[np.int64] | None = None
    if held_out is None:
        draw = stream(Stream.ANALYSIS, seed, 0)
        own = np.sort(draw.permutation(len(train))[:_LEFT_OUT]).astype(np.int64)
    others = held_out if held_out is not None else train[own]
    total = len(generated) + len(others)

    def told(before: int) -> Progress | None:
        return (lambda done, _: progress(before + done, total)) if progress else None

    near, which = nearest(generated, train, KTH, progress=told(0))
    expected, _ = nearest(others, train, KTH, own=own, progress=told(len(generated)))
    if not np.median(expected[:, 0]):
        raise DcganError(
            "half of the held-out pictures are in the training set too, or features cannot tell them apart: "
            "remove copies first (`dcgan datasets dedup`)"
        )
    isolation, expected_isolation = _isolation(near), _isolation(expected)
    ratios, shares = _resampled(near[:, 0], expected[:, 0], isolation, expected_isolation, seed)
    low, high = _interval(shares)
    return Memorization(
        generated=len(generated),
        train=len(train),
        held_out=len(others),
        left_one_out=own is not None,
        generated_median=float(np.median(near[:, 0])),
        held_out_median=float(np.median(expected[:, 0])),
        ratio=float(np.median(near[:, 0]) / np.median(expected[:, 0])),
        ratio_interval=_interval(ratios),
        below_1=float(np.mean(near[:, 0] < np.quantile(expected[:, 0], 0.01))),
        below_5=float(np.mean(near[:, 0] < np.quantile(expected[:, 0], 0.05))),
        isolated=float(np.mean(isolation < np.quantile(expected_isolation, EXPECTED))),
        isolated_interval=(low, high),
        threshold=ALARM,
        alarm=low > ALARM,
        closest=_closest(near[:, 0], which[:, 0], isolation),
    )


def _check(generated: Floats, train: Floats, held_out: Floats | None) -> None:
    least = KTH + 2 if held_out is not None else LEAST_HELD_OUT
    for name, features, needed in (
        ("generated", generated, LEAST_GENERATED),
        ("training", train, least),
        ("held-out", held_out, LEAST_HELD_OUT),
    ):
        if features is None:
            continue
        if len(features) < needed:
            raise DcganError(
                f"{len(features):,} {name} pictures are too few to tell copying: it takes {needed} or more"
            )
        if not np.isfinite(features).all():
            raise DcganError(f"the features of {name} pictures are not all finite numbers")


def _isolation(distances: Floats) -> Floats:
    """Nearest / sixth nearest, 0 … 1; 1 where all six are the same picture as the query."""
    last = distances[:, -1]
    return np.divide(distances[:, 0], last, out=np.ones_like(last), where=last > 0)


def _resampled(
    near: Floats, expected: Floats, isolation: Floats, expected_isolation: Floats, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bootstrap of the ratio of medians and of the isolated share: both (_RESAMPLES,)."""
    ratios, shares = np.empty(_RESAMPLES), np.empty(_RESAMPLES)
    draw = stream(Stream.ANALYSIS, seed, 1)
    for index in range(_RESAMPLES):
        ours, theirs = (
            draw.integers(len(near), size=len(near)),
            draw.integers(len(expected), size=len(expected)),
        )
        ratios[index] = np.median(near[ours]) / max(float(np.median(expected[theirs])), 1e-12)
        shares[index] = np.mean(isolation[ours] < np.quantile(expected_isolation[theirs], EXPECTED))
    return ratios, shares


def _interval(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)


def _closest(distances: Floats, which: NDArray[np.int64], isolation: Floats) -> tuple[Pair, ...]:
    order = np.argsort(distances, kind="stable")
    first = np.zeros(len(order), np.bool_)
    first[np.unique(which[order], return_index=True)[1]] = True
    chosen = np.concatenate([order[first], order[~first]])[:PAIRS]
    return tuple(
        Pair(int(i), int(which[i]), float(distances[i]), float(isolation[i]))
        for i in sorted(chosen, key=lambda i: (distances[i], i))
    )
