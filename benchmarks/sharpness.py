"""Does the sharpness of walks tell a model that copies from one that does not?

    python benchmarks/sharpness.py

The small clothes of `doctor.py` (14×14), 38,400 images seen each, of 20 and of 100 pictures, with augmentation and
without, and of the whole set. 40 legs between designs of each model, in the features of `fixed`; and what the doctor
says.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from dcgan.analysis.doctor.see import see
from dcgan.analysis.latent.points import designs
from dcgan.analysis.latent.walk import measured, through
from dcgan.evaluation.extractors import extractor
from dcgan.run import Run
from doctor import CASES, data_of, folder_name, make

LEGS, SHARP = 40, 3.0
POLICIES = ("translation,cutout", "translation", "none")
TRAINED = {"all": (0, "none")} | {
    f"{few} {policy}": (few, policy) for few in (100, 20) for policy in POLICIES
}
"""What it learned from: how many pictures (0: all), and the policy of `augment`."""


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
        f"| learned from | median sharpness of {LEGS} legs | nine tenths below | above {SHARP:g} | doctor |"
    )
    print("|---|---:|---:|---:|---|")
    for name in TRAINED:
        run = Run(options.runs / folder_name(name, options.seed))
        model = run.model(start="last")
        points = designs(model, [(options.seed, index) for index in range(LEGS + 1)])
        found = np.array([leg.value for leg in measured(through(model, points, False), model, features)])
        said = [f"{one.finding} {one.sure:.2f}" for one in see(run, data=data_of(CASES[name])).diagnoses]
        row = [f"{np.median(found):.2f}", f"{np.quantile(found, 0.9):.2f}", f"{(found > SHARP).mean():.0%}"]
        print(f"| {name} | {' | '.join(row)} | {', '.join(said) or '–'} |", flush=True)


if __name__ == "__main__":
    main()
