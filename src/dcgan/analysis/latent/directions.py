"""Directions of z: of an attribute, by logistic regression; and of what changes most, by PCA of G's first layer.

Attributes: a plane in z that parts designs with the attribute from those without, and the direction across it (Shen et
al. 2020, section 2.1). Held-out accuracy says whether there is such a plane, beside chance: what is right without z.

Unsupervised: the principal components of G's first maps over random z, brought back to z by regression (GANSpace,
Härkönen et al. 2020, section 2.1): u_k = Σ x_jk z_j / Σ x_jk², where x_jk is the coordinate of sample j on component k.
Where a model has classes, what they do to the maps is taken out first: a direction is of z alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from dcgan.analysis.latent.attributes import Attribute
from dcgan.analysis.latent.drawing import rows_picture
from dcgan.analysis.latent.kept import note, read_arrays, write_arrays
from dcgan.analysis.latent.points import Images, Points, decoded
from dcgan.analysis.latent.walk import REACH, along, sampled
from dcgan.data.sampling import BLOCK, Stream, latent, stream
from dcgan.errors import DcganError, one_of
from dcgan.model import Model
from dcgan.networks.layers import TwoParts

FEWEST = 20
"""Designs with an attribute, and without: fewer tell nothing of a direction."""
HELD_OUT = 0.25
PLACES = 7
TINY = 1e-12
PROBES = 64
"""Points whose pictures tell how much a direction changes."""


@dataclass(frozen=True, eq=False)
class Direction:
    """vector: float32 (z_dim,), as long as one standard deviation of z along it. kind: "attribute" or "component".

    facts: `accuracy` and `chance` (0 … 1, balanced over both sides, on designs held out), `with` and `of` designs; or
    `variance`, the share of the maps' variance that a component has. change: see `change`.
    """

    name: str
    kind: str
    vector: NDArray[np.float32]
    facts: dict[str, float]
    change: float = 0.0
    random: float = 0.0

    def words(self) -> str:
        """What is known of it, in a few words."""
        if self.kind == "attribute":
            return f"right on {self.facts['accuracy']:.0%} held out, without z {self.facts['chance']:.0%}"
        return f"{self.facts['variance']:.1%} of the variance"

    def as_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "name": self.name,
            "kind": self.kind,
            **{key: round(float(value), 4) for key, value in self.facts.items()},
            "change": round(self.change, 2),
            "change_of_random_directions": round(self.random, 2),
        }


def attribute_direction(points: Points, attribute: Attribute, seed: int = 0) -> Direction:
    """The direction from designs without an attribute to those with it.

    Of a model with classes the class stands beside z in the regression, so that z need not stand for it, and chance is
    what the class alone gets right; of others it is one half. Raises `DcganError` for too few on one side.
    """
    yes = attribute.yes
    count, whole = int(yes.sum()), len(yes)
    if min(count, whole - count) < FEWEST:
        raise DcganError(
            f"{count:,} of {whole:,} designs are {attribute.name}: a direction needs {FEWEST} that are, and "
            f"{FEWEST} that are not. Take more designs with -n, or another attribute"
        )
    held = np.zeros(whole, bool)
    for number, side in enumerate((False, True)):
        members = np.flatnonzero(yes == side)
        order = stream(Stream.ANALYSIS, seed, 8, number).permutation(members)
        held[order[: max(1, round(HELD_OUT * len(members)))]] = True
    classes = np.empty((whole, 0)) if points.mixture is None else points.mixture.astype(np.float64)
    spread = float(points.z.std())
    inputs = np.hstack([points.z / spread, classes])
    accuracy = _balanced(_fitted(inputs[~held], yes[~held]).predict(inputs[held]), yes[held])
    chance = 0.5
    if len(np.unique(points.mixture, axis=0) if points.mixture is not None else ()) > 1:
        chance = _balanced(_fitted(classes[~held], yes[~held]).predict(classes[held]), yes[held])
    weights = _fitted(inputs, yes).coef_[0, : points.z.shape[1]]
    vector = spread * weights / np.linalg.norm(weights)
    facts = {"accuracy": accuracy, "chance": chance, "with": count, "of": whole}
    return Direction(attribute.name, "attribute", vector.astype(np.float32), facts)


def component_directions(model: Model, points: Points, count: int, seed: int = 0) -> list[Direction]:
    """The `count` directions along which G's first maps vary most, over the points."""
    count = min(count, model.recipe.z_dim, len(points) - 1)
    maps = first_maps(model, points)
    z = points.z.astype(np.float64)
    if points.mixture is not None:
        for label in np.unique(points.mixture.argmax(1)):
            rows = points.mixture.argmax(1) == label
            maps[rows] -= maps[rows].mean(0)
    maps -= maps.mean(0)
    whole = float(np.square(maps).sum(dtype=np.float64))
    # Signs are set below; the solver draws at random, from a seed.
    pca = PCA(count, svd_solver="randomized", random_state=seed % 2**32, iterated_power=4).fit(maps)
    coordinates = pca.transform(maps).astype(np.float64)
    directions = []
    for at in range(count):
        x = coordinates[:, at]
        vector = x @ (z - z.mean(0)) / max(float(x @ x), TINY)
        vector /= max(float(np.linalg.norm(vector)), TINY)
        vector *= float((z @ vector).std()) * np.sign(vector[np.abs(vector).argmax()])
        facts = {"variance": float((x**2).sum() / max(whole, TINY))}
        directions.append(Direction(f"pc{at + 1}", "component", vector.astype(np.float32), facts))
    return directions


@torch.inference_mode()
def first_maps(model: Model, points: Points) -> NDArray[np.float32]:
    """G's first maps after their activation, flat: float32 (N, maps · height · width).

    These are the head's, or what the stage "base" makes of them, which has no weights.
    """
    generator = cast("TwoParts", model.generator)
    base = [stage.compute for stage in generator.stages() if stage.name == "base"]  # type: ignore[attr-defined]
    parts = []
    for start in range(0, len(points), BLOCK):
        part = points[slice(start, start + BLOCK)]
        mixture = None if part.mixture is None else model.engine.tensor(part.mixture)
        maps = generator.head(model.engine.tensor(part.z), mixture)
        for compute in base:
            maps = compute(maps)
        parts.append(maps.float().flatten(1).cpu().numpy())
    return np.concatenate(parts)


def change(model: Model, points: Points, vector: NDArray[np.float32]) -> float:
    """How much pictures change by two standard deviations along a direction: root mean square of pixels, 0 … 255."""
    probes = points[slice(0, PROBES)]
    moved = Points(probes.z + 2 * vector, probes.mixture, probes.names)
    difference = decoded(model, moved).astype(np.float64) - decoded(model, probes)
    return float(np.sqrt((difference**2).mean()))


def with_changes(model: Model, points: Points, found: Sequence[Direction], seed: int = 0) -> list[Direction]:
    """The directions with how much they change, beside the mean of 16 random directions of such a length."""
    random = latent(seed, 9, 0, 16, model.recipe.z_dim, "normal", Stream.ANALYSIS)
    random *= float(points.z.std()) / np.linalg.norm(random, axis=1, keepdims=True)
    usual = float(np.mean([change(model, points, vector) for vector in random]))
    return [
        Direction(one.name, one.kind, one.vector, one.facts, change(model, points, one.vector), usual)
        for one in found
    ]


def picture(model: Model, point: Points, found: Sequence[Direction]) -> Images:
    """A row for each direction, from −3σ to 3σ added to one point's z: uint8 HWC."""
    walks = [along(point, one.vector, one.name) for one in found]
    rows = [sampled(walk, model, PLACES - 1)[0, 0] for walk in walks]
    columns = [f"{value:+.0f}σ" if round(value) else "0" for value in np.linspace(-REACH, REACH, PLACES)]
    names = [
        f"{one.name} ({one.facts['accuracy']:.0%})" if one.kind == "attribute" else one.name for one in found
    ]
    return rows_picture(rows, names, columns=columns, caption=f"{model.name}: design {point.names[0]}")


def write_directions(path: Path, model: Model, found: Sequence[Direction]) -> None:
    """Directions, for `read_direction`."""
    arrays = {
        "names": np.array([one.name for one in found]),
        "kinds": np.array([one.kind for one in found]),
        "vectors": np.stack([one.vector for one in found]),
    }
    write_arrays(path, model, arrays)


def read_direction(text: str, model: Model) -> tuple[NDArray[np.float32], str, str]:
    """vector, name and a note, or "", of FILE:NAME. Raises `DcganError` for a file or a name that is not there."""
    file, colon, name = text.rpartition(":")
    if not colon or not file or not name:
        raise DcganError(f"--direction is '{text[:80]}': expected FILE:NAME, such as directions.npz:pc1")
    path = Path(file)
    arrays = read_arrays(path)
    names, vectors = arrays.get("names"), arrays.get("vectors")
    if (
        names is None
        or vectors is None
        or names.dtype.kind != "U"
        or names.ndim != 1
        or vectors.dtype.kind != "f"
        or vectors.shape != (len(names), model.recipe.z_dim)
        or not np.isfinite(vectors).all()
    ):
        raise DcganError(
            f"{path} holds no directions of {model.recipe.z_dim} numbers: `dcgan directions` writes them"
        )
    known = [str(one) for one in names]
    folded = [one.casefold() for one in known]
    if name.casefold() not in folded:
        raise one_of("direction", name, known)
    at = known.index(name) if name in known else folded.index(name.casefold())
    return vectors[at].astype(np.float32), known[at], note(path, arrays, model)


def _fitted(inputs: NDArray[np.float64], yes: NDArray[np.bool_]) -> Any:
    return LogisticRegression(C=0.1, class_weight="balanced", max_iter=1000).fit(inputs, yes)


def _balanced(guessed: NDArray[np.bool_], yes: NDArray[np.bool_]) -> float:
    """The mean of the accuracies on both sides: one half for any guess that is made blindly."""
    return float((guessed[yes].mean() + (~guessed[~yes]).mean()) / 2)
