"""How far a run has come, and when it ends."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dcgan.errors import DcganError
from dcgan.recipe import Recipe


@dataclass(frozen=True)
class Budget:
    """The end of a run, in real images seen or in seconds of training, whichever was asked for."""

    images: float
    seconds: float

    @classmethod
    def of(cls, recipe: Recipe, data_size: int) -> Budget:
        """The budget that a recipe states for `data_size` images. Raises `DcganError` when it states none."""
        if recipe.epochs:
            return cls(recipe.epochs * data_size, math.inf)
        if recipe.images:
            return cls(recipe.images, math.inf)
        if recipe.minutes:
            return cls(math.inf, recipe.minutes * 60)
        raise DcganError(f"{recipe.preset} states no budget: add --epochs, --images or --minutes")

    def spent(self, images: int, seconds: float) -> bool:
        """Whether the run is over."""
        return images >= self.images or seconds >= self.seconds

    def left(self, images: int, seconds: float, rate: float) -> float:
        """Seconds still to go at `rate` images a second."""
        by_images = (self.images - images) / rate if rate else math.inf
        return max(0.0, min(by_images, self.seconds - seconds))

    def fraction(self, images: int, seconds: float) -> float:
        """The part of the run that is done, 0 to 1."""
        return min(1.0, max(images / self.images, seconds / self.seconds))
