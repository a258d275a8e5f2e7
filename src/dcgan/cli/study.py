"""`dcgan study`: a published result carried out again, and its page."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dcgan.cli.lists import Json, show_rows
from dcgan.cli.live import TrainingDisplay
from dcgan.cli.screen import say, tell
from dcgan.cli.train import RunsDir
from dcgan.cli.words import listed
from dcgan.errors import DcganError, Interrupted

if TYPE_CHECKING:
    from dcgan.studies.study import Study


def study(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A study; without one, all are listed.")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Budget of each run: minutes of training. [default: the study's]")
    ] = None,
    images: Annotated[int | None, typer.Option(help="Budget of each run: real images seen.")] = None,
    epochs: Annotated[float | None, typer.Option(help="Budget of each run: passes over the data.")] = None,
    share: Annotated[
        float | None,
        typer.Option(help="Budget of each run: this share of the images that the paper's saw; at most 1."),
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="Other pictures than the paper's; the page says so.")
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option(help="Only the study's runs of these seeds, with commas. [default: all of them]"),
    ] = None,
    extractor: Annotated[
        str, typer.Option(help="What scores the designs, as in `dcgan evaluate`.")
    ] = "domain",
    n: Annotated[int, typer.Option("-n", help="Designs in a score.")] = 2000,
    out: Annotated[Path, typer.Option(help="Where NAME.md and its pictures are written.")] = Path("results"),
    as_json: Json = False,
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Carry out a published study: train its runs, score them, and write a page with published and measured numbers.

    Ctrl-C stops it, saved; the same command goes on. A larger budget goes on from what is trained. The runs lie in
    RUNS-DIR/NAME. What you see in the pictures can be written into OUT/NAME/remarks.md: the page takes it over.

    \b
    Examples:
      dcgan study
      dcgan study gan-vs-dcgan --minutes 10
      dcgan study failures --epochs 30 --out docs/results
      dcgan study fashion-2020 --share 1
      dcgan study rdcgan --seeds 0 --epochs 25
    """
    from dcgan.studies import STUDIES, find_study

    if name is None:
        show_rows(
            [_row(one) for one in STUDIES.values()], as_json, {"minutes": "{:g}".format}, hide=("paper",)
        )
        return
    found = find_study(name)
    if seeds is not None:
        found = found.of_seeds(_seeds(seeds))
    given: dict[str, float] = {
        key: value
        for key, value in (("minutes", minutes), ("images", images), ("epochs", epochs), ("share", share))
        if value is not None
    }
    if len(given) > 1:
        raise DcganError(f"--{' and --'.join(given)} are ways to say one budget: give one of them")
    options: dict[str, Any] = given or {"minutes": found.minutes}
    asked = {
        "data": data,
        "seeds": seeds,
        "extractor": extractor if extractor != "domain" else None,
        "n": n if n != 2000 else None,
    }
    command = _command(
        found.name,
        {**options, **asked, "runs-dir": _unless(runs_dir, "runs"), "out": _unless(out, "results")},
    )
    page = _carry_out(found, options, data, extractor, n, runs_dir, out, command)
    say(json.dumps({"page": str(page)}) if as_json else f"page    {page}")


def _carry_out(
    found: Study,
    budget: dict[str, float],
    data: str | None,
    extractor: str,
    n: int,
    runs_dir: Path,
    out: Path,
    command: str,
) -> Path:
    from dcgan.studies.running import Asked, carry_out

    asked = Asked(budget, data, extractor=extractor, n=n)
    try:
        with TrainingDisplay() as display:
            return carry_out(found, asked, runs_dir, out, command, watch=display, tell=tell)
    except Interrupted as error:
        raise Interrupted(f"{error}; the study goes on with `{command}`", error.status - 128) from None


def _seeds(words: str) -> list[int]:
    parts = listed(words, "--seeds")
    if not all(part.isdecimal() for part in parts):
        raise DcganError(f"--seeds is '{words[:80]}': expected whole numbers with commas between, as 0,1")
    return [int(part) for part in parts]


def _row(one: Study) -> dict[str, Any]:
    return {
        "name": one.name,
        "runs": len(one.runs),
        "minutes": one.minutes,
        "what": one.title,
        "paper": one.paper,
    }


def _unless(path: Path, default: str) -> str | None:
    return None if path == Path(default) else str(path)


def _command(name: str, options: dict[str, Any]) -> str:
    words = "".join(
        f" {'-n' if key == 'n' else f'--{key}'} {shlex.quote(f'{value:g}' if isinstance(value, float) else str(value))}"
        for key, value in options.items()
        if value is not None
    )
    return f"dcgan study {name}{words}"
