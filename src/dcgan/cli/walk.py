"""`dcgan walk`: from design to design through latent space, as a picture and an animation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dcgan.cli.generate import From, Which
from dcgan.cli.latent import Fit, Negative, Out, Seed, opened, sources
from dcgan.cli.lists import Json
from dcgan.cli.screen import progress, say, tell
from dcgan.cli.train import RunsDir
from dcgan.cli.words import listed
from dcgan.errors import DcganError

if TYPE_CHECKING:
    from dcgan.analysis.latent.points import Points
    from dcgan.analysis.latent.walk import Walk
    from dcgan.model import Model

POINTS = 9
"""As in the paper."""


def walk(
    run: Which,
    between: Annotated[
        str | None,
        typer.Option(
            metavar="POINTS",
            help="Where to go: designs (3, 5:4 of seed 5, 3@Bag of class Bag), files of `dcgan invert`, image files, "
            "with commas between. [default: designs 0 to 8]",
        ),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            metavar="CLASSES", help="From class to class instead, z fixed: that of design 0, or of --between."
        ),
    ] = None,
    direction: Annotated[
        str | None,
        typer.Option(
            metavar="FILE:NAME", help="From −3σ to 3σ along a direction of `dcgan directions` instead."
        ),
    ] = None,
    loop: Annotated[bool, typer.Option("--loop", help="Back to the first in the end.")] = False,
    steps: Annotated[int, typer.Option(help="Steps from each to the next.")] = 12,
    format_: Annotated[str, typer.Option("--format", help="Of the animation: gif, webp or mp4.")] = "gif",
    fps: Annotated[float, typer.Option(help="Pictures a second.")] = 12.0,
    extractor: Annotated[str, typer.Option(help="In which features sharpness is measured.")] = "fixed",
    seed: Seed = 0,
    fit: Fit = "crop",
    negative: Negative = False,
    out: Out = None,
    as_json: Json = False,
    from_: From = "best",
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Walk through latent space from design to design, as a grid and an animation, and measure how evenly they change.

    The way is an arc for a normal z, a straight line for a uniform one, and from class to class a straight line between
    their embeddings. Sharpness is the longest step over the median one, in feature space: a jump can be a sign of
    copies, or of two kinds of pictures with nothing between; beside it stands that of a cross-fade in pixels.

    \b
    Examples:
      dcgan walk fashion-mnist --loop
      dcgan walk shoes --between 3,17,5:4 --format webp
      dcgan walk fashion-mnist --between 3 --classes Sneaker,Bag
      dcgan walk shoes --between my-shoe/inverted.npz,17
      dcgan walk shoes --between 3,17 --direction found/directions.npz:pc1
    """
    from dcgan.analysis.latent import walk as walking
    from dcgan.analysis.latent.animation import animation, check_format
    from dcgan.analysis.latent.points import designs
    from dcgan.evaluation.extractors import extractor as find_extractor
    from dcgan.files import whole_folder, write_atomic, write_json
    from dcgan.pictures import png

    check_format(format_, fps)
    features = find_extractor(extractor)
    _, model, target = opened(run, from_, runs_dir, out, "walk")
    asked = None if between is None else listed(between, "--between")
    with progress("inverting") as update:
        where = sources(model, seed, fit, negative, update)
        count = 1 if classes or direction else POINTS
        points = where.all(asked) if asked else designs(model, [(seed, index) for index in range(count)])
    way = _way(model, points, classes, direction, loop)
    images = walking.sampled(way, model, steps)
    found = walking.measured(way, model, features)
    facts = {
        "model": model.name,
        "step": model.facts.get("step"),
        "way": "arc" if model.recipe.prior == "normal" and not classes and not direction else "line",
        "extractor": features.name,
        **walking.report(way, found, points, model.classes),
    }
    caption = f"{model.name}: each leg and its sharpness in {features.name} features"
    with whole_folder(target) as making:
        write_atomic(making / "walk.png", png(walking.picture(way, images, found, caption)))
        write_atomic(making / f"walk.{format_}", animation(walking.frames(images, way.closed), format_, fps))
        write_json(making / "walk.json", facts)
    if as_json:
        say(json.dumps({**facts, "folder": str(target)}, indent=2, ensure_ascii=False))
        return
    say(f"sharpness  {walking.sentence(way, found)}")
    say(f"grid       {target / 'walk.png'}")
    say(f"animation  {target / f'walk.{format_}'}")
    say(f"numbers    {target / 'walk.json'}")


def _way(model: Model, points: Points, classes: str | None, direction: str | None, loop: bool) -> Walk:
    from dcgan.analysis.latent import walk as walking
    from dcgan.analysis.latent.directions import read_direction
    from dcgan.analysis.latent.points import asked_class

    if classes and direction:
        raise DcganError("--classes and --direction are two ways to go: give one of them")
    if direction:
        if loop:
            raise DcganError("--direction goes to both sides of each design: --loop means nothing to it")
        vector, name, note = read_direction(direction, model)
        if note:
            tell(f"note: {note}")
        return walking.along(points, vector, name)
    if classes:
        labels = [asked_class(model, name) for name in listed(classes, "--classes")]
        return walking.across(model, points, labels, loop)
    return walking.through(model, points, loop)
