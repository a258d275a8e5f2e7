"""Paper 002: a fully connected GAN against a DCGAN on MNIST, by their losses and by the look of their digits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dcgan.studies.diagnosing import doctor
from dcgan.studies.drawing import Line, Panel, beside, curves, designs, losses, sample_at
from dcgan.studies.page import number, scores_table, table
from dcgan.studies.study import Planned, Published, Study

if TYPE_CHECKING:
    from dcgan.studies.done import Done
    from dcgan.studies.measuring import Point
    from dcgan.studies.page import Page

PROSE: dict[str, Any] = {"variant": "prose", "d_batches": "separate", "keep_every": 2}
EPOCHS_60 = 28_020 * 128


def body(page: Page, done: list[Done]) -> str:
    """Losses per batch, digits at the same number of images and at the same time, scores, what people said."""
    gan, dcgan = done[0], done[1]
    images = min(one.reached[0] for one in (gan, dcgan))
    seconds = min(one.reached[2] for one in (gan, dcgan))
    return "\n\n".join(
        [
            "## Losses per batch",
            _losses(page, done),
            f"## After the same number of images: {images:,}",
            _side_by_side(page, "same-images", done[:2], "images", images),
            _scores_around(done[:2], "images", images),
            f"## After the same time: {seconds:,.0f} s",
            _side_by_side(page, "same-time", done[:2], "seconds", seconds),
            _scores_around(done[:2], "seconds", seconds),
            "## Over training",
            _course(page, done),
            "## At the end of each run",
            _ends(page, done),
            "## The doctor",
            doctor(done),
            "## Its human judges, and our scores",
            _people(gan, dcgan, images, seconds),
        ]
    )


def _losses(page: Page, done: list[Done]) -> str:
    panels = [
        Panel(
            f"{'Discriminator' if key == 'loss_d' else 'Generator'} loss, {one.plan.name}",
            "batches",
            losses(one.run, (key,)),
        )
        for one in done
        for key in ("loss_d", "loss_g")
    ]
    rows = []
    for one in done:
        batches = one.reached[0] // one.run.recipe.batch
        quarters = [_quarter(one, key, part) for key in ("loss_d", "loss_g") for part in (3, 4)]
        rows.append([f"`{one.plan.name}`", f"{batches:,}", *(number(value) for value in quarters)])
    head = ("run", "batches", "D, third quarter", "D, last quarter", "G, third quarter", "G, last quarter")
    return "\n\n".join(
        [
            "As the paper draws them (its figures 4, 5, 7 and 8): faint as the journal has them, each point "
            "the mean of about a second of batches, strong the running mean.",
            page.picture("losses", curves(panels), "losses per batch of each model"),
            'The paper reads that both losses converge "to some permanent numbers", and prints none. Means over '
            "the third and the last quarter of each run, which would be equal then:",
            table(head, rows, numeric=True),
        ]
    )


def _quarter(one: Done, key: str, part: int) -> float | None:
    (line,) = losses(one.run, (key,))
    if not len(line.x):
        return None
    end = line.x[-1]
    inside = (line.x > (part - 1) / 4 * end) & (line.x <= part / 4 * end)
    return float(line.y[inside].mean()) if inside.any() else None


def _side_by_side(page: Page, name: str, pair: list[Done], key: str, value: float) -> str:
    pictures = []
    for one in pair:
        images, seconds, picture = sample_at(one.run, key, value)
        pictures.append((f"{one.plan.name}: {images:,} images, {seconds:,.0f} s", picture))
    alt = f"{pair[0].plan.name} and {pair[1].plan.name} side by side"
    return page.picture(name, beside(pictures, scale=2), alt)


def _around(points: list[Point], key: str, value: float) -> list[Point]:
    """The scored checkpoints next before and next after `value`; one alone where it is within a fiftieth of it."""
    near = [point for point in points if abs(getattr(point, key) - value) <= 0.02 * value]
    if near:
        return [min(near, key=lambda point: abs(getattr(point, key) - value))]
    before = [point for point in points if getattr(point, key) < value]
    after = [point for point in points if getattr(point, key) > value]
    return before[-1:] + after[:1]


def _scores_around(pair: list[Done], key: str, value: float) -> str:
    rows = [
        (f"`{one.plan.name}`, {point.images:,} images, {point.seconds:,.0f} s", point.scores)
        for one in pair
        for point in _around(one.points, key, value)
    ]
    told = "Where no checkpoint was kept at this very point, those before and after it stand here."
    return f"{scores_table(rows)}\n\n{told}"


def _course(page: Page, done: list[Done]) -> str:
    def line(one: Done, key: str) -> Line:
        x = np.array([getattr(point, key) for point in one.points], np.float64)
        return Line(one.plan.name, x, np.array([point.scores["frechet"] for point in one.points], np.float64))

    panels = [
        Panel("Fréchet distance", "images seen", [line(one, "images") for one in done], log=True),
        Panel("Fréchet distance", "seconds of training", [line(one, "seconds") for one in done], log=True),
    ]
    rows = [
        [f"`{one.plan.name}`", f"{p.images:,}", f"{p.seconds:,.0f}",
         *(number(p.scores.get(key)) for key in ("frechet", "precision", "recall", "coverage", "balance"))]
        for one in done
        for p in one.points
    ]  # fmt: skip
    head = ("run", "images", "seconds", "Fréchet", "precision", "recall", "coverage", "class balance")
    return "\n\n".join(
        [
            page.picture("course", curves(panels), "Fréchet distance over images and over seconds"),
            table(head, rows, numeric=True),
        ]
    )


def _ends(page: Page, done: list[Done]) -> str:
    pictures = [(f"{one.plan.name}: {one.reached[0]:,} images", designs(one.run)) for one in done]
    rows = [(f"`{one.plan.name}`", one.points[-1].scores) for one in done if one.points]
    head = ("run", "s/epoch", "images/s", "loss D", "loss G", "D on real", "D on fake")
    last = []
    for one in done:
        images, epochs, seconds = one.reached
        ends = (one.tail(key) for key in ("loss_d", "loss_g", "real_score", "fake_score"))
        cells = (seconds / epochs, images / seconds, *ends)
        last.append([f"`{one.plan.name}`", *(number(value) for value in cells)])
    return "\n\n".join(
        [
            page.picture("ends", beside(pictures, columns=3), "the first 64 designs of seed 0 of each run"),
            scores_table(rows),
            table(head, last, numeric=True),
        ]
    )


def _people(gan: Done, dcgan: Done, images: float, seconds: float) -> str:
    rows = [
        ["judges", 'the three authors ("we will let ourselves be human discriminators")', "none"],
        ["pictures judged, votes, scores", "none given", f"{_n(gan)} designs of each"],
        [
            "GAN or DCGAN",
            'DCGAN: "overall better quality", "a winner in long run"',
            _verdict(gan, dcgan, images, seconds),
        ],
        ["which takes longer", 'DCGAN ("a lot of processing power"); no times given', _pace(gan, dcgan)],
    ]
    return "\n\n".join(
        [
            table(("", "the paper", "measured here"), rows),
            "The paper gives no number for what its judges saw: no count of pictures, of votes or of "
            "agreement. A Fréchet distance in a classifier's features is not what a person says of a digit, "
            "and the two columns are not one measurement made twice.",
        ]
    )


def _verdict(gan: Done, dcgan: Done, images: float, seconds: float) -> str:
    told = []
    for key, value, words in (
        ("images", images, "after the same pictures"),
        ("seconds", seconds, "after the same time"),
    ):
        first, second = (
            [point.scores["frechet"] for point in _around(one.points, key, value)] for one in (gan, dcgan)
        )
        ahead = (
            "neither"
            if min(first) <= max(second) and min(second) <= max(first)
            else ("the GAN" if max(first) < min(second) else "the DCGAN")
        )
        numbers = " and ".join(
            f"{' to '.join(map(number, both))} {name}" for both, name in ((first, "GAN"), (second, "DCGAN"))
        )
        told.append(f"{words} {ahead} is ahead (Fréchet {numbers})")
    return "; ".join(told)


def _pace(gan: Done, dcgan: Done) -> str:
    seconds = [one.reached[2] / one.reached[1] for one in (gan, dcgan)]
    return f"an epoch: GAN {seconds[0]:,.0f} s, DCGAN {seconds[1]:,.0f} s"


def _n(one: Done) -> str:
    return f"{one.points[-1].scores['n']:,}" if one.points else "0"


STUDY = Study(
    name="gan-vs-dcgan",
    title="A fully connected GAN against a DCGAN on MNIST",
    paper="Chakkarwar, Arya and Jain, Image Generation Using Generative Adversarial Networks, 2018",
    question="Which of the two makes better digits, and what do their losses look like?",
    numbers=(
        Published("data", "MNIST, 60,000 training and 10,000 test pictures", "table 1"),
        Published(
            "DCGAN's training",
            "60 epochs, 28,020 batches (467 an epoch, so 128 pictures in each)",
            "figures 7, 8",
        ),
        Published("GAN's training", "digits shown at “epoch 29800”, which can only be batches", "figure 3"),
        Published("DCGAN's digits", "shown at epoch 54", "figure 6"),
        Published(
            "losses",
            "all four “converging to some permanent numbers”; the numbers are not given",
            "section V",
        ),
        Published("D's loss, DCGAN", "rises when G gets better", "section V"),
        Published(
            "human judges",
            "the authors: DCGAN has “overall better quality”; no votes, no scores",
            "section VI",
        ),
        Published("scores of any kind", "none", ""),
    ),
    runs=(
        Planned(
            "gan",
            "fully connected GAN",
            "mnist",
            "mnist-gan-2018",
            30_000 * 32,
            "30,000 batches of 32",
            settings={"keep_every": 2},
            saw="recognisable digits with specks",
        ),
        Planned(
            "dcgan",
            "DCGAN as the paper's prose has it",
            "mnist",
            "mnist-2018",
            EPOCHS_60,
            "60 epochs, 28,020 batches of 128",
            settings=PROSE,
            saw="better digits than the GAN's, in the long run",
        ),
        Planned(
            "dcgan-table",
            "DCGAN as the paper's tables have it",
            "mnist",
            "mnist-2018",
            EPOCHS_60,
            "60 epochs, 28,020 batches of 128",
            saw="the paper does not say which of the two it ran",
        ),
    ),
    differs=(
        "The paper's prose and tables contradict each other: leaky ReLU or ReLU and ELU, batch norm on D's "
        "first and last layer and on G's last or not. Both are run; the prose, with D's real and fake pictures "
        "in separate batches, is the DCGAN that is compared.",
        "Its optimizer, learning rate and GAN are not stated. Adam 2e-4, β1 .5, and the fully connected GAN "
        "that Keras examples of the time have.",
        "A batch is 32 pictures in the GAN and 128 in the DCGAN, so the same number of batches is not the same "
        "number of pictures: the two are compared after the same pictures and after the same time.",
        "Time is the clock of the machine, whatever else it was doing.",
    ),
    minutes=10,
    body=body,
)
