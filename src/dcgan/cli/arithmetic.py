"""`dcgan arithmetic`: sums of concepts in latent space."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from dcgan.cli.generate import From, Which
from dcgan.cli.latent import Fit, LabellerData, Negative, Out, Seed, labeller, opened, sources
from dcgan.cli.lists import Json
from dcgan.cli.screen import progress, say
from dcgan.cli.train import RunsDir


def arithmetic(
    run: Which,
    expression: Annotated[
        str,
        typer.Argument(
            metavar="EXPRESSION",
            help="Terms with + and - between: designs in brackets, classes, image files or files of `dcgan invert`.",
        ),
    ],
    rescale: Annotated[
        bool, typer.Option("--rescale", help="Bring the answer's z to the length that a drawn z has.")
    ] = False,
    seed: Seed = 0,
    fit: Fit = "crop",
    negative: Negative = False,
    labeller_: LabellerData = None,
    out: Out = None,
    as_json: Json = False,
    from_: From = "best",
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Calculate with concepts in latent space, "a - b + c": the answer, 8 neighbours, and the same on pixels.

    A term in brackets is a set of designs (3, 5:4 of seed 5, 3@Bag of class Bag), classes or files, and counts as the
    mean of their z: of three it is steadier than of one. A class that the model was taught changes the class and leaves
    z alone; of a model without classes it is the mean z of the designs that a labeller sees as this class. A name may
    stand in quotes; a sign begins a word, so that T-shirt is one name.

    \b
    Examples:
      dcgan arithmetic fashion-mnist "[0] - Sandal + Bag"
      dcgan arithmetic shoes "[3, 17, 5:4] - [8, 9, 30] + [2, 11, 12]"
      dcgan arithmetic fashion-mnist "my-shoe.png - Sneaker + 'Ankle boot'" --negative
    """
    from dcgan.analysis.latent.arithmetic import calculate, picture
    from dcgan.analysis.latent.expression import parse
    from dcgan.analysis.latent.kept import write_points
    from dcgan.files import whole_folder, write_atomic
    from dcgan.pictures import png

    parse(expression)  # a slip is told before anything is loaded
    found, model, target = opened(run, from_, runs_dir, out, "arithmetic")
    with progress("learning") as update:
        sorter = None if model.classes else labeller(found, labeller_, update)
    with progress("inverting") as update:
        where = sources(model, seed, fit, negative, update)
        answer = calculate(expression, where, sorter, rescale=rescale, seed=seed)
    facts = answer.as_json(model.classes)
    with whole_folder(target) as making:
        write_atomic(making / "arithmetic.png", png(picture(answer, model)))
        write_points(making / "answer.npz", model, answer.points)
    if as_json:
        say(json.dumps({"model": model.name, **facts, "folder": str(target)}, indent=2, ensure_ascii=False))
        return
    if facts["class"] is not None:
        say(f"class    {facts['class']}")
    say(f"length   {answer.length:.2f} of that of a drawn z{' before it was rescaled' if rescale else ''}")
    say(f"picture  {target / 'arithmetic.png'}")
    say(f"points   {target / 'answer.npz'}")
