"""Grids of several models from the same z, place by place: what differs between them is the models' doing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from dcgan.errors import DcganError
from dcgan.model import Model
from dcgan.pictures import grid, png
from dcgan.recipe import Recipe
from dcgan.run import Run

COUNT = 32
COLUMNS = 8
GREY = 128
"""Between the pictures: some models draw on black, some on white."""


class Drawn(NamedTuple):
    """A grid as PNG bytes, or None and the reason in one sentence."""

    png: bytes | None
    why: str


def same_z_grids(runs: Sequence[Run], seed: int = 0, count: int = COUNT) -> list[Drawn]:
    """`count` pictures of each run's newest checkpoint, 8 a row; picture i of two runs is made from the same z.

    That holds where z_dim and prior agree (`z_differences`). A model with classes draws every class in turn. A run
    without a usable checkpoint gets no grid, and the others do.
    """
    drawn = []
    for run in runs:
        try:
            drawn.append(Drawn(_grid(run.model(), seed, count), ""))
        except DcganError as error:
            drawn.append(Drawn(None, f"No pictures: {error}"))
    return drawn


def _grid(model: Model, seed: int, count: int) -> bytes:
    images = model.generate(count, seed=seed, balanced=model.recipe.conditional).images
    return png(grid(images, COLUMNS, background=GREY))


def z_differences(names: Sequence[str], recipes: Sequence[Recipe], seed: int = 0) -> str:
    """One or two sentences: whether the runs' z are the same, and why not where they are not."""
    kinds: dict[tuple[int, str], list[str]] = {}
    for name, recipe in zip(names, recipes, strict=True):
        kinds.setdefault((recipe.z_dim, recipe.prior), []).append(name)
    classes = {recipe.classes for recipe in recipes}
    asked = "" if classes == {0} else " Models with classes draw every class in turn."
    if len(kinds) == 1:
        return f"The same z in the same place of every grid (seed {seed}).{asked}"
    told = "; ".join(
        f"{', '.join(members)}: {dim} numbers, {prior}" for (dim, prior), members in kinds.items()
    )
    return (
        f"The z can't be the same for all: {told}. Within each of these groups, the same place has the same z "
        f"(seed {seed}).{asked}"
    )
