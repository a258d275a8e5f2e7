"""`dcgan runs`: what there is, as a table or as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dcgan.cli.screen import clock, out, say
from dcgan.cli.train import RunsDir
from dcgan.errors import DcganError, printable

if TYPE_CHECKING:
    from dcgan.run import Run

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def runs(as_json: Json = False, runs_dir: RunsDir = Path("runs")) -> None:
    """List the runs: data, preset, state, images seen, time.

    \b
    Example:
      dcgan runs --json
    """
    from dcgan.run import list_runs

    rows = []
    for run in list_runs(runs_dir):
        try:
            entries, state = run.journal(), run.state
        except DcganError:
            entries, state = [], "unreadable"
        rows.append(
            {
                "name": run.name,
                "preset": run.recipe.preset,
                "data": _data_name(run),
                "state": state,
                "images": int(_last(entries, "images")),
                "seconds": _last(entries, "seconds"),
                "folder": str(run.folder),
            }
        )
    if not rows and not as_json:
        say(f"no runs in {runs_dir} yet: `dcgan train fashion-mnist --minutes 3` makes one")
    else:
        show_rows(rows, as_json, {"images": "{:,}".format, "seconds": clock}, hide=("folder",))


def _last(entries: list[dict[str, Any]], key: str) -> float:
    """The newest number called `key`, 0 without any: a journal may say anything."""
    from dcgan.training.journal import latest

    value = latest(entries, key) or 0.0
    return value if 0 <= value < 1e15 else 0.0


def _data_name(run: Run) -> str:
    try:
        return str(run.data.get("name", "?"))
    except DcganError:
        return "?"


def show_rows(
    rows: list[dict[str, Any]], as_json: bool, formats: dict[str, Any], hide: tuple[str, ...] = ()
) -> None:
    """Rows as JSON, all of them, or as a table without the columns in `hide`."""
    if as_json:
        say(json.dumps(rows, indent=2))
    else:
        _print(rows, formats, hide)


def _print(rows: list[dict[str, Any]], formats: dict[str, Any], hide: tuple[str, ...] = ()) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for key in (key for key in rows[0] if key not in hide):
        numeric = isinstance(rows[0][key], int | float) and not isinstance(rows[0][key], bool)
        heading = key.removesuffix("_parameters").replace("_", " ")
        table.add_column(
            heading,
            justify="right" if numeric else "left",
            no_wrap=numeric or key in ("name", "size", "state", "makes"),
        )
    for row in rows:
        words = (formats.get(key, str)(value) for key, value in row.items() if key not in hide)
        table.add_row(*map(printable, words))
    out().print(table)
