"""probe: what a model's features are worth to a linear classifier, beside the controls that they have to beat."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcgan.analysis.probe import supervised
from dcgan.analysis.probe.controls import (
    CONTROLS,
    QUICK,
    Features,
    pixels,
    principal_components,
    untrained,
)
from dcgan.analysis.probe.kmeans import fit_kmeans
from dcgan.analysis.probe.layers import model_features
from dcgan.analysis.probe.neighbours import Neighbours
from dcgan.analysis.probe.probe import (
    CHOOSING_DRAWS,
    Probed,
    Split,
    draw,
    enough_labels,
    held_out,
    mean_of,
    probe_all,
    probe_few,
)
from dcgan.analysis.probe.student import probe_student
from dcgan.data import Dataset
from dcgan.data.sampling import Stream, stream
from dcgan.errors import DcganError, enough_memory, one_of
from dcgan.features import opened, pictures_for
from dcgan.model import Model
from dcgan.run import Run
from dcgan.subject import not_seen

Progress = Callable[[int, int], None]
Tell = Callable[[str], None]
MOST_NEIGHBOURS, MOST_STEPS = 100, 1_000_000
TESTED_SHARE = 5
"""One picture in so many is kept for the test where the data has no test split."""


@dataclass(frozen=True)
class Asked:
    """How to probe. per_class: labels of each class; None: all of them. draws: of so many labels.

    controls: of `CONTROLS`. layers, pool: as in `LayerFeatures`. units: means of k-means. trials: of the supervised
    network's search. trained_draws: on how many of the draws it and the student are trained. views: of `VIEWS`, for the
    features of the model, the untrained networks and k-means. neighbours: with the answers of how many neighbours a
    picture's is mixed in a second row; 0: no such row. student: in how many steps a network learns from these, for a
    third row; 0: no such row.
    """

    per_class: int | None = None
    draws: int = 100
    layers: str | Sequence[str] = "all"
    pool: int = 4
    controls: Sequence[str] = QUICK
    units: int = 800
    trials: int = supervised.TRIALS
    trained_draws: int = 5
    views: Sequence[str] = ()
    neighbours: int = 0
    student: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in self.controls:
            if name not in CONTROLS:
                raise one_of("control", name, CONTROLS)
        for option, value, most in (
            ("--draws", self.draws, 10_000),
            ("--trials", self.trials, 10_000),
            ("--kmeans-units", self.units, 100_000),
        ):
            if not 1 <= value <= most:
                raise DcganError(f"{option} is {value}: must be from 1 to {most:,}")
        if not 0 <= self.neighbours <= MOST_NEIGHBOURS:
            raise DcganError(f"--neighbours is {self.neighbours}: must be from 0 to {MOST_NEIGHBOURS}")
        if self.neighbours and self.per_class is None:
            raise DcganError("--neighbours answer where labels are few: say how few, with --labels-per-class")
        if not 0 <= self.student <= MOST_STEPS:
            raise DcganError(f"--student is {self.student}: must be from 0 to {MOST_STEPS:,} steps")
        if self.student and not self.neighbours:
            raise DcganError("--student learns what classifier and neighbours say: give --neighbours too")
        if self.seed < 0:
            raise DcganError(f"--seed is {self.seed}: must be 0 or more")


@enough_memory()
def probe(
    run: str | Path | Run | Model,
    data: str | Path | Dataset,
    asked: Asked | None = None,
    *,
    start: str | int = "best",
    resize: bool = False,
    runs_dir: str | Path = "runs",
    tell: Tell = lambda line: None,
    progress: Progress | None = None,
) -> Iterator[Probed]:
    """The model's features first, then each control, as it is measured; all see the same pictures and draws.

    Raises `DcganError` for data without labels, with too few of them, or of another shape (`resize` mends that).
    """
    asked = asked or Asked()
    model = opened(run, start, runs_dir)
    pictures = pictures_for(model, data, resize=resize, report=tell)
    # What is wrong with them is told first.
    learned = model_features(model, asked.layers, asked.pool, asked.views)
    train, test = parted(pictures, asked.seed, tell)
    if model.recipe.conditional:
        tell(
            f"note: {model.name} was trained with labels: its features have seen classes, which none of the others did"
        )
    if asked.per_class is not None:
        _, pool = held_out(len(train), asked.seed)
        enough_labels(_labels(train)[pool], asked.per_class, len(train.classes))
    if asked.neighbours >= len(train):
        raise DcganError(
            f"--neighbours is {asked.neighbours}: {pictures.name} has {len(train):,} pictures to learn from, "
            f"each with {len(train) - 1:,} others"
        )
    sources: dict[str, Callable[[], Features]] = {
        "pixels": lambda: pixels,
        "pca": lambda: principal_components(train.images, asked.seed),
        "untrained": lambda: untrained(
            model, train.images, asked.seed, asked.layers, asked.pool, asked.views
        ),
        "kmeans": lambda: fit_kmeans(
            train.images, asked.units, seed=asked.seed, views=asked.views, progress=progress
        ),
    }
    yield from _probed(model.name, lambda: learned, train, test, asked, tell, progress, model)
    for control in (name for name in CONTROLS if name in asked.controls):
        if control == "cnn":
            yield _supervised(model, train, test, asked, tell, progress)
        else:
            yield from _probed(control, sources[control], train, test, asked, tell, progress)


def parted(pictures: Dataset, seed: int, tell: Tell) -> tuple[Dataset, Dataset]:
    """Pictures to learn from and to test on: the set's own splits, or four fifths and the rest, drawn.

    Raises `DcganError` for data without classes, or with pictures of one only.
    """
    if pictures.labels is None or np.count_nonzero(pictures.counts) < 2:
        raise DcganError(
            f"{pictures.name} has no labels to probe by: give a set with classes, or a folder for each class"
        )
    other = not_seen(pictures)
    if other is not None and other.labels is not None:
        return pictures, _alike(other, pictures.classes, tell)
    order = stream(Stream.ANALYSIS, seed, 23).permutation(len(pictures))
    count = max(1, len(order) // TESTED_SHARE)
    tell(f"{pictures.name} has no test split: {count:,} of its {len(order):,} pictures are kept for the test")
    return _some(pictures, order[count:]), _some(pictures, order[:count])


def _alike(test: Dataset, classes: tuple[str, ...], tell: Tell) -> Dataset:
    """The test pictures with their labels as indices of `classes`; those of other classes are left out, and told."""
    if test.classes == classes:
        return test
    index = np.array([classes.index(name) if name in classes else -1 for name in test.classes], np.int64)
    labels = index[_labels(test)]
    unknown = [name for name, at in zip(test.classes, index, strict=True) if at < 0]
    which = np.flatnonzero(labels >= 0)
    if not len(which):
        raise DcganError(f"{test.name}: no class of its test split is one of its training split")
    if unknown:
        tell(
            f"note: {len(labels) - len(which):,} pictures of the test split are left out: the training split has no "
            f"class {', '.join(unknown[:5])}"
        )
    images = np.ascontiguousarray(test.images[which])
    return Dataset(test.name, images, labels[which], classes, test.origin)


def _some(data: Dataset, which: NDArray[np.int64]) -> Dataset:
    indices = np.sort(which)
    labels = _labels(data)[indices]
    return Dataset(data.name, np.ascontiguousarray(data.images[indices]), labels, data.classes, data.origin)


def _labels(data: Dataset) -> NDArray[np.int64]:
    return data.labels if data.labels is not None else np.zeros(0, np.int64)


def _probed(
    name: str,
    source: Callable[[], Features],
    train: Dataset,
    test: Dataset,
    asked: Asked,
    tell: Tell,
    progress: Progress | None,
    own: Model | None = None,
) -> Iterator[Probed]:
    """The row of these features, and, where they are those of `own`, those of its neighbours and its student."""
    tell(f"{name}: features")
    features = source()
    learned, tested = (features(data.images, progress) for data in (train, test))
    split = Split(learned, _labels(train), tested, _labels(test), len(train.classes)).scaled()
    tell(f"{name}: L2-SVM on {learned.shape[1]:,} features")
    if asked.per_class is None:
        yield probe_all(name, split, seed=asked.seed, progress=progress)
        return
    yield probe_few(name, split, asked.per_class, asked.draws, seed=asked.seed, progress=progress)
    if own is None or not asked.neighbours:
        return
    tell(f"{name}: the {asked.neighbours} pictures nearest to each")
    neighbours = Neighbours.of(split.train, split.test, asked.neighbours, progress)
    found = probe_few(
        f"with {asked.neighbours} neighbours",
        split,
        asked.per_class,
        asked.draws,
        seed=asked.seed,
        neighbours=neighbours,
        progress=progress,
    )
    yield found
    if asked.student:
        draws = min(asked.trained_draws, asked.draws)
        tell(f"{name}: a student that learns from these for {asked.student:,} steps, {draws} times")
        yield probe_student(
            own,
            split,
            (train.images, test.images),
            neighbours,
            found.c,
            asked.per_class,
            draws,
            mirrored="mirrored" in asked.views,
            steps=asked.student,
            seed=asked.seed,
            tell=tell,
            progress=progress,
        )


def _supervised(
    model: Model, train: Dataset, test: Dataset, asked: Asked, tell: Tell, progress: Progress | None
) -> Probed:
    """The network of D's architecture that is trained with the labels, its settings found by random search."""
    tell(f"cnn: random search over {asked.trials} trials")
    labels, classes, seed, engine = _labels(train), len(train.classes), asked.seed, model.engine
    choose, pool = held_out(len(train), seed)

    def drawn(number: int) -> NDArray[np.int64]:
        if asked.per_class is None:
            return pool
        return pool[draw(labels[pool], asked.per_class, classes, seed, number)]

    def trained(which: NDArray[np.int64], settings: supervised.Settings) -> supervised.Supervised:
        return supervised.train_supervised(
            model.recipe, train.images[which], labels[which], classes, settings, engine, seed=seed
        )

    def score(settings: supervised.Settings) -> float:
        network = trained(drawn(0), settings)
        return supervised.accuracy(network, train.images[choose], labels[choose], engine)

    best = supervised.search(score, asked.trials, seed, progress)
    draws = 1 if asked.per_class is None else min(asked.trained_draws, asked.draws)
    # With all labels it is trained once more, on those held out as well, as the other rows are.
    everything = np.arange(len(train))
    found = []
    for number in range(draws):
        which = everything if asked.per_class is None else drawn(CHOOSING_DRAWS + number)
        found.append(supervised.accuracy(trained(which, best), test.images, _labels(test), engine))
    mean, half = mean_of(found, len(test))
    given = len(train) if asked.per_class is None else asked.per_class * classes
    facts: dict[str, Any] = {"trials": asked.trials, "settings": best.as_json()}
    return Probed("cnn", 0, mean, half, 0.0, given, len(test), tuple(found), facts)
