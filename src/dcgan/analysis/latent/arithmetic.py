"""Arithmetic on concepts: king − man + woman, with the mean z of a few pictures for each (Radford et al. 2016, 6.3.2).

A concept is the mean of the points of its set, three in the paper, where single samples were unstable; the sum is
decoded, and 8 neighbours with U(−.25, .25) added to z (figure 7).
Beside it stands the same arithmetic on the pixels of the same pictures, which only lays them over each other.

What a class is, as a term:

- a model with classes is told z and class apart, and z is drawn alike for all, so the mean z of a class is 0: the term
  is the class in the mixture, with z = 0. `[3] - Sneaker + Bag` is design 3, a Sneaker, with its z kept, as a Bag.
- of a model without classes, the mean z of the designs that a labeller sees as this class.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dcgan.analysis.latent.drawing import below, beside, rows_picture
from dcgan.analysis.latent.expression import Item, Term, parse
from dcgan.analysis.latent.points import (
    Images,
    Points,
    asked_class,
    decoded,
    design,
    joined,
    told,
    usual_length,
)
from dcgan.analysis.latent.sources import Sources
from dcgan.asked import class_index
from dcgan.data.sampling import Stream, latent, stream
from dcgan.errors import DcganError, one_of
from dcgan.evaluation.labeller import Labeller
from dcgan.files import exists
from dcgan.model import Model
from dcgan.pictures import nchw

NEIGHBOURS, NOISE = 8, 0.25
OF_A_CLASS = 64
"""Designs of a class whose mean picture is its pixels."""
LABELLED = 2000
"""Designs of a model without classes that are looked at for those of a class."""
FEWEST = 3
SHORTEST = 1e-5
"""Of an answer's z that can be rescaled, in lengths of a usual one: what is shorter is a difference of rounding."""
SHOWN = 5


@dataclass(frozen=True, eq=False)
class Concept:
    """A term. point: one, the mean of its set. members: uint8 (M, H, W, C), its pictures. pixels: float64 (H, W, C),
    their mean."""

    term: Term
    point: Points
    members: Images
    pixels: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Answer:
    """points: the answer, then its 8 neighbours. pictures: theirs. pixels: uint8 (H, W, C), the same on pixels.

    length: of the answer's z over that of a usual one: above about 1.3 G is asked for what it was never asked for.
    """

    text: str
    concepts: tuple[Concept, ...]
    points: Points
    pictures: Images
    pixels: Images
    length: float

    def as_json(self, classes: tuple[str, ...]) -> dict[str, Any]:
        """JSON-ready."""
        mixture = self.points.mixture
        return {
            "expression": self.text,
            "terms": [
                {"sign": one.term.sign, "text": one.term.text, "pictures": len(one.members)}
                for one in self.concepts
            ],
            "z": [round(float(value), 6) for value in self.points.z[0]],
            "class": None if mixture is None else told(mixture[0], classes),
            "length": round(self.length, 4),
        }


def calculate(
    text: str, sources: Sources, labeller: Labeller | None = None, *, rescale: bool = False, seed: int = 0
) -> Answer:
    """The answer to an expression. rescale: its z brought to a usual length.

    labeller: what sees classes in the designs of a model without them. Raises `DcganError` for what cannot be read,
    found, or asked of this model.
    """
    terms = parse(text)
    model = sources.model
    concepts = tuple(_concept(text, term, sources, labeller) for term in terms)
    z = np.sum([one.term.sign * one.point.z[0].astype(np.float64) for one in concepts], axis=0)
    length = float(np.linalg.norm(z) / usual_length(model))
    if rescale:
        if length < SHORTEST:
            raise DcganError(
                f"expression {text[:80]}: the answer's z is 0, which has no length to rescale: leave out --rescale"
            )
        z /= length
    mixtures = [one.term.sign * one.point.mixture for one in concepts if one.point.mixture is not None]
    mixture = np.concatenate(mixtures).sum(0, dtype=np.float32, keepdims=True) if mixtures else None
    noise = stream(Stream.ANALYSIS, seed, 6).uniform(-NOISE, NOISE, (NEIGHBOURS, len(z)))
    around = np.concatenate([z[None], z + noise]).astype(np.float32)
    points = Points(
        around,
        None if mixture is None else np.repeat(mixture, len(around), 0),
        ("answer", *(f"neighbour {number + 1}" for number in range(NEIGHBOURS))),
    )
    pixels = np.sum([one.term.sign * one.pixels for one in concepts], axis=0)
    return Answer(
        text, concepts, points, decoded(model, points), np.round(pixels.clip(0, 255)).astype(np.uint8), length
    )


def picture(answer: Answer, model: Model) -> Images:
    """uint8 HWC: the concepts, the answer in the middle of its neighbours, and the same on pixels."""
    rows, names = [], []
    for one in answer.concepts:
        shown = one.members[:SHOWN]
        mean = np.round(one.pixels).astype(np.uint8)[None]
        rows.append(np.concatenate([decoded(model, one.point), mean, shown]))
        more = f" ({len(one.members)})" if len(one.members) > SHOWN else ""
        names.append(f"{'+' if one.term.sign > 0 else '−'} {one.term.text}{more}")
    pictured = max(len(row) for row in rows) - 2
    columns = ["of mean z", "pixels", *(["pictures", *[""] * pictured][:pictured])]
    concepts = rows_picture(rows, names, columns=columns, caption=f"{model.name}: {answer.text}"[:100])
    order = [*range(1, 5), 0, *range(5, 9)]
    around = answer.pictures[order].reshape(3, 3, *answer.pictures.shape[1:])
    ours = rows_picture(list(around), ["", "", ""], caption="= in z, 8 neighbours around", side=84)
    theirs = rows_picture([answer.pixels[None]], [""], caption="= in pixels", side=84)
    return below(concepts, beside(ours, theirs))


def _concept(text: str, term: Term, sources: Sources, labeller: Labeller | None) -> Concept:
    parts = [_item(text, term, item, sources, labeller) for item in term.items]
    points = joined([point for point, _ in parts])
    members = np.concatenate([pictures for _, pictures in parts])
    # Each item counts alike, however many pictures it has.
    pixels = np.mean([pictures.astype(np.float64).mean(0) for _, pictures in parts], axis=0)
    mixture = None if points.mixture is None else points.mixture.mean(0, keepdims=True)
    return Concept(term, Points(points.z.mean(0, keepdims=True), mixture, (term.text,)), members, pixels)


def _item(
    text: str, term: Term, item: Item, sources: Sources, labeller: Labeller | None
) -> tuple[Points, Images]:
    """An item's point, or points of a file of several, and its pictures."""
    model = sources.model
    try:
        if term.bracketed and not item.quoted:
            found = design(model, item.text, sources.seed)
            if found is not None:
                return found, decoded(model, found)
        known = model.classes or (labeller.classes if labeller else ())
        if item.text.casefold() in (name.casefold() for name in known):
            return _class(item.text, sources, labeller)
        if exists(Path(item.text)) or item.text.lower().endswith(".npz"):
            found = sources.of_file(item.text)
            return found, decoded(model, found)
        if not term.bracketed and not item.quoted and design(model, item.text, sources.seed) is not None:
            raise DcganError(f"no class or file is called that; the design is [{item.text}], in brackets")
        if Path(item.text).suffix.lower() in Image.registered_extensions() or item.text.startswith(
            (".", "/")
        ):
            raise DcganError("no file is called that")
        if known:
            raise one_of("class or file", item.text, known)
        raise DcganError(
            f"no file is called '{item.text[:80]}', and {model.name} has no classes: to use those that a labeller "
            "sees, name labelled pictures with --labeller"
        )
    except DcganError as error:
        raise DcganError(
            f"expression {text[:80]} at character {item.at} ('{item.text[:40]}'): {error}"
        ) from None


def _class(name: str, sources: Sources, labeller: Labeller | None) -> tuple[Points, Images]:
    model, seed = sources.model, sources.seed
    recipe = model.recipe
    if model.classes:
        label = asked_class(model, name)
        mixture = np.eye(recipe.classes, dtype=np.float32)[[label]]
        z = latent(seed, 7, label, OF_A_CLASS, recipe.z_dim, recipe.prior, Stream.ANALYSIS)
        made = model.decode(z, np.repeat(mixture, OF_A_CLASS, 0))
        return Points(np.zeros((1, recipe.z_dim), np.float32), mixture, (model.classes[label],)), made
    if labeller is None:
        raise DcganError(f"{model.name} has no classes and no labeller")
    label = class_index(name, labeller.classes)
    z = latent(seed, 7, 0, LABELLED, recipe.z_dim, recipe.prior, Stream.ANALYSIS)
    made = model.decode(z)
    seen = labeller.probabilities(nchw(made)).argmax(1)
    rows = np.flatnonzero(seen == label)
    if len(rows) < FEWEST:
        raise DcganError(f"{len(rows)} of {LABELLED:,} designs are seen as {name}: too few for a mean")
    mean = z[rows].astype(np.float64).mean(0, keepdims=True).astype(np.float32)
    return Points(mean, None, (labeller.classes[label],)), made[rows]
