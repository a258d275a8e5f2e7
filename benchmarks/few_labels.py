"""Few labels and the features of trained discriminators: what reducing, mirroring, shifting, joining and neighbours
add, k-means' features beside them, and a student of them all.

    python benchmarks/few_labels.py fashion-mnist runs/linear-probe/fashion-mnist-0 runs/linear-probe/fashion-mnist-1
    … --kmeans-units 800 --students 5

The protocol of `dcgan probe --labels-per-class 100`, with the same draws: C on held-out training pictures, the mean
over draws, tested on the test split. What is fitted without labels sees all training pictures. The features of a run
are those of its newest checkpoint, every layer, pooled to 4×4.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from dcgan import api
from dcgan.analysis.probe.controls import Features, pixels
from dcgan.analysis.probe.kmeans import fit_kmeans
from dcgan.analysis.probe.layers import model_features
from dcgan.analysis.probe.neighbours import Neighbours
from dcgan.analysis.probe.probe import CHOOSING_DRAWS, Probed, Split, draw, held_out, probe_few
from dcgan.analysis.probe.student import probe_student
from dcgan.analysis.probe.svm import Scale, fit
from dcgan.analysis.probe.views import VIEWS
from dcgan.data import Dataset, open_dataset

PER_CLASS = 100
SHARES = (0.2, 0.5, 0.8)
"""Of each class's foretold pictures, the surest, that self-training learns from."""
SELF_TRAINED = 4
"""Draws of self-training: each learns from tens of thousands of pictures."""
NEIGHBOURS = 5
OWN_WEIGHT = 5
"""How often a picture with a label counts beside one whose label was foretold."""

Rows = NDArray[np.float32]
Pair = tuple[Rows, Rows]
"""Rows of the pictures to learn from, and of those to be tested on."""


def standardised(pair: Pair) -> Pair:
    scale = Scale.of(pair[0])
    return scale.in_place(pair[0]), scale.in_place(pair[1])


def rows(features: Features, sets: Sequence[Dataset]) -> Pair:
    """Standardised features."""
    return standardised((features(sets[0].images), features(sets[1].images)))


def reduced(pair: Pair, components: int) -> Pair:
    """Principal components, as large as they are: only their mean variance is brought to 1."""
    pca = PCA(components, svd_solver="covariance_eigh").fit(pair[0])
    scale = np.float32(1 / np.sqrt(pca.explained_variance_.mean()))
    return pca.transform(pair[0]) * scale, pca.transform(pair[1]) * scale


def joined(pairs: Sequence[Pair]) -> Pair:
    scale = np.float32(1 / np.sqrt(len(pairs)))
    return np.hstack([a for a, _ in pairs]) * scale, np.hstack([b for _, b in pairs]) * scale


def self_trained(split: Split, c: float, share: float) -> list[float]:
    """Accuracy of each draw after one round, in which the surest `share` of each foretold class is learned as true."""
    _, pool = held_out(len(split.train), 0)
    found = []
    for number in range(SELF_TRAINED):
        own = pool[draw(split.train_labels[pool], PER_CLASS, split.classes, 0, CHOOSING_DRAWS + number)]
        others = np.setdiff1d(pool, own)
        weights = fit(split.train[own], split.train_labels[own], split.classes, c).weights
        margins = split.train[others] @ weights[:, :-1].T + weights[:, -1]
        labels, ordered = margins.argmax(1), np.sort(margins, 1)
        sure = ordered[:, -1] - ordered[:, -2]
        taken = []
        for label in range(split.classes):
            members = np.flatnonzero(labels == label)
            surest = members[np.argsort(-sure[members])]
            taken.append(surest[: round(share * len(others) / split.classes)])
        foretold = np.concatenate(taken)
        x = np.concatenate([np.repeat(split.train[own], OWN_WEIGHT, 0), split.train[others[foretold]]])
        y = np.concatenate([np.repeat(split.train_labels[own], OWN_WEIGHT), labels[foretold]])
        found.append(fit(x, y, split.classes, c / 30).accuracy(split.test, split.test_labels))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", help="a named set with a test split")
    parser.add_argument("runs", nargs="+", help="runs that learned from it, without labels")
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--components", type=int, default=512)
    parser.add_argument(
        "--earlier",
        action="store_true",
        help="also what came before: every layer, components, self-trained, mirrored",
    )
    parser.add_argument(
        "--kmeans-units", type=int, default=0, help="join k-means' features too, of so many means"
    )
    parser.add_argument(
        "--students",
        type=int,
        default=0,
        help="teach a student on so many draws, four minutes each",
    )
    options = parser.parse_args()
    sets = [open_dataset(options.data, split=split) for split in ("train", "test")]
    began = time.monotonic()

    def split_of(pair: Pair) -> Split:
        labels = [data.labels if data.labels is not None else np.zeros(0, np.int64) for data in sets]
        return Split(pair[0], labels[0], pair[1], labels[1], len(sets[0].classes))

    def told(found: Probed) -> None:
        accuracy = f"{100 * found.accuracy:.2f} ± {100 * found.interval:.2f}"
        draws = "" if len(found.draws) == options.draws else f", {len(found.draws)} draws"
        print(
            f"| {found.features}{draws} | {found.numbers:,} | {accuracy} | {time.monotonic() - began:.0f} |",
            flush=True,
        )

    def row(name: str, pair: Pair) -> Probed:
        found = probe_few(name, split_of(pair), PER_CLASS, options.draws)
        told(found)
        return found

    def near(pair: Pair) -> tuple[Probed, Neighbours]:
        """What neighbours add."""
        split = split_of(pair)
        neighbours = Neighbours.of(split.train, split.test, NEIGHBOURS)
        name = f"… with {NEIGHBOURS} neighbours"
        found = probe_few(name, split, PER_CLASS, options.draws, neighbours=neighbours)
        told(found)
        return found, neighbours

    print("| features | numbers | accuracy, % | s |\n|---|---:|---:|---:|")
    kept: list[Pair] = []
    for path in options.runs:
        model = api.open_run(path).model(start="last")
        if options.earlier:
            plain = rows(model_features(model), sets)
            row(f"{path}: every layer", plain)
            components = reduced(plain, options.components)
            del plain
            c = row("… its components", components).c
            for share in SHARES if not kept else ():
                accuracies = self_trained(split_of(components), c, share)
                mean = f"{100 * np.mean(accuracies):.2f}, {len(accuracies)} draws"
                print(f"| … self-trained, {share:.0%} | {options.components:,} | {mean} | |", flush=True)
            mirrored = reduced(rows(model_features(model, views=["mirrored"]), sets), options.components)
            row("… mirrored too", mirrored)
        kept.append(reduced(rows(model_features(model, views=VIEWS), sets), options.components))
        row(f"{path}: components, mirrored and shifted", kept[-1])
        last = near(kept[-1])
    if options.kmeans_units:
        means = fit_kmeans(sets[0].images, options.kmeans_units, views=VIEWS)
        kept.append(reduced(rows(means, sets), options.components))
        row("k-means alone, likewise", kept[-1])
        near(kept[-1])
    if len(kept) > 1:
        row(f"all {len(kept)}", joined(kept))
        last = near(joined(kept))
    if not options.students:
        return
    split, pictures = split_of(joined(kept)), (sets[0].images, sets[1].images)
    found, neighbours = last
    with_student = probe_student(
        model, split, pictures, neighbours, found.c, PER_CLASS, options.students, mirrored=True, tell=print
    )
    told(with_student)
    known = probe_few("pixels", split_of(rows(pixels, sets)), PER_CLASS, options.students)
    told(known)
    alone, both, theirs = (
        100 * np.array(draws) for draws in (with_student.facts["alone"], with_student.draws, known.draws)
    )
    for name, draws in (
        ("student alone", alone),
        ("with a student", both),
        ("above the pixels", both - theirs),
    ):
        print(f"{name}: {draws.mean():.2f} of {', '.join(f'{one:.2f}' for one in draws)}")


if __name__ == "__main__":
    main()
