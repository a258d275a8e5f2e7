"""Train each published model once and lay down what was seen: `python benchmarks/published.py train NAME …`.

python benchmarks/published.py list                      the runs and their commands
python benchmarks/published.py train fashion-2020        train one (or several, or all) into --runs-dir
python benchmarks/published.py collect                   grids and table of the runs there are, for docs/results
python benchmarks/published.py time                      seconds an epoch of every preset, alone on this machine
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import dcgan
from dcgan.data.dataset import Dataset
from dcgan.pictures import png, sheet
from dcgan.presets import PRESETS
from dcgan.recipe import Recipe
from dcgan.training.engine import Engine
from dcgan.training.trainer import Trainer

RESULTS = Path(__file__).parents[1] / "docs" / "results" / "published"
SHOWN, EPOCH = 64, {1: 60_000, 3: 3_786}
"""Images on a grid; images in an epoch of the data that a grey or a colour model is trained on here."""


@dataclass(frozen=True)
class Trial:
    """One run: a preset on data for some minutes, with switches."""

    data: str
    preset: str
    minutes: float
    settings: tuple[str, ...] = ()

    def command(self, name: str) -> str:
        """What to type."""
        words = "".join(f" --set {setting}" for setting in self.settings)
        return (
            f"dcgan train {self.data} --preset {self.preset} --minutes {self.minutes:g} --name {name}{words}"
        )


SIGMOID = ("head=sigmoid", "objective=bce-probability")
DEEP = ("g_layers=4", "d_layers=4")
DCGAN_ADAM = ("g_lr=2e-4", "d_lr=2e-4", "beta1=0.5")

TRIALS = {
    "fashion-2020": Trial("fashion-mnist", "fashion-2020", 50),
    "mnist-2018": Trial("mnist", "mnist-2018", 24),
    "mnist-2018-prose": Trial("mnist", "mnist-2018", 10, ("variant=prose", "d_batches=separate")),
    "mnist-gan-2018": Trial("mnist", "mnist-gan-2018", 4),
    "pytorch-64": Trial("emoji", "pytorch-64", 40),
    "paper-64": Trial("emoji", "paper-64", 65),
    "paper-64-batch-16": Trial("emoji", "paper-64", 69, ("batch=16",)),
    "fashion-maxpool": Trial("fashion-mnist", "fashion-maxpool", 64),
    "maxpool-no-bn": Trial("fashion-mnist", "fashion-maxpool", 3, ("batch_norm=none",)),
    "maxpool-bn-sigmoid": Trial(
        "fashion-mnist", "fashion-maxpool", 3, ("batch_norm=everywhere", "output=sigmoid", *SIGMOID)
    ),
    "maxpool-deep-g": Trial("fashion-mnist", "fashion-maxpool", 3, ("g_layers=4",)),
    "maxpool-deep-flat-sigmoid": Trial(
        "fashion-mnist", "fashion-maxpool", 3, (*DEEP, "pool=flatten", *SIGMOID)
    ),
    "maxpool-deep-max": Trial("fashion-mnist", "fashion-maxpool", 3, DEEP),
    "maxpool-deep-max-dcgan-adam": Trial("fashion-mnist", "fashion-maxpool", 3, (*DEEP, *DCGAN_ADAM)),
}
"""In the order of the papers; the maxpool ones are the ablations of its "other experiments"."""


def train(names: list[str], runs: Path) -> None:
    for name in names or TRIALS:
        trial = TRIALS[name]
        settings = {
            key: getattr(_recipe(trial), key) for key in (s.partition("=")[0] for s in trial.settings)
        }
        print(trial.command(name), flush=True)
        dcgan.train(
            trial.data,
            preset=trial.preset,
            name=name,
            labels=False,
            minutes=trial.minutes,
            runs_dir=runs,
            settings=settings,
        )


def _recipe(trial: Trial) -> Recipe:
    return PRESETS[trial.preset].recipe.with_settings(trial.settings)


def collect(runs: Path) -> None:
    """Grids, and a table with the last losses and scores, of every run in `runs` that a trial names."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    rows = []
    for name, trial in TRIALS.items():
        if not (runs / name / "recipe.json").is_file():
            print(f"{name}: no run in {runs}")
            continue
        run = dcgan.load(runs / name)
        assert isinstance(run, dcgan.Run)
        grid = run.generate(SHOWN, seed=0).images
        facts = summary(run)
        caption = f"{name}: {facts['images']:,} images seen, epoch {facts['epoch']:.1f}, not chosen"
        (RESULTS / f"{name}.png").write_bytes(png(sheet(grid, caption=caption, per_row=16)))
        rows.append({"name": name, "command": trial.command(name), **facts})
    (RESULTS / "runs.json").write_text(json.dumps(rows, indent=2) + "\n")
    print("| run | images | epochs | s/epoch | loss D | loss G | D on real | D on fake |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for row in rows:
        last = " | ".join(f"{row[key]:.4f}" for key in ("loss_d", "loss_g", "real_score", "fake_score"))
        print(
            f"| `{row['name']}` | {row['images']:,} | {row['epoch']:.2f} | {row['epoch_seconds']:.0f} | {last} |"
        )


def summary(run: dcgan.Run) -> dict[str, Any]:
    """How far the run came, and the means of its last tenth."""
    intervals = [entry for entry in run.journal() if entry["event"] == "interval"]
    last = intervals[-1]
    tail = intervals[-max(1, len(intervals) // 10) :]
    means = {
        key: float(np.mean([entry[key] for entry in tail]))
        for key in ("loss_d", "loss_g", "real_score", "fake_score")
    }
    start = next(entry for entry in run.journal() if entry["event"] == "start")
    return {
        "images": last["images"],
        "epoch": last["epoch"],
        "seconds": last["seconds"],
        "epoch_seconds": last["seconds"] / last["epoch"],
        **means,
        **{key: start[key] for key in ("hardware", "threads", "precision", "torch", "time")},
    }


def measure() -> None:
    """Images a second and seconds an epoch of every published preset, noise for images, nothing else running."""
    engine = Engine.choose()
    print(engine.describe())
    draw = np.random.default_rng(0)
    for name, row in PRESETS.items():
        if row.labels:
            continue
        shape = (2 * row.recipe.batch, row.channels, row.size, row.size)
        data = Dataset("noise", draw.integers(0, 256, shape, dtype=np.uint8))
        trainer = Trainer(row.recipe.for_data(data.size, data.channels, 0), data, engine)
        trainer.advance(), trainer.advance()
        before, steps = time.monotonic(), 0
        while steps < 2 or time.monotonic() - before < 8:
            trainer.advance()
            steps += 1
        rate = steps * row.recipe.batch / (time.monotonic() - before)
        size = EPOCH[row.channels]
        print(
            f"{name:16} {rate:8.1f} images/s  {size / rate:7.0f} s an epoch of {size:,}  "
            f"{steps / (time.monotonic() - before):.2f} steps/s"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("list", "train", "collect", "time"))
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--runs-dir", type=Path, default=Path("runs"))
    arguments = parser.parse_args()
    unknown = set(arguments.names) - TRIALS.keys()
    if unknown:
        parser.error(f"unknown run {sorted(unknown)[0]}: known are {', '.join(TRIALS)}")
    if arguments.what == "list":
        print("\n".join(trial.command(name) for name, trial in TRIALS.items()))
    elif arguments.what == "train":
        train(arguments.names, arguments.runs_dir)
    elif arguments.what == "collect":
        collect(arguments.runs_dir)
    else:
        measure()


if __name__ == "__main__":
    main()
