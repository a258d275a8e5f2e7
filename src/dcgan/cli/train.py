"""`dcgan train`, `dcgan resume`, `dcgan report`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dcgan.cli.live import TrainingDisplay
from dcgan.cli.processes import launched, processes_before
from dcgan.cli.screen import say, tell
from dcgan.errors import DcganError
from dcgan.training.place import follows

if TYPE_CHECKING:
    from dcgan.recipe import Recipe
    from dcgan.run import Run

RunsDir = Annotated[Path, typer.Option("--runs-dir", help="Where runs are kept.")]
Epochs = Annotated[float | None, typer.Option(help="Budget: passes over the data.")]
Images = Annotated[int | None, typer.Option(help="Budget: real images seen.")]
Minutes = Annotated[float | None, typer.Option(help="Budget: minutes of training.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="K=V", help="Change a field of the recipe.")
]
EvaluateEvery = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        help="From one score to the next, within 5 % of the time; 0 for none. [default: 30]",
    ),
]
Processes = Annotated[
    str,
    typer.Option(
        metavar="N", help="Processes of this machine that train together; auto chooses. See docs/scaling.md."
    ),
]
StopOnCollapse = Annotated[
    bool, typer.Option("--stop-on-collapse", help="End the run when the doctor finds it has failed (exit 3).")
]


def train(
    context: typer.Context,
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="A named set (`dcgan datasets`), or a folder or zip of images, a CSV, NPZ, IDX or CIFAR file.",
        ),
    ],
    preset: Annotated[
        str | None, typer.Option(help="A row of `dcgan presets`. [default: by image size]")
    ] = None,
    name: Annotated[str | None, typer.Option(help="The run's name. [default: DATA-1, DATA-2, …]")] = None,
    labels: Annotated[
        bool, typer.Option("--labels", help="Learn the classes too, to ask for them by name.")
    ] = False,
    epochs: Epochs = None,
    images: Images = None,
    minutes: Minutes = None,
    batch: Annotated[int | None, typer.Option(help="Images in a minibatch. [default: the preset's]")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of every random draw. [default: 0]")] = None,
    size: Annotated[
        str | None, typer.Option(metavar="HxW", help="Bring images to this size, 32 or 48x64.")
    ] = None,
    fit: Annotated[
        str, typer.Option(help="Images of another shape: crop, pad (with white) or stretch.")
    ] = "crop",
    channels: Annotated[
        int | None, typer.Option(help="1 (grey) or 3 (colour). [default: as the data]")
    ] = None,
    split: Annotated[str, typer.Option(help="train, test or all.")] = "train",
    set_: Settings = None,
    evaluate_every: EvaluateEvery = None,
    stop_on_collapse: StopOnCollapse = False,
    processes: Processes = "auto",
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Train a generator on DATA.

    While it trains, the averaged generator is scored (Fréchet distance in the features of a fixed network), the best
    checkpoint is kept, and the doctor says when something goes wrong.

    \b
    Examples:
      dcgan train fashion-mnist --labels --minutes 3
      dcgan train ./shoes --size 64 --name shoes
      dcgan train mnist --epochs 5 --set batch=128 --set d_lr=2e-4
    """
    from dcgan.presets import PRESETS
    from dcgan.presets import preset as find_preset

    row = find_preset(preset).recipe if preset else PRESETS["fast-28"].recipe
    changed = row.with_settings(set_ or [])
    if launched(context, processes, changed if batch is None else changed.with_changes({"batch": batch})):
        return
    from dcgan import api

    given = _given(changed, set_) | _observing(evaluate_every, stop_on_collapse)
    with TrainingDisplay(shown=not follows()) as display:
        run = api.train(
            data,
            preset=preset,
            name=name,
            labels=labels,
            epochs=epochs,
            images=images,
            minutes=minutes,
            batch=batch,
            seed=seed,
            size=read_size(size),
            fit=fit,
            channels=channels,
            split=split,
            runs_dir=runs_dir,
            settings=given,
            watch=display,
            tell=tell,
            progress=display.reading,
        )
    _done(run)


def resume(
    context: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's name (`dcgan runs`) or folder.")],
    epochs: Epochs = None,
    images: Images = None,
    minutes: Minutes = None,
    data: Annotated[str | None, typer.Option(help="Where the pictures are now, if they were moved.")] = None,
    from_: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="WHERE",
            help="last, best (by its scores) or a step; what came after is set aside in RUN/abandoned.",
        ),
    ] = "last",
    set_: Settings = None,
    evaluate_every: EvaluateEvery = None,
    stop_on_collapse: StopOnCollapse = False,
    processes: Processes = "auto",
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Go on with RUN from its newest good checkpoint, bit for bit as if it had never stopped.

    The budget is a total: a run of 5 epochs resumed with --epochs 8 trains three more.

    \b
    Examples:
      dcgan resume shoes
      dcgan resume fashion-mnist-1 --minutes 10
      dcgan resume shoes --from best --set g_lr=1e-4 --set d_lr=1e-4
    """
    from dcgan.recipe import Recipe
    from dcgan.training import folder as layout

    # A rank that is not the first may not see the run; it is told what changes.
    folder = None if follows() else _folder(run, runs_dir)
    changed = (layout.read_recipe(folder) if folder else Recipe()).with_settings(set_ or [])
    if launched(context, processes, changed, processes_before(folder) if folder else None):
        return
    from dcgan import api

    with TrainingDisplay(shown=not follows()) as display:
        found = api.resume(
            run,
            epochs=epochs,
            images=images,
            minutes=minutes,
            data=data,
            start=from_,
            settings=_given(changed, set_) | _observing(evaluate_every, stop_on_collapse),
            runs_dir=runs_dir,
            watch=display,
            tell=tell,
        )
    _done(found)


def report(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's name or folder.")],
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Draw RUN's report.html anew and print where it is.

    \b
    Example:
      dcgan report shoes
    """
    from dcgan.api import open_run
    from dcgan.report import write_report

    say(str(write_report(open_run(run, runs_dir).folder)))


def read_size(text: str | None) -> tuple[int, int] | None:
    """(height, width) of an option's text."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,5})(?:[x×](\d{1,5}))?", text.strip().lower())
    if not match:
        raise DcganError(f"--size {text[:40]}: write one number or height x width, for example 32 or 48x64")
    height = int(match[1])
    return height, int(match[2]) if match[2] else height


def _given(changed: Recipe, settings: list[str] | None) -> dict[str, Any]:
    """The fields that were set, by name, with the values that `changed` now has for them."""
    return {name: getattr(changed, name) for name in (s.partition("=")[0].strip() for s in settings or [])}


def _observing(evaluate_every: float | None, stop_on_collapse: bool) -> dict[str, Any]:
    """The recipe's fields that these two options are."""
    given: dict[str, Any] = {} if evaluate_every is None else {"evaluate_every": evaluate_every}
    return {**given, "stop_on_collapse": True} if stop_on_collapse else given


def _folder(run: str, runs_dir: Path) -> Path:
    """The folder of a run, in most cases without loading torch."""
    from dcgan.files import is_file
    from dcgan.training import folder as layout

    for folder in (runs_dir / run, Path(run)):
        if is_file(folder / layout.RECIPE):
            return folder
    from dcgan import api

    return api.open_run(run, runs_dir).folder


def _done(run: Run) -> None:
    if follows():
        return
    from dcgan.training.folder import command

    say(f"run     {run.folder}")
    say(f"report  {run.report}")
    say(f"next    {command('generate', run.folder)} -n 100")
