"""Paper 003, figures 5 and 6: what D's features respond to, and a generator that forgets to draw an object."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dcgan.analysis.inside.ablation import Body
from dcgan.analysis.inside.drop_object import Dropped, drop_object
from dcgan.analysis.inside.layers import generator_layers
from dcgan.analysis.inside.objects import find_objects
from dcgan.analysis.inside.responses import AMONG, Feature, responses
from dcgan.explain import drawn, explain
from dcgan.labels import labeller_for
from dcgan.pictures import grid
from dcgan.studies.drawing import beside
from dcgan.studies.page import number, table
from dcgan.studies.probing import pictures_of
from dcgan.studies.study import Published, Study
from dcgan.studies.unlabelled import bedrooms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dcgan.data import Dataset
    from dcgan.evaluation.kept import Labeller
    from dcgan.model import Model
    from dcgan.studies.done import Done
    from dcgan.studies.page import Page

DESIGNS = 12


def body(page: Page, done: list[Done]) -> str:
    """D's features beside random ones, the dropped object beside random maps, and where the whole page is."""
    run = done[0].run
    model, real = run.model(start="last"), pictures_of(run)
    labeller = labeller_for(real)
    told = explain(run, real, labeller=real, start="last", n=50)
    return "\n\n".join(
        [
            "## What D's features respond to",
            _features(page, model, real),
            "## Designs without an object",
            _dropped(page, model, labeller),
            "## In short",
            "\n".join(f"- {line}" for line in told.lines),
            f"The whole page, with guided gradients, filters, activation maps and each map's effect: "
            f"`dcgan explain {run.name} --from last -n 50`.",
        ]
    )


def _features(page: Page, model: Model, real: Dataset) -> str:
    some = drawn(real, 0)
    labels = some.labels
    found = responses(model, some, seed=0)
    if found is None:
        return "This discriminator is fully connected: it has no maps."
    height, width = found.field.size
    rows = [
        [name, *([_share(features)] if labels is not None else ["–"]), str(silent)]
        for name, features, silent in (
            ("trained", found.trained, found.silent),
            ("random weights", found.random, found.random_silent),
        )
    ]
    shown = [
        (f"{name}: a row a feature, strongest first", grid(_pictures(features), 6))
        for name, features in (("trained", found.trained), ("random weights", found.random))
        if features
    ]
    return "\n\n".join(
        [
            "The paper shows that the first six features of D's last convolution respond to typical parts of a bedroom "
            "(beds, windows), and those of random filters to nothing in particular. Here, for the first six features "
            f"of {found.layer} that respond at all, of which a unit sees {height} × {width} pixels: the share of the "
            f"commonest class among the {AMONG} pictures that excite a feature most.",
            table(("D", "one class's share, mean of six", "features that never respond"), rows, numeric=True),
            page.picture(
                "features", beside(shown, scale=2), "strongest pictures of trained and of random features"
            ),
        ]
    )


def _share(features: Sequence[Feature]) -> str:
    shares = [one.share for one in features if one.share is not None]
    return f"{100 * float(np.mean(shares)):.0f} %" if shares else "–"


def _pictures(features: Sequence[Feature]) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.concatenate([one.images for one in features]).transpose(0, 2, 3, 1)


def _dropped(page: Page, model: Model, labeller: Labeller) -> str:
    layers = generator_layers(model)
    if not layers:
        return "This generator is fully connected: it has no maps to drop."
    marked = find_objects(model, labeller, seed=0)
    z, labels = model.latents([(one.seed, one.index) for one in marked.marked])
    found = drop_object(Body(model, layers[-1], z, labels), marked.marked, labeller, seed=0)
    kind = f" of {marked.kind}" if marked.kind else ""
    return "\n\n".join(
        [
            "Radford et al. drew 52 boxes around windows by hand, dropped every map of positive weight, and saw "
            "bedrooms with fewer windows or with other objects in their place.",
            f"Here the boxes on {len(found.marked)} designs{kind} are {marked.by}. {len(found.positive.numbers)} of "
            f"{len(found.weights)} maps of {found.layer} have a positive weight; the regression puts "
            f"{found.accuracy:.0%} of the places right in designs that it was not fitted to.",
            table(("maps dropped", "box changes … times as much as the rest", "class score"), _ways(found)),
            page.picture(
                "dropped",
                beside(
                    [
                        ("as made", grid(found.images[:DESIGNS], DESIGNS)),
                        ("without the box's maps", grid(found.positive.images[:DESIGNS], DESIGNS)),
                        ("without as many at random", grid(found.random_positive.images[:DESIGNS], DESIGNS)),
                    ],
                    columns=1,
                    scale=2,
                ),
                "designs as made and without maps",
            ),
        ]
    )


def _ways(found: Dropped) -> list[list[str]]:
    before = number(found.before)
    rows = []
    for name, way in (
        ("of positive weight, as in the paper", found.positive),
        ("as many at random, five draws", found.random_positive),
        ("the eighth of largest weight", found.strongest),
        ("as many at random, five draws", found.random_strongest),
    ):
        low, high = min(way.ratios), max(way.ratios)
        span = f"{low:.1f}" if low == high else f"{low:.1f} to {high:.1f}"
        scores = f"{before} → {number(way.score)}" if way.score is not None else "–"
        rows.append([name, span, scores])
    return rows


STUDY = Study(
    name="inside",
    title="What the networks' features look for and draw",
    paper="the authors of paper 003, after Radford, Metz and Chintala 2016, sections 6.2 and 6.3.1",
    question="Do D's features respond to parts of what is shown, and can G forget to draw an object?",
    numbers=(
        Published(
            "D's features", "“activate on typical parts of a bedroom, like beds and windows”", "section VIII"
        ),
        Published(
            "random features", "“not activated on anything that is semantically relevant”", "section VIII"
        ),
        Published("dropped windows", "52 boxes; fewer windows, or other objects there", "Radford, 6.3.1"),
        Published("where", "G's second highest layer; all maps of positive weight", "Radford, 6.3.1"),
        Published("numbers", "none", ""),
    ),
    runs=(bedrooms("features of beds and windows, and bedrooms without windows"),),
    differs=(
        "Garments of 28×28 in place of bedrooms of 64×64, which cannot be had here.",
        "A garment is one object in the middle of its picture; a window is one of many things in a bedroom.",
        "Boxes are found, not drawn: the window of a picture that the labeller can do least without.",
        "The paper judges by eye; the counts, and as many maps at random, are this project's.",
    ),
    minutes=10.0,
    body=body,
)
