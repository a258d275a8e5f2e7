"""A run folder as an object: what was trained, how far it came, and the pictures it makes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dcgan.errors import DcganError
from dcgan.files import exists, open_file
from dcgan.recipe import Recipe
from dcgan.training import folder as layout
from dcgan.training.journal import read_journal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dcgan.generated import Block, Generated
    from dcgan.model import Model
    from dcgan.training.engine import Engine

DATA_WORDS = ("name", "path", "source", "split", "sha256")
"""What in `data.json` is a word, where it is there at all."""


class Run:
    """A training run on disk. Reading it changes nothing; `dcgan.train` and `dcgan.resume` write it.

    What it is and how far it came is told without torch, which is loaded with the first model.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = Path(os.path.abspath(folder)).name  # noqa: PTH100 - a link keeps its name; a loop of links has one
        self.notes: list[str] = []
        layout.read_recipe(folder)

    @property
    def recipe(self) -> Recipe:
        """The recipe as the folder states it now."""
        return layout.read_recipe(self.folder)

    @property
    def data(self) -> dict[str, Any]:
        """What was read: name, sizes, classes and counts, hashes, source."""
        path = self.folder / layout.DATA
        try:
            with open_file(path) as file:
                value = json.loads(file.read())
        except (OSError, ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise DcganError(f"{path} is missing or damaged: the run's data cannot be told")
        for key in DATA_WORDS:
            if not isinstance(value.get(key, ""), str):
                raise DcganError(f"{path} is damaged: {key} is {value[key]!r:.80}: expected a word")
        return value

    @property
    def report(self) -> Path:
        """The path of `report.html`."""
        return self.folder / layout.REPORT

    def journal(self) -> list[dict[str, Any]]:
        """Every interval and event so far, oldest first."""
        return list(read_journal(self.folder / layout.JOURNAL))

    @property
    def state(self) -> str:
        """ "finished", "stopped", "failed", "running or killed" or "not started", by the journal's last word."""
        words = {"finish": "finished", "stop": "stopped", "error": "failed"}
        last = next((entry["event"] for entry in reversed(self.journal())), None)
        return "not started" if last is None else words.get(last, "running or killed")

    def model(self, engine: Engine | None = None, *, start: str | int = "best") -> Model:
        """The averaged generator and discriminator of a checkpoint: "best", "last" or a step's.

        The best is the one of the lowest score during training; where none was scored, it is the newest. One that is
        damaged is named in `notes`, and the newest good one is used. Raises `DcganError` when there is none to use.
        """
        from dcgan.training.checkpoint import Damaged, best_manifest, manifest_paths
        from dcgan.training.rollback import find_start
        from dcgan.training.state import expected_state

        expected = expected_state(self.recipe)
        self.notes.clear()
        checkpoints = self.folder / layout.CHECKPOINTS
        chosen = None
        if start == "best":
            chosen = best_manifest(checkpoints)
        elif start != "last":
            chosen = find_start(self.folder, start)
        first = f"{chosen.step:010d}" if chosen else ""
        for path in sorted(manifest_paths(checkpoints), key=lambda path: path.stem != first):
            try:
                return _model(self.name, path, expected, engine)
            except Damaged as error:
                self.notes.append(f"{error}; using the one before")
        if self.notes:
            raise Damaged(f"{self.folder}: no checkpoint can be used. {self.notes[0].rpartition(';')[0]}")
        if any(entry["event"] == "checkpoint" for entry in self.journal()):
            raise Damaged(
                f"{self.folder}: its checkpoints are gone: put them back, or train a new run under another --name"
            )
        raise DcganError(
            f"{self.folder} has no checkpoint yet: train it with `{layout.command('resume', self.folder)}`"
        )

    @cached_property
    def _model(self) -> Model:
        return self.model()

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names in label order; empty for an unconditional model."""
        return self._model.classes

    def generate(
        self, count: int, *, label: str | Sequence[str] | None = None, seed: int = 0, balanced: bool = False
    ) -> Generated:
        """New images and their labels: see `Model.generate`."""
        return self._model.generate(count, label=label, seed=seed, balanced=balanced)

    def stream(
        self, count: int, *, label: str | Sequence[str] | None = None, seed: int = 0, balanced: bool = False
    ) -> Iterator[Generated]:
        """New images by blocks, in constant memory: see `Model.stream`."""
        return self._model.stream(count, label=label, seed=seed, balanced=balanced)

    def blocks(
        self, count: int, *, label: str | Sequence[str] | None = None, seed: int = 0, balanced: bool = False
    ) -> Iterator[Block]:
        """New images by blocks, with D's scores: see `Model.blocks`."""
        return self._model.blocks(count, label=label, seed=seed, balanced=balanced)

    def encode(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The z of pictures, by the run's encoder: see `Model.encode`."""
        return self._model.encode(images)

    def reconstruct(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The pictures that the generator draws for that z: see `Model.reconstruct`."""
        return self._model.reconstruct(images)

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r}, {self.state})"


def checkpoint_model(path: Path, engine: Engine | None = None) -> Model:
    """The model of one checkpoint, given its manifest (`.json`) or its weights (`.safetensors`)."""
    from dcgan.training.checkpoint import read_manifest
    from dcgan.training.state import expected_state

    manifest = path.with_suffix(".json")
    return _model(path.stem, manifest, expected_state(read_manifest(manifest).recipe), engine)


def list_runs(runs: Path) -> list[Run]:
    """The runs in a folder, by name. What is not a run is passed over."""
    if not exists(runs):
        return []
    try:
        folders = sorted(runs.iterdir())
    except OSError as error:
        raise DcganError(f"cannot read the folder {runs}: {error.strerror}") from None
    found = []
    for folder in folders:
        with suppress(DcganError):
            found.append(Run(folder))
    return found


def _model(name: str, path: Path, expected: Mapping[str, Any], engine: Engine | None) -> Model:
    from dcgan.model import Model
    from dcgan.training.checkpoint import load_checkpoint

    manifest, tensors = load_checkpoint(path, expected)
    facts = {
        "step": manifest.step,
        "images": manifest.images,
        "seconds": manifest.seconds,
        **manifest.made_with,
        **({"data_sha256": manifest.data_sha256} if manifest.data_sha256 else {}),
    }
    return Model(
        name,
        manifest.recipe,
        tensors,
        classes=manifest.classes,
        counts=manifest.counts,
        facts=facts,
        engine=engine,
    )
