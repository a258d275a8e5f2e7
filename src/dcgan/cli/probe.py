"""`dcgan probe`: what features learned without labels are worth."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dcgan.cli.features import Layers, Pool, Resize, Views, asked_layers, asked_views
from dcgan.cli.generate import From, the_model
from dcgan.cli.lists import Json
from dcgan.cli.screen import progress, say, tell
from dcgan.cli.train import RunsDir
from dcgan.cli.words import listed
from dcgan.errors import DcganError

if TYPE_CHECKING:
    from dcgan.analysis.probe.probe import Probed

DRAWS = 100


def probe(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run or a model.")],
    data: Annotated[str, typer.Argument(metavar="DATA", help="A named set with classes, or a path of such.")],
    labels_per_class: Annotated[
        int | None, typer.Option(help="Labels of each class to learn from. [default: all there are]")
    ] = None,
    draws: Annotated[int, typer.Option(help="Draws of so many labels.")] = DRAWS,
    controls: Annotated[
        str, typer.Option(help="What stands beside: of pixels, pca, untrained, kmeans, cnn; all; none.")
    ] = "pixels,pca,untrained",
    neighbours: Annotated[
        int,
        typer.Option(
            help="With few labels, also: each picture's answer mixed with those of so many of the training pictures "
            "nearest to it, for which no label is needed; 0: no. 5 is a good number, and takes minutes."
        ),
    ] = 0,
    student: Annotated[
        int,
        typer.Option(
            help="With neighbours, also: a network that starts from the discriminator's layers learns their answers "
            "from distorted pictures in so many steps, on five of the draws; 0: no. 2000 take four minutes a draw. "
            "Classes are taken to be equally frequent."
        ),
    ] = 0,
    layers: Layers = "all",
    pool: Pool = 4,
    views: Views = "",
    kmeans_units: Annotated[int, typer.Option(help="Means of the k-means features.")] = 800,
    trials: Annotated[int, typer.Option(help="Trials of the random search for the supervised network.")] = 64,
    resize: Resize = False,
    seed: Annotated[int, typer.Option(help="Seed of every draw.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder for probe.json and probe.png.")] = None,
    from_: From = "best",
    as_json: Json = False,
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Test how well a linear classifier tells DATA's classes by RUN's features, beside controls.

    An L2-SVM on standardised features; its C is chosen on held-out training pictures. With --labels-per-class, the mean
    over many draws of so many labels. Controls: raw pixels; principal components; the same networks untrained;
    single-layer k-means (minutes); cnn, a network of the discriminator's architecture trained with the same labels, its
    settings found by random search (an hour with all labels).

    \b
    Examples:
      dcgan probe clothes fashion-mnist
      dcgan probe clothes fashion-mnist --labels-per-class 100 --controls all --out probe
      dcgan probe clothes fashion-mnist --labels-per-class 100 --neighbours 5 --views shifted,mirrored --student 2000
      dcgan probe shoes ./shoes --layers conv3
    """
    from dcgan import api
    from dcgan.analysis.probe.controls import CONTROLS
    from dcgan.files import filled_folder, write_atomic, write_json
    from dcgan.probes import Asked
    from dcgan.probes import probe as measure
    from dcgan.report.bars import Bar, bars

    known = {"all": tuple(CONTROLS), "none": ()}
    wanted = known[controls] if controls in known else tuple(listed(controls, "--controls"))
    for name in known:
        if name in wanted:
            raise DcganError(f"--controls {controls}: {name} stands alone, without other names")
    asked = Asked(
        labels_per_class,
        draws,
        asked_layers(layers),
        pool,
        wanted,
        kmeans_units,
        trials,
        views=asked_views(views),
        neighbours=neighbours,
        student=student,
        seed=seed,
    )
    if labels_per_class is None and draws != DRAWS:
        raise DcganError(f"--draws {draws} are draws of labels: say of how many, with --labels-per-class")
    model = the_model(api.load(run, runs_dir=runs_dir), from_)
    with filled_folder(out) if out else nullcontext() as target:
        with progress("probe") as update:
            found = list(measure(model, data, asked, resize=resize, tell=tell, progress=update))
        if target:
            facts: dict[str, Any] = {"data": data, "seed": seed, "labels_per_class": labels_per_class}
            write_json(target / "probe.json", {**facts, "rows": [one.as_json() for one in found]})
            own = len(found) - len(wanted)
            drawn = [
                Bar(one.features, one.accuracy, one.interval, row < own) for row, one in enumerate(found)
            ]
            write_atomic(target / "probe.png", bars(drawn, f"{data}: accuracy on pictures not learned from"))
    if as_json:
        say(json.dumps([one.as_json() for one in found]))
        return
    for line in table(found):
        say(line)
    if target:
        say(f"written   {target / 'probe.json'}, {target / 'probe.png'}")


def table(found: list[Probed]) -> list[str]:
    """The result as lines: a row for each kind of features."""
    first = found[0]
    given = f"{first.labels:,} labels, tested on {first.tested:,} pictures"
    lines = [f"{'features':<24}{'numbers':>9}  accuracy            C        {given}"]
    for one in found:
        share = f"{100 * one.accuracy:.2f} % ± {100 * one.interval:.2f}"
        numbers = f"{one.numbers:,}" if one.numbers else "–"
        chosen = f"{one.c:g}" if one.c else f"best of {one.facts['trials']} trials"
        draws = f"{len(one.draws)} draws" if len(one.draws) > 1 else ""
        lines.append(f"{one.features[:23]:<24}{numbers:>9}  {share:<18}  {chosen:<8} {draws}".rstrip())
    return lines
