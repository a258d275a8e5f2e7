"""`dcgan doctor`: what is wrong with a run, and what mends it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dcgan.cli.lists import Json
from dcgan.cli.screen import say, tell
from dcgan.cli.train import RunsDir

if TYPE_CHECKING:
    from dcgan.analysis.doctor.diagnosis import Diagnosis, Verdict
    from dcgan.run import Run


def doctor(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's name (`dcgan runs`) or folder.")],
    as_json: Json = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Read the journal only; make no designs, keep nothing.")
    ] = False,
    confirm: Annotated[
        bool | None,
        typer.Option(
            "--confirm/--no-confirm",
            help="If D seems stuck, train it alone for 200 steps. [default: where that takes under 30 s]",
        ),
    ] = None,
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Say what is wrong with RUN, how that shows, and what usually mends it.

    Reads the journal, makes 1,000 designs with the newest checkpoint and compares them with the data. Keeps the verdict
    in RUN/evaluation/doctor.json. Exit status: 0 when nothing was found, 1 when something was, 2 for a mistake.

    \b
    Examples:
      dcgan doctor shoes
      dcgan doctor shoes --quick --json
    """
    from dcgan.analysis.doctor.see import see
    from dcgan.api import open_run
    from dcgan.errors import enough_memory
    from dcgan.subject import redraw

    found = open_run(run, runs_dir)
    with enough_memory():
        verdict = see(found, quick=quick, confirmed=confirm, tell=tell)
    if as_json:
        say(json.dumps(verdict.to_dict(), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        _print(found, verdict)
    if not quick:
        redraw(run, runs_dir, None if as_json else say)
    if not verdict.healthy:
        raise typer.Exit(1)


def _print(run: Run, verdict: Verdict) -> None:
    if verdict.early:
        say(verdict.early)
    if verdict.healthy:
        say(
            f"nothing wrong found at step {verdict.step:,}, checked: {', '.join(verdict.checked) or 'nothing'}"
        )
    for found in verdict.diagnoses:
        _print_one(run, found)
    for reason in verdict.unchecked:
        say(f"not checked  {reason}")


def _print_one(run: Run, found: Diagnosis) -> None:
    from dcgan.analysis.doctor.see import resume_command

    since = f", since step {found.since:,}" if found.since is not None else ""
    say(f"{found.finding} ({found.sure:.0%} sure{since})")
    for sentence in found.evidence:
        say(f"  {sentence}")
    if found.pictures:
        say(f"  see {', '.join(str(run.folder / name) for name in found.pictures)}")
    say(f"  now: {found.now}")
    if found.mend:
        say(f"  usually mends it: {resume_command(run.folder, found.mend, found.now, _scored(run))}")
    if found.anew:
        changes = "".join(f" --set {word}" for word in found.anew)
        say(f"  or in a new run: dcgan train … --preset {run.recipe.preset}{changes}")
    if found.advice:
        say(f"  {found.advice}")


def _scored(run: Run) -> bool:
    """Whether there is a best checkpoint to go back to."""
    from dcgan.training import folder as layout
    from dcgan.training.checkpoint import best_manifest

    return best_manifest(run.folder / layout.CHECKPOINTS) is not None
