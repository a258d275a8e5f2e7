"""Is a run better the longer it trains, for an hour, and does none collapse? Scored on the way.

    OMP_NUM_THREADS=1 python benchmarks/hour.py --seeds 0,2,4 --json hour.jsonl --plot hour.png
    OMP_NUM_THREADS=1 python benchmarks/hour.py --seeds 1,3 --json hour.jsonl    # beside it, on the other core

Each seed is an ordinary run (`hour-SEED` in --runs-dir), trained to one mark after the other and scored there as
`benchmarks/search.py` scores: 10,000 designs of the newest averaged generator. Ended at any time and called again, it
goes on where it stopped. --images are what two idle cores see in an hour; the marks are what they see in 1, 2, 4, 8,
15, 30 and 45 minutes of it.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

import dcgan
from dcgan.data import Dataset, open_dataset
from dcgan.errors import DcganError
from dcgan.files import write_json
from dcgan.run import Run
from search import DESIGNS, Judge, plot, table

MINUTES = (1, 2, 4, 8, 15, 30, 45, 60)
EVERY = 300.0
"""Seconds from one check-up to the next: the doctor is to see each run, and the run is not to wait for it."""


def trained(seed: int, images: int, data: Dataset, runs: Path) -> Run:
    """The run of a seed, begun or continued until it has seen `images`."""
    folder = runs / f"hour-{seed}"
    if not folder.exists():
        settings = {"evaluate_every": EVERY}
        return dcgan.train(
            data, name=folder.name, labels=False, images=images, seed=seed, settings=settings, runs_dir=runs
        )
    run = Run(folder)
    kept = [entry["images"] for entry in run.journal() if entry["event"] == "checkpoint"]
    return run if kept and kept[-1] >= images else dcgan.resume(run, images=images, data=data)


def scored(run: Run, judge: Judge) -> dict[str, Any]:
    """Images, seconds of training and scores of a run as it stands; and what the doctor said against it until then."""
    model = run.model(start="last")
    designs = model.generate(DESIGNS, seed=1).images.transpose(0, 3, 1, 2)
    told = sorted({entry["finding"] for entry in run.journal() if entry["event"] == "doctor"})
    place = {"images": model.facts["images"], "seconds": round(model.facts["seconds"], 1)}
    return {**place, **judge(np.ascontiguousarray(designs)), "doctor": told}


def follow(seed: int, data: Dataset, judge: Judge, options: argparse.Namespace) -> None:
    """Train and score one seed to its last mark. Its points are kept beside its run after each of them."""
    file = options.runs_dir / f"hour-{seed}.json"
    points = json.loads(file.read_text("utf-8")) if file.exists() else []
    for minutes in MINUTES[len(points) :]:
        run = trained(seed, math.ceil(options.images * minutes / MINUTES[-1]), data, options.runs_dir)
        points.append({"at": minutes, **scored(run, judge)})
        write_json(file, points)
        print(f"seed {seed}, {points[-1]}", flush=True)


def lines(runs: Path) -> list[dict[str, Any]]:
    """All that was found so far, a line a seed, as `search.py` keeps it: marks are numbers of images."""
    found = []
    for file in sorted(runs.glob("hour-*.json")):
        points = [{**point, "at": point["images"]} for point in json.loads(file.read_text("utf-8"))]
        run = Run(file.with_suffix(""))
        began = run.journal()[0]
        place = {name: began[name] for name in ("threads", "device", "precision")}
        found.append({"data": run.data["name"], "recipe": "now", "seed": int(file.stem[5:]), "by_images": True,
                      **place, "points": points})  # fmt: skip
    return found


def with_others(found: list[dict[str, Any]], file: Path) -> list[dict[str, Any]]:
    """What was found, and of what the file has, by this program or `search.py`, the runs that these are not."""
    kept = [json.loads(text) for text in file.read_text("utf-8").splitlines()] if file.exists() else []

    def run(line: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(line.get(name) for name in ("data", "recipe", "seed", "device"))

    mine = {run(line) for line in found}
    return found + [line for line in kept if run(line) not in mine]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="fashion-mnist")
    parser.add_argument("--seeds", default="0,1,2,3,4", help="one after the other; none for the table alone")
    parser.add_argument("--images", type=int, default=3_945_600, help="what an hour of two idle cores is")
    parser.add_argument("--runs-dir", type=Path, default=Path("runs"))
    parser.add_argument(
        "--json", type=Path, help="keep the points of all seeds so far in this file, a line a seed"
    )
    parser.add_argument("--plot", type=Path, help="draw them to this PNG")
    options = parser.parse_args()
    seeds = options.seeds.split(",") if options.seeds else []
    if wrong := [word for word in seeds if not word.isdecimal()]:
        parser.error(f"--seeds: '{wrong[0]}' is no whole number: expected some like 0,2,4")
    if options.images < 1:
        parser.error(f"--images is {options.images}: must be 1 or more")
    try:
        if seeds:
            data = open_dataset(options.data)
            judge = Judge(data, open_dataset(options.data, split="test"))
        for seed in map(int, seeds):
            follow(seed, data, judge, options)
        found = lines(options.runs_dir)
    except DcganError as error:
        parser.exit(error.status, f"hour.py: {error}\n")
    if options.json:
        found = with_others(found, options.json)
        options.json.write_text("".join(json.dumps(line) + "\n" for line in found), encoding="utf-8")
    print(table(found))
    if options.plot:
        plot(found, options.plot)


if __name__ == "__main__":
    main()
