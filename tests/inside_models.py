"""Small models to look into: untrained, of each preset, and one whose maps are known."""

from __future__ import annotations

import numpy as np
import torch

from dcgan.data import Dataset
from dcgan.model import Model
from dcgan.networks import build_networks
from dcgan.presets import preset

CLASSES = ("a", "b", "c")


def untrained(name: str, classes: int = 0, channels: int | None = None, size: int | None = None) -> Model:
    """A model of a preset as it begins training, small where the preset can be."""
    row = preset(name)
    small = {"g_maps": 4, "d_maps": 4, "z_dim": 8} if row.labels else {}
    side = size or row.size
    recipe = row.recipe.with_changes(small).for_data((side, side), channels or row.channels, classes)
    torch.manual_seed(0)
    networks = build_networks(recipe)
    tensors = {
        f"{role}.{key}": value
        for role, network in {**networks, "ema": networks["generator"]}.items()
        for key, value in network.state_dict().items()
    }
    return Model(name, recipe, tensors, classes=CLASSES[:classes], counts=[5] * classes)


def pictures(model: Model, count: int = 12, labels: bool = False) -> Dataset:
    """Noise of the model's size."""
    recipe = model.recipe
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (count, recipe.channels, recipe.height, recipe.width), dtype=np.uint8)
    return Dataset(
        "noise",
        images,
        np.arange(count) % len(CLASSES) if labels else None,
        CLASSES if labels else (),
        {"source": "noise"},
    )


class Brightness:
    """A labeller that knows two classes: whether the left half of a picture is brighter than grey, or not."""

    classes = ("bright", "dark")
    accuracy = "right on all pictures that a test can think of"

    def probabilities(self, images: np.ndarray, progress: object = None) -> np.ndarray:
        """uint8 (N, C, H, W) → float32 (N, 2)."""
        left = images[:, :, :, : images.shape[3] // 2].mean((1, 2, 3)) / 255
        bright = 1 / (1 + np.exp(-10 * (left - 0.5)))
        return np.stack([bright, 1 - bright], 1).astype(np.float32)
