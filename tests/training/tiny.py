"""A run small enough to break hundreds of times: 8×8 digits and four feature maps, a few milliseconds a step."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from dcgan.data.dataset import Dataset
from dcgan.errors import DcganError
from dcgan.files import TEMPORARY
from dcgan.model import Model
from dcgan.networks import build_networks
from dcgan.presets import preset
from dcgan.recipe import Recipe
from dcgan.training import folder as layout
from dcgan.training import loop
from dcgan.training.checkpoint import Damaged, load_checkpoint, manifest_paths, read_manifest, save_checkpoint
from dcgan.training.engine import Engine
from dcgan.training.journal import read_journal
from dcgan.training.state import expected_state

BATCH = 16
ENGINE = Engine.choose("float32", "cpu")
STEPS_BETWEEN = {"journal": 2, "checkpoint": 3, "sample": 4, "epoch": 1, "score": 5}

# A forked child starts in milliseconds, where importing torch anew takes seconds.
PROCESSES: Any = multiprocessing.get_context("fork")
forks_training = pytest.mark.skipif(
    torch.cuda.is_available(), reason="autograd that has seen a GPU cannot be forked"
)


@cache
def digits(size: int = 1797, *, labelled: bool = True) -> Dataset:
    """The first `size` handwritten digits of scikit-learn, 8×8 grey."""
    source = load_digits()
    images = (source.images[:size] * 255 / 16).astype(np.uint8)[:, None]
    if not labelled:
        return Dataset("digits", images)
    return Dataset("digits", images, source.target[:size].astype(np.int64), tuple("0123456789"))


def tiny(data: Dataset, steps: int, **changes: Any) -> Recipe:
    """A recipe of `steps` steps on `data`."""
    small = {
        "g_maps": 4,
        "d_maps": 4,
        "z_dim": 8,
        "batch": BATCH,
        "precision": "float32",
        "spectral_norm": True,
    }
    recipe = preset("fast-28").recipe.with_changes({**small, **changes})
    return recipe.with_budget(images=steps * recipe.batch).for_data(
        data.size, data.channels, len(data.classes)
    )


def untrained(recipe: Recipe) -> Model:
    """A model of the recipe's networks as they are drawn."""
    networks = build_networks(recipe)
    roles = {"ema": networks["generator"], "discriminator": networks["discriminator"]}
    tensors = {
        f"{role}.{name}": tensor
        for role, module in roles.items()
        for name, tensor in module.state_dict().items()
    }
    return Model("untrained", recipe, tensors, engine=ENGINE)


def begin(runs: Path, data: Dataset, recipe: Recipe, name: str = "run") -> Path:
    return layout.begin(runs, name, recipe, data.describe())


def train(folder: Path, data: Dataset, steps: int | None = None, **options: Any) -> None:
    """`fit` with the folder's own recipe, up to `steps` steps in all."""
    recipe = layout.read_recipe(folder)
    if steps is not None:
        recipe = recipe.with_budget(images=steps * recipe.batch)
    loop.fit(folder, recipe, data, options.pop("engine", ENGINE), **options)


def trained(runs: Path, data: Dataset, *stops: int, name: str = "run", **changes: Any) -> Path:
    """The folder of a run that was stopped and resumed at each of `stops`, in steps."""
    folder = begin(runs, data, tiny(data, stops[-1], **changes), name)
    for steps in stops:
        train(folder, data, steps)
    return folder


def due_by_steps(session: Any, what: str, every: float) -> bool:
    """In place of the clock: what is due follows from the step, on a machine of any speed."""
    return session.trainer.step - session.marks[what][1] >= STEPS_BETWEEN[what]


def checkpoints(folder: Path) -> list[Path]:
    """Manifests, newest first."""
    return manifest_paths(folder / layout.CHECKPOINTS)


def saved_state(folder: Path) -> tuple[int, dict[str, Tensor]]:
    """Step and tensors of a run's newest good checkpoint."""
    for path in checkpoints(folder):
        try:
            manifest, tensors = load_checkpoint(path, expected_state(layout.read_recipe(folder)))
        except Damaged:
            continue
        return manifest.step, tensors
    return 0, {}


def good_checkpoints(folder: Path) -> list[int]:
    """Steps of a run's checkpoints that load, newest first."""
    found = []
    for path in checkpoints(folder):
        try:
            manifest, _ = load_checkpoint(path, expected_state(read_manifest(path).recipe))
        except Damaged:
            continue
        found.append(manifest.step)
    return found


def assert_same_run(one: Path, other: Path) -> None:
    """Both newest checkpoints hold the same step and the same bits."""
    (step, left), (other_step, right) = saved_state(one), saved_state(other)
    assert step == other_step > 0
    assert left.keys() == right.keys()
    different = [name for name in left if left[name].numpy().tobytes() != right[name].numpy().tobytes()]
    assert not different


def assert_whole_journal(folder: Path) -> None:
    """Intervals follow one another without a gap, an overlap or a step told twice, across all sittings."""
    covered = 0
    for entry in read_journal(folder / layout.JOURNAL):
        if entry["event"] == "interval":
            assert entry["step"] > covered
            covered = entry["step"]
        if entry["event"] in ("resume", "checkpoint", "finish"):
            assert entry["step"] == covered, f"steps {covered + 1} … {entry['step']} are in no interval"


def temporaries(folder: Path) -> list[Path]:
    """Files anywhere below `folder` that a write has left behind."""
    return list(folder.rglob(f"{TEMPORARY}*"))


def leftovers(folder: Path) -> list[Path]:
    """Temporary files, and weights without a manifest: what a save that died leaves and the next one removes."""
    weights = folder.rglob("*.safetensors")
    return temporaries(folder) + [path for path in weights if not path.with_suffix(".json").exists()]


def assert_one_line(error: BaseException) -> None:
    """What every refusal owes its reader."""
    assert isinstance(error, DcganError)
    message = str(error)
    assert message and message == " ".join(message.split()) and len(message) < 600


def numbered(step: int, size: int = 40_000) -> dict[str, Tensor]:
    """Tensors that say which step they are of, in every element."""
    return {
        "first": torch.full((size,), float(step)),
        "second": torch.full((size // 10, 2), step),
        "third": torch.full((), float(step)),
    }


def save_numbered(folder: Path, step: int, size: int = 40_000, **changes: Any) -> None:
    recipe = Recipe(images=1, **changes)
    facts: dict[str, Any] = {"images": step, "seconds": 0.0, "classes": (), "counts": (), "made_with": {}}
    save_checkpoint(folder, numbered(step, size), step=step, recipe=recipe, **facts)


def good_steps(folder: Path, size: int = 40_000) -> list[int]:
    """Steps of the checkpoints that load, newest first; each is of one step throughout."""
    steps = []
    for path in manifest_paths(folder):
        try:
            manifest, tensors = load_checkpoint(path, numbered(0, size))
        except Damaged as error:
            assert_one_line(error)
            continue
        assert all((tensor == manifest.step).all() for tensor in tensors.values())
        steps.append(manifest.step)
    return steps


SYSTEM_CALLS = ("open", "write", "fsync", "replace", "unlink")


@contextmanager
def intercepted(act: Callable[[int, str, tuple[Any, ...]], None]) -> Iterator[None]:
    """Ask `act(number, name, arguments)` before each system call by which Python code writes to the disk."""
    numbers = count()

    def call(name: str, real: Callable[..., Any], *args: Any) -> Any:
        act(next(numbers), name, args)
        return real(*args)

    with pytest.MonkeyPatch.context() as patch:
        for name in SYSTEM_CALLS:
            patch.setattr(os, name, partial(call, name, getattr(os, name)))
        yield


def count_calls(work: Callable[[], None]) -> list[str]:
    """The names of the system calls that `work` makes."""
    names: list[str] = []
    with intercepted(lambda number, name, args: names.append(name)):
        work()
    return names


def start(target: Callable[..., None], *args: Any) -> Any:
    """A child process that runs `target`, ends with a `DcganError`'s status, and tells its message on stderr."""
    child = PROCESSES.Process(target=_child, args=(target, args), daemon=True)
    child.start()
    return child


def _child(target: Callable[..., None], args: tuple[Any, ...]) -> None:
    torch.set_num_threads(1)
    try:
        target(*args)
    except DcganError as error:
        print(error, file=sys.stderr, flush=True)
        sys.exit(error.status)
