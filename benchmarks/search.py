"""Which recipe makes good pictures soonest? Quality against seconds of training, over seeds, as a table and a curve.

    python benchmarks/search.py --recipes now,sketch --seeds 0,1,2 --seconds 240
    python benchmarks/search.py --set "batch 32:batch=32" --set "no mix:g_mix=0" --images 30000

Each recipe is trained from new for each seed, and scored when it has trained for 15, 30, 60, 120, 240 … seconds: 10,000
designs of the averaged generator against 10,000 pictures of the training split, in the features of a classifier that
learned the set (`domain`). The clock runs while it trains and stands still while it is scored. With --images the marks
are numbers of images, so that a busy machine changes nothing but the wait. Results are added to --json as lines, and
--plot draws all that are in it.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dcgan.data import Dataset, open_dataset
from dcgan.errors import DcganError
from dcgan.evaluation.checkup import generated_images
from dcgan.evaluation.extractors.domain import Domain, domain_extractor
from dcgan.evaluation.metrics.frechet import frechet_between, moments
from dcgan.evaluation.metrics.manifold import Manifold
from dcgan.presets import PRESETS, preset, preset_for
from dcgan.recipe import Recipe
from dcgan.training.engine import Engine, to_uint8
from dcgan.training.trainer import Trainer
from speed.sketch import BATCH, Z_DIM, Sketch

DESIGNS, ON_MANIFOLD = 10_000, 5_000
MARKS = (15, 30, 60, 120, 240, 480, 960, 1800, 3600)
BEFORE = {
    "g_maps": 32, "d_maps": 32, "g_mix": 0, "paint": "pixels", "batch": 32, "gamma": 0.1, "g_lr": 5e-4, "d_lr": 5e-4,
    "anneal": 0,
}  # fmt: skip
"""`fast-*` as they were before the search."""


@dataclass
class Runner:
    """A training that can be advanced and looked at. batch: images a step. designs: uint8 (n, C, H, W) on request."""

    batch: int
    advance: Callable[[], object]
    designs: Callable[[int], NDArray[np.uint8]]


class Judge:
    """Scores designs of one data set."""

    def __init__(self, data: Dataset, test: Dataset | None) -> None:
        self.extractor: Domain = domain_extractor(data, test)
        chosen = np.sort(np.random.default_rng(0).permutation(len(data))[:DESIGNS])
        features = self.extractor(np.ascontiguousarray(data.images[chosen]))
        self.moments, self.manifold = moments(features), Manifold(features[:ON_MANIFOLD])

    def __call__(self, images: NDArray[np.uint8]) -> dict[str, float]:
        return self.scores(self.extractor(images))

    def scores(self, features: NDArray[np.float32]) -> dict[str, float]:
        """Of designs by their features."""
        found = self.manifold.scores(features[:ON_MANIFOLD])
        return {
            "frechet": round(frechet_between(self.moments, moments(features)), 3),
            **{
                name: round(getattr(found, name), 4)
                for name in ("precision", "recall", "density", "coverage")
            },
        }


def trained(recipe: Recipe, data: Dataset) -> Runner:
    """A recipe of dcgan, in its precision."""
    trainer = Trainer(recipe, data, Engine.choose(recipe.precision))
    return Runner(recipe.batch, trainer.advance, lambda count: generated_images(trainer, count, seed=1))


def sketch(data: Dataset, seed: int, engine: Engine) -> Runner:
    """The first sketch of `fast-28`, eager: hinge, spectral norm, batch 64."""
    torch.manual_seed(seed)
    images = torch.from_numpy(np.array(data.images)).float() / 127.5 - 1
    one = Sketch(images, bf16=engine.bf16)

    def designs(count: int) -> NDArray[np.uint8]:
        one.average.eval()
        z = torch.randn(count, Z_DIM, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            made: list[Tensor] = [one.average(part) for part in torch.split(z, 500)]
        return np.ascontiguousarray(to_uint8(torch.cat(made)).transpose(0, 3, 1, 2))

    return Runner(BATCH, one.advance, designs)


def follow(runner: Runner, judge: Judge, marks: list[float], *, by_images: bool) -> list[dict[str, Any]]:
    """Train to the last mark; images, seconds and scores at each."""
    found: list[dict[str, Any]] = []
    images, seconds = 0, 0.0
    while len(found) < len(marks):
        began = time.perf_counter()
        runner.advance()
        seconds += time.perf_counter() - began
        images += runner.batch
        if (images if by_images else seconds) >= marks[len(found)]:
            scores = judge(runner.designs(DESIGNS))
            if not math.isfinite(scores["frechet"]):
                raise SystemExit("search: the scores are not finite: the run has diverged")
            found.append({"at": marks[len(found)], "images": images, "seconds": round(seconds, 2), **scores})
            print(f"    {found[-1]}", flush=True)
    return found


def together(
    runners: dict[str, Runner], judge: Judge, marks: list[float], streams: list[torch.cuda.Stream]
) -> dict[str, list[dict[str, Any]]]:
    """`follow` of several trainings at once, by images: a GPU that one small model keeps busy has room for more.

    They step in turn, each on a stream of its own. Seconds are those of all of them together, scoring not counted.
    """
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in runners}
    images, seconds = dict.fromkeys(runners, 0), 0.0
    for mark in marks:
        began = time.perf_counter()
        while waiting := [name for name in runners if images[name] < mark]:
            for name, stream in zip(runners, streams, strict=True):
                if name in waiting:
                    with torch.cuda.stream(stream):
                        runners[name].advance()
                    images[name] += runners[name].batch
        torch.cuda.synchronize()
        seconds += time.perf_counter() - began
        for name, runner in runners.items():
            point = {"at": mark, "images": images[name], "seconds": round(seconds, 2)}
            found[name].append({**point, **judge(runner.designs(DESIGNS))})
            print(f"    {name}: {found[name][-1]}", flush=True)
    return found


def table(lines: list[dict[str, Any]]) -> str:
    """Markdown: a row a recipe, a column a mark; the mean Fréchet distance over seeds, and the range of several."""
    cells: dict[tuple[str, str, float], list[float]] = defaultdict(list)
    images: dict[tuple[str, str], int] = {}
    for line in lines:
        for point in line["points"]:
            cells[line["data"], line["recipe"], point["at"]].append(point["frechet"])
        key = line["data"], line["recipe"]
        images[key] = max(images.get(key, 0), line["points"][-1]["images"])
    marks = sorted({mark for *_, mark in cells})
    unit = "images" if lines and lines[0]["by_images"] else "s"
    rows = [
        "| data | recipe | seeds | "
        + " | ".join(f"{mark:,.10g} {unit}" for mark in marks)
        + " | images seen |",
        "|---|---|---:|" + "---:|" * (len(marks) + 1),
    ]
    for data, recipe in sorted({(data, recipe) for data, recipe, _ in cells}):
        row = [cells[data, recipe, mark] for mark in marks]
        rows.append(
            f"| {data} | {recipe} | {max(map(len, row))} | "
            + " | ".join(_told(values) for values in row)
            + f" | {images[data, recipe]:,} |"
        )
    return "\n".join(rows)


def _told(values: list[float]) -> str:
    if not values:
        return ""
    mean = f"{statistics.mean(values):.2f}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.2f}–{max(values):.2f})"


def plot(lines: list[dict[str, Any]], file: Path) -> None:
    """Fréchet distance against seconds, or images where they are the marks, both logarithmic; a line a seed."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator

    figure = Figure(figsize=(9, 4.2), layout="constrained")
    axes = figure.add_subplot()
    across = "images" if all(line["by_images"] for line in lines) else "seconds"
    devices = [line.get("device", "cpu") for line in lines]  # the first did not say
    names = [
        f"{line['recipe']}, {line['data']}" + f", {device}" * (len({*devices}) > 1)
        for line, device in zip(lines, devices, strict=True)
    ]
    for number, name in enumerate(dict.fromkeys(names)):
        mine = [line for line, its in zip(lines, names, strict=True) if its == name]
        for line in mine:
            places = [point[across] for point in line["points"]]
            distances = [point["frechet"] for point in line["points"]]
            axes.plot(places, distances, "o-", color=f"C{number}", alpha=0.8, lw=1.4, ms=4,
                      label=name if line is mine[0] else None)  # fmt: skip
    label = "images seen" if across == "images" else "seconds of training"
    axes.set(xscale="log", yscale="log", xlabel=label, ylabel="Fréchet distance (domain)")
    if across == "images":  # the marks of several searches would lie on each other
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:,.0f}")
    else:
        ticks = sorted({point["at"] for line in lines for point in line["points"]})
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.xaxis.set_minor_formatter("")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("")
    axes.grid(alpha=0.3, which="both")
    figure.legend(loc="outside right upper", frameon=False, fontsize=8)
    figure.savefig(file, dpi=150)


def recipes(options: argparse.Namespace, data: Dataset) -> dict[str, Recipe | None]:
    """The recipes asked for by name, for the data's size; None is the sketch, which is no recipe of dcgan."""
    classes = len(data.classes) if options.labels else 0
    row = PRESETS[preset_for(data.size)].recipe
    found: dict[str, Recipe | None] = {}
    for name in filter(None, options.recipes.split(",")):
        if name == "sketch":
            found[name] = None
        elif name in ("now", "before"):
            found[name] = row.with_changes(BEFORE if name == "before" else {}).for_data(
                data.size, data.channels, classes
            )
        else:
            found[name] = preset(name).recipe.for_data(data.size, data.channels, 0)
    for text in options.set or []:
        name, _, settings = text.partition(":")
        found[name] = row.with_settings(settings.split()).for_data(data.size, data.channels, classes)
    return found


def groups(
    wanted: dict[str, Recipe | None], options: argparse.Namespace, engine: Engine
) -> list[list[tuple[str, int, Recipe | None]]]:
    """Which trainings step in turn: on a GPU, by images, all of the fast presets; else each is alone.

    Recordings on several streams share torch's one place for the seed: networks with dropout would draw each other's.
    """
    every = [
        (name, seed, recipe) for seed in map(int, options.seeds.split(",")) for name, recipe in wanted.items()
    ]
    if not options.images or engine.device.type != "cuda":
        return [[one] for one in every]
    fast = [one for one in every if one[2] is not None and one[2].network == "fast"]
    return [group for group in (fast, *([one] for one in every if one not in fast)) if group]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="fashion-mnist", help="a named set, or what `dcgan train` takes")
    parser.add_argument("--labels", action="store_true", help="learn the classes too")
    parser.add_argument(
        "--recipes", default="", help="of now (the fast preset), before, sketch, or presets, with commas"
    )
    parser.add_argument(
        "--set", action="append", metavar="NAME:K=V K=V", help="the fast preset with changes, under a name"
    )
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--precision", choices=("auto", "bf16", "float32"), default="auto")
    parser.add_argument("--seconds", type=float, default=240, help="of training, each")
    parser.add_argument("--images", type=int, help="in place of seconds; marks are halvings of it")
    parser.add_argument("--json", type=Path, help="add the results to this file, a line a run")
    parser.add_argument("--plot", type=Path, help="draw what is in --json to this PNG")
    options = parser.parse_args()
    try:
        search(options)
    except (DcganError, OSError) as error:
        parser.exit(2, f"search.py: {error}\n")


def search(options: argparse.Namespace) -> None:
    """All that was asked for."""
    engine = Engine.choose(options.precision)
    data = open_dataset(options.data)
    wanted = recipes(options, data)
    try:
        test = open_dataset(options.data, split="test") if wanted else None
    except DcganError:  # a folder of pictures has no test split
        test = None
    judge = Judge(data, test) if wanted else None
    last = options.images or options.seconds
    marks = (
        [last / 2**k for k in range(3, -1, -1)] if options.images else [m for m in MARKS if m < last] + [last]
    )
    lines = []
    for group in groups(wanted, options, engine):
        begun = {
            f"{name}, seed {seed}": sketch(data, seed, engine)
            if recipe is None
            else trained(recipe.with_changes({"seed": seed, "precision": options.precision}), data)
            for name, seed, recipe in group
        }
        print("; ".join(begun), flush=True)
        if len(group) == 1:
            (one,) = begun.values()
            followed = [follow(one, judge, marks, by_images=bool(options.images))]  # type: ignore[arg-type]
        else:
            streams = [torch.cuda.Stream() for _ in begun]  # type: ignore[no-untyped-call]
            followed = list(together(begun, judge, marks, streams).values())  # type: ignore[arg-type]
        for (name, seed, recipe), points in zip(group, followed, strict=True):
            line = {"data": data.name + (" with classes" if options.labels and recipe and recipe.classes else ""),
                    "recipe": name, "seed": seed, "by_images": bool(options.images),
                    "threads": torch.get_num_threads(), "device": str(engine.device),
                    "precision": "bf16" if engine.bf16 else "float32", "points": points}  # fmt: skip
            lines.append(line)
            if options.json:
                with options.json.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")
    if options.json:
        lines = [json.loads(text) for text in options.json.read_text("utf-8").splitlines()]
    if lines:
        print(table(lines))
    if options.plot:
        plot(lines, options.plot)


if __name__ == "__main__":
    main()
