"""Paper 000: the tutorial's DCGAN on Fashion-MNIST: seconds an epoch, and designs that change with the epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dcgan.studies.diagnosing import doctor
from dcgan.studies.drawing import Line, Panel, beside, curves, designs, losses, sample_at
from dcgan.studies.page import number, scores_table, swing, table
from dcgan.studies.study import Planned, Published, Study

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dcgan.studies.done import Done
    from dcgan.studies.measuring import Point
    from dcgan.studies.page import Page

EPOCHS = (25, 56, 173)
"""Those of which the paper shows pictures or times."""
SECONDS = 27.0
TILE, GAP = 28, 2


def body(page: Page, done: list[Done]) -> str:
    """The paper's three epochs, seconds an epoch, oscillation, losses, designs."""
    (one,) = done
    return "\n\n".join(
        [
            "## Epochs 25, 56 and 173",
            _epochs(one),
            "## Seconds an epoch",
            _seconds(one),
            "## Oscillation",
            _oscillation(page, one),
            "## Over training",
            _course(page, one),
            "## The doctor",
            doctor(done),
            "## At the end",
            page.picture(
                "end", beside([(_caption(one), designs(one.run, 96, 16))]), "the first 96 designs of seed 0"
            ),
            scores_table([(f"`{one.plan.name}`, {p.images:,} images", p.scores) for p in one.points[-1:]]),
        ]
    )


def _caption(one: Done) -> str:
    images, epochs, _ = one.reached
    return f"{images:,} images, epoch {epochs:.2f}"


def _epochs(one: Done) -> str:
    saw = {
        25: "a shirt, in a grid of 3 × 3",
        56: 'at the same place trousers ("a Pant")',
        173: "a grid; nothing is said of it",
    }
    now = one.reached[1]
    rows = []
    for epoch in EPOCHS:
        near = [point for point in one.points if abs(point.epoch - epoch) <= 0.5]
        if near:
            cell = f"Fréchet {number(near[-1].scores['frechet'])}, coverage {number(near[-1].scores['coverage'])}"
        else:
            cell = (
                f"not reached: the run ended at epoch {now:.2f}"
                if now < epoch
                else "no checkpoint was kept there"
            )
        rows.append([str(epoch), saw[epoch], cell])
    return table(("epoch", "the paper saw", "measured here"), rows)


def _seconds(one: Done) -> str:
    timed = [entry for entry in one.run.journal() if entry["event"] == "epoch"]
    here = [entry["epoch_seconds"] for entry in timed]
    images, epochs, seconds = one.reached
    whole = f"{number(seconds / epochs)} (the whole run, {images / seconds:.0f} images a second)"
    median = (
        f"{number(float(np.median(here)))} (median of {len(here)} whole epochs)" if here else "no whole epoch"
    )
    rows = [
        ["epoch 25", "27.00157380104065", _one_epoch(timed, 25)],
        ["epoch 173", "27.06604552268982", _one_epoch(timed, 173)],
        ["any", "27.0", f"{median}; {whole}"],
    ]
    return "\n\n".join(
        [
            table(("", "seconds, published", "seconds, here"), rows),
            f"27 seconds for 60,000 pictures are {60_000 / SECONDS:,.0f} a second, "
            f"{seconds / epochs / SECONDS:.0f} times the pace here. The paper does not name its machine.",
        ]
    )


def _one_epoch(timed: list[dict[str, float]], epoch: int) -> str:
    found = [entry["epoch_seconds"] for entry in timed if abs(entry["epoch"] - epoch) < 0.02]
    return number(found[0]) if found else "not reached"


def _oscillation(page: Page, one: Done) -> str:
    points = one.points
    parts = [
        "The paper: “it collapsed a subset of filters into a single oscillation mode”, a shirt at epoch 25 and "
        "trousers at 56. Here it is measured at each kept checkpoint: **drift**, how much the samples of the "
        "fixed z have changed since the last checkpoint (mean pixel difference, over that between two designs "
        "of one grid: 1 means that as much changed as there is); **changed class**, the share of 512 fixed z "
        "whose design the labeller now puts into another class; **leading class** and its share of the "
        "designs; Fréchet distance."
    ]
    rows, before = [], None
    for point in points:
        rows.append(
            [
                f"{point.epoch:.2f}",
                number(point.scores["frechet"]),
                number(_drift(one, before, point)) if before else "–",
                _changed(before, point) if before else "–",
                _leading(point),
                number(point.scores.get("balance")),
            ]
        )
        before = point
    head = ("epoch", "Fréchet", "drift", "changed class", "leading class", "class balance")
    parts.append(table(head, rows, numeric=True))
    parts.append(swing(points))
    strip = []
    for part in (0.1, 0.4, 0.7, 1.0):
        images, _, picture = sample_at(one.run, "images", part * one.reached[0])
        strip.append((f"{images:,} images", picture))
    parts.append(page.picture("fixed-z", beside(strip, columns=4), "samples of the same z over training"))
    return "\n\n".join(parts)


def _drift(one: Done, before: Point | None, point: Point) -> float | None:
    """Mean change of the fixed-z samples between two checkpoints over the mean difference within the later grid."""
    if before is None:
        return None
    old, new = (_tiles(sample_at(one.run, "images", at.images)[2]) for at in (before, point))
    if old.shape != new.shape:
        return None
    within = np.abs(new - np.roll(new, 1, axis=0)).mean()
    return float(np.abs(new - old).mean() / within) if within > 0 else None


def _tiles(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """float64 (N, 28, 28) of a run's sample grid."""
    rows, columns = ((side - GAP) // (TILE + GAP) for side in picture.shape[:2])
    step = TILE + GAP
    return np.array(
        [
            picture[GAP + r * step : GAP + r * step + TILE, GAP + c * step : GAP + c * step + TILE, 0]
            for r in range(rows)
            for c in range(columns)
        ],
        np.float64,
    )


def _changed(before: Point | None, point: Point) -> str:
    if before is None or not before.classes or len(before.classes) != len(point.classes):
        return "–"
    share = float(np.mean(np.array(before.classes) != np.array(point.classes)))
    return f"{100 * share:.0f} %"


def _leading(point: Point) -> str:
    if not point.classes:
        return "–"
    counts = np.bincount(point.classes, minlength=len(point.names))
    return f"{point.names[int(counts.argmax())]} ({100 * counts.max() / counts.sum():.0f} %)"


def _course(page: Page, one: Done) -> str:
    x = np.array([point.epoch for point in one.points], np.float64)
    scores = [
        Line(key, x, np.array([point.scores[key] for point in one.points], np.float64))
        for key in ("precision", "recall", "coverage")
    ]
    distance = Line("Fréchet", x, np.array([point.scores["frechet"] for point in one.points], np.float64))
    panels = [
        Panel("Losses", "batches", losses(one.run)),
        Panel("Fréchet distance", "epoch", [distance]),
        Panel("Precision, recall, coverage", "epoch", scores),
    ]
    ends = ", ".join(
        f"{name} {number(one.tail(key))}"
        for name, key in (
            ("D's loss", "loss_d"),
            ("G's", "loss_g"),
            ("D on real", "real_score"),
            ("on fake", "fake_score"),
        )
    )
    return "\n\n".join(
        [
            page.picture("course", curves(panels, columns=3), "losses and scores over training"),
            f"Means of the last tenth: {ends}. The paper prints no loss and no score.",
        ]
    )


STUDY = Study(
    name="fashion-2020",
    title="The tutorial's DCGAN on Fashion-MNIST at epochs 25, 56 and 173",
    paper=(
        "the authors of “Feature Learning & Image Generation using Deep Convolutional GANs”, with the network of "
        "TensorFlow's tutorial"
    ),
    question="How long is an epoch, and do the designs settle or swing from one kind of garment to another?",
    numbers=(
        Published("data", "Fashion-MNIST, 60,000 for training", "methodologies, 1"),
        Published(
            "training",
            "batches of 256, Adam, learning rate 0.0001, leaky ReLU 0.2, pixels in [-1, 1]",
            "methodologies, 5",
        ),
        Published("seconds for epoch 25", "27.00157380104065", "results"),
        Published("seconds for epoch 173", "27.06604552268982", "results"),
        Published("epoch 25", "“the model is attempting to build a 3 X 3 shirt picture”", "results"),
        Published("epoch 56", "“it generates a Pant”", "results"),
        Published(
            "oscillation",
            "“it collapsed a subset of filters into a single oscillation mode”; no number",
            "results",
        ),
        Published("accuracy of the labels given to designs", "none printed", "results"),
        Published("scores of any kind", "none", ""),
    ),
    runs=(
        Planned(
            "fashion-2020",
            "the tutorial's DCGAN",
            "fashion-mnist",
            "fashion-2020",
            173 * 60_000,
            "173 epochs of 60,000",
            saw="shirts at epoch 25, trousers at 56",
        ),
    ),
    differs=(
        "The slope of the leaky ReLU is the tutorial's .3; the paper's text says .2 and names no code.",
        "β1 .9 and the rest of Adam are Keras' defaults, as in the tutorial; the paper says “optimized "
        "hyperparameters”.",
        "Oscillation is a word in the paper; every number for it here is this project's.",
    ),
    minutes=50,
    body=body,
)
