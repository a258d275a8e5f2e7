"""How many pictures does it take, and what does augmentation give where they are few?

    python benchmarks/few_pictures.py --pictures 300,1000,3000 --images 128000 --json few.jsonl --grid few

For each number, so many pictures of the set are drawn, `fast-28` is trained on them under each policy of `augment`, and
its designs are scored as in search.py: 10,000 against 10,000 of the whole set, most of which it has never seen. Beside
the Fréchet distance: recall; precision; and what share of the designs is as alone with one training picture as the 5 %
most alone of unseen pictures are (docs/duplicates.md): 5 % without copying. A run that is in --json is not done again.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcgan.analysis.memorization import memorization
from dcgan.data import Dataset, open_dataset
from dcgan.pictures import grid, png
from dcgan.presets import PRESETS, preset_for
from search import Judge, follow, trained

COMPARED = 2_000
"""Designs, and unseen pictures, whose nearest training picture is looked for."""
SHOWN, SCALE = 40, 2
POLICIES = ("none", "translation", "translation,cutout", "color,translation,cutout")


class Copies(Judge):
    """A judge that also knows what was learned from."""

    def __init__(self, data: Dataset, test: Dataset, learned: Dataset) -> None:
        super().__init__(data, test)
        self.learned = self.extractor(learned.images)
        self.unseen = self.extractor(np.ascontiguousarray(test.images[:COMPARED]))

    def scores(self, features: NDArray[np.float32]) -> dict[str, float]:
        found = memorization(features[:COMPARED], self.learned, self.unseen)
        return {**super().scores(features), "alone": round(found.isolated, 4), "ratio": round(found.ratio, 4)}


def some(data: Dataset, count: int) -> Dataset:
    """`count` pictures, the same for the same set, without labels."""
    chosen = np.sort(np.random.default_rng(1).permutation(len(data))[:count])
    return Dataset(f"{count:,} of {data.name}", np.ascontiguousarray(data.images[chosen]))


def table(lines: list[dict[str, Any]]) -> str:
    """Markdown: a row a run, at the end of it; and the Fréchet distance at each mark before."""
    marks = sorted({point["at"] for line in lines for point in line["points"]})
    rows = [
        "| pictures | augment | "
        + " | ".join(f"Fréchet at {mark:,.0f} images" for mark in marks)
        + " | precision | recall | alone with one picture |",
        "|---:|---|" + "---:|" * (len(marks) + 3),
    ]
    for line in sorted(lines, key=lambda one: (one["pictures"], POLICIES.index(one["augment"]), one["seed"])):
        by = {point["at"]: point for point in line["points"]}
        last = line["points"][-1]
        rows.append(
            f"| {line['pictures']:,} | {line['augment']} | "
            + " | ".join(f"{by[mark]['frechet']:.1f}" if mark in by else "" for mark in marks)
            + f" | {last['precision']:.2f} | {last['recall']:.2f} | {last['alone']:.0%} |"
        )
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="fashion-mnist", help="a named set with a test split")
    parser.add_argument("--pictures", default="300,1000,3000", help="numbers, with commas")
    parser.add_argument("--policies", default=";".join(POLICIES), help="of augment, with semicolons")
    parser.add_argument("--images", type=int, default=128_000, help="seen by each run")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, required=True, help="results, a line a run, are added here")
    parser.add_argument("--grid", type=Path, help="folder for a PNG of designs of each run")
    options = parser.parse_args()
    done = (
        [json.loads(text) for text in options.json.read_text("utf-8").splitlines()]
        if options.json.exists()
        else []
    )
    data, test = open_dataset(options.data), open_dataset(options.data, split="test")
    row = PRESETS[preset_for(data.size)].recipe.for_data(data.size, data.channels, 0)
    for pictures in map(int, options.pictures.split(",")):
        learned = some(data, pictures)
        judge = Copies(data, test, learned)
        for policy in options.policies.split(";"):
            key = {
                "data": data.name,
                "pictures": pictures,
                "augment": policy,
                "seed": options.seed,
                "images": options.images,
            }
            if any(key.items() <= line.items() for line in done):
                continue
            print(f"{pictures:,} pictures, augment={policy}", flush=True)
            runner = trained(row.with_changes({"augment": policy, "seed": options.seed}), learned)
            marks = [options.images / 2**k for k in range(3, -1, -1)]
            done.append({**key, "points": follow(runner, judge, marks, by_images=True)})
            with options.json.open("a", encoding="utf-8") as file:
                file.write(json.dumps(done[-1]) + "\n")
            if options.grid:
                options.grid.mkdir(parents=True, exist_ok=True)
                designs = runner.designs(SHOWN).transpose(0, 2, 3, 1)
                (options.grid / f"{pictures}-{policy.replace(',', '-')}.png").write_bytes(
                    png(grid(designs, 10), SCALE)
                )
    print(table([line for line in done if line["data"] == data.name]))


if __name__ == "__main__":
    main()
