"""What Python users call: train, resume, load. The command line calls the same."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from dcgan import arguments
from dcgan.data import Dataset, open_dataset
from dcgan.data.check.preflight import preflight, summary_lines
from dcgan.errors import DcganError, Told, enough_memory, expect, one_of
from dcgan.files import is_file, is_folder
from dcgan.model import Model, load_model
from dcgan.observe import RunObserver
from dcgan.presets import FEW, Preset, for_few, preset_for
from dcgan.presets import preset as find_preset
from dcgan.recipe import Recipe
from dcgan.run import Run, checkpoint_model, list_runs
from dcgan.training import folder as layout
from dcgan.training.board import Parted
from dcgan.training.checkpoint import list_manifests
from dcgan.training.engine import Engine
from dcgan.training.follow import held
from dcgan.training.loop import Watcher, check, fit
from dcgan.training.rendezvous import current, joined
from dcgan.training.reopen import pictures_of
from dcgan.training.reporter import LiveReport
from dcgan.training.rollback import find_start, refuse_spent, roll_back
from dcgan.training.state import expected_state

PRETRAINED = Path(__file__).with_name("pretrained")


@enough_memory()
@joined()
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

    arguments.check_once(settings or {}, changes, {"epochs": epochs, "images": images, "minutes": minutes})

    def planned(row: Preset) -> Recipe:
        changed = row.recipe.with_changes({**(settings or {}), **changes})
        return changed.with_budget(epochs=epochs, images=images, minutes=minutes)

    # Tried before any data is fetched or read, at the size asked for or the preset's own: a slip costs no download.
    trial = chosen or find_preset("fast-28")
    shape = size if chosen and size else (trial.size, trial.size)
    expected_state(planned(trial).for_data(shape, trial.channels, 2 if labels else 0))
    ranks = current()
    ranks.share(planned(trial).batch)
    watch, tell, progress = (watch, tell, progress) if ranks.first else (None, None, None)
    opened = (
        data
        if isinstance(data, Dataset)
        else ranks.first_here(
            lambda: open_dataset(
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
    )
    row = chosen or find_preset(preset_for(opened.size))
    if labels and not opened.classes:
        raise DcganError(
            f"{opened.name} has no labels: leave --labels out, or sort the images into a folder per class"
        )
    conditional = bool(opened.classes) and row.labels if labels is None else labels
    few = for_few(row, len(opened), settings or {})
    classes = len(opened.classes) if conditional else 0
    recipe = planned(row).with_changes(few).for_data(opened.size, opened.channels, classes)
    check(recipe, opened)
    runs = Path(runs_dir)
    stem = layout.slug(opened.name)
    ranks.share(recipe.batch)
    ranks.same(held(recipe, opened))
    facts = opened.describe()
    folder = Path(
        ranks.told(
            lambda: str(
                layout.begin(runs, layout.new_name(runs, stem) if name is None else name, recipe, facts)
            )
        )
    )
    if tell:
        for line in summary_lines(preflight(opened, size_chosen=size is not None or chosen is not None)):
            tell(line)
        for name, value in few.items():
            tell(f"{name}={value}: for fewer than {FEW} pictures; --set {name}=none leaves it out")
    return _fit(folder, recipe, opened, watch)


@enough_memory()
@joined()
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
    arguments.check_once(settings or {}, {}, {"epochs": epochs, "images": images, "minutes": minutes})
    ranks = current()
    if not ranks.first:
        return _resume_along(data)
    found = run if isinstance(run, Run) else open_run(run, runs_dir)
    recipe, facts = found.recipe, found.data
    ranks.share(recipe.batch)
    ranks.told(lambda: {"run": [found.name, str(found.folder)], "recipe": recipe.to_dict(), "data": facts})
    opened = pictures_of(found.name, found.folder, recipe, facts, data, tell)
    longer = recipe.with_changes(settings or {}).with_budget(epochs=epochs, images=images, minutes=minutes)
    check(longer, opened)
    moved = start != "last" or not longer.same_model(recipe)
    manifests = [found_at for _, found_at in list_manifests(found.folder / layout.CHECKPOINTS)]
    begin = find_start(found.folder, start) if moved else manifests[-1] if manifests else None
    # A run that was killed between its last checkpoint and its end is brought to that end.
    if begin and (moved or longer != recipe or found.state == "finished"):
        refuse_spent(found.name, longer, len(opened), begin)
    ranks.told(longer.to_dict)
    ranks.same(held(longer, opened))
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


def _resume_along(data: str | Path | Dataset | None) -> Run:
    """The part in `resume` of a rank that is not the first, and may not see the run's folder: it is told all."""
    ranks = current()
    begun: dict[str, Any] = ranks.told(dict)
    name, folder = begun["run"][0], Path(begun["run"][1])
    opened = pictures_of(name, folder, Recipe.from_dict(begun["recipe"]), begun["data"], data, None)
    longer = Recipe.from_dict(ranks.told(dict))
    ranks.same(held(longer, opened))
    return _fit(folder, longer, opened, None)


def write_report(folder: Path) -> None:
    """Draw a run's report. Imported here because matplotlib takes a while and most commands draw nothing."""
    from dcgan.report import write_report as draw

    draw(folder)


def _elsewhere(folder: Path) -> Run:
    """What a rank that did not write the run gives back. Raises `Told` where it cannot see the folder."""
    if not is_file(folder / layout.RECIPE):
        raise Told(f"the run lies in {folder} on the machine of rank 0", 0)
    return Run(folder)


def _fit(folder: Path, recipe: Recipe, data: Dataset, watch: Watcher | None) -> Run:
    ranks, engine = current(), Engine.choose(recipe.precision)
    if not ranks.first:
        fit(folder, recipe, data, engine, ranks=ranks)
        return _elsewhere(folder)
    reporter = LiveReport(folder, watch, write_report)
    try:
        fit(folder, recipe, data, engine, reporter, RunObserver(recipe, data), ranks)
    except Parted:
        raise  # whoever watches over the ranks ends this one soon: first of all the user is told why
    except BaseException:
        # What ended the run is told; a report that cannot be drawn as well is not worth a word beside it.
        with suppress(Exception):
            write_report(folder)
        raise
    write_report(folder)
    return Run(folder)
