"""Paper 003, table 1: what a linear classifier makes of a discriminator's features, with every label."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dcgan.probes import Asked
from dcgan.report.bars import Bar, bars
from dcgan.studies.drawing import beside, designs
from dcgan.studies.page import table
from dcgan.studies.probing import NAMES, over_seeds, probed, results
from dcgan.studies.study import Planned, Published, Study
from dcgan.studies.unlabelled import unlabelled

if TYPE_CHECKING:
    from dcgan.studies.done import Done
    from dcgan.studies.page import Page

ASKED = Asked(controls=("pixels", "pca", "untrained", "kmeans"))
LEARNED = replace(ASKED, controls=("pixels", "pca", "kmeans"))
"""For further sets: as many numbers as an untrained D has are the slowest to learn from, and one set shows them."""
ALONE = replace(ASKED, controls=())
"""For further seeds of a training: what the controls reach does not depend on it."""
IMAGENET = 25 * 1_281_167
"""Images that the paper's model saw, if its 25 epochs are those of ImageNet-1k: the paper does not say."""

PUBLISHED = (
    ("1-layer k-means", "80.6", "63.7 ± 0.7", "4800"),
    ("3-layer k-means, learned receptive fields", "82.0", "70.7 ± 0.7", "3200"),
    ("view-invariant k-means", "81.9", "72.6 ± 0.7", "6400"),
    ("exemplar CNN", "84.3", "77.4 ± 0.2", "1024"),
    ("DCGAN + L2-SVM", "82.8", "73.8 ± 0.4", "512"),
)


def body(page: Page, done: list[Done]) -> str:
    """The paper's table, ours for each set of pictures, and what the generators beside these features draw."""
    parts = [
        "## The paper's table",
        table(("model", "accuracy, %", "with 400 labels a class", "maps, at most"), PUBLISHED, numeric=True),
        "The paper prints it under the name MNIST; the numbers are CIFAR-10's.",
    ]
    for number, (data, runs) in enumerate(by_data(done).items()):
        first = probed(runs[0].run, LEARNED if number else ASKED)
        found = [first, *(probed(one.run, ALONE) for one in runs[1:])]
        parts += [
            f"## {data}",
            results("every layer, pooled to 4×4", first, runs[0].plan.name),
            f"± is the 95 % interval of a share of {first[0].tested:,} test pictures. Over seeds of the training: "
            f"{over_seeds([rows[0] for rows in found])}.",
            page.picture(
                f"bars-{data}",
                bars(
                    [
                        Bar(NAMES.get(one.features, one.features), one.accuracy, one.interval, not i)
                        for i, one in enumerate(first)
                    ],
                    f"{data}: accuracy of an L2-SVM on the test split",
                ),
                f"accuracies on {data}",
            ),
            page.picture(
                f"designs-{data}",
                beside(
                    [
                        (f"{one.plan.name}, {one.reached[0]:,} images", designs(one.run, 48, 12))
                        for one in runs[:1]
                    ]
                ),
                "what its generator draws",
            ),
        ]
    return "\n\n".join(parts)


def by_data(done: list[Done]) -> dict[str, list[Done]]:
    """The runs of each set of pictures, in the order of the study."""
    found: dict[str, list[Done]] = {}
    for one in done:
        found.setdefault(one.plan.data, []).append(one)
    return found


def _planned(data: str, preset: str, seed: int) -> Planned:
    return unlabelled(
        data,
        preset,
        seed,
        title=f"{preset} without labels, D twice as wide, seed {seed}",
        images=IMAGENET,
        budget="25 epochs of ImageNet-1k, 32×32 crops",
        saw="82.8 % on CIFAR-10, above every k-means",
        wide=True,
    )


STUDY = Study(
    name="linear-probe",
    title="What a discriminator's features are worth to a linear classifier",
    paper="the authors of paper 003, after Radford, Metz and Chintala 2016, section 5.1",
    question="How many test pictures does an L2-SVM name rightly that sees what D's layers say, with every label?",
    numbers=(
        Published(
            "features", "every conv layer of D, max-pooled to 4×4, 28,672 numbers", "section on classifying"
        ),
        Published("classifier", "a regularized linear L2-SVM", "section on classifying"),
        *(
            Published(f"accuracy, {name}", f"{everything} % ({few} with 400 labels a class)", "table 1")
            for name, everything, few, _ in PUBLISHED
        ),
    ),
    runs=tuple(
        _planned(data, preset, seed)
        for data, preset, seeds in (
            ("fashion-mnist", "fast-28", 2),
            ("mnist", "fast-28", 2),
            ("cifar10", "fast-32", 1),
        )
        for seed in range(seeds)
    ),
    differs=(
        "D learned from the training pictures of the very set, without labels; the paper's from ImageNet-1k, which "
        "cannot be had here.",
        "D has three or four layers of at most 256 or 512 maps; the paper's has six of at most 512.",
        "C is chosen on 10,000 held-out training pictures, from the paper's grid and beyond it where its edge is best.",
        "k-means has 800 means where the paper's has 4,800; `dcgan probe --kmeans-units 4800` makes those.",
    ),
    minutes=10.0,
    body=body,
)
