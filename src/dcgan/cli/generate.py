"""`dcgan generate` and `dcgan export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dcgan.cli.screen import progress, say, tell
from dcgan.cli.train import RunsDir
from dcgan.errors import DcganError

if TYPE_CHECKING:
    from dcgan.model import Model
    from dcgan.run import Run

Which = Annotated[
    str,
    typer.Argument(
        metavar="RUN|MODEL", help="A run (name or folder), a model file, or a model that comes with dcgan."
    ),
]

From = Annotated[
    str,
    typer.Option(
        "--from",
        metavar="WHERE",
        help="Which checkpoint of a run: best (by its scores in training; without any, the last), last or a step.",
    ),
]


def generate(
    model: Which,
    n: Annotated[int, typer.Option("-n", help="How many designs.")] = 64,
    label: Annotated[
        list[str] | None,
        typer.Option("--label", help="Class to make; several are taken in turn. [default: as in the data]"),
    ] = None,
    balanced: Annotated[bool, typer.Option("--balanced", help="Every class in turn.")] = False,
    seed: Annotated[int, typer.Option(help="Design i of a seed is always the same picture.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder to make. [default: designs/NAME-1, -2, …]")] = None,
    labeller: Annotated[
        str | None,
        typer.Option(metavar="DATA", help="Labelled pictures whose classes the designs are sorted into."),
    ] = None,
    from_: From = "best",
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Make N new designs: a PNG file each, manifest.csv (file, seed, index, label, score) and sheet.png.

    The score is the discriminator's logit: the higher, the more real the design looks to it. With --labeller, or once
    `dcgan label` or `dcgan evaluate` has learned the classes of the run's data, the manifest also has the class seen in
    each design, the confidence, and the next likely class (class, confidence, runner_up, runner_up_confidence).

    \b
    Examples:
      dcgan generate fashion-mnist -n 64
      dcgan generate shoes -n 500 --label sneaker --seed 7 --out ./new-shoes
    """
    from dcgan import api, designs
    from dcgan.evaluation.labelling import Tally
    from dcgan.labels import known_labeller, labeller_for

    if out is not None:
        designs.check_place(out)  # before a labeller is trained
    loaded = api.load(model, runs_dir=runs_dir)
    trained = the_model(loaded, from_)
    if labeller is None:
        sorter = known_labeller(loaded)
    else:
        with progress("learning") as update:
            sorter = labeller_for(labeller, tell=tell, progress=update)
    target = out or designs.new_folder(Path("designs"), trained)
    with progress("designs") as update:
        folder = designs.write_designs(
            trained,
            target,
            n,
            label=label,
            seed=seed,
            balanced=balanced,
            tally=Tally(sorter) if sorter else None,
            progress=update,
        )
    say(f"designs   {folder}")
    say(f"manifest  {folder / designs.MANIFEST}")
    if sorter:
        say(f"labeller  {sorter.accuracy}")
    say(f"sheet     {folder / designs.SHEET}")


def export(
    run: Which,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The model file to write, ending in .safetensors.")
    ],
    from_: From = "best",
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Write a run's model as one small file that `dcgan generate` reads anywhere.

    \b
    Example:
      dcgan export shoes shoes.safetensors
    """
    from dcgan import api
    from dcgan.files import exists
    from dcgan.model import Model

    if file.suffix != ".safetensors":
        raise DcganError(f"{file}: a model file ends in .safetensors")
    if exists(file):
        raise DcganError(f"{file} exists: choose another name")
    found = api.load(run, runs_dir=runs_dir)
    facts = {} if isinstance(found, Model) else {"run": found.name, "data": found.data.get("name", "")}
    the_model(found, from_).save(file, facts)
    say(f"model  {file} ({file.stat().st_size / 1e6:.1f} MB)")


def the_model(found: Run | Model, start: str = "best") -> Model:
    """The model, or that of a run's checkpoint; damaged ones passed over are told, and an older one than the last."""
    from dcgan.asked import check_start
    from dcgan.run import Run

    if not isinstance(found, Run):
        check_start(found.name, start)
        return found
    model = found.model(start=start)
    for note in found.notes:
        tell(f"warning: {note}")
    last = max(
        (entry.get("step", 0) for entry in found.journal() if entry["event"] == "checkpoint"), default=0
    )
    if start == "best" and model.facts["step"] != last and not found.notes:
        tell(f"step {model.facts['step']:,}, the best by its score; --from last takes step {last:,}")
    return model
