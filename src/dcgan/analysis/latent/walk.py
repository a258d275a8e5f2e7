"""A walk: a path of points through several, or along a direction, its pictures, and how evenly they change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcgan.analysis.latent.drawing import rows_picture
from dcgan.analysis.latent.interpolation import between, legs, lerp
from dcgan.analysis.latent.points import Images, Points, decoded, joined, told
from dcgan.analysis.latent.sharpness import STEPS, Sharpness, sharpness
from dcgan.errors import DcganError
from dcgan.evaluation.extractors import Extractor
from dcgan.model import Model

MOST_POINTS, MOST_STEPS = 100, 500
MOST_PICTURES = 20_000
LONGEST_NAME = 34
REACH = 3.0
"""Standard deviations to each side that a direction is followed."""


@dataclass(frozen=True, eq=False)
class Leg:
    """From one point to another. way: the points at `fine` places, evenly, both ends among them. name: in words."""

    name: str
    way: Callable[[NDArray[np.float64]], Points]


@dataclass(frozen=True, eq=False)
class Walk:
    """tracks: paths that are walked at the same time, each of legs one after the other. closed: ends as it began."""

    tracks: tuple[tuple[Leg, ...], ...]
    closed: bool


def through(model: Model, points: Points, loop: bool = False) -> Walk:
    """The walk through all points in turn, on arcs or straight lines by the prior, and back to the first in a loop."""
    if len(points) < 2:
        raise DcganError("a walk goes between 2 points at least: name another with --between, or --classes")
    if len(points) > MOST_POINTS:
        raise DcganError(f"{len(points)} points: a walk goes through {MOST_POINTS} at most")
    prior = model.recipe.prior

    def leg(first: int, last: int) -> Leg:
        ends = points[[first, last]]
        return Leg(f"{ends.names[0]} → {ends.names[1]}", lambda t: between(ends, 0, 1, t, prior))

    return Walk((tuple(leg(*pair) for pair in legs(len(points), loop)),), loop)


def across(model: Model, points: Points, labels: list[int], loop: bool = False) -> Walk:
    """From class to class, z fixed: a track for each point."""
    if len(labels) < 2:
        raise DcganError("a walk between classes needs 2 of them, such as --classes Sneaker,Bag")
    classes = model.classes
    corners = np.eye(len(classes), dtype=np.float32)

    def leg(at: int, first: int, last: int) -> Leg:
        def way(t: NDArray[np.float64]) -> Points:
            z = np.repeat(points.z[at : at + 1], len(t), 0)
            return Points(z, lerp(corners[first], corners[last], t), (points.names[at],) * len(t))

        return Leg(f"z of {points.names[at].partition('@')[0]}, {classes[first]} → {classes[last]}", way)

    pairs = [(labels[a], labels[b]) for a, b in legs(len(labels), loop)]
    return Walk(tuple(tuple(leg(at, *pair) for pair in pairs) for at in range(len(points))), loop)


def along(points: Points, direction: NDArray[np.float32], name: str, reach: float = REACH) -> Walk:
    """From −reach to +reach times a direction, float32 (z_dim,), added to each point's z: a track for each point."""

    def leg(at: int) -> Leg:
        def way(t: NDArray[np.float64]) -> Points:
            z = points.z[at] + ((2 * t[:, None] - 1) * reach * direction).astype(np.float32)
            mixture = None if points.mixture is None else np.repeat(points.mixture[at : at + 1], len(t), 0)
            return Points(z, mixture, (points.names[at],) * len(t))

        return Leg(f"{points.names[at]} along {name}", way)

    return Walk(tuple((leg(at),) for at in range(len(points))), False)


def sampled(walk: Walk, model: Model, steps: int) -> Images:
    """Pictures at steps + 1 places of each leg, both ends among them: uint8 (tracks, legs, steps + 1, H, W, C)."""
    count = len(walk.tracks) * len(walk.tracks[0])
    if not 1 <= steps <= MOST_STEPS or count * (steps + 1) > MOST_PICTURES:
        raise DcganError(
            f"--steps is {steps}: must be from 1 to {MOST_STEPS}, of {MOST_PICTURES:,} pictures in all at most"
        )
    t = np.linspace(0, 1, steps + 1)
    images = decoded(model, joined([leg.way(t) for track in walk.tracks for leg in track]))
    return images.reshape(len(walk.tracks), len(walk.tracks[0]), steps + 1, *images.shape[1:])


def measured(walk: Walk, model: Model, extractor: Extractor) -> list[Sharpness]:
    """The sharpness of each leg, track after track, over `STEPS` steps."""
    t = np.linspace(0, 1, STEPS + 1)
    return [sharpness(decoded(model, leg.way(t)), extractor) for track in walk.tracks for leg in track]


def frames(images: Images, closed: bool) -> Images:
    """The pictures of `sampled` as frames of all tracks, uint8 (T, tracks, H, W, C), which repeat without a jump.

    A closed walk goes round; any other goes there and back. No frame comes twice in a row.
    """
    tracks, count, places = images.shape[:3]
    path = images[:, :, :-1].reshape(tracks, count * (places - 1), *images.shape[3:])
    if not closed:
        there = np.concatenate([path, images[:, -1, -1:]], axis=1)
        path = np.concatenate([there, there[:, -2:0:-1]], axis=1)
    return np.ascontiguousarray(path.swapaxes(0, 1))


def picture(walk: Walk, images: Images, found: list[Sharpness], caption: str) -> Images:
    """A row for each leg, its name and sharpness before it: uint8 HWC. images: of `sampled`."""
    names = [
        f"{_short(leg.name)}  ({_number(one.value)})"
        for leg, one in zip((leg for track in walk.tracks for leg in track), found, strict=True)
    ]
    return rows_picture(list(images.reshape(-1, *images.shape[2:])), names, caption=caption)


def report(walk: Walk, found: list[Sharpness], points: Points, classes: tuple[str, ...]) -> dict[str, Any]:
    """JSON-ready: points, and the sharpness of each leg."""
    flat = [leg for track in walk.tracks for leg in track]
    return {
        "points": [
            {"name": name}
            if points.mixture is None
            else {"name": name, "class": told(points.mixture[at], classes)}
            for at, name in enumerate(points.names)
        ],
        "legs": [{"leg": leg.name, **one.as_json()} for leg, one in zip(flat, found, strict=True)],
        "steps_measured": STEPS,
    }


def sentence(walk: Walk, found: list[Sharpness]) -> str:
    """The sharpest leg, where it jumps, and what a cross-fade between the same ends has."""
    flat = [leg for track in walk.tracks for leg in track]
    worst = int(np.argmax([one.value for one in found]))
    one = found[worst]
    usual = float(np.median([each.value for each in found]))
    more = f" (median of {len(found)} legs: {_number(usual)})" if len(found) > 1 else ""
    return (
        f"{_number(one.value)}, at {one.at:.0%} of {flat[worst].name}{more}; "
        f"a cross-fade of the same ends: {_number(one.fade)}"
    )


def _short(name: str) -> str:
    """A name whose ends are both seen, with room for a number after it."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME // 2]}…{name[-LONGEST_NAME // 2 :]}"


def _number(value: float) -> str:
    return f"{value:.1f}" if np.isfinite(value) else "∞"
