"""`dcgan demo`: the whole way once, from data to new designs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dcgan.cli.live import TrainingDisplay
from dcgan.cli.screen import say, tell
from dcgan.errors import DcganError

if TYPE_CHECKING:
    from dcgan.run import Run

NAME = "demo"
DESIGNS = 100


def demo(
    minutes: Annotated[float, typer.Option(help="Minutes of training.")] = 3.0,
    runs_dir: Annotated[Path, typer.Option("--runs-dir", help="Where the demo's run is kept.")] = Path(
        "runs"
    ),
) -> None:
    """Train on Fashion-MNIST for three minutes and make 100 new designs. Run again, it only says where they are.

    \b
    Example:
      dcgan demo --minutes 1
    """
    from dcgan import designs
    from dcgan.files import is_file
    from dcgan.recipe import Recipe
    from dcgan.report import write_report

    Recipe().with_budget(minutes=minutes)  # a wrong budget is told before anything is fetched
    folder = runs_dir / NAME
    target = folder / "designs"
    run = _run(folder, minutes, runs_dir)
    if not is_file(target / designs.MANIFEST):
        designs.write_designs(run.model(), target, DESIGNS, balanced=True)
    if not is_file(run.report):
        write_report(run.folder)
    say("")
    say(f"{DESIGNS} new designs  {target}")
    say(f"labels, scores   {target / designs.MANIFEST}")
    say(f"contact sheet    {target / designs.SHEET}")
    say(f"report           {run.report}  (open it in a browser)")


def _run(folder: Path, minutes: float, runs_dir: Path) -> Run:
    from dcgan import api
    from dcgan.data import open_dataset
    from dcgan.files import is_file
    from dcgan.run import Run

    if is_file(folder / "recipe.json"):
        run = Run(folder)
        if run.state == "finished":
            tell(f"the demo has run already: remove {folder} to see it again")
            return run
        tell(f"going on with {folder}")
        with TrainingDisplay() as display:
            return api.resume(run, watch=display, tell=tell)
    try:
        data = open_dataset("fashion-mnist", report=tell)
    except DcganError as error:
        tell(f"Fashion-MNIST cannot be had, so the demo runs on the 8x8 digits of scikit-learn ({error})")
        data = open_dataset("digits")
    with TrainingDisplay() as display:
        return api.train(
            data, preset="fast-28", name=NAME, labels=True, minutes=minutes, runs_dir=runs_dir, watch=display
        )
