"""What is timed: each preset on the images it is meant for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dcgan.data.dataset import Dataset
from dcgan.presets import PRESETS
from dcgan.recipe import Recipe

PICTURES, CLASSES = 2048, 10


@dataclass(frozen=True)
class Entry:
    """A preset as it is timed: on grey or colour images, with or without classes."""

    preset: str
    channels: int
    classes: int = 0

    def recipe(self, precision: str = "auto", size: int = 0, **changes: Any) -> Recipe:
        """Its recipe. size: another edge in pixels than the preset's own."""
        row = PRESETS[self.preset]
        edge = size or row.size
        recipe = row.recipe.for_data((edge, edge), self.channels, self.classes)
        return recipe.with_changes({"precision": precision, **changes})

    def data(self, recipe: Recipe, count: int = PICTURES) -> Dataset:
        """Noise of the recipe's shape, the same every time."""
        draw = np.random.default_rng(0)
        shape = (count, recipe.channels, recipe.height, recipe.width)
        images = draw.integers(0, 256, shape, dtype=np.uint8)
        labels = draw.integers(0, self.classes, count) if self.classes else None
        return Dataset("noise", images, labels, tuple(map(str, range(self.classes))))


ENTRIES = {
    "fast-28": Entry("fast-28", 1),
    "fast-28-classes": Entry("fast-28", 1, CLASSES),
    "fast-32": Entry("fast-32", 3),
    "fast-64": Entry("fast-64", 3),
    **{name: Entry(name, row.channels) for name, row in PRESETS.items() if not row.labels},
}
SKETCH, PEER_PRESET = "sketch", "fashion-2020"
