"""A point of a model's latent space: z, and for a model with classes a mixture of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcgan.asked import MOST, class_index
from dcgan.errors import DcganError
from dcgan.model import Model
from dcgan.recipe import LARGEST_SEED

Images = NDArray[np.uint8]

DESIGN = re.compile(r"(?:(\d+):)?(\d+)(?:@(.+))?")
"""index, seed:index, or either with @CLASS: a design by its numbers in manifest.csv."""


@dataclass(frozen=True, eq=False)
class Points:
    """z: float32 (N, z_dim). mixture: float32 (N, classes), or None of a model without classes. names: N of them.

    A row of the mixture that is 1 at one class and 0 elsewhere is that class; any other row stands for as much of each
    class's embedding, so that what is between two classes, or a class taken away from another, is a point too.
    """

    z: NDArray[np.float32]
    mixture: NDArray[np.float32] | None
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.z)

    def __getitem__(self, rows: slice | Sequence[int] | NDArray[np.integer]) -> Points:
        chosen = np.arange(len(self))[np.asarray(rows) if not isinstance(rows, slice) else rows]
        mixture = None if self.mixture is None else self.mixture[chosen]
        return Points(self.z[chosen], mixture, tuple(self.names[at] for at in chosen))


def joined(parts: Sequence[Points]) -> Points:
    """The points of all parts, one of them at least, in order."""
    mixtures = [part.mixture for part in parts if part.mixture is not None]
    return Points(
        np.concatenate([part.z for part in parts]),
        np.concatenate(mixtures) if mixtures else None,
        tuple(name for part in parts for name in part.names),
    )


def decoded(model: Model, points: Points) -> Images:
    """The points' pictures, uint8 (N, H, W, C)."""
    return model.decode(points.z, points.mixture)


def designs(model: Model, numbers: Sequence[tuple[int, int]], label: str | None = None) -> Points:
    """The points of designs given by (seed, index), of their own classes or all of the class `label`."""
    for seed, index in numbers:
        if not 0 <= seed <= LARGEST_SEED or not 0 <= index < MOST:
            raise DcganError(f"design {seed}:{index}: a seed is 0 to {LARGEST_SEED}, an index below {MOST:,}")
    z, labels = model.latents(numbers)
    if label is not None:
        labels = np.full(len(z), asked_class(model, label), np.int64)
    names = tuple(f"{seed}:{index}" for seed, index in numbers)
    if labels is not None:
        names = tuple(f"{name}@{model.classes[at]}" for name, at in zip(names, labels, strict=True))
    return Points(z, one_hot(model, labels), names)


def many_designs(model: Model, count: int, seed: int = 0, label: str | None = None) -> Points:
    """Designs 0 … count − 1 of a seed."""
    return designs(model, [(seed, index) for index in range(count)], label)


def design(model: Model, text: str, seed: int = 0) -> Points | None:
    """The point of a design as a person writes it (`DESIGN`); None where it is not written so."""
    match = DESIGN.fullmatch(text.strip())
    if match is None:
        return None
    try:
        numbers = int(match[1] or seed), int(match[2])
    except ValueError:  # more digits than Python reads
        raise DcganError(
            f"design {text[:40]}…: a seed is 0 to {LARGEST_SEED}, an index below {MOST:,}"
        ) from None
    return designs(model, [numbers], match[3])


def asked_class(model: Model, name: str) -> int:
    """The index of a class that the model can be asked for. Raises `DcganError` with what there is."""
    if not model.recipe.conditional:
        raise DcganError(
            f"{model.name} was trained without labels, so it cannot be asked for '{name[:80]}': train with --labels"
        )
    return class_index(name, model.classes)


def one_hot(model: Model, labels: NDArray[np.int64] | None) -> NDArray[np.float32] | None:
    """int64 (N,) → float32 (N, classes)."""
    return None if labels is None else np.eye(model.recipe.classes, dtype=np.float32)[labels]


def told(mixture: NDArray[np.float32], classes: Sequence[str]) -> str:
    """A mixture, float32 (classes,), in words: "Sneaker", "0.5 Sneaker + 0.5 Bag", "none" where all is 0."""
    parts = []
    for at in np.argsort(-mixture, kind="stable"):
        share = round(float(mixture[at]), 2)
        if share:
            much = "" if abs(share) == 1 else f"{abs(share):g} "
            parts.append(f"{'−' if share < 0 else '+'} {much}{classes[at]}")
    return " ".join(parts).removeprefix("+ ") or "none"


def usual_length(model: Model) -> float:
    """The root mean square length of a z of the model's prior: √d, or √(d / 3) of the uniform one."""
    return float(np.sqrt(model.recipe.z_dim / (1 if model.recipe.prior == "normal" else 3)))
