"""Paper 003, table 2: a discriminator's features where labels are few, beside the same network with labels only."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dcgan.probes import Asked
from dcgan.studies.linear_probe import by_data
from dcgan.studies.page import table
from dcgan.studies.probing import over_seeds, percent, probed, results
from dcgan.studies.study import Planned, Published, Study
from dcgan.studies.unlabelled import unlabelled

if TYPE_CHECKING:
    from dcgan.studies.done import Done
    from dcgan.studies.page import Page

QUICK = Asked(per_class=100, controls=("pixels", "pca", "untrained", "kmeans"))
CONTROLS = replace(QUICK, controls=(*QUICK.controls, "cnn"))
"""With the supervised network: 64 trainings, which take longer than all the rest, so for the first set only."""
FEWER = Asked(per_class=10, controls=("pixels",))
SVHN_IMAGES = 200 * 73_257

PUBLISHED = (
    ("KNN", "77.93"),
    ("TSVM", "66.55"),
    ("M1 + KNN", "65.63"),
    ("M1 + TSVM", "54.33"),
    ("M1 + M2", "36.02"),
    ("SWWAE without dropout", "27.83"),
    ("SWWAE with dropout", "23.56"),
    ("supervised CNN of the same architecture", "28.87 (validation)"),
    ("DCGAN + L2-SVM", "22.48"),
)


def body(page: Page, done: list[Done]) -> str:
    """The paper's table, and ours: 100 labels of each class over 100 draws, and 10 of each."""
    parts = [
        "## The paper's table",
        table(("SVHN, 1,000 labels", "error, %"), PUBLISHED, numeric=True),
    ]
    for number, (data, runs) in enumerate(by_data(done).items()):
        found = [probed(one.run, QUICK if number else CONTROLS) for one in runs]
        own, pixels = probed(runs[0].run, FEWER)
        ours, raw, last = found[0][0], found[0][1], found[0][-1]
        draws = f"{len(ours.draws)} draws of labels"
        if last.features == "cnn":
            draws += f", over {len(last.draws)} for the network that is trained with them"
        parts += [
            f"## {data}, {ours.labels:,} labels",
            results("every layer, pooled to 4×4", found[0], runs[0].plan.name),
            f"Accuracy; the error is what is missing to 100. ± is 1.96 σ/√n over {draws}. Over seeds of the training: "
            f"{over_seeds([rows[0] for rows in found])}.",
            f"{100 * (ours.accuracy - raw.accuracy):+.1f} points against raw pixels. With ten labels of each class: "
            f"{percent(own)} against {percent(pixels)} of raw pixels.",
        ]
    return "\n\n".join(parts)


def _planned(data: str, preset: str) -> Planned:
    return unlabelled(
        data,
        preset,
        title=f"{preset} without labels, D twice as wide",
        images=SVHN_IMAGES,
        budget="200 epochs of SVHN",
        saw="22.48 % test error with 1,000 labels, where the same network trained with them alone had 28.87 %",
        wide=True,
    )


STUDY = Study(
    name="few-labels",
    title="A discriminator's features where labels are few",
    paper="the authors of paper 003, after Radford, Metz and Chintala 2016, section 5.2",
    question="What do 1,000 labels reach with features learned from unlabelled pictures, and what without them?",
    numbers=(
        Published("labels", "1,000, as many of each class", "section on SVHN"),
        *(Published(f"error on SVHN, {name}", f"{error} %", "table 2") for name, error in PUBLISHED),
        Published("the supervised network", "the best of 64 trials of a random search", "section on SVHN"),
    ),
    runs=(_planned("fashion-mnist", "fast-28"), _planned("mnist", "fast-28")),
    differs=(
        "Fashion-MNIST and MNIST in place of SVHN, whose files cannot be had here: none of these numbers compares with "
        "the paper's. With its three files in $DCGAN_DATA: `dcgan study few-labels --data svhn`.",
        "C by the mean over ten draws on 10,000 held-out training pictures, as in the authors' code; tested over 100.",
        "The network trained with labels is chosen of 64 random trials on one draw, and tested on five; for the first "
        "set only.",
    ),
    minutes=10.0,
    body=body,
)
