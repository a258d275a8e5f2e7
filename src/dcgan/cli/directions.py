"""`dcgan directions`: directions of latent space that mean something, found and shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dcgan.cli.generate import From, Which
from dcgan.cli.latent import LabellerData, Out, Seed, labeller, opened
from dcgan.cli.lists import Json
from dcgan.cli.screen import progress, say, tell
from dcgan.cli.train import RunsDir
from dcgan.errors import DcganError

if TYPE_CHECKING:
    from dcgan.analysis.latent.directions import Direction
    from dcgan.analysis.latent.points import Points
    from dcgan.evaluation.labeller import Labeller
    from dcgan.model import Model

MOST, MOST_COMPONENTS = 20_000, 64


def directions(
    run: Which,
    attribute: Annotated[
        list[str] | None,
        typer.Option(
            help="bright, contrast, a class that a labeller sees, or a value in --labels; may be given again."
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV", help="What designs are like, by seed and index: manifest.csv, or a table of yours."
        ),
    ] = None,
    column: Annotated[
        str | None, typer.Option(help="Column of --labels to take. [default: class, or else label]")
    ] = None,
    components: Annotated[
        int, typer.Option(min=0, max=MOST_COMPONENTS, help="How many directions without labels, by PCA.")
    ] = 8,
    label: Annotated[
        str | None, typer.Option(help="All designs of this class. [default: as in the data]")
    ] = None,
    n: Annotated[int, typer.Option("-n", help="How many designs are looked at.")] = 2000,
    seed: Seed = 0,
    labeller_: LabellerData = None,
    out: Out = None,
    as_json: Json = False,
    from_: From = "best",
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Find directions in latent space: of attributes, by logistic regression, and without labels, by PCA.

    An attribute's direction is told with how often it is right on designs held out, beside what is right without z.
    The components are those of the generator's first maps, each with its share of their variance. The picture shows
    design 0 from −3σ to 3σ along each; directions.npz is for `dcgan walk --direction`.

    \b
    Examples:
      dcgan directions fashion-mnist --attribute bright
      dcgan directions fashion-mnist --label Shirt --attribute Coat -n 5000
      dcgan directions shoes --labels new-shoes/manifest.csv --column style
    """
    from dcgan.analysis.latent.directions import component_directions, picture, with_changes, write_directions
    from dcgan.analysis.latent.points import many_designs
    from dcgan.files import whole_folder, write_atomic, write_json
    from dcgan.pictures import png

    if not 100 <= n <= MOST:
        raise DcganError(f"-n is {n}: must be from 100 to {MOST:,}")
    if column and not labels:
        raise DcganError("--column names a column of a table: name the table with --labels")
    if not (attribute or labels or components):
        raise DcganError("nothing to look for: name an --attribute, a table with --labels, or --components")
    loaded, model, target = opened(run, from_, runs_dir, out, "directions")
    points = many_designs(model, n, seed, label)
    found: list[Direction] = []
    if attribute or labels:
        with progress("learning") as update:
            seen = [one for one in attribute or [] if one.casefold() not in ("bright", "contrast")]
            sorter = labeller(loaded, labeller_, update) if seen and not labels else None
        found += _attributes(model, points, attribute or [], labels, column, sorter, seed)
    if components:
        found += component_directions(model, points, components, seed)
    found = with_changes(model, points, found, seed)
    facts = {
        "model": model.name,
        "step": model.facts.get("step"),
        "designs": n,
        "class": label,
        "directions": [one.as_json() for one in found],
    }
    with whole_folder(target) as making:
        write_atomic(making / "directions.png", png(picture(model, points[[0]], found)))
        write_directions(making / "directions.npz", model, found)
        write_json(making / "directions.json", facts)
    if as_json:
        say(json.dumps({**facts, "folder": str(target)}, indent=2, ensure_ascii=False))
        return
    width = max(len(one.name) for one in found)
    for one in found:
        say(f"{one.name:<{width}}  {one.words()}; 2σ change a picture by {one.change:.1f} of 255")
    say(f"{'random':<{width}}  2σ change a picture by {found[0].random:.1f} of 255")
    say(f"picture     {target / 'directions.png'}")
    say(f"directions  {target / 'directions.npz'}")


def _attributes(
    model: Model,
    points: Points,
    wanted: list[str],
    labels: Path | None,
    column: str | None,
    sorter: Labeller | None,
    seed: int,
) -> list[Direction]:
    from dcgan.analysis.latent.attributes import read_table, seen_attributes, table_attributes, table_points
    from dcgan.analysis.latent.directions import FEWEST, attribute_direction
    from dcgan.analysis.latent.points import decoded

    if labels is None:
        attributes = seen_attributes(decoded(model, points), wanted, sorter)
    else:
        table = read_table(labels, column)
        attributes, points = table_attributes(table, wanted), table_points(model, table)
        if not wanted:  # nobody asked for the rare ones by name
            enough = [one for one in attributes if FEWEST <= one.yes.sum() <= len(one.yes) - FEWEST]
            if enough and len(enough) < len(attributes):
                rare = [one.name for one in attributes if one not in enough]
                tell(f"note: fewer than {FEWEST} designs with or without, so left out: {', '.join(rare)}")
                attributes = enough
    return [attribute_direction(points, one, seed) for one in attributes]
