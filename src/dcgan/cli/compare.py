"""`dcgan compare`: runs side by side, as a page and as a table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dcgan.cli.lists import Json, show_rows
from dcgan.cli.screen import clock, say, tell
from dcgan.cli.train import RunsDir
from dcgan.errors import DcganError

if TYPE_CHECKING:
    from dcgan.report.compare import Side
    from dcgan.run import Run


def compare(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN...", help="Two to eight runs (names or folders).")
    ],
    out: Annotated[Path, typer.Option(help="The page to write, ending in .html.")] = Path("compare.html"),
    data_free: Annotated[
        bool,
        typer.Option("--data-free", help="No pictures on the page: it can be passed on where they can't."),
    ] = False,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Seed of the z that all grids share.")] = 0,
    as_json: Json = False,
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Put runs side by side: what differs in recipe and data, curves on one axis, scores, grids from the same z.

    \b
    Examples:
      dcgan compare shoes-1 shoes-2
      dcgan compare shoes-1 shoes-2 shoes-3 --out shoes.html --json
    """
    from dcgan.report.compare import read_side, write_comparison

    found = _open(runs, runs_dir)
    if out.suffix.lower() not in (".html", ".htm"):
        raise DcganError(f"--out {out}: a page ends in .html")
    if data_free:
        sides, latents = [read_side(run.folder) for run in found], ""
    else:
        from dcgan.analysis.same_z import same_z_grids, z_differences
        from dcgan.report.compare import distinct

        names = distinct([run.folder for run in found])
        latents = z_differences(names, [run.recipe for run in found], seed)
        drawn = same_z_grids(found, seed)
        sides = [read_side(run.folder, grid.png, grid.why) for run, grid in zip(found, drawn, strict=True)]
        for run, grid in zip(found, drawn, strict=True):
            for note in [grid.why] if grid.why else run.notes:
                tell(f"warning: {note}")
    write_comparison(out, sides, latents)
    _show(sides, out, as_json)


def _open(names: list[str], runs_dir: Path) -> list[Run]:
    """The runs called `names`: 2 to 8 of them, each once, or a `DcganError`."""
    from dcgan.api import open_run
    from dcgan.report.compare import LEAST, MOST

    if not LEAST <= len(names) <= MOST:
        given = "1 run" if len(names) == 1 else f"{len(names)} runs"
        raise DcganError(f"{given} to compare: give {LEAST} to {MOST}")
    found = [open_run(name, runs_dir) for name in names]
    places: dict[Path, str] = {}
    for name, run in zip(names, found, strict=True):
        place = run.folder.resolve()
        if place in places:
            raise DcganError(f"{places[place]} and {name} are the same run: name each once")
        places[place] = name
    return found


def _show(sides: list[Side], out: Path, as_json: bool) -> None:
    from dcgan.report.compare import summary
    from dcgan.report.differences import data_differences, recipe_differences

    rows = summary(sides)
    records = [side.record for side in sides]
    if as_json:
        facts: dict[str, Any] = {
            "page": str(out),
            "runs": rows,
            "recipe": recipe_differences(records),
            "data": data_differences(records),
        }
        say(json.dumps(facts, indent=2))
        return
    formats = {"images": "{:,}".format, "seconds": clock, "frechet": _distance, "n": _count}
    show_rows(rows, False, formats, hide=("preset", "data", "folder", "score"))
    say(f"differs   {', '.join(recipe_differences(records)) or 'nothing in the recipes'}")
    say(f"page      {out}")


def _distance(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _count(value: int) -> str:
    return f"{value:,}" if value else "–"
