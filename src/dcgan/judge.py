"""Judge a run, a model or a folder of pictures by real ones: `dcgan.evaluate`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dcgan import api, arguments
from dcgan.analysis.memorization import memorization
from dcgan.analysis.nearest import CLOSEST, write_closest
from dcgan.data import Dataset, open_dataset
from dcgan.data.sampling import Stream, stream
from dcgan.errors import DcganError, enough_memory, expect, one_of
from dcgan.evaluation.choosing import NAMES, choose
from dcgan.evaluation.evaluate import Judged, Made, most
from dcgan.evaluation.evaluate import evaluate as judge
from dcgan.evaluation.kept import Labeller
from dcgan.evaluation.reference import held_out, open_alike
from dcgan.evaluation.scores import FOLDER, Scores, keep
from dcgan.files import exists, is_file, make_folder, write_atomic, write_json
from dcgan.model import Model
from dcgan.pictures import png, sheet
from dcgan.run import Run
from dcgan.training import folder as layout
from dcgan.training.checkpoint import best_manifest

SHOWN, A_CLASS = 100, 12
Tell = Callable[[str], None]


@enough_memory()
def evaluate(
    source: str | Path | Run | Model,
    *,
    data: str | Path | Dataset | None = None,
    extractor: str = "domain",
    n: int = 10_000,
    seed: int = 0,
    split: str = "train",
    start: str | int = "best",
    accuracy: bool = False,
    runs_dir: str | Path = "runs",
    tell: Tell = lambda line: None,
    progress: Callable[[int, int], None] | None = None,
) -> Scores:
    """Score the designs of a run or model, or the pictures in a folder, against real ones.

    data: the real pictures; by default those that the run learned from. extractor: "domain", "fixed", "pixels" or
    "inception". n: designs, and real pictures, at most. split: which of the real pictures are the reference; the test
    split, where training did not see it, gives the floor. start: which checkpoint of a run, "best", "last" or a step.
    accuracy: the classification accuracy score too. The scores of a run, and pictures for its report, are kept in its
    folder `evaluation/`. Raises `DcganError` in one line for whatever is wrong.
    """
    if not isinstance(source, Model):
        arguments.check_source("source", source, Run)
    if data is not None:
        arguments.check_source("data", data, Dataset)
    arguments.check_words(extractor=extractor, split=split)
    expect("start", start, (str, int), "best, last or a step")
    arguments.check_numbers(seed=seed)
    if type(n) is not int or not 50 <= n <= 1_000_000:
        raise DcganError(f"-n is {n!r:.80}: must be from 50 to 1,000,000")
    if extractor not in NAMES:
        raise one_of("extractor", extractor, NAMES)
    run, model, folder = _source(source, start, Path(runs_dir))
    real = _real(run, model, folder, data, split, tell)
    unseen = held_out(real.describe(), real.size, real.channels)
    found, labeller = choose(extractor, real, unseen, tell=tell, progress=progress)
    if n > (limit := most(real, unseen)):
        tell(
            f"n is {limit:,}: of so many there are real pictures for the scores, and as many more for the floor"
        )
        n = limit
    made = _made(run, model, folder, real, n, seed, start, tell)
    judged = judge(
        made, real, found, unseen=unseen, labeller=labeller, accuracy=accuracy, seed=seed, tell=tell
    )
    if run is not None:
        keep(run.folder, judged.scores)
        _pictures(make_folder(run.folder / FOLDER), made, real, judged, labeller, unseen)
    return judged.scores


def _source(
    source: str | Path | Run | Model, start: str | int, runs: Path
) -> tuple[Run | None, Model | None, Path | None]:
    """Of a run: the run and its model; of a model: the model; of pictures: their path."""
    if isinstance(source, Model):
        return None, source, None
    if isinstance(source, Run):
        return source, source.model(start=start), None
    path = Path(source)
    known = is_file(runs / path / layout.RECIPE) or is_file(path / layout.RECIPE)
    if not known and exists(path) and path.suffix not in (".safetensors", ".json"):
        return None, None, path
    found = api.load(source, runs_dir=runs)
    return (found, found.model(start=start), None) if isinstance(found, Run) else (None, found, None)


def _real(
    run: Run | None,
    model: Model | None,
    folder: Path | None,
    data: str | Path | Dataset | None,
    split: str,
    tell: Tell,
) -> Dataset:
    if isinstance(data, Dataset):
        return data
    shape = None if model is None else ((model.recipe.height, model.recipe.width), model.recipe.channels)
    if data is not None:
        if shape is None:
            pictures = open_dataset(folder or Path(), report=tell)
            shape = pictures.size, pictures.channels
        return open_dataset(data, split=split, size=shape[0], channels=shape[1], report=tell)
    if run is not None and shape:
        return open_alike(run.data, *shape, split=None if split == "train" else split, report=tell)
    name = model.facts.get("data") if model else None
    if not name or shape is None:
        raise DcganError("which real pictures to judge by is not known: name a set or a folder with --data")
    return open_alike({"source": name}, *shape, split=split, report=tell)


def _made(
    run: Run | None,
    model: Model | None,
    folder: Path | None,
    real: Dataset,
    n: int,
    seed: int,
    start: str | int,
    tell: Tell,
) -> Made:
    """The pictures to judge, and the real set's classes that were asked for."""
    if model is None:
        pictures = open_dataset(folder or Path(), size=real.size, channels=real.channels, report=tell)
        order = np.sort(stream(Stream.SCORES, seed, 0, 5).permutation(len(pictures))[:n])
        asked = None if pictures.labels is None else pictures.labels[order]
        return Made(
            pictures.name,
            np.ascontiguousarray(pictures.images[order]),
            _translated(asked, pictures.classes, real.classes),
        )
    tell(f"{n:,} designs by {model.name}")
    images, labels = model.generate(n, seed=seed)
    return Made(
        model.name,
        np.ascontiguousarray(images.transpose(0, 3, 1, 2)),
        _translated(labels, model.classes, real.classes),
        checkpoint=_which(run, start) if run else None,
        step=model.facts.get("step"),
    )


def _which(run: Run, start: str | int) -> str:
    """What the checkpoint is called: without scores during training there is no best one."""
    scored = best_manifest(run.folder / layout.CHECKPOINTS)
    return "last" if start == "best" and scored is None else str(start)


def _translated(
    labels: NDArray[np.int64] | None, of: tuple[str, ...], to: tuple[str, ...]
) -> NDArray[np.int64] | None:
    """Labels of the classes `of` as those of the same names in `to`; None unless all are there."""
    if labels is None or not set(of) <= set(to):
        return None
    return np.array([to.index(name) for name in of], np.int64)[labels]


def _pictures(
    folder: Path, made: Made, real: Dataset, judged: Judged, labeller: Labeller | None, unseen: Dataset | None
) -> None:
    """What the report shows beside the scores."""
    for name, images in (("real", real.images[judged.reference[:SHOWN]]), ("generated", made.images[:SHOWN])):
        write_atomic(folder / f"{name}.png", png(sheet(images.transpose(0, 2, 3, 1), per_row=10)))
    classes = made.asked if made.asked is not None else judged.seen
    if classes is not None and labeller is not None:
        first = np.concatenate([np.flatnonzero(classes == k)[:A_CLASS] for k in range(len(real.classes))])
        shown = made.images[first].transpose(0, 2, 3, 1)
        write_atomic(folder / "classes.png", png(sheet(shown, classes[first], real.classes, per_row=A_CLASS)))
    if judged.seen is not None and real.labels is not None:
        count = len(real.classes)
        shares = [
            np.bincount(labels, minlength=count) / len(labels)
            for labels in (real.labels[judged.reference], judged.seen)
        ]
        told = {"classes": list(real.classes), "data": shares[0].tolist(), "generated": shares[1].tolist()}
        write_json(folder / "histogram.json", told)
    try:
        copies = memorization(judged.features, judged.real_features, None, seed=judged.scores.seed)
    except DcganError:
        return
    write_closest(folder / CLOSEST, made.images, real.images[judged.reference], copies.closest)
