"""Back to an earlier checkpoint, perhaps with another recipe: what came after is set aside, not deleted."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from dcgan.errors import DcganError
from dcgan.files import exists, make_folder, open_file, refused, sync_directory, write_atomic, write_json
from dcgan.recipe import FREE, Recipe
from dcgan.training import folder as layout
from dcgan.training.budget import Budget
from dcgan.training.checkpoint import (
    Manifest,
    best_manifest,
    list_manifests,
    manifest_paths,
    reseal_manifest,
)
from dcgan.training.journal import Journal

ABANDONED = "abandoned"
"""The folder in a run where what a roll-back left behind lies: checkpoints, samples, the journal and the recipe."""


def find_start(folder: Path, start: str | int) -> Manifest:
    """The checkpoint that "best", "last" or a step means in a run. Raises `DcganError` with those there are."""
    checkpoints = folder / layout.CHECKPOINTS
    found = [manifest for _, manifest in list_manifests(checkpoints)]
    if not found:
        raise DcganError(f"{folder} has no checkpoint to start from")
    if start == "last":
        return found[-1]
    if start == "best":
        best = best_manifest(checkpoints)
        if best is None:
            raise DcganError(
                f"{folder} has no best checkpoint: it was not scored while it trained: scores begin after "
                "half a minute and must fit into 5 % of the time; start from last or from a step"
            )
        return best
    for manifest in found:
        if str(manifest.step) == str(start):
            return manifest
    steps = ", ".join(str(manifest.step) for manifest in found)
    raise DcganError(f"{folder} has no checkpoint '{str(start)[:40]}': expected best, last or one of {steps}")


def roll_back(folder: Path, to: Manifest, recipe: Recipe) -> Path | None:
    """Make `to` the newest checkpoint of the run in `folder`, and `recipe` its recipe from here on.

    Returns the folder that now holds what came after; None when nothing did. Raises `DcganError` when `recipe` cannot
    go on with these weights, and when another process trains the run; nothing is changed then.
    """
    fixed = to.recipe.fixed_changes(recipe)
    if fixed:
        was, now = getattr(to.recipe, fixed[0]), getattr(recipe, fixed[0])
        raise DcganError(
            f"{fixed[0]} is {was} in the checkpoint and cannot become {now}: the weights or the place in the data "
            "depend on it; train a new run"
        )
    with layout.sole_writer(folder):
        aside = _set_aside(folder, to)
        journal = Journal(folder / layout.JOURNAL)
        journal.rewind(to.step)
        if not to.recipe.same_model(recipe):
            before = to.recipe.to_dict()
            changed = {
                name: value
                for name, value in recipe.to_dict().items()
                if value != before[name] and name not in FREE
            }
            journal.write("change", step=to.step, images=to.images, settings=changed)
            reseal_manifest(
                folder / layout.CHECKPOINTS / f"{to.step:010d}.json", dataclasses.replace(to, recipe=recipe)
            )
        write_json(folder / layout.RECIPE, recipe.to_dict())
    return aside


def refuse_spent(name: str, recipe: Recipe, data_size: int, begin: Manifest) -> None:
    """Raise `DcganError` when a run that goes on from `begin` has come to the end that the recipe states."""
    if Budget.of(recipe, data_size).spent(begin.images, begin.seconds):
        raise DcganError(
            f"{name} has spent its budget, {begin.images:,} images in {begin.seconds / 60:.1f} minutes: "
            f"give a larger total, for example --images {2 * begin.images}"
        )


def _set_aside(folder: Path, to: Manifest) -> Path | None:
    later = [path for path in manifest_paths(folder / layout.CHECKPOINTS) if int(path.stem) > to.step]
    samples = [
        path
        for path in (folder / layout.SAMPLES).glob("[0-9]*.png")
        if path.stem.isdecimal() and int(path.stem) > to.images
    ]
    if not later and not samples:
        return None
    number = 1
    while exists(aside := folder / ABANDONED / f"{number:03d}-after-step-{to.step}"):
        number += 1
    for room in (layout.CHECKPOINTS, layout.SAMPLES):
        make_folder(aside / room)
    try:
        for name in (layout.JOURNAL, layout.RECIPE):
            if exists(folder / name):
                with open_file(folder / name) as content:
                    write_atomic(aside / name, content.read())
        # Newest first, each manifest before its weights: whenever this is cut short, what is left is a run.
        for path in later:
            for file in (path, path.with_suffix(".safetensors")):
                if exists(file):
                    file.rename(aside / layout.CHECKPOINTS / file.name)
        for path in samples:
            path.rename(aside / layout.SAMPLES / path.name)
    except OSError as error:
        raise refused(aside, error) from error
    sync_directory(folder / layout.CHECKPOINTS)
    return aside
