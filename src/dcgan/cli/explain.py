"""`dcgan explain`: what is inside a trained model, as one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dcgan.cli.generate import From, Which
from dcgan.cli.screen import progress, say, tell
from dcgan.cli.train import RunsDir


def explain(
    model: Which,
    data: Annotated[
        str | None, typer.Option(help="Real pictures for D: a named set or a path. [default: the run's own]")
    ] = None,
    n: Annotated[int, typer.Option("-n", help="Designs in which G's maps are turned off and up.")] = 200,
    layer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Stage of G whose maps are looked into; can be given again. [default: the last before the picture, "
            "and the one below where it has 64 maps or fewer]",
        ),
    ] = None,
    boxes: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Boxes around an object: CSV or JSON with seed, index, top, left, height, width. [default: found]",
        ),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(help="Class of the designs on which boxes are found, or were drawn. [default: chosen]"),
    ] = None,
    labeller: Annotated[
        str | None,
        typer.Option(metavar="DATA", help="Labelled pictures to learn the classes from, where none is kept."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the designs and of every draw.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for inside.html. [default: the run's own, or the working folder]"),
    ] = None,
    from_: From = "best",
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Look inside a model: what excites D's features, which of G's maps draw what, designs without an object.

    Writes inside.html, one page with captions that say how to read it: guided backpropagation beside that of random
    filters, first and last filters, activation maps, every map of G turned off and up, and the DCGAN paper's dropped
    object. Class scores come from the labeller that `dcgan label` or `dcgan evaluate` has kept, or from --labeller.

    \b
    Examples:
      dcgan explain fashion-mnist
      dcgan explain shoes --layer mix1 --layer up1 -n 400
      dcgan explain shoes --boxes soles.csv --out shoes-inside
    """
    from dcgan.explain import explain as look

    with progress("maps") as update:
        found = look(
            model,
            data,
            n=n,
            layers=layer or (),
            boxes=boxes,
            label=label,
            labeller=labeller,
            seed=seed,
            start=from_,
            out=out,
            runs_dir=runs_dir,
            tell=tell,
            progress=update,
        )
    for line in found.lines:
        say(line)
    say(f"page  {found.page}")
