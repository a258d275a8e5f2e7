"""Does the sharpness of walks tell a model that copies from one that does not?

    python benchmarks/sharpness.py

The small clothes of `doctor.py` (14×14), 38,400 images seen each, of 20 and of 100 pictures, with augmentation and
without, and of the whole set. 40 legs between designs of each model, in the features of `fixed`.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from dcgan.analysis.latent.points import designs
from dcgan.analysis.latent.walk import measured, through
from dcgan.evaluation.extractors import extractor
from dcgan.run import Run
from doctor import CASES, folder_name, make

LEGS, SHARP = 40, 3.0
TRAINED = {
    "all 60,000": (0, "none"),
    "100, augmented": (100, "translation,cutout"),
    "100": (100, "none"),
    "20, augmented": (20, "translation,cutout"),
    "20": (20, "none"),
}
"""What it learned from: how many pictures (0: all), and the policy."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--runs", type=Path, default=Path("runs/sharpness"), help="a run that is there is kept"
    )
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    base = CASES["20 images"]
    for name, (few, policy) in TRAINED.items():
        CASES[name] = replace(base, few=few, settings={**base.settings, "augment": policy})
    make(list(TRAINED), [options.seed], options.runs)
    features = extractor("fixed")
    print(
        f"| pictures | median sharpness of {LEGS} legs | nine tenths below | above {SHARP:g} |\n|---|---:|---:|---:|"
    )
    for name in TRAINED:
        model = Run(options.runs / folder_name(name, options.seed)).model(start="last")
        points = designs(model, [(options.seed, index) for index in range(LEGS + 1)])
        found = np.array([leg.value for leg in measured(through(model, points, False), model, features)])
        share = float((found > SHARP).mean())
        print(
            f"| {name} | {np.median(found):.2f} | {np.quantile(found, 0.9):.2f} | {share:.0%} |", flush=True
        )


if __name__ == "__main__":
    main()
