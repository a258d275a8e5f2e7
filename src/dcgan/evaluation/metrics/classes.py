"""What classes the generated images are of: shares, their balance, their distance from the data's, and fidelity."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcgan.errors import DcganError
from dcgan.evaluation.metrics.features import enough


@dataclass(frozen=True)
class Fidelity:
    """The share of images whose class is seen to be the one asked for, 0 … 1; None for a class never asked for."""

    overall: float
    per_class: tuple[float | None, ...]


def class_counts(labels: NDArray[np.integer], classes: int) -> NDArray[np.int64]:
    """int64 (classes,): images per class, from labels (N,) in 0 … classes − 1. Raises `DcganError` when N is 0."""
    enough(len(labels), 1, "labelled")
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(f"labels must be in 0 … {classes - 1}")
    return np.bincount(labels, minlength=classes).astype(np.int64)


def entropy(counts: NDArray[np.integer]) -> float:
    """−Σ p ln p in nats, from counts (classes,): 0 when all are of one class, ln(classes) when spread evenly."""
    shares = _shares(counts)
    shares = shares[shares > 0]
    return abs(float(-(shares * np.log(shares)).sum()))


def balance(counts: NDArray[np.integer]) -> float:
    """The entropy as a share of ln(classes), 0 … 1. Raises `DcganError` for fewer than 2 classes."""
    if len(counts) < 2:
        raise DcganError("the balance of classes needs at least 2 classes")
    return min(1.0, entropy(counts) / math.log(len(counts)))


def total_variation(counts: NDArray[np.integer], other: NDArray[np.integer]) -> float:
    """½ Σ |p − q|, 0 … 1: the share of images that would have to change their class. Both (classes,)."""
    if counts.shape != other.shape:
        raise ValueError(f"histograms of {len(counts)} and of {len(other)} classes cannot be compared")
    return float(np.abs(_shares(counts) - _shares(other)).sum() / 2)


def label_fidelity(asked: NDArray[np.integer], seen: NDArray[np.integer], classes: int) -> Fidelity:
    """How often the class `seen` (N,) is the class `asked` for (N,). Raises `DcganError` when N is 0."""
    if asked.shape != seen.shape:
        raise ValueError(f"{len(asked)} classes asked for, {len(seen)} seen")
    wanted = class_counts(asked, classes)
    right = np.bincount(asked[asked == seen], minlength=classes)
    per_class = tuple(float(r / w) if w else None for r, w in zip(right, wanted, strict=True))
    return Fidelity(float(right.sum() / wanted.sum()), per_class)


def _shares(counts: NDArray[np.integer]) -> NDArray[np.float64]:
    enough(int(counts.sum()), 1, "labelled")
    return np.asarray(counts / counts.sum())
