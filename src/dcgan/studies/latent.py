"""Papers 001 and 003: walks through latent space and arithmetic on concepts, with numbers where they have pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dcgan.analysis.latent import walk as walking
from dcgan.analysis.latent.arithmetic import Answer, calculate, picture
from dcgan.analysis.latent.points import designs
from dcgan.analysis.latent.sources import Sources
from dcgan.evaluation.extractors import extractor
from dcgan.labels import labeller_for
from dcgan.pictures import nchw, png
from dcgan.studies.page import table
from dcgan.studies.probing import pictures_of
from dcgan.studies.study import Published, Study
from dcgan.studies.unlabelled import bedrooms

if TYPE_CHECKING:
    from dcgan.evaluation.kept import Labeller
    from dcgan.model import Model
    from dcgan.studies.done import Done
    from dcgan.studies.page import Page

POINTS, STEPS = 9, 11
CONCEPT = 3
"""Samples of a concept in the paper."""
WANTED = ("Dress", "T-shirt/top", "Shirt")
"""a − b + c: what makes a dress of a T-shirt, added to a shirt."""
LOOKED_AT = 1000


def body(page: Page, done: list[Done]) -> str:
    """A walk through nine designs, and arithmetic with one sample and with three for each concept."""
    run = done[0].run
    model = run.model(start="last")
    return "\n\n".join(["## A walk", _walk(page, model), "## Arithmetic", _arithmetic(page, done[0], model)])


def _walk(page: Page, model: Model) -> str:
    points = designs(model, [(0, index) for index in range(POINTS)])
    way = walking.through(model, points)
    features = extractor("fixed")
    found = walking.measured(way, model, features)
    shown = walking.picture(way, walking.sampled(way, model, STEPS), found, "each leg and its sharpness")
    rows = [
        [leg.name, f"{one.value:.2f}", f"{one.at:.0%}", f"{one.fade:.2f}"]
        for leg, one in zip(way.tracks[0], found, strict=True)
    ]
    return "\n\n".join(
        [
            "The paper shows walks between random points, where a sharp transition would tell of memorization. Here "
            "each leg is walked in 64 steps: sharpness is the longest step over the median one, in features of "
            "`fixed`; beside it that of a cross-fade of the same two ends in pixels.",
            page.picture("walk", png(shown), "walks between nine designs"),
            table(("leg", "sharpness", "where", "cross-fade"), rows, numeric=True),
            f"Sharpest: {walking.sentence(way, found)}.",
        ]
    )


def _arithmetic(page: Page, one: Done, model: Model) -> str:
    labeller = labeller_for(pictures_of(one.run))
    sets = _sets(model, labeller)
    if sets is None:
        return f"Of {LOOKED_AT:,} designs too few are seen as three classes: nothing can be calculated with them."
    rows, parts = [], []
    for count in (1, CONCEPT):
        terms = ["[" + ", ".join(map(str, members[:count])) + "]" for _, members in sets]
        answer = calculate(" ".join([terms[0], "-", terms[1], "+", terms[2]]), Sources(model), seed=0)
        rows.append([str(count), answer.text, *_seen(answer, labeller), f"{answer.length:.2f}"])
        parts.append(page.picture(f"arithmetic-{count}", png(picture(answer, model)), answer.text))
    words = " − ".join(name for name, _ in sets[:2]) + f" + {sets[2][0]}"
    head = (
        "samples of a concept",
        "designs",
        "answer seen as",
        "its 8 neighbours",
        "in pixels",
        "length of z",
    )
    return "\n\n".join(
        [
            "Radford et al.: with single samples the results were unstable, with the mean z of three they were stable, "
            f"and the same on pixels only lays them over each other. Here {words}: the first designs of seed 0 that "
            f"the labeller sees so ({labeller.accuracy}).",
            table(head, rows),
            *parts,
        ]
    )


def _sets(model: Model, labeller: Labeller) -> list[tuple[str, list[int]]] | None:
    """Three classes and the first designs that are seen as each: the wanted ones, or the commonest three."""
    made = model.generate(LOOKED_AT, seed=0).images
    seen = labeller.probabilities(nchw(made)).argmax(1)
    members = {name: np.flatnonzero(seen == at).tolist() for at, name in enumerate(labeller.classes)}
    enough = {name: found for name, found in members.items() if len(found) >= CONCEPT}
    if set(WANTED) <= set(enough):
        return [(name, enough[name]) for name in WANTED]
    names = sorted(enough, key=lambda name: -len(enough[name]))[:3]
    return [(name, enough[name]) for name in names] if len(names) == 3 else None


def _seen(answer: Answer, labeller: Labeller) -> list[str]:
    images = np.concatenate([answer.pictures, answer.pixels[None]])
    probabilities = labeller.probabilities(nchw(images))
    names = [labeller.classes[at] for at in probabilities.argmax(1)]
    around = {name: names[1:-1].count(name) for name in dict.fromkeys(names[1:-1])}
    told = ", ".join(f"{count} {name}" for name, count in sorted(around.items(), key=lambda pair: -pair[1]))
    return [
        f"{names[0]} ({probabilities[0].max():.0%})",
        told,
        f"{names[-1]} ({probabilities[-1].max():.0%})",
    ]


STUDY = Study(
    name="latent",
    title="Walking through latent space and calculating in it",
    paper="the authors of papers 001 and 003, after Radford, Metz and Chintala 2016, sections 6.1 and 6.3.2",
    question="Is the way from one design to another smooth, and does a mean of three z stand for what they share?",
    numbers=(
        Published(
            "walk",
            "“signs of memorization (if there are sharp transitions)”; none is told of",
            "section VIII",
        ),
        Published(
            "arithmetic", "unstable with single samples, stable with the mean z of three", "Radford, 6.3.2"
        ),
        Published("neighbours", "eight, uniform noise of scale ±.25 added to z", "Radford, figure 7"),
        Published("z", "100 numbers, uniform", "Radford, section 4"),
        Published("numbers", "none", ""),
    ),
    runs=(bedrooms("no sharp transition; arithmetic that holds with three samples a concept"),),
    differs=(
        "Garments of 28×28 in place of bedrooms and faces of 64×64, which cannot be had here.",
        "The paper's z is uniform and its walks are lines; this z is normal and the walks are arcs.",
        "The paper judges by eye. Sharpness and the classes that a labeller sees are this project's.",
    ),
    minutes=10.0,
    body=body,
)
