"""What is judged, a run, a model or pictures of whatever origin, and the real pictures that it is judged by."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dcgan import api
from dcgan.asked import check_start
from dcgan.data import Dataset, open_dataset
from dcgan.data.sampling import Stream, stream
from dcgan.errors import DcganError
from dcgan.evaluation.evaluate import Made
from dcgan.evaluation.reference import held_out, open_alike
from dcgan.files import exists, is_file
from dcgan.model import Model
from dcgan.run import Run
from dcgan.training import folder as layout
from dcgan.training.checkpoint import best_manifest

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Subject:
    """Of a run: `run` and `model`; of a model: `model`; of pictures: `path`. start: which checkpoint of a run."""

    run: Run | None = None
    model: Model | None = None
    path: Path | None = None
    start: str | int = "best"

    def real(self, data: str | Path | Dataset | None, split: str, tell: Tell) -> Dataset:
        """The pictures that it is judged by, in its own size and channels: `data`, or what it learned from.

        Raises `DcganError` when neither is known, and when a run's pictures are others than it learned from.
        """
        if isinstance(data, Dataset):
            return data
        if data is not None:
            size, channels = self._shape(tell)
            brought = open_dataset(data, split=split, size=size, channels=channels, report=tell)
            for note in brought.origin["notes"]:
                tell(f"note: {brought.name}: {note}")
            return brought
        name = "" if self.model is None else str(self.model.facts.get("data", ""))
        facts = self.run.data if self.run else {"source": name} if name else {}
        if not facts:
            raise DcganError(
                "which real pictures to judge by is not known: name a set or a folder with --data"
            )
        asked = None if split == facts.get("split", "train") or split == "train" else split
        found = open_alike(facts, *self._shape(tell), split=asked, report=tell)
        if self.run and asked is None and found.sha256 != facts.get("sha256"):
            raise DcganError(
                f"{self.run.name} was trained on other pictures than {found.name} holds now: give the same ones with "
                "--data"
            )
        return found

    def made(self, real: Dataset, n: int, seed: int, tell: Tell) -> Made:
        """The pictures to judge, n at most, and the real set's classes that were asked for."""
        if self.model is None:
            pictures = open_dataset(self._path, size=real.size, channels=real.channels, report=tell)
            if pictures.sha256 == real.sha256:
                tell(f"note: {pictures.name} holds the very pictures that it is judged by")
            order = np.sort(stream(Stream.SCORES, seed, 0, 5).permutation(len(pictures))[:n])
            asked = None if pictures.labels is None else pictures.labels[order]
            images = np.ascontiguousarray(pictures.images[order])
            return Made(pictures.name, images, _translated(asked, pictures.classes, real.classes))
        tell(f"{n:,} designs by {self.model.name}")
        designs, labels = self.model.generate(n, seed=seed)
        return Made(
            self.model.name,
            np.ascontiguousarray(designs.transpose(0, 3, 1, 2)),
            _translated(labels, self.model.classes, real.classes),
            checkpoint=_which(self.run, self.start) if self.run else None,
            step=self.model.facts.get("step"),
        )

    @property
    def _path(self) -> Path:
        return self.path or Path()

    def _shape(self, tell: Tell) -> tuple[tuple[int, int], int]:
        if self.model is not None:
            return (self.model.recipe.height, self.model.recipe.width), self.model.recipe.channels
        pictures = open_dataset(self._path, report=tell)
        return pictures.size, pictures.channels


def subject(
    source: str | Path | Run | Model, start: str | int = "best", runs: Path = Path("runs")
) -> Subject:
    """What `source` names: a run, then a path of pictures, then a model, as `api.load` looks for them."""
    if isinstance(source, Model):
        check_start(source.name, start)
        return Subject(model=source)
    if not isinstance(source, Run):
        path = Path(source)
        known = is_file(runs / path / layout.RECIPE) or is_file(path / layout.RECIPE)
        if not known and exists(path) and path.suffix not in (".safetensors", ".json"):
            return Subject(path=path)
        found = api.load(source, runs_dir=runs)
        if isinstance(found, Model):
            return subject(found, start)
        source = found
    return Subject(source, source.model(start=start), start=start)


def not_seen(real: Dataset) -> Dataset | None:
    """The test split of the real pictures, where they are a training split and there is one."""
    return held_out(real.describe(), real.size, real.channels)


def redraw(name: str, runs: Path, say: Callable[[str], None] | None = None) -> None:
    """Draw the report of the run called `name`, if it is one, anew: it shows what has just been found out."""
    with suppress(DcganError):
        folder = api.open_run(name, runs).folder
        api.write_report(folder)
        if say:
            say(f"report    {folder / layout.REPORT}")


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
