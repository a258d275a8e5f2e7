"""The way between points: a straight line or an arc, by the prior, through several points and back to the first.

In many dimensions nearly all of a normal z lies at one distance from 0, √d: the middle of a straight line between two
of them has a length that no z of training had, the middle of an arc has (White 2016). A uniform z fills a cube, and a
straight line within it stays within it. Paper 003 (Radford et al. 2016, section 6.1) walks on straight lines between 9
uniform z.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dcgan.analysis.latent.points import Points

Array = NDArray[np.float32]

NEARLY = 1e-4
"""Angle in radians below which an arc is a line."""


def lerp(a: Array, b: Array, t: NDArray[np.float64]) -> Array:
    """The straight line from a to b, float32 (d,), at t, (T,), 0 … 1: float32 (T, d), exact at both ends."""
    at = t[:, None]
    return (a.astype(np.float64) * (1 - at) + b.astype(np.float64) * at).astype(np.float32)


def slerp(a: Array, b: Array, t: NDArray[np.float64]) -> Array:
    """The arc from a to b, float32 (d,), at t, (T,), 0 … 1: float32 (T, d), exact at both ends.

    It turns at a constant rate while the length goes straight from |a| to |b|. Opposite points have no arc of their
    own: theirs goes by the axis on which a has least.
    """
    one, other = a.astype(np.float64), b.astype(np.float64)
    lengths = np.linalg.norm(one), np.linalg.norm(other)
    if min(lengths) == 0:
        return lerp(a, b, t)
    start, end = one / lengths[0], other / lengths[1]
    angle = float(np.arctan2(np.linalg.norm(end - (end @ start) * start), end @ start))
    if angle < NEARLY or len(a) < 2:
        return lerp(a, b, t)
    aside = end - (end @ start) * start
    if np.pi - angle < NEARLY:
        aside = np.eye(len(a))[np.argmin(np.abs(start))]
        aside = aside - (aside @ start) * start
    aside /= np.linalg.norm(aside)
    turned = np.cos(t * angle)[:, None] * start + np.sin(t * angle)[:, None] * aside
    path: Array = (turned * (lengths[0] * (1 - t) + lengths[1] * t)[:, None]).astype(np.float32)
    path[t == 0], path[t == 1] = a, b
    return path


def between(points: Points, first: int, last: int, t: NDArray[np.float64], prior: str) -> Points:
    """The points at t, (T,), 0 … 1, of the way between two: z by the prior, the mixture on a straight line."""
    way = slerp if prior == "normal" else lerp
    z = way(points.z[first], points.z[last], t)
    mixture = None if points.mixture is None else lerp(points.mixture[first], points.mixture[last], t)
    return Points(z, mixture, tuple(f"{points.names[first]} → {points.names[last]}" for _ in t))


def legs(count: int, loop: bool = False) -> list[tuple[int, int]]:
    """From which point to which a path through `count` points goes; a loop ends where it began."""
    pairs = [(at, at + 1) for at in range(count - 1)]
    return [*pairs, (count - 1, 0)] if loop else pairs
