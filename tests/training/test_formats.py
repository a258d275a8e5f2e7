"""Promise 8: checkpoints and models of format 1 load for good; other formats are refused by their number."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load, save

from dcgan.data.dataset import Dataset
from dcgan.model import Model, load_model
from dcgan.run import checkpoint_model
from dcgan.training import folder as layout
from dcgan.training.checkpoint import Damaged, load_checkpoint, read_manifest, read_metadata
from dcgan.training.checkpoint import _digest as seal
from dcgan.training.state import expected_state

from .tiny import ENGINE, assert_one_line, saved_state, train

GOLDEN = Path(__file__).parents[1] / "golden"
CHECKPOINT = GOLDEN / "checkpoint-1" / "0000000004.json"
MODEL = GOLDEN / "model-1.safetensors"


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    """What the version that made the files made of them."""
    return dict(json.loads((GOLDEN / "expected-1.json").read_bytes()))


def assert_makes(model: Model, expected: dict[str, Any], levels: int, logits: float) -> None:
    """The same pictures to within `levels` of 255, and scores to within `logits`: kernels round in their own ways."""
    (block,) = model.blocks(6, seed=1, balanced=True)
    assert model.classes == ("across", "down", "disc")
    assert block.labels is not None and block.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert np.abs(block.images.astype(int) - np.array(expected["images"])).max() <= levels
    assert np.abs(block.scores - np.array(expected["scores"])).max() <= logits


def test_the_golden_checkpoint_loads_and_makes_the_same_pictures(expected: dict[str, Any]) -> None:
    manifest = read_manifest(CHECKPOINT)
    assert (manifest.format, manifest.step, manifest.images, manifest.counts) == (1, 4, 32, (8, 8, 8))
    _, tensors = load_checkpoint(CHECKPOINT, expected_state(manifest.recipe))
    assert float(tensors["optimizer.generator.paint.bias.step"]) == 4
    for path in (CHECKPOINT, CHECKPOINT.with_suffix(".safetensors")):
        assert_makes(checkpoint_model(path, ENGINE), expected, 1, 1e-3)


def test_the_golden_model_loads_and_makes_the_same_pictures(expected: dict[str, Any]) -> None:
    """Its weights are in float16, which costs a level or two."""
    model = load_model(MODEL, ENGINE)
    assert model.facts["step"] == 4
    assert_makes(model, expected, 3, 2e-2)


def test_the_golden_checkpoint_can_be_trained_on(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (24, 1, 8, 8), dtype=np.uint8)
    data = Dataset("noise", images, np.arange(24, dtype=np.int64) % 3, ("across", "down", "disc"))
    folder = layout.begin(tmp_path, "golden", read_manifest(CHECKPOINT).recipe, data.describe())
    shutil.copytree(CHECKPOINT.parent, folder / layout.CHECKPOINTS, dirs_exist_ok=True)
    train(folder, data, 6)
    assert saved_state(folder)[0] == 6


def test_the_golden_files_are_small() -> None:
    assert sum(path.stat().st_size for path in GOLDEN.rglob("*")) < 100_000


@pytest.mark.parametrize("number", [0, 2, 999, -1, 2**70])
def test_a_checkpoint_of_another_format_is_refused_by_its_number(tmp_path: Path, number: int) -> None:
    """A later format may say anything else, so nothing but its number is looked at."""
    for rest in ({}, json.loads(CHECKPOINT.read_bytes())):
        path = tmp_path / CHECKPOINT.name
        path.write_text(json.dumps({**rest, "format": number}))
        with pytest.raises(
            Damaged, match=f"checkpoint format {number}, and this version of dcgan reads format 1"
        ) as no:
            read_manifest(path)
        assert_one_line(no.value)


@pytest.mark.parametrize("number", ["1", None, 1.0, [1], True])
def test_a_checkpoint_whose_format_is_no_number_is_refused(tmp_path: Path, number: object) -> None:
    value = {name: part for name, part in json.loads(CHECKPOINT.read_bytes()).items() if name != "sha256"}
    value["format"] = number
    path = tmp_path / CHECKPOINT.name
    path.write_text(json.dumps({**value, "sha256": seal(value)}))
    with pytest.raises(Damaged, match=r"states no format version|a value that it cannot have") as refusal:
        read_manifest(path)
    assert_one_line(refusal.value)


@pytest.mark.parametrize("name", ["dcgan-model-0", "dcgan-model-2", "pt", ""])
def test_a_model_of_another_format_is_refused_by_its_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(save(load(MODEL.read_bytes()), {**read_metadata(MODEL), "format": name}))
    with pytest.raises(Damaged, match=f"says format '{name}', expected 'dcgan-model-1'") as refusal:
        load_model(path, ENGINE)
    assert_one_line(refusal.value)
