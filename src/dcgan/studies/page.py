"""The page of a study: its head, which says first how far it is from the paper, its tables, and its pictures."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dcgan.files import is_file, make_folder, open_file, write_atomic, write_json
from dcgan.studies.study import Study
from dcgan.version import __version__

if TYPE_CHECKING:
    from dcgan.studies.done import Done
    from dcgan.studies.measuring import Point

REMARKS = "remarks.md"
"""What a person who looked at the pictures wrote, in the folder of the pictures: taken over as it is."""


class Page:
    """`DIR/NAME.md` and the pictures in `DIR/NAME/`."""

    def __init__(self, study: Study, out: Path) -> None:
        self.study = study
        self.file = out / f"{study.name}.md"
        self.folder = make_folder(out / study.name)

    def picture(self, name: str, png: bytes, alt: str) -> str:
        """Write a picture, and return the Markdown that shows it."""
        write_atomic(self.folder / f"{name}.png", png)
        return f"![{alt}]({self.study.name}/{name}.png)"

    def write(self, done: list[Done], command: str) -> Path:
        """Write the page, and beside its pictures the numbers behind it; return its path."""
        body = self.study.body(self, done)
        parts = [*_head(self.study, done, command), body, *self._remarks(), *_foot(done)]
        write_json(self.folder / "measured.json", [_facts(one) for one in done])
        write_atomic(self.file, "\n\n".join(parts) + "\n")
        return self.file

    def _remarks(self) -> list[str]:
        path = self.folder / REMARKS
        if not is_file(path):
            return []
        with open_file(path) as file:
            return ["## Looked at", file.read().decode("utf-8", "replace").strip()]


def table(head: Sequence[str], rows: Sequence[Sequence[str]], numeric: bool = False) -> str:
    """A Markdown table; with `numeric`, every column but the first is aligned to the right."""
    rule = ["---", *(["---:" if numeric else "---"] * (len(head) - 1))]
    lines = [head, rule, *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def number(value: float | None, digits: int = 3) -> str:
    """A measured number with `digits` that count; a dash for none."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.{digits}g}"


def scores_table(rows: Sequence[tuple[str, dict[str, Any]]]) -> str:
    """One row a result: name, and its scores with the floor of the last one below."""
    keys = ("frechet", "kid", "precision", "recall", "density", "coverage", "balance", "ms_ssim")
    head = (
        "",
        "Fréchet",
        "KID × 1000",
        "precision",
        "recall",
        "density",
        "coverage",
        "class balance",
        "MS-SSIM",
    )
    body = [[name, *(_score(scores, key) for key in keys)] for name, scores in rows]
    last = rows[-1][1] if rows else {}
    floor = {
        **last.get("floor", {}),
        "balance": last.get("balance_data"),
        "ms_ssim": last.get("ms_ssim_data"),
    }
    if last.get("floor"):
        body.append(["real pictures (floor)", *(_score(floor, key) for key in keys)])
    return table(head, body, numeric=True)


def swing(points: list[Point]) -> str:
    """Last over best, and how often it got worse."""
    distances = [point.scores["frechet"] for point in points]
    if len(distances) < 2:
        return "One checkpoint was kept: nothing can be said of oscillation."
    best = min(distances)
    rises = sum(later > earlier for earlier, later in itertools.pairwise(distances))
    threshold = "above" if distances[-1] > 1.3 * best else "below"
    return (
        f"Last over best: {distances[-1] / best:.2f} ({threshold} 1.3, where this project calls it oscillation "
        f"when it lasts for three evaluations); the distance rose {rises} times in {len(distances) - 1}."
    )


def shortfall(done: Sequence[Done]) -> str:
    """The page's first sentence: how much of the paper's budget was spent here."""
    shares = [one.reached[0] / one.plan.images for one in done]
    if min(shares) >= 1:
        return "Every run saw at least as many images as the paper's."
    low, high = min(shares), max(shares)
    span = (
        f"{_percent(low)} %" if _percent(low) == _percent(high) else f"{_percent(low)} to {_percent(high)} %"
    )
    return (
        f"**Not the paper's budget: each run saw {span} of the images that the paper's did.** What is measured "
        "below is how these models begin. It neither reproduces the paper's results nor contradicts them."
    )


def _percent(share: float) -> str:
    """Two digits, and all of them from 100 on."""
    return f"{100 * share:.2g}" if share < 0.995 else f"{100 * share:.0f}"


def _score(scores: dict[str, Any], key: str) -> str:
    value = scores.get(key)
    return number(1000 * value if key == "kid" and value is not None else value)


def _head(study: Study, done: list[Done], command: str) -> list[str]:
    rows = []
    for one in done:
        images, epochs, seconds = one.reached
        rows.append(
            [
                f"`{one.plan.name}`",
                one.plan.title,
                one.plan.budget,
                f"{images:,} images, {epochs:.2f} epochs, {seconds / 60:.0f} min",
                f"{_percent(images / one.plan.images)} %",
            ]
        )
    commands = "\n".join(_command(one) for one in done)
    return [
        f"# {study.title}",
        shortfall(done),
        f"{study.question} Published by {study.paper}.",
        f"```sh\n{command}\n```",
        "Stopped at any time, the same command goes on; what is trained and scored is not done again. The runs "
        "alone:",
        f"```sh\n{commands}\n```",
        "## Budget",
        table(("run", "what", "the paper's budget", "here", "share"), rows),
        *_other_pictures(done),
        "## What the paper says",
        table(("what", "published", "where"), [[p.what, p.value, p.where] for p in study.numbers]),
        "## Where this is not the paper's protocol",
        "\n".join(f"- {sentence}" for sentence in study.differs),
    ]


def _command(one: Done) -> str:
    """How `dcgan train` makes this run, with the budget that it has had."""
    recipe = one.run.recipe
    budget = next(key for key in ("epochs", "images", "minutes") if getattr(recipe, key))
    value = getattr(recipe, budget)
    data = one.run.data
    other = data["name"] != one.plan.data
    command = one.plan.command(
        str(data.get("path", data["name"])) if other else one.plan.data, data["images"]
    )
    return f"{command} --name {one.plan.name} --{budget} {value if budget == 'images' else f'{value:g}'}"


def _other_pictures(done: list[Done]) -> list[str]:
    """The sentence that says so when a study ran on other pictures than the paper."""
    names = dict.fromkeys(one.run.data["name"] for one in done if one.run.data["name"] != one.plan.data)
    return [f"**Run on other pictures than the paper's: {', '.join(names)}.**"] if names else []


def _foot(done: list[Done]) -> list[str]:
    scores = [point.scores for one in done for point in one.points]
    lines = []
    for sha256 in dict.fromkeys(score["extractor_sha256"] for score in scores):
        first = next(score for score in scores if score["extractor_sha256"] == sha256)
        accuracy = first.get("extractor_facts", {}).get("test_accuracy")
        told = f", {100 * accuracy:.1f} % right on the test split" if isinstance(accuracy, float) else ""
        lines.append(
            f"- Scores: extractor `{first['extractor']}`, sha256 {sha256[:16]}{told}; {first['n']:,} designs "
            f"of seed {first['seed']} against {first['n_real']:,} pictures of {first['data']} "
            f"({first['split']} split, sha256 {first['data_sha256'][:16]}); floor: {first.get('floor_n', 0):,} "
            f"other pictures ({first.get('floor_of') or 'none'}). A Fréchet distance of this extractor is not "
            "the FID."
        )
    for facts in dict.fromkeys(_machine(one) for one in done):
        names = ", ".join(f"`{one.plan.name}`" for one in done if _machine(one) == facts)
        lines.append(f"- {names}: {facts}.")
    now = datetime.now(UTC).date().isoformat()
    lines.append(
        f"- Page written {now} by dcgan {__version__}; the numbers behind it are in `measured.json` beside the "
        "pictures. Grids show the first designs of a seed, or the samples of the run's fixed z; none is "
        "chosen."
    )
    return ["## How it was measured", "\n".join(lines)]


def _machine(one: Done) -> str:
    starts = [entry for entry in one.run.journal() if entry["event"] in ("start", "resume")]
    kinds = dict.fromkeys(
        f"dcgan {entry['version']}, torch {entry['torch']}, {entry['hardware']}, {entry['threads']} thread"
        f"{'s' * (entry['threads'] != 1)}, {entry['precision']}"
        for entry in starts
    )
    days = sorted({entry["time"][:10] for entry in starts})
    return f"{' and '.join(kinds)}; trained {' to '.join(dict.fromkeys((days[0], days[-1])))}"


def _facts(one: Done) -> dict[str, Any]:
    images, epochs, seconds = one.reached
    return {
        "run": one.plan.name,
        "command": _command(one),
        "images": images,
        "epochs": epochs,
        "seconds": seconds,
        "ended": one.ended,
        "points": [
            {"step": p.step, "images": p.images, "seconds": p.seconds, "scores": p.scores} for p in one.points
        ],
        "verdict": dict(one.verdict),
    }
