"""Judge a run, a model or a folder of pictures by real ones: `dcgan.evaluate`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from dcgan import arguments
from dcgan.analysis.memorization import memorization
from dcgan.analysis.nearest import CLOSEST, write_closest
from dcgan.data import Dataset
from dcgan.errors import DcganError, enough_memory, expect, one_of
from dcgan.evaluation.choosing import NAMES, choose
from dcgan.evaluation.evaluate import LEAST, Judged, Made, most
from dcgan.evaluation.evaluate import evaluate as judge
from dcgan.evaluation.kept import Labeller
from dcgan.evaluation.scores import Scores, keep, results_folder
from dcgan.files import write_atomic, write_json
from dcgan.model import Model
from dcgan.pictures import png, sheet
from dcgan.recipe import LARGEST_SEED
from dcgan.run import Run
from dcgan.subject import not_seen, subject

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
    if not 0 <= seed <= LARGEST_SEED:
        raise DcganError(f"--seed is {seed}: must be from 0 to {LARGEST_SEED}")
    if extractor not in NAMES:
        raise one_of("extractor", extractor, NAMES)
    one = subject(source, start, Path(runs_dir))
    real = one.real(data, split, tell)
    if len(real) < LEAST:
        raise DcganError(f"{real.name} has {len(real)} pictures: scores need at least {LEAST} real ones")
    folder = results_folder(one.run.folder, tell) if one.run else None
    unseen = not_seen(real)
    found, labeller = choose(extractor, real, unseen, tell=tell, progress=progress)
    if n > (limit := most(real, unseen)):
        tell(
            f"n is {limit:,}: of so many there are real pictures for the scores, and as many more for the floor"
        )
        n = limit
    made = one.made(real, n, seed, tell)
    judged = judge(
        made, real, found, unseen=unseen, labeller=labeller, accuracy=accuracy, seed=seed, tell=tell
    )
    if one.run and folder:
        keep(one.run.folder, judged.scores)
        _pictures(folder, made, real, judged, labeller)
    return judged.scores


def _pictures(folder: Path, made: Made, real: Dataset, judged: Judged, labeller: Labeller | None) -> None:
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
