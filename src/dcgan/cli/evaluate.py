"""`dcgan evaluate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dcgan.cli.generate import From
from dcgan.cli.lists import Json
from dcgan.cli.screen import progress, say, tell
from dcgan.cli.train import RunsDir

if TYPE_CHECKING:
    from dcgan.evaluation.scores import Scores


def evaluate(
    what: Annotated[
        str,
        typer.Argument(metavar="RUN|MODEL|FOLDER", help="A run, a model, or a folder or zip of pictures."),
    ],
    data: Annotated[
        str | None, typer.Option(help="The real pictures: a named set or a path. [default: the run's own]")
    ] = None,
    extractor: Annotated[
        str,
        typer.Option(help="What sees the pictures: domain, fixed, pixels, or inception (the FID's)."),
    ] = "domain",
    n: Annotated[
        int, typer.Option("-n", help="Designs, and real pictures; fewer where the data is smaller.")
    ] = 10_000,
    split: Annotated[str, typer.Option(help="Which real pictures: train, test or all.")] = "train",
    seed: Annotated[int, typer.Option(help="Seed of the designs and of every draw.")] = 0,
    from_: From = "best",
    accuracy: Annotated[
        bool,
        typer.Option(
            "--accuracy-score", help="Train a classifier on the designs alone, and test it on real pictures."
        ),
    ] = False,
    as_json: Json = False,
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Score designs against real pictures: Fréchet distance, KID, precision, recall, density, coverage, classes.

    Each score stands beside its floor, what other real pictures score, and names its extractor: a Fréchet distance is
    comparable only with one of the same extractor and n. The domain extractor is a small classifier of the labelled
    set, trained once and kept in the cache; only the one of inception is called FID. The scores of a run are kept in
    RUN/evaluation and shown in its report.

    \b
    Examples:
      dcgan evaluate shoes
      dcgan evaluate fashion-mnist -n 2000 --accuracy-score
      dcgan evaluate ./new-shoes --data ./shoes --extractor fixed
    """
    from dcgan.judge import evaluate as judge
    from dcgan.subject import redraw

    with progress("pictures") as update:
        scores = judge(
            what,
            data=data,
            extractor=extractor,
            n=n,
            seed=seed,
            split=split,
            start=from_,
            accuracy=accuracy,
            runs_dir=runs_dir,
            tell=tell,
            progress=update,
        )
    if as_json:
        say(json.dumps(scores.to_dict(), ensure_ascii=False))
        redraw(what, runs_dir)
        return
    for line in lines(scores):
        say(line)
    redraw(what, runs_dir, say)


def lines(scores: Scores) -> list[str]:
    """The scores as a person reads them: a head, then a line each with its floor and what it means."""
    which = (
        f", step {scores.step:,} ({scores.checkpoint})"
        if scores.step is not None and scores.checkpoint
        else ""
    )
    told = [
        f"{scores.of}{which} against {scores.data}, {scores.split} split: {scores.n:,} designs, {scores.n_real:,} real "
        f"pictures, seed {scores.seed}",
        f"extractor {_extractor(scores)}",
        f"floor     {scores.floor_n:,} real pictures of {scores.floor_of}" if scores.floor else "floor     –",
        "",
        f"{'':22}{'designs':>12}{'floor':>12}",
    ]
    name = "FID" if scores.extractor == "inception" else f"Fréchet ({scores.extractor})"
    rows: list[tuple[str, float | None, float | None, str]] = [
        (name, scores.frechet, scores.floor.get("frechet"), "lower is better"),
        (
            "KID × 1000",
            _thousand(scores.kid),
            _thousand(scores.floor.get("kid")),
            f"0 at best; the designs' ± {1000 * scores.kid_spread:.3g}",
        ),
        *(
            (key, getattr(scores, key), scores.floor.get(key), words)
            for key, words in (
                ("precision", "are they good?"),
                ("recall", "is everything made?"),
                ("density", "about 1 at best"),
                ("coverage", "is everything near a design?"),
            )
        ),
        ("MS-SSIM in a class", scores.ms_ssim, scores.ms_ssim_data, "higher is less varied"),
        ("class balance", scores.balance, scores.balance_data, "1 is even"),
        ("class distance", scores.class_distance, None, "0 as the data, 1 none alike"),
        (
            "label fidelity",
            scores.fidelity,
            scores.labeller_accuracy,
            "is it what was asked for?",
        ),
        ("accuracy score", scores.accuracy_score, scores.accuracy_score_real, "trained on designs alone"),
    ]
    told += [
        f"{name:22}{_number(value):>12}{_number(floor):>12}   {words}"
        for name, value, floor, words in rows
        if value is not None
    ]
    return told + [f"note: {note}" for note in scores.notes]


def _extractor(scores: Scores) -> str:
    facts = scores.extractor_facts
    accuracy = facts.get("test_accuracy")
    told = f", test accuracy {accuracy:.1%}" if isinstance(accuracy, float) else ""
    told += (
        ", which learned clusters of pixels, not labels" if "cluster" in str(facts.get("labels", "")) else ""
    )
    return f"{scores.extractor}, sha256 {scores.extractor_sha256[:12]}{told}"


def _thousand(value: float | None) -> float | None:
    return None if value is None else 1000 * value


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"
