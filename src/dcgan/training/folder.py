"""The run folder on disk: what lies where, how one is begun, and how two writers are kept apart."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shlex
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dcgan.errors import DcganError
from dcgan.files import clean_temporaries, exists, make_folder, open_file, refused, write_json
from dcgan.recipe import Recipe

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")  # a hyphen in front would be read as an option
RECIPE, DATA, JOURNAL, SAMPLES, CHECKPOINTS, REPORT = (
    "recipe.json",
    "data.json",
    "journal.jsonl",
    "samples",
    "checkpoints",
    "report.html",
)
RECIPE_LIMIT = 1 << 20
"""Bytes; a recipe takes one or two thousand."""


def slug(text: str) -> str:
    """`text` as a run's name: lower case, digits and hyphens, at most 64."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:64] or "run"


def new_name(runs: Path, stem: str) -> str:
    """The first of stem-1, stem-2, … that no run has."""
    number = 1
    while exists(runs / f"{stem[:56]}-{number}"):
        number += 1
    return f"{stem[:56]}-{number}"


def command(verb: str, folder: Path) -> str:
    """The command line that does `verb` to the run in `folder`, wherever its runs are kept."""
    place = folder if folder.name not in ("", "..") else folder.resolve()
    where = "" if place.parent == Path("runs") else f" --runs-dir {shlex.quote(str(place.parent))}"
    return f"dcgan {verb} {shlex.quote(place.name)}{where}"


def begin(runs: Path, name: str, recipe: Recipe, data: dict[str, Any]) -> Path:
    """Create the folder of a new run. A name that is taken is refused with the way to resume it."""
    if not NAME.fullmatch(name):
        raise DcganError(
            f"run name '{name[:80]}': use a-z, 0-9 and inner hyphens, at most 64, for example {slug(name)}"
        )
    folder = runs / name
    make_folder(runs)
    if exists(folder):
        raise DcganError(
            f"a run named {name} exists in {runs}: continue it with `{command('resume', folder)}`, or choose another "
            "--name"
        )
    try:
        folder.mkdir()
    except OSError as error:
        raise refused(folder, error) from error
    make_folder(folder / SAMPLES)
    make_folder(folder / CHECKPOINTS)
    write_json(folder / DATA, data)
    # The recipe is written last: a folder with one is a run, a folder without is a beginning that was cut short.
    write_json(folder / RECIPE, recipe.to_dict())
    return folder


def read_recipe(folder: Path) -> Recipe:
    """The recipe of a run folder."""
    try:
        with open_file(folder / RECIPE) as file:
            return Recipe.from_json(file.read(RECIPE_LIMIT), str(folder / RECIPE))
    except OSError as error:
        raise DcganError(f"{folder} is not a run: {RECIPE} cannot be read: {error.strerror}") from None


@contextmanager
def sole_writer(folder: Path) -> Iterator[None]:
    """Hold the run for writing, and clean what a dead writer left.

    Another process that trains it is named as the reason of the refusal.
    """
    try:
        # Opened so that a pipe is not waited for, and not truncated: it may be a link to somebody's file.
        descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_NONBLOCK, 0o644)
        file = os.fdopen(descriptor, "w")
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            file.close()
            raise OSError(errno.EINVAL, "it is not a file")
    except OSError as error:
        raise refused(folder / ".lock", error) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DcganError(
                f"{folder} is being trained by another process: wait for it, or stop it first"
            ) from None
        for place in (folder, folder / SAMPLES, folder / CHECKPOINTS):
            clean_temporaries(place)
        yield
