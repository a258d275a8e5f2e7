"""What the commands of latent space share: their options, the model, and the folder for what they make."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dcgan.cli.screen import tell

if TYPE_CHECKING:
    from dcgan.analysis.latent.inversion import Progress
    from dcgan.analysis.latent.sources import Sources
    from dcgan.evaluation.labeller import Labeller
    from dcgan.model import Model
    from dcgan.run import Run

Seed = Annotated[
    int,
    typer.Option(min=0, max=2**63 - 1, help="Seed of designs given by their index alone, and of every draw."),
]
Out = Annotated[Path | None, typer.Option(help="Folder to make. [default: latent/RUN-COMMAND-1, -2, …]")]
Fit = Annotated[
    str, typer.Option(help="How image files of another shape are brought to size: crop, pad or stretch.")
]
Negative = Annotated[
    bool,
    typer.Option(
        "--negative", help="Image files with dark and light exchanged, for a model of light on dark."
    ),
]
LabellerData = Annotated[
    str | None,
    typer.Option("--labeller", metavar="DATA", help="Labelled pictures whose classes designs are seen as."),
]


def opened(
    run: str, start: str, runs_dir: Path, out: Path | None, verb: str
) -> tuple[Run | Model, Model, Path]:
    """What RUN names, its model, and the folder to fill, which is free."""
    from dcgan import api
    from dcgan.cli.generate import the_model
    from dcgan.designs import check_place
    from dcgan.training.folder import new_name, slug

    if out is not None:
        check_place(out)
    found = api.load(run, runs_dir=runs_dir)
    model = the_model(found, start)
    parent = Path("latent")
    return found, model, out or parent / new_name(parent, f"{slug(model.name)[:44]}-{verb}")


def sources(model: Model, seed: int, fit: str, negative: bool, progress: Progress | None = None) -> Sources:
    """Where a person's words for points are looked up; news go to standard error."""
    from dcgan.analysis.latent.sources import Sources
    from dcgan.data.images import FITS
    from dcgan.errors import one_of

    if fit not in FITS:
        raise one_of("fit", fit, FITS)
    return Sources(model, seed, fit=fit, negative=negative, tell=tell, progress=progress)


def labeller(found: Run | Model, data: str | None, progress: Callable[[int, int], None]) -> Labeller | None:
    """The labeller of `data`, or the kept one of what the model learned from, or None."""
    from dcgan.labels import known_labeller, labeller_for

    sorter = known_labeller(found) if data is None else labeller_for(data, tell=tell, progress=progress)
    if sorter:
        tell(f"labeller  {sorter.accuracy}")
    return sorter
