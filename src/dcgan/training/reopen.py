"""The pictures of a run, opened again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from dcgan.data import Dataset, open_dataset
from dcgan.errors import DcganError
from dcgan.files import exists
from dcgan.recipe import Recipe
from dcgan.training import folder as layout
from dcgan.training.rendezvous import current


def pictures_of(
    name: str,
    folder: Path,
    recipe: Recipe,
    facts: dict[str, Any],
    data: str | Path | Dataset | None,
    tell: Callable[[str], None] | None,
) -> Dataset:
    """The pictures that the run `name` in `folder` was trained on.

    facts: its data.json. data: where they are now, if not where that says. Raises `DcganError` when they are not there,
    or are others. Of several ranks, one of each machine reads them first.
    """
    if data is None and not facts.get("path") and not facts.get("source"):
        raise DcganError(
            f"{folder / layout.DATA} does not say where {name}'s pictures are: give them with --data"
        )
    if data is None and facts.get("path") and not exists(Path(facts["path"])):
        raise DcganError(
            f"{name}: its pictures were at {facts['path']}, and nothing is there now: if they were moved, add "
            "--data with where they are"
        )
    opened = (
        data
        if isinstance(data, Dataset)
        else current().first_here(
            lambda: open_dataset(
                data if data is not None else Path(facts["path"]) if facts.get("path") else facts["source"],
                split=facts.get("split", "train"),
                size=(recipe.height, recipe.width),
                channels=recipe.channels,
                fit=facts.get("fit", "crop"),
                report=tell,
            )
        )
    )
    if opened.sha256 != facts.get("sha256"):
        raise DcganError(
            f"{name} was trained on other pictures than {opened.name} holds now: give the same ones with "
            "--data, or train a new run"
        )
    return opened
