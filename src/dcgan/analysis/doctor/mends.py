"""What usually mends a failure, as settings that this recipe can have."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from dcgan.errors import DcganError
from dcgan.presets import PRESETS
from dcgan.recipe import Recipe
from dcgan.training.state import expected_state

_Value = bool | int | float | str


@dataclass(frozen=True)
class Mends:
    """resumed: `key=value` that a run can be resumed with. anew: those of the networks, for a new run."""

    resumed: tuple[str, ...]
    anew: tuple[str, ...]


def mends(recipe: Recipe, **wishes: Any) -> Mends:
    """The wishes that change something and that the recipe's networks can have, each tried by building them."""
    return _tried(recipe, tuple(wishes.items()))


@lru_cache(maxsize=64)
def _tried(recipe: Recipe, wishes: tuple[tuple[str, _Value], ...]) -> Mends:
    """Remembered: a live doctor asks again at every interval, and building networks takes a second."""
    resumed: list[str] = []
    anew: list[str] = []
    whole = sized(recipe)
    for name, value in wishes:
        if getattr(recipe, name) == value:
            continue
        try:
            changed = whole.with_changes({name: value})
            expected_state(changed)
        except DcganError:
            continue
        fixed = bool(whole.fixed_changes(changed))
        (anew if fixed else resumed).append(f"{name}={_text(value)}")
    return Mends(tuple(resumed), tuple(anew))


def slower(recipe: Recipe, factor: float = 4.0, *names: str) -> dict[str, float]:
    """Learning rates divided by `factor`: of both networks unless named; a rate of 0 stays out."""
    chosen = names or ("g_lr", "d_lr")
    return {name: float(f"{getattr(recipe, name) / factor:.2g}") for name in chosen if getattr(recipe, name)}


def penalised(recipe: Recipe) -> dict[str, Any]:
    """Ten times the gradient penalty, or a first one: what keeps D from running ahead."""
    return {"gamma": float(f"{min(10.0, max(0.1, 10 * recipe.gamma)):.2g}")}


def sized(recipe: Recipe) -> Recipe:
    """The recipe with the image size of its preset, where it has none yet."""
    if recipe.height:
        return recipe
    row = PRESETS.get(recipe.preset, PRESETS["fast-28"])
    return recipe.for_data((row.size, row.size), row.channels, recipe.classes)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
