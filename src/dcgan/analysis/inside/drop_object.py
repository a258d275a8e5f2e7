"""Forgetting to draw an object: the DCGAN paper's experiment (Radford et al. 2016, section 6.3.1).

Logistic regression on the maps of G's second highest layer tells the places inside boxes drawn around an object from
random other places of the same designs. Every map with a weight above 0 is dropped from all places, and the designs are
drawn again from the same z.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from dcgan.analysis.inside.ablation import OFF, Body
from dcgan.analysis.inside.boxes import Marked
from dcgan.analysis.inside.fields import Box
from dcgan.analysis.inside.layers import STEPS
from dcgan.data.sampling import Stream, stream
from dcgan.errors import DcganError
from dcgan.evaluation.kept import Labeller
from dcgan.pictures import nchw

LEAST = 5
"""Boxes that a regression is fitted to; one is held out of five."""
FOLDS = 5
FEW = 8
"""The second, gentler way drops one in this many of the maps: those of the largest weights."""
CONTROLS = 5
"""Times that as many maps are drawn at random."""

Images = NDArray[np.uint8]


@dataclass(frozen=True)
class Without:
    """Designs without some maps. numbers: which. images: uint8 (N, H, W, C). inside, outside: mean absolute change
    within the boxes and elsewhere, 1 being black to white. score: the labeller's mean probability of the class that it
    saw before; None without a labeller. ratios, scores: inside by outside, and the score, of each set of maps that the
    numbers are means over."""

    numbers: NDArray[np.int64]
    images: Images
    inside: float
    outside: float
    score: float | None
    ratios: tuple[float, ...]
    scores: tuple[float, ...]


@dataclass(frozen=True)
class Dropped:
    """The experiment's outcome on the marked designs.

    weights: float32 (M,), of maps each divided by its own standard deviation. accuracy: share of places put right, in
    designs held out of the fit; ½ is a coin's toss. positive: without all maps of weight > 0, as in the paper;
    strongest: without the few of largest weight. random_positive, random_strongest: as many maps drawn at random, the
    numbers being means over `CONTROLS` draws and the pictures those of the first. before: the mean score with all maps.
    """

    layer: str
    marked: tuple[Marked, ...]
    images: Images
    weights: NDArray[np.float32]
    accuracy: float
    places: int
    before: float | None
    positive: Without
    random_positive: Without
    strongest: Without
    random_strongest: Without


def check_enough(marked: Sequence[Marked]) -> None:
    """Raise `DcganError` for boxes on fewer than `LEAST` designs."""
    count = len({(one.seed, one.index) for one in marked})
    if count < LEAST:
        raise DcganError(
            f"{count} marked design{'' if count == 1 else 's'}: mark {LEAST} at least, the paper marked 52"
        )


def drop_object(
    body: Body, marked: Sequence[Marked], labeller: Labeller | None = None, *, seed: int = 0
) -> Dropped:
    """The experiment on a body that holds the marked designs, one for each box and in their order.

    Raises `DcganError` for boxes on fewer than `LEAST` designs and for one that leaves no place outside.
    """
    check_enough(marked)
    boxes = [one.box for one in marked]
    x, y, design = places(body.maps.float().cpu().numpy(), marked, body.images.shape[1:3], seed)
    scale = x.std(0)
    x = (x / np.where(scale > 0, scale, 1)).astype(np.float32)
    right = []
    for fold in range(FOLDS):
        held = design % FOLDS == fold
        if len(np.unique(y[~held])) == 2 and held.any():
            right.append(_fitted(x[~held], y[~held]).predict(x[held]) == y[held])
    weights = _fitted(x, y).coef_[0].astype(np.float32)
    weights[scale == 0] = 0
    positive = np.flatnonzero(weights > 0)
    strongest = np.argsort(-weights, kind="stable")[: max(1, len(weights) // FEW)]
    strongest = strongest[weights[strongest] > 0]
    seen = before = None
    if labeller is not None:
        probabilities = labeller.probabilities(nchw(body.images))
        seen = probabilities.argmax(1)
        before = float(probabilities[np.arange(len(seen)), seen].mean())
    draw = stream(Stream.ANALYSIS, seed, STEPS["control"])
    masks = _masks(boxes, body.images.shape[1:3])
    results = []
    for numbers in (positive, strongest):
        results.append(_without(body, numbers, masks, labeller, seen))
        drawn = [np.sort(draw.permutation(len(weights))[: len(numbers)]) for _ in range(CONTROLS)]
        results.append(_mean([_without(body, one, masks, labeller, seen) for one in drawn]))
    return Dropped(
        body.layer,
        tuple(marked),
        body.images,
        weights,
        float(np.concatenate(right).mean()) if right else float("nan"),
        len(y),
        before,
        *results,
    )


def places(
    maps: NDArray[np.float32], marked: Sequence[Marked], picture: tuple[int, ...], seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    """The examples of the regression from maps (N, M, h, w): all places inside a box, and as many elsewhere at random.

    Returns float32 (P, M), the maps at each place; int64 (P,), 1 inside and 0 elsewhere; int64 (P,), whose design.
    """
    draw = stream(Stream.ANALYSIS, seed, STEPS["elsewhere"])
    x, y, design = [], [], []
    for number, one in enumerate(marked):
        inside = within(one.box, maps.shape[2:], picture).ravel()
        own, others = np.flatnonzero(inside), np.flatnonzero(~inside)
        if not len(others):
            raise DcganError(
                f"the box on design {one.index} of seed {one.seed} fills the picture: no other place is left"
            )
        drawn = np.sort(draw.permutation(others)[: len(own)])
        flat = maps[number].reshape(len(maps[number]), -1).T
        x += [flat[own], flat[drawn]]
        y += [1] * len(own) + [0] * len(drawn)
        design += [number] * (len(own) + len(drawn))
    return np.concatenate(x), np.array(y, np.int64), np.array(design, np.int64)


def within(box: Box, grid: tuple[int, ...], picture: tuple[int, ...]) -> NDArray[np.bool_]:
    """bool (h, w): places of a map whose centre, laid over the picture, is in the box; the nearest one if none is."""
    hits = []
    for start, length, cells, side in zip(
        (box.top, box.left), (box.height, box.width), grid, picture, strict=True
    ):
        centres = (np.arange(cells) + 0.5) * side / cells
        hit = (centres >= start) & (centres < start + length)
        if not hit.any():
            hit[np.abs(centres - start - length / 2).argmin()] = True
        hits.append(hit)
    return np.logical_and.outer(hits[0], hits[1])


def _fitted(x: NDArray[np.float32], y: NDArray[np.int64]) -> LogisticRegression:
    return LogisticRegression(max_iter=2000).fit(x.astype(np.float64), y)


def _masks(boxes: Sequence[Box], picture: tuple[int, ...]) -> NDArray[np.bool_]:
    masks = np.zeros((len(boxes), *picture), np.bool_)
    for mask, box in zip(masks, boxes, strict=True):
        mask[box.top : box.top + box.height, box.left : box.left + box.width] = True
    return masks


def _without(
    body: Body,
    numbers: NDArray[np.int64],
    masks: NDArray[np.bool_],
    labeller: Labeller | None,
    seen: NDArray[np.int64] | None,
) -> Without:
    images = body.scaled(numbers, OFF)
    change = np.abs(images.astype(np.float32) - body.images).mean(3) / 255
    score = None
    if labeller is not None and seen is not None:
        score = float(labeller.probabilities(nchw(images))[np.arange(len(seen)), seen].mean())
    inside, outside = float(change[masks].mean()), float(change[~masks].mean())
    scores = () if score is None else (score,)
    return Without(numbers, images, inside, outside, score, (inside / max(outside, 1e-9),), scores)


def _mean(drawn: Sequence[Without]) -> Without:
    first = drawn[0]
    scores = tuple(one.score for one in drawn if one.score is not None)
    return Without(
        first.numbers,
        first.images,
        float(np.mean([one.inside for one in drawn])),
        float(np.mean([one.outside for one in drawn])),
        float(np.mean(scores)) if scores else None,
        tuple(one.ratios[0] for one in drawn),
        scores,
    )
