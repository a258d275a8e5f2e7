"""How well a linear classifier tells classes by given features: with all labels, or with few of them over many draws.

The protocols are those of Radford et al. 2016, sections 5.1 and 5.2 (as in paper 003, tables 1 and 2): an L2-SVM on
standardised features, C chosen on pictures of the training split that it does not learn from, never on the test split.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from dcgan.analysis.probe.neighbours import Neighbours
from dcgan.analysis.probe.svm import LinearSVM, Scale, fit, path
from dcgan.data.sampling import Stream, stream
from dcgan.errors import DcganError

Progress = Callable[[int, int], None]

GRID = (1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2)
"""The values of C of the protocol."""
LEAST_C, MOST_C, WORTH = 1e-7, 1.0, 5e-4
"""How far the grid goes on in steps of 1, 2, 5 while the best value is at its edge, and by how much each must gain: a
sixth of the standard error of an accuracy on 10,000 pictures, where each step costs more than the one before."""
CHOOSING_DRAWS = 10
VALIDATION = 10_000
"""Pictures held out to choose C by, or a sixth of the training split."""


@dataclass(frozen=True)
class Split:
    """Features, float32 (N, d), and classes, int64 (N,) in 0 … K − 1, of pictures to learn from and to be tested on.

    `scaled` ones have mean 0 and variance 1 over those to learn from: no label is needed for that.
    """

    train: NDArray[np.float32]
    train_labels: NDArray[np.int64]
    test: NDArray[np.float32]
    test_labels: NDArray[np.int64]
    classes: int

    def scaled(self) -> Split:
        """The same, standardised in place: the arrays are large, and nobody needs both."""
        scale = Scale.of(self.train)
        return Split(
            scale.in_place(self.train),
            self.train_labels,
            scale.in_place(self.test),
            self.test_labels,
            self.classes,
        )


@dataclass(frozen=True)
class Probed:
    """What came out. accuracy: 0 … 1, the mean over the draws. interval: half of its 95 % interval.

    With one draw the interval is that of a share of `tested` pictures; with more it is 1.96 σ/√draws, as in the papers:
    how far the mean is known, not how much one draw differs. c: the chosen C. labels: how many were given.
    """

    features: str
    numbers: int
    accuracy: float
    interval: float
    c: float
    labels: int
    tested: int
    draws: tuple[float, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**vars(self), "draws": list(self.draws)}


def probe_all(name: str, split: Split, *, seed: int = 0, progress: Progress | None = None) -> Probed:
    """With every label of the training split. split: standardised."""
    choose, learn = held_out(len(split.train), seed)
    validation = split.train[choose], split.train_labels[choose]

    def score(cs: Sequence[float]) -> list[float]:
        machines = path(split.train[learn], split.train_labels[learn], split.classes, cs)
        return [machine.accuracy(*validation) for machine in machines]

    c, _ = choose_c(score, progress)
    accuracy = fit(split.train, split.train_labels, split.classes, c).accuracy(split.test, split.test_labels)
    tested = len(split.test)
    interval = of_share(accuracy, tested)
    return Probed(name, split.train.shape[1], accuracy, interval, c, len(split.train), tested, (accuracy,))


def probe_few(
    name: str,
    split: Split,
    per_class: int,
    draws: int,
    *,
    seed: int = 0,
    neighbours: Neighbours | None = None,
    progress: Progress | None = None,
) -> Probed:
    """With `per_class` labels of each class: the mean over `draws` draws, C by ten other draws on held-out pictures.

    Draws take from the same pictures for whatever features: two tables of one seed are comparable draw by draw.
    neighbours: of the split's pictures; their answers are mixed into the classifier's.
    Raises `DcganError` where a class has fewer pictures than are asked for.
    """
    choose, pool = held_out(len(split.train), seed)
    enough_labels(split.train_labels[pool], per_class, split.classes)

    def drawn(number: int) -> NDArray[np.int64]:
        return pool[draw(split.train_labels[pool], per_class, split.classes, seed, number)]

    def machines(own: NDArray[np.int64], cs: Sequence[float]) -> Iterator[LinearSVM]:
        return path(split.train[own], split.train_labels[own], split.classes, cs)

    def right(machine: LinearSVM, own: NDArray[np.int64], *, held: bool) -> float:
        """The share that it finds of the pictures held out to choose by, or of the test's."""
        if neighbours is not None:
            answers = neighbours.for_train(machine, split.train, own, split.train_labels[own])
            if held:
                return share(answers[choose], split.train_labels[choose])
            return share(neighbours.for_test(machine, split.test, answers), split.test_labels)
        if held:
            return machine.accuracy(split.train[choose], split.train_labels[choose])
        return machine.accuracy(split.test, split.test_labels)

    total = CHOOSING_DRAWS + draws
    done = 0

    def score(cs: Sequence[float]) -> list[float]:
        nonlocal done
        sums = np.zeros(len(cs))
        for number in range(CHOOSING_DRAWS):
            own = drawn(number)
            sums += [right(machine, own, held=True) for machine in machines(own, cs)]
            done = min(done + 1, CHOOSING_DRAWS)
            if progress:
                progress(done, total)
        return list(sums / CHOOSING_DRAWS)

    c, _ = choose_c(score)
    found = []
    for number in range(draws):
        own = drawn(CHOOSING_DRAWS + number)
        found.append(right(next(machines(own, [c])), own, held=False))
        if progress:
            progress(CHOOSING_DRAWS + number + 1, total)
    return over_draws(name, split, found, c, per_class)


def over_draws(
    name: str,
    split: Split,
    found: Sequence[float],
    c: float,
    per_class: int,
    facts: dict[str, Any] | None = None,
) -> Probed:
    """The row of the accuracies `found` of the draws."""
    tested = len(split.test)
    mean, interval = mean_of(found, tested)
    labels = per_class * split.classes
    return Probed(name, split.train.shape[1], mean, interval, c, labels, tested, tuple(found), facts or {})


def share(answers: Tensor, labels: NDArray[np.int64]) -> float:
    """Of the pictures whose likeliest class is theirs, 0 … 1. answers: float32 (N, classes)."""
    return float((answers.argmax(1).numpy() == labels).mean())


def mean_of(found: Sequence[float], tested: int) -> tuple[float, float]:
    """The mean of the draws' accuracies, each on `tested` pictures, and half of its 95 % interval."""
    mean = float(np.mean(found))
    if len(found) == 1:
        return mean, of_share(mean, tested)
    return mean, 1.96 * float(np.std(found, ddof=1)) / math.sqrt(len(found))


def held_out(count: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of the pictures to choose by, and of the others, both rising: a function of (count, seed)."""
    order = stream(Stream.ANALYSIS, seed, 20).permutation(count)
    held = min(VALIDATION, max(1, count // 6))
    return np.sort(order[:held]), np.sort(order[held:])


def choose_c(
    score: Callable[[Sequence[float]], Sequence[float]], progress: Progress | None = None
) -> tuple[float, dict[float, float]]:
    """The C with the best score, the smaller of equals, and all scores; beyond the grid where its edge is the best.

    score: accuracies for values of C in rising order.
    """
    scores = dict(zip(GRID, score(GRID), strict=True))
    if progress:
        progress(1, 2)
    while True:
        best = max(scores, key=lambda c: (scores[c], -c))
        if best == max(scores) < MOST_C:
            further = neighbour(best, up=True)
        elif best == min(scores) > LEAST_C:
            further = neighbour(best, up=False)
        else:
            break
        scores[further] = score([further])[0]
        if scores[further] < scores[best] + WORTH:
            best = max(scores, key=lambda c: (scores[c], -c))
            break
    if progress:
        progress(2, 2)
    return best, dict(sorted(scores.items()))


def neighbour(c: float, *, up: bool) -> float:
    """The next of …, .1, .2, .5, 1, 2, 5, …"""
    exponent = math.floor(math.log10(c) + 1e-9)
    steps = (1, 2, 5)
    place = steps.index(round(c / 10**exponent)) + (1 if up else -1)
    return float(f"{steps[place % 3]}e{exponent + place // 3}")


def draw(
    labels: NDArray[np.int64], per_class: int, classes: int, seed: int, number: int
) -> NDArray[np.int64]:
    """Indices of `per_class` pictures of each class, int64, class after class: a function of (seed, number)."""
    source = stream(Stream.ANALYSIS, seed, 22, number)
    return np.concatenate(
        [source.permutation(np.flatnonzero(labels == label))[:per_class] for label in range(classes)]
    )


def enough_labels(labels: NDArray[np.int64], per_class: int, classes: int) -> None:
    """Raise `DcganError` unless each class has `per_class` pictures to draw from."""
    counts = np.bincount(labels, minlength=classes)
    if per_class < 1 or counts.min() < per_class:
        raise DcganError(
            f"--labels-per-class is {per_class}: must be from 1 to {counts.min():,}, the pictures of the smallest "
            "class that are not held out to choose C by"
        )


def of_share(share: float, count: int) -> float:
    """Half of the 95 % interval of a share counted on `count` pictures: Wilson's, which is not 0 at 0 and 1."""
    z = 1.96
    return z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
