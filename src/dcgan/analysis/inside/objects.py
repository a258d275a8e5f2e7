"""Which designs the object is dropped from, and where it is on them, when nobody has drawn boxes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcgan.analysis.inside.boxes import Marked, found_by_class, found_by_difference
from dcgan.analysis.inside.drop_object import LEAST
from dcgan.asked import class_index
from dcgan.errors import DcganError
from dcgan.evaluation.kept import Labeller
from dcgan.model import Model
from dcgan.pictures import nchw

BOXES = 52
"""As many as the paper drew by hand."""
POOL = 640
"""Designs among which those of one class are looked for."""
TRIED = 12
"""Designs of each class by which the class is chosen."""


@dataclass(frozen=True)
class Found:
    """marked: the boxes. kind: the class of the designs, "" where they are of any. by: how the boxes were found."""

    marked: tuple[Marked, ...]
    kind: str
    by: str


def find_objects(
    model: Model, labeller: Labeller | None = None, label: str | None = None, *, seed: int = 0
) -> Found:
    """Boxes on up to `BOXES` designs of a seed.

    With a labeller they are designs of one class, `label` or the one that suffers most, and the box is the window that
    its score can do least without. Without one the box is where a design differs most from the mean design, of the
    class `label` or the first, or, of a model without classes, of all. Raises `DcganError` for an unknown class, one
    with too few designs, or a class where nothing is known of classes.
    """
    if labeller is None:
        return _by_difference(model, label, seed)
    images, _ = _pool(model, POOL, seed)
    seen = labeller.probabilities(nchw(images)).argmax(1)
    members = [np.flatnonzero(seen == index) for index in range(len(labeller.classes))]
    if label is not None:
        chosen = class_index(label, labeller.classes)
        if len(members[chosen]) < LEAST:
            raise DcganError(
                f"of {POOL} designs {len(members[chosen])} are seen as {labeller.classes[chosen]}: {LEAST} at least "
                "are needed; choose another --label or --seed"
            )
    else:
        some = [own[:TRIED] for own in members if len(own) >= LEAST]
        if not some:
            return _by_difference(model, None, seed)
        tried = np.concatenate(some)
        fall = found_by_class(images[tried], seen[tried], labeller)[1]
        falls = [float(fall[seen[tried] == index].sum() / TRIED) for index in range(len(members))]
        chosen = int(np.argmax(falls))
        if falls[chosen] <= 0:
            return _by_difference(model, None, seed)
    own = members[chosen][:BOXES]
    boxes, fall = found_by_class(images[own], seen[own], labeller)
    return Found(
        tuple(Marked(seed, int(index), box) for index, box in zip(own, boxes, strict=True)),
        labeller.classes[chosen],
        f"the window of a third of each side that, painted over, costs the class most in the labeller's eyes: "
        f"its probability falls by {fall.mean():.2f} in the mean",
    )


def _by_difference(model: Model, label: str | None, seed: int) -> Found:
    if label is not None and not model.recipe.conditional:
        raise DcganError(
            f"{model.name} knows no classes, and no labeller of its pictures is kept: leave --label out"
        )
    if not model.recipe.conditional:
        images, _ = _pool(model, BOXES, seed)
        own, kind = np.arange(BOXES), ""
    else:
        images, labels = _pool(model, POOL, seed)
        chosen = 0 if label is None else class_index(label, model.classes)
        own, kind = np.flatnonzero(labels == chosen)[:BOXES], model.classes[chosen]
        if len(own) < LEAST:
            own, kind = np.arange(BOXES), ""
    boxes = found_by_difference(images[own])
    return Found(
        tuple(Marked(seed, int(index), box) for index, box in zip(own, boxes, strict=True)),
        kind,
        "the window of a third of each side where a design differs most from the mean of these designs",
    )


def _pool(model: Model, count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64] | None]:
    z, labels = model.latents([(seed, index) for index in range(count)])
    return model.decode(z, labels), labels
