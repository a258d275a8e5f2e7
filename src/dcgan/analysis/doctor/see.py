"""A whole run, looked at: journal, newest checkpoint, designs, data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dcgan.analysis.doctor.chart import EARLY, Chart, chart_of
from dcgan.analysis.doctor.confirm import confirm, seconds
from dcgan.analysis.doctor.diagnosis import Diagnosis, Verdict
from dcgan.analysis.doctor.exam import examine
from dcgan.analysis.doctor.findings import FINDINGS, diagnose
from dcgan.data import Dataset
from dcgan.errors import DcganError
from dcgan.evaluation.reference import held_out, open_alike
from dcgan.evaluation.scores import results_folder
from dcgan.files import write_json
from dcgan.run import Run
from dcgan.training import folder as layout
from dcgan.training.checkpoint import manifest_paths
from dcgan.training.journal import number

CHEAP = 30.0
"""Seconds that the confirm test may take without being asked for."""
PICTURES_EARLY = 200
FAR, USUAL_COVERAGE = 0.3, 0.95
"""Coverage, as a part of other real pictures', below which designs are far; what theirs is where not measured."""
Tell = Callable[[str], None]


def see(
    run: Run,
    *,
    data: Dataset | None = None,
    quick: bool = False,
    confirmed: bool | None = None,
    tell: Tell = lambda line: None,
) -> Verdict:
    """The doctor's verdict on a run, which is also kept in `RUN/evaluation/doctor.json`, unless it is a quick one.

    data: what it learned from, where `data.json` does not lead to it. quick: journal only, no designs are made.
    confirmed: whether to train D alone where it seems stuck; None does so when it takes under 30 seconds.
    What cannot be looked at is named in the verdict; a run without anything to look at raises `DcganError`.
    """
    entries = run.journal()
    recipe = run.recipe
    steps = sorted(
        int(path.stem) for path in manifest_paths(run.folder / layout.CHECKPOINTS) if path.stem.isdecimal()
    )
    chart = chart_of(recipe, entries, checkpoints=tuple(steps), images=_count(run))
    unchecked: list[str] = []
    if not chart.intervals and not steps and not chart.mishaps:
        raise DcganError(
            f"{run.folder} holds nothing to look at: its journal has no interval and there is no checkpoint; train it "
            f"with `{layout.command('resume', run.folder)}`"
        )
    kept = None
    if quick:
        unchecked.append("pictures: not looked at (--quick)")
    else:
        kept = results_folder(run.folder, tell)
        opened = data if data is not None else _opened(run, unchecked)
        chart = _examined(run, chart, opened, unchecked, tell)
        chart = _confirmed(run, chart, opened, entries, confirmed, unchecked, tell)
    verdict = _verdict(chart, unchecked)
    if kept:
        write_json(kept / "doctor.json", verdict.to_dict())
    return verdict


def _count(run: Run) -> int:
    try:
        return int(number(run.data.get("images")) or 0)
    except DcganError:
        return 0


def _opened(run: Run, unchecked: list[str]) -> Dataset | None:
    try:
        data = open_alike(run.data, (run.recipe.height, run.recipe.width), run.recipe.channels)
    except DcganError as error:
        unchecked.append(f"data: {error}")
        return None
    if data.sha256 != run.data.get("sha256", data.sha256):
        unchecked.append("data: other pictures lie now where this run's were")
        return None
    return data


def _examined(run: Run, chart: Chart, data: Dataset | None, unchecked: list[str], tell: Tell) -> Chart:
    try:
        model = run.model(start="last")
    except DcganError as error:
        unchecked.append(f"pictures: {error}")
        return chart
    unchecked += run.notes
    tell("making 1,000 designs")
    unseen = None
    if data is not None:
        unseen = held_out(data.describe(), data.size, data.channels)
    facts, missing = examine(model, data, unseen)
    unchecked += missing
    return replace(chart, exam=facts)


def _confirmed(
    run: Run,
    chart: Chart,
    data: Dataset | None,
    entries: list[dict[str, Any]],
    wanted: bool | None,
    unchecked: list[str],
    tell: Tell,
) -> Chart:
    suspected = any(found.finding == "stuck at ln 2" for found in diagnose(chart))
    if wanted is False or not suspected or data is None:
        return chart
    rate = next((value for entry in reversed(entries) if (value := number(entry.get("rate")))), None)
    if wanted is None and seconds(rate, chart.recipe.batch) > CHEAP:
        unchecked.append("whether D is stuck or cannot learn: `--confirm` trains it alone for 200 steps")
        return chart
    tell("training D alone for 200 steps")
    try:
        return replace(chart, confirmed=confirm(run.folder, chart.recipe, data))
    except DcganError as error:
        unchecked.append(f"confirm test: {error}")
        return chart


def _verdict(chart: Chart, unchecked: list[str]) -> Verdict:
    have = {
        "losses": len(chart.intervals) > 0,
        "pictures": chart.looks("diversity") is not None,
        "scores": len(chart.scores) > 3,
    }
    checked = tuple(row.name for row in FINDINGS if have[row.needs])
    if not have["scores"]:
        told = f"{len(chart.scores)} scores" if chart.scores else "it was not scored while it trained"
        unchecked = [*unchecked, f"oscillation: {told}; it takes 4"]
    if have["losses"] and not _known(chart, "d_accuracy"):
        unchecked = [
            *unchecked,
            "D's accuracy and the spread of its logits: the journal is of an older version",
        ]
    found = diagnose(chart)
    return Verdict(chart.step, found, checked, tuple(unchecked), early(chart, found))


def early(chart: Chart, found: Sequence[Diagnosis]) -> str:
    """What is to be said of a run that has just begun, and of designs in which nothing was `found`; "" is nothing."""
    if chart.step < EARLY:
        return f"too early to judge: step {chart.step:,}; losses tell something from {EARLY} on, pictures from 200"
    if chart.step < PICTURES_EARLY:
        return f"early: step {chart.step:,}; pictures are judged from step {PICTURES_EARLY} on"
    coverage = chart.looks("coverage")
    usual = chart.looks("coverage_real") or chart.looks("floor_coverage") or USUAL_COVERAGE
    if found or coverage is None or coverage >= FAR * usual:
        return ""
    return (
        f"the designs are far from the data still: coverage {coverage:.2f}, other real pictures' {usual:.2f}; "
        "that is how training begins, and no sign by itself that it has failed"
    )


def _known(chart: Chart, name: str) -> bool:
    return any(name in entry for entry in chart.intervals)


def resume_command(folder: Path, mend: tuple[str, ...], now: str, scored: bool) -> str:
    """`dcgan resume RUN --from … --set …`: from the best checkpoint where there is one, else from that in `now`."""
    step = now.removeprefix("roll back to step ")
    start = "best" if scored else step if step != now else "last"
    return f"{layout.command('resume', folder)} --from {start}" + "".join(f" --set {word}" for word in mend)
