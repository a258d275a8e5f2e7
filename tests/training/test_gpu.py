"""The same code on a CUDA GPU: recorded steps are the steps, nothing waits, and a resumed run is the straight one.

Skipped where there is no GPU; `python -m pytest tests/training/test_gpu.py` on a machine with one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from dcgan.data.dataset import Dataset
from dcgan.errors import Diverged
from dcgan.presets import PRESETS, preset
from dcgan.recipe import Recipe
from dcgan.run import Run
from dcgan.training.engine import Engine
from dcgan.training.recorder import Recorder, Replay
from dcgan.training.state import state_tensors
from dcgan.training.trainer import Trainer

from .tiny import assert_same_run, begin, digits, tiny, train

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")

EVERYTHING = {"flip": True, "augment": "color,translation,cutout", "anneal": 100, "last_lr": 0.5}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (name, {}) for name in PRESETS},
    "fast-28, augmented": ("fast-28", EVERYTHING),
    "fast-28, together": ("fast-28", {"updates": "together"}),
    "fast-28, in turn": ("fast-28", {"updates": "in-turn"}),
    "fast-28, spectral norm": ("fast-28", {"spectral_norm": True}),
    "rdcgan, augmented": ("rdcgan", EVERYTHING),
}


def noise(recipe: Recipe, count: int = 100) -> Dataset:
    draw = np.random.default_rng(0)
    shape = (count, recipe.channels, recipe.height, recipe.width)
    labels = draw.integers(0, recipe.classes, count) if recipe.conditional else None
    classes = tuple(map(str, range(recipe.classes)))
    return Dataset("noise", draw.integers(0, 256, shape, np.uint8), labels, classes)


def asked(name: str, **changes: Any) -> Recipe:
    row = preset(name)
    classes = 3 if row.labels else 0
    recipe = row.recipe.for_data((row.size, row.size), row.channels, classes)
    return recipe.with_changes({"batch": 8, **changes})


def after(
    recipe: Recipe, steps: int, precision: str = "auto"
) -> tuple[list[Tensor], list[dict[str, Tensor]]]:
    """The state after so many steps, and what each of them told."""
    trainer = Trainer(recipe, noise(recipe), Engine.choose(precision, "cuda"))
    told = [trainer.advance() for _ in range(steps)]
    trainer.finite.settle()
    return [tensor.cpu() for tensor in state_tensors(trainer.method, trainer.average).values()], told


@pytest.mark.parametrize("case", CASES)
def test_recorded_steps_are_the_steps_bit_for_bit(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, changes = CASES[case]
    recipe = asked(name, **changes)
    replayed: list[int] = []
    real = Recorder._recorded

    def counted(self: Recorder, turn: Any) -> Replay:
        replay = real(self, turn)

        def counting() -> dict[str, Tensor]:
            replayed.append(1)
            return replay()

        return counting

    monkeypatch.setattr(Recorder, "_recorded", counted)
    recorded, told = after(recipe, 12)
    assert len(replayed) >= 6
    monkeypatch.setattr(Recorder, "_recorded", lambda self, turn: lambda: self._first(turn))
    plain, expected = after(recipe, 12)
    assert len(told[0]) >= 8
    for ours, theirs in zip(told, expected, strict=True):
        assert {key: float(value) for key, value in ours.items()} == {
            key: float(value) for key, value in theirs.items()
        }
    assert all(torch.equal(a, b) for a, b in zip(recorded, plain, strict=True))


@pytest.mark.filterwarnings("ignore:Synchronization debug mode")
@pytest.mark.parametrize("name", ["fast-28", "fashion-2020", "rdcgan", "paper-64"])
def test_no_step_waits_for_the_gpu(name: str) -> None:
    recipe = asked(name, flip=True)
    trainer = Trainer(recipe, noise(recipe), Engine.choose("auto", "cuda"))
    for _ in range(12):
        trainer.advance()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(12):
            trainer.advance()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    trainer.finite.settle()


@pytest.mark.parametrize("name", ["fast-28", "fashion-2020", "pytorch-64", "mnist-gan-2018"])
def test_a_gpu_does_the_maths_of_a_cpu(name: str) -> None:
    """In float32, without dropout, whose draws differ, and with an ε that leaves rounding small."""
    recipe = asked(name, adam_eps=0.1, precision="float32")
    found = []
    for device in ("cpu", "cuda"):
        trainer = Trainer(recipe, noise(recipe), Engine.choose("float32", device))
        for network in trainer.method.networks.values():
            for module in network.modules():
                if isinstance(module, torch.nn.Dropout):
                    module.p = 0.0
        told = [trainer.advance() for _ in range(3)]
        found.append([float(value) for values in told for value in values.values()])
    assert np.allclose(*found, rtol=1e-2, atol=1e-3)


def test_a_resumed_run_is_the_uninterrupted_one(tmp_path: Path, by_steps: None) -> None:
    data, gpu = digits(100), Engine.choose("auto", "cuda")
    folders = []
    for name, stops in (("straight", [11]), ("resumed", [4, 5, 11])):
        folder = begin(tmp_path, data, tiny(data, 11, precision="auto", spectral_norm=False), name)
        for steps in stops:
            train(folder, data, steps, engine=gpu)
        folders.append(folder)
    assert_same_run(*folders)


def test_its_pictures_are_those_of_a_cpu(tmp_path: Path) -> None:
    data = digits(100)
    folder = begin(tmp_path, data, tiny(data, 40))
    train(folder, data, engine=Engine.choose("float32", "cuda"))
    here, there = (
        Run(folder).model(engine=Engine.choose("float32", device)).generate(100, seed=3).images.astype(int)
        for device in ("cpu", "cuda")
    )
    assert abs(here - there).max() <= 1
    assert len(np.unique(there)) > 50


def test_what_becomes_infinite_ends_the_run_by_name_and_step() -> None:
    recipe = asked("fast-28", anneal=0)
    trainer = Trainer(recipe, noise(recipe), Engine.choose("auto", "cuda"))
    for _ in range(10):
        trainer.advance()
    with torch.no_grad():
        next(trainer.method.networks["generator"].parameters()).view(-1)[0] = torch.inf
    with pytest.raises(Diverged, match="at step 11"):
        for _ in range(10):
            trainer.advance()
