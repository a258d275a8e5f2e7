"""The table of presets: one row a model. A new model is one network file and one row here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dcgan.errors import one_of
from dcgan.recipe import Recipe


@dataclass(frozen=True)
class Preset:
    """A recipe with a name, and what it is for. `size` is the edge used when the pictures leave it open."""

    recipe: Recipe
    size: int
    purpose: str


def _row(name: str, size: int, purpose: str, **fields: Any) -> tuple[str, Preset]:
    return name, Preset(Recipe(preset=name, **fields), size, purpose)


# The relativistic pairing loss with both penalties: on Fashion-MNIST with classes it kept twice the variety within a
# class that the hinge with spectral norm did, from fewer images. With γ = 1 and a rate of 1e-3 the first minute is
# better still, but from 40,000 images on D no longer tells real from fake and G stops learning (docs/models.md).
_PAIRED: dict[str, Any] = {
    "network": "fast",
    "objective": "relativistic",
    "gamma": 0.1,
    "g_lr": 5e-4,
    "d_lr": 5e-4,
}

# fmt: off
PRESETS = dict([
    _row("fast-28", 28, "small pictures, 8 to 31 px, soonest", **_PAIRED, images=200_000),
    _row("fast-32", 32, "pictures of 32 to 47 px, soonest",    **_PAIRED, images=200_000),
    _row("fast-64", 64, "pictures of 48 to 128 px, soonest",   **_PAIRED, images=100_000),
])
# fmt: on


def preset(name: str) -> Preset:
    """The preset called `name`; an unknown one names its nearest."""
    if name not in PRESETS:
        raise one_of("preset", name, PRESETS)
    return PRESETS[name]


def preset_for(size: tuple[int, int]) -> str:
    """The name of the fast preset for images of (height, width) pixels."""
    edge = max(size)
    return "fast-28" if edge < 32 else "fast-32" if edge < 48 else "fast-64"
