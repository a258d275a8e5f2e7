"""Make the golden files anew: `python tests/golden/make.py`.

They are what this version writes in checkpoint format 1 and model format 1, and what it makes of it. Later versions
must read them. So make them anew only while no version that writes these formats has been released; afterwards add
files of the new format beside them.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch

from dcgan.data.dataset import Dataset
from dcgan.recipe import Recipe
from dcgan.run import checkpoint_model
from dcgan.training import folder as layout
from dcgan.training.checkpoint import manifest_paths
from dcgan.training.engine import Engine
from dcgan.training.loop import fit

HERE = Path(__file__).parent
ENGINE = Engine.choose("float32", "cpu")
STEPS = 4


def stripes() -> Dataset:
    """24 images of 8×8: stripes across, stripes down and squares, at eight strengths."""
    rows, columns = np.indices((8, 8))
    kinds = [rows % 4 < 2, columns % 4 < 2, (rows - 3.5) ** 2 + (columns - 3.5) ** 2 < 9]
    images = [kind * strength for strength in range(80, 240, 20) for kind in kinds]
    labels = np.arange(24, dtype=np.int64) % 3
    return Dataset("stripes", np.array(images, np.uint8)[:, None], labels, ("across", "down", "disc"))


def recipe(data: Dataset) -> Recipe:
    small = Recipe(preset="golden", g_maps=2, d_maps=2, z_dim=4, batch=8, precision="float32", seed=7)
    return small.with_budget(images=STEPS * small.batch).for_data(data.size, data.channels, len(data.classes))


def main() -> None:
    torch.set_num_threads(1)
    data = stripes()
    with tempfile.TemporaryDirectory() as runs:
        folder = layout.begin(Path(runs), "golden", recipe(data), data.describe())
        fit(folder, recipe(data), data, ENGINE)
        shutil.rmtree(HERE / "checkpoint-1", ignore_errors=True)
        shutil.copytree(folder / layout.CHECKPOINTS, HERE / "checkpoint-1")
    (manifest,) = manifest_paths(HERE / "checkpoint-1")
    model = checkpoint_model(manifest, ENGINE)
    model.save(HERE / "model-1.safetensors")
    (block,) = model.blocks(6, seed=1, balanced=True)
    expected = {"images": block.images.tolist(), "scores": [round(float(score), 5) for score in block.scores]}
    (HERE / "expected-1.json").write_text(json.dumps(expected) + "\n")


if __name__ == "__main__":
    main()
