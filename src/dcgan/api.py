"""What Python users call: train, resume, load. The command line calls the same."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from dcgan import arguments
from dcgan.data import Dataset, open_dataset
from dcgan.data.check.preflight import preflight, summary_lines
from dcgan.errors import DcganError, enough_memory, expect, one_of
from dcgan.files import exists, is_file, is_folder
from dcgan.model import Model, load_model
from dcgan.observe import RunObserver
from dcgan.presets import Preset, preset_for
from dcgan.presets import preset as find_preset
from dcgan.recipe import Recipe
from dcgan.run import Run, checkpoint_model, list_runs
from dcgan.training import folder as layout
from dcgan.training.budget import Budget
from dcgan.training.checkpoint import Manifest, list_manifests
from dcgan.training.engine import Engine
from dcgan.training.loop import Watcher, check, fit
from dcgan.training.rollback import find_start, roll_back
from dcgan.training.state import expected_state

PRETRAINED = Path(__file__).with_name("pretrained")
REPORT_COST = 50
"""The report is drawn anew when this many times its own drawing time has gone by: at most 2 % of a run."""


@enough_memory()
def train(
    data: str | Path | Dataset,
    *,
    preset: str | None = None,
    name: str | None = None,
    labels: bool | None = None,
    epochs: float | None = None,
    images: int | None = None,
    minutes: float | None = None,
    batch: int | None = None,
    seed: int | None = None,
    size: tuple[int, int] | None = None,
    channels: int | None = None,
    fit: str = "crop",
    split: str = "train",
    runs_dir: str | Path = "runs",
    settings: dict[str, Any] | None = None,
    watch: Watcher | None = None,
    tell: Callable[[str], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Run:
    """Train a generator on `data` and return the run.

    data: a named set, a path of any kind that `open_dataset` reads, or a `Dataset`. preset: a row of the preset table;
    by default the fast one for the images' size. labels: whether the model can be asked for a class; None says yes if
    the data has classes. One of epochs, images, minutes is the budget; the preset's own otherwise.
    size: (height, width) to bring images to. channels: 1 (grey) or 3 (colour). fit: "crop", "pad" or "stretch" images
    of another shape. split: "train", "test" or "all".
    settings: recipe fields by name. watch is told every journal entry, tell every line about the data, progress
    how many pictures of how many are read.
    Raises `DcganError` in one line for whatever is wrong; a run that was begun keeps its last checkpoint.
    """
    arguments.check_source("data", data, Dataset)
    arguments.check_words(preset=preset, name=name, fit=fit, split=split)
    arguments.check_numbers(epochs=epochs, images=images, minutes=minutes, batch=batch, seed=seed)
    arguments.check_labels(labels)
    arguments.check_size(size)
    arguments.check_path("runs_dir", runs_dir)
    arguments.check_settings(settings)
    arguments.check_calls(watch=watch, tell=tell, progress=progress)
    chosen = find_preset(preset) if preset is not None else None
    changes = {key: value for key, value in (("batch", batch), ("seed", seed)) if value is not None}

    _refuse_twice(settings or {}, changes, {"epochs": epochs, "images": images, "minutes": minutes})

    def planned(row: Preset) -> Recipe:
        changed = row.recipe.with_changes({**(settings or {}), **changes})
        return changed.with_budget(epochs=epochs, images=images, minutes=minutes)

    # Tried before any data is fetched or read, at the size asked for or the preset's own: a slip costs no download.
    trial = chosen or find_preset("fast-28")
    shape = size if chosen and size else (trial.size, trial.size)
    expected_state(planned(trial).for_data(shape, trial.channels, 2 if labels else 0))
    opened = (
        data
        if isinstance(data, Dataset)
        else open_dataset(
            data,
            split=split,
            size=size,
            channels=channels,
            fit=fit,
            fallback=chosen.size if chosen else None,
            report=tell,
            progress=progress,
        )
    )
    row = chosen or find_preset(preset_for(opened.size))
    if labels and not opened.classes:
        raise DcganError(
            f"{opened.name} has no labels: leave --labels out, or sort the images into a folder per class"
        )
    conditional = bool(opened.classes) and row.labels if labels is None else labels
    recipe = planned(row).for_data(opened.size, opened.channels, len(opened.classes) if conditional else 0)
    check(recipe, opened)
    runs = Path(runs_dir)
    stem = layout.slug(opened.name)
    folder = layout.begin(
        runs, layout.new_name(runs, stem) if name is None else name, recipe, opened.describe()
    )
    if tell:
        for line in summary_lines(preflight(opened, size_chosen=size is not None or chosen is not None)):
            tell(line)
    return _fit(folder, recipe, opened, watch)


@enough_memory()
def resume(
    run: str | Path | Run,
    *,
    epochs: float | None = None,
    images: int | None = None,
    minutes: float | None = None,
    runs_dir: str | Path = "runs",
    data: str | Path | Dataset | None = None,
    start: str | int = "last",
    settings: dict[str, Any] | None = None,
    watch: Watcher | None = None,
    tell: Callable[[str], None] | None = None,
) -> Run:
    """Go on with a run from its newest good checkpoint, to its own budget or to a new one (totals, not additions).

    data: where the pictures are now, if they were moved; they must be the same pictures. start: "last", "best" (of
    the scores during training) or the step of a checkpoint: what came after is set aside in the run's `abandoned/`.
    settings: recipe fields by name that change from there on; the networks and the batch cannot.
    """
    arguments.check_source("run", run, Run)
    if data is not None:
        arguments.check_source("data", data, Dataset)
    arguments.check_numbers(epochs=epochs, images=images, minutes=minutes)
    arguments.check_path("runs_dir", runs_dir)
    arguments.check_settings(settings)
    expect("start", start, (str, int), "best, last or a step")
    arguments.check_calls(watch=watch, tell=tell)
    _refuse_twice(settings or {}, {}, {"epochs": epochs, "images": images, "minutes": minutes})
    found = run if isinstance(run, Run) else open_run(run, runs_dir)
    recipe, facts = found.recipe, found.data
    if data is None and not facts.get("path") and not facts.get("source"):
        raise DcganError(
            f"{found.folder / layout.DATA} does not say where {found.name}'s pictures are: give them with --data"
        )
    if data is None and facts.get("path") and not exists(Path(facts["path"])):
        raise DcganError(
            f"{found.name}: its pictures were at {facts['path']}, and nothing is there now: if they were moved, add "
            "--data with where they are"
        )
    opened = (
        data
        if isinstance(data, Dataset)
        else open_dataset(
            data if data is not None else Path(facts["path"]) if facts.get("path") else facts["source"],
            split=facts.get("split", "train"),
            size=(recipe.height, recipe.width),
            channels=recipe.channels,
            fit=facts.get("fit", "crop"),
            report=tell,
        )
    )
    if opened.sha256 != facts.get("sha256"):
        raise DcganError(
            f"{found.name} was trained on other pictures than {opened.name} holds now: give the same ones with --data, "
            "or train a new run"
        )
    longer = recipe.with_changes(settings or {}).with_budget(epochs=epochs, images=images, minutes=minutes)
    check(longer, opened)
    moved = start != "last" or not longer.same_model(recipe)
    manifests = [found_at for _, found_at in list_manifests(found.folder / layout.CHECKPOINTS)]
    begin = find_start(found.folder, start) if moved else manifests[-1] if manifests else None
    # A run that was killed between its last checkpoint and its end is brought to that end.
    if begin and (moved or longer != recipe or found.state == "finished"):
        _refuse_spent(found, longer, len(opened), begin)
    if begin and moved:
        aside = roll_back(found.folder, begin, longer)
        if aside and tell:
            tell(f"what came after step {begin.step:,} is kept in {aside}")
    return _fit(found.folder, longer, opened, watch)


@enough_memory()
def load(path_or_name: str | Path, *, runs_dir: str | Path = "runs") -> Run | Model:
    """A run's name, a run's folder, a model file, a checkpoint, or a model that comes with dcgan, in that order.

    A `Path` is always a path; a word is first a run: the pictures often lie in a folder of the same name.
    """
    arguments.check_path("path_or_name", path_or_name)
    arguments.check_path("runs_dir", runs_dir)
    path, runs = Path(path_or_name), Path(runs_dir)
    word = isinstance(path_or_name, str)
    if word and is_file(runs / path / layout.RECIPE):
        return Run(runs / path)
    if is_file(path / layout.RECIPE):
        return Run(path)
    # Only a run or a path goes before a model of ours: the pictures may lie in a folder of that name, too.
    shipped = PRETRAINED / f"{path}.safetensors"
    if word and layout.NAME.fullmatch(str(path_or_name)) and is_file(shipped):
        return load_model(shipped)
    if is_folder(path):
        return Run(path)
    if is_file(path) or path.suffix in (".safetensors", ".json"):
        return checkpoint_model(path) if is_file(path.with_suffix(".json")) else load_model(path)
    known = [run.name for run in list_runs(runs)] + [file.stem for file in PRETRAINED.glob("*.safetensors")]
    listing = "dcgan runs" + ("" if runs == Path("runs") else f" --runs-dir {shlex.quote(str(runs))}")
    raise one_of("run or model", str(path_or_name), known, f"`{listing}` lists them; a path works too.")


def open_run(name: str | Path, runs_dir: str | Path = "runs") -> Run:
    """The run called `name` in `runs_dir`, or at that path. Unlike `load`, never a model."""
    for folder in (Path(runs_dir) / name, Path(name)):
        if is_file(folder / layout.RECIPE):
            return Run(folder)
    if is_folder(Path(name)):
        return Run(Path(name))
    known = [run.name for run in list_runs(Path(runs_dir))]
    raise one_of("run", str(name), known, f"Runs are looked for in {runs_dir}.")


def _refuse_twice(settings: dict[str, Any], changes: dict[str, Any], budget: dict[str, Any]) -> None:
    """Raise `DcganError` for what is asked for by an option and by a setting: one of them would lose in silence."""
    twice = sorted(settings.keys() & changes.keys())
    if twice:
        raise DcganError(f"{twice[0]} is given by --{twice[0]} and by --set: give it once")
    asked = [name for name, value in budget.items() if value is not None]
    in_settings = sorted(settings.keys() & budget.keys())
    if asked and in_settings:
        raise DcganError(f"--{asked[0]} and --set {in_settings[0]}= are two budgets: give one of them")


def _refuse_spent(run: Run, recipe: Recipe, data_size: int, begin: Manifest) -> None:
    """Raise `DcganError` when a run that goes on from `begin` has come to the end that the recipe states."""
    if Budget.of(recipe, data_size).spent(begin.images, begin.seconds):
        raise DcganError(
            f"{run.name} has spent its budget, {begin.images:,} images in {begin.seconds / 60:.1f} minutes: "
            f"give a larger total, for example --images {2 * begin.images}"
        )


def write_report(folder: Path) -> None:
    """Draw a run's report. Imported here because matplotlib takes a while and most commands draw nothing."""
    from dcgan.report import write_report as draw

    draw(folder)


def _fit(folder: Path, recipe: Recipe, data: Dataset, watch: Watcher | None) -> Run:
    reporter = _Reporter(folder, watch)
    try:
        fit(folder, recipe, data, Engine.choose(recipe.precision), reporter, RunObserver(recipe, data))
    except BaseException:
        # What ended the run is told; a report that cannot be drawn as well is not worth a word beside it.
        with suppress(Exception):
            write_report(folder)
        raise
    write_report(folder)
    return Run(folder)


class _Reporter:
    """Passes journal entries on, and now and then draws the report, so that it can be read while the run goes on."""

    def __init__(self, folder: Path, watch: Watcher | None) -> None:
        self.folder, self.watch = folder, watch
        self.due = time.monotonic() + 60

    def __call__(self, entry: dict[str, Any]) -> None:
        if self.watch:
            self.watch(entry)
        if entry["event"] == "checkpoint" and time.monotonic() > self.due:
            before = time.monotonic()
            with suppress(Exception):  # it is drawn at the end again, and told then; the run goes on
                write_report(self.folder)
            after = time.monotonic()
            self.due = after + REPORT_COST * (after - before)
