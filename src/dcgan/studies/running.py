"""The runs of a study: each trained, gone on with or left alone, so that a study can be stopped at any time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dcgan import api
from dcgan.data import Dataset, open_dataset
from dcgan.errors import DcganError, Diverged, one_of
from dcgan.evaluation.choosing import NAMES
from dcgan.evaluation.evaluate import LEAST
from dcgan.files import exists, filled_folder, is_file
from dcgan.presets import preset
from dcgan.run import Run
from dcgan.studies.diagnosing import diagnosed
from dcgan.studies.done import Done
from dcgan.studies.measuring import measure
from dcgan.studies.page import Page
from dcgan.studies.study import Planned, Study
from dcgan.training import folder as layout
from dcgan.training.budget import Budget
from dcgan.training.checkpoint import list_manifests
from dcgan.training.loop import Watcher

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Asked:
    """How a study is to be carried out: the budget of each run (a total), and what scores them.

    budget: one of epochs, images, minutes, or share, of the images that the paper's run saw. data: pictures in place of
    the paper's. settings: recipe fields that go before the study's. n: designs in a score.
    """

    budget: Mapping[str, Any]
    data: str | Dataset | None = None
    settings: Mapping[str, Any] | None = None
    extractor: str = "domain"
    n: int = 2000

    def budget_of(self, plan: Planned) -> dict[str, Any]:
        """The budget of one run as a recipe has it: epochs, images or minutes."""
        if "share" not in self.budget:
            return dict(self.budget)
        share = self.budget["share"]
        if not 0 < share <= 1:
            raise DcganError(
                f"--share is {share:g}: must be above 0 and at most 1, which is all that the paper's run saw"
            )
        return {"images": max(1, round(share * plan.images))}


def carry_out(
    study: Study,
    asked: Asked,
    runs_dir: Path,
    out: Path,
    command: str,
    *,
    watch: Watcher | None = None,
    tell: Tell = lambda line: None,
) -> Path:
    """Bring every run of `study` to its budget, score it, have it looked at, and write the page; return its path.

    What is done already is kept. The runs lie in `runs_dir`/NAME, the page in `out`; command: what the page says makes
    it again. Raises `DcganError` in one line, before anything is written where that can be known, and `Interrupted`
    after saving.
    """
    _check(asked)
    folder = runs_dir / study.name
    sets: dict[str, Dataset] = {}
    for plan in study.runs:
        plan.recipe.with_changes(asked.settings or {}).with_budget(**asked.budget_of(plan))
        _same_plan(folder / plan.name, plan, asked)
        _data(plan, asked, sets, tell)
    with filled_folder(folder), filled_folder(out / study.name):
        page = Page(study, out)  # one that cannot be written is told before anything is trained
        done = []
        for number, plan in enumerate(study.runs, 1):
            tell(f"{study.name} {number}/{len(study.runs)}: {plan.name} – {plan.title}")
            data = _data(plan, asked, sets, tell)
            run, ended = _trained(folder / plan.name, plan, data, asked, watch, tell)
            points = measure(run, data, asked.extractor, asked.n, tell)
            done.append(Done(plan, run, points, diagnosed(run, data, tell), ended))
        return page.write(done, command)


def _check(asked: Asked) -> None:
    if asked.extractor not in NAMES:
        raise one_of("extractor", asked.extractor, NAMES)
    if not LEAST <= asked.n <= 100_000:
        raise DcganError(f"-n is {asked.n}: must be from {LEAST} to 100,000")


def _data(plan: Planned, asked: Asked, sets: dict[str, Dataset], tell: Tell) -> Dataset:
    """The pictures of a run, read once for all runs that share them."""
    if isinstance(asked.data, Dataset):
        return asked.data
    name, row = asked.data or plan.data, preset(plan.preset)
    # A fast preset has no channels of its own: it takes those of the set.
    channels = None if row.ours else row.channels
    key = f"{name} {row.size} {channels}"
    if key not in sets:
        sets[key] = open_dataset(name, size=(row.size, row.size), channels=channels, report=tell)
    return sets[key]


def _same_plan(folder: Path, plan: Planned, asked: Asked) -> None:
    """Raise `DcganError` when another recipe's run has this run's place; nothing is trained before."""
    if not is_file(folder / layout.RECIPE):
        return
    there = layout.read_recipe(folder)
    wanted = plan.recipe.with_changes(asked.settings or {}).for_data(
        (there.height, there.width), there.channels, 0
    )
    if not there.same_model(wanted):
        found, planned = there.to_dict(), wanted.to_dict()
        free = ("keep_every", "evaluate_every", "stop_on_collapse", "epochs", "images", "minutes")
        key = next(key for key in planned if key not in free and found[key] != planned[key])
        raise DcganError(
            f"{folder} is a run of another recipe: {key} is {found[key]}, and the study's is {planned[key]}: choose "
            "another --runs-dir"
        )


def _trained(
    folder: Path, plan: Planned, data: Dataset, asked: Asked, watch: Watcher | None, tell: Tell
) -> tuple[Run, str]:
    """The run at its budget, and why it ended before, if it did."""
    budget = asked.budget_of(plan)
    try:
        if not exists(folder):
            run = api.train(
                data,
                preset=plan.preset,
                name=folder.name,
                labels=False,
                runs_dir=folder.parent,
                # Few pictures in place of the paper's change nothing: the study's recipe is trained, not the default.
                settings={"augment": plan.recipe.augment, **plan.settings, **(asked.settings or {})},
                watch=watch,
                **budget,
            )
            return run, ""
        run = api.open_run(folder)
        if run.state == "failed" and _has_checkpoint(run):
            tell(f"{plan.name} failed before and is left as it is")
            return run, _why(run)
        if _spent(run, data, budget):
            tell(f"{plan.name} is trained")
            return run, ""
        return api.resume(run, data=data, watch=watch, **budget), ""
    except Diverged as error:
        # That a run diverges is a result; without a checkpoint there is nothing to look at.
        run = api.open_run(folder)
        if not _has_checkpoint(run):
            raise
        tell(f"{plan.name}: {error}")
        return run, str(error)


def _spent(run: Run, data: Dataset, budget: Mapping[str, Any]) -> bool:
    """Whether the newest checkpoint is at the budget or past it, and the run was brought to an end there."""
    manifests = list_manifests(run.folder / layout.CHECKPOINTS)
    if not manifests:
        return False
    newest = manifests[-1][1]
    return Budget.of(run.recipe.with_budget(**budget), len(data)).spent(newest.images, newest.seconds)


def _has_checkpoint(run: Run) -> bool:
    return bool(list_manifests(run.folder / layout.CHECKPOINTS))


def _why(run: Run) -> str:
    errors = [entry for entry in run.journal() if entry["event"] == "error"]
    return str(errors[-1].get("message", "failed")) if errors else "failed"
