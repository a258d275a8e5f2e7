"""Which features stand in for a labeller's where a set has no labels? Each ranks sample sets from good to bad.

    python benchmarks/domain.py fashion-mnist
    python benchmarks/domain.py emoji

Reference: one half of some real pictures. Sample sets: the other half, spoilt step by step in six ways, and, where a
model of the set comes with dcgan, its designs with ever more noise in the generator's weights and ever narrower z.
Each extractor gives every set its Fréchet distance to the reference. Printed is Spearman's rank correlation with the
distance in the features of a classifier trained on the labels: over all sets, and the mean over the ways.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from dcgan.api import PRETRAINED
from dcgan.data import Dataset, open_dataset
from dcgan.evaluation.extractors.domain import domain_extractor
from dcgan.evaluation.extractors.fixed import Fixed
from dcgan.evaluation.metrics.frechet import frechet_distance
from dcgan.model import load_model

Images = NDArray[np.uint8]
STRENGTHS = (0.1, 0.25, 0.5, 0.75, 1.0)


def sample_sets(images: Images, labels: NDArray[np.int64], name: str) -> dict[str, list[Images]]:
    """By way of spoiling, from mild to strong: uint8 NCHW each."""
    draw = np.random.default_rng(0)
    noise = draw.standard_normal(images.shape).astype(np.float32)
    height, width = images.shape[2:]
    at = draw.random((len(images), 2))
    order = draw.permutation(labels.max() + 1)

    def blurred(s: float) -> Images:
        x = torch.from_numpy(images).float()
        side = max(1, round(min(height, width) * (1 - 0.8 * s)))
        small = torch.nn.functional.interpolate(x, (side, side), mode="area")
        back = torch.nn.functional.interpolate(small, (height, width), mode="bilinear")
        return np.asarray(back.round().clamp(0, 255).to(torch.uint8).numpy())

    def covered(s: float) -> Images:
        spoilt = images.copy()
        sides = (round(height * 0.6 * s), round(width * 0.6 * s))
        for image, (down, right) in zip(spoilt, at, strict=True):
            top, left = int(down * (height - sides[0])), int(right * (width - sides[1]))
            image[:, top : top + sides[0], left : left + sides[1]] = 128
        return spoilt

    def moved(s: float) -> Images:
        return np.roll(images, (round(height * 0.3 * s), round(width * 0.3 * s)), (2, 3))

    def pale(s: float) -> Images:
        mean = images.mean((1, 2, 3), keepdims=True, dtype=np.float32)
        return np.asarray((mean + (images - mean) * (1 - 0.9 * s)).round().clip(0, 255).astype(np.uint8))

    def fewer(s: float) -> Images:
        kept = order[: max(1, round(len(order) * (1 - 0.9 * s)))]
        some = np.flatnonzero(np.isin(labels, kept))
        return images[np.resize(some, len(images))]

    ways: dict[str, Callable[[float], Images]] = {
        "noise": lambda s: (images + noise * 120 * s).clip(0, 255).astype(np.uint8),
        "blur": blurred,
        "box": covered,
        "shift": moved,
        "contrast": pale,
        "lost classes": fewer,
    }
    sets = {way: [spoil(s) for s in STRENGTHS] for way, spoil in ways.items()}
    path = PRETRAINED / f"{name}.safetensors"
    if path.is_file():
        sets["noisy weights"] = [designs(path, len(images), s, 1.0) for s in (0.0, *STRENGTHS)]
        sets["narrow z"] = [designs(path, len(images), 0.0, 1 - 0.9 * s) for s in (0.0, *STRENGTHS)]
    return sets


def designs(path: object, count: int, spoilt: float, spread: float) -> Images:
    """Designs of the shipped model, its weights disturbed by `spoilt` of their size, z multiplied by `spread`."""
    model = load_model(PRETRAINED / str(path))
    draw = torch.Generator().manual_seed(0)
    for weights in model.generator.parameters():
        weights.add_(torch.randn(weights.shape, generator=draw) * weights.std(correction=0) * spoilt)
    z = torch.randn(count, model.recipe.z_dim, generator=draw) * spread
    y = torch.arange(count) % len(model.classes)
    with torch.inference_mode():
        made = torch.cat(
            [model.generator(a, b) for a, b in zip(z.split(100), y.split(100), strict=True)]  # type: ignore[no-untyped-call]
        )
    return np.asarray(made.add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8).numpy())


def spearman(a: list[float], b: list[float]) -> float:
    first, second = (np.argsort(np.argsort(values)).astype(float) for values in (a, b))
    return float(np.corrcoef(first, second)[0, 1])


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("data")
    options.add_argument("--images", type=int, default=10_000, help="learned from")
    options.add_argument("-n", type=int, default=2_000, help="in each sample set, and in the reference")
    asked = options.parse_args()
    whole = open_dataset(asked.data)
    assert whole.labels is not None
    order = np.random.default_rng(0).permutation(len(whole))
    n = min(asked.n, len(whole) // 2)
    reference, base = whole.images[order[:n]], order[n : 2 * n]
    some = np.sort(order[: asked.images])
    data = Dataset(whole.name, whole.images[some], whole.labels[some], whole.classes)
    sets = sample_sets(whole.images[base], whole.labels[base], asked.data)
    distances: dict[str, list[list[float]]] = {}
    for name in ("labels", "clusters", "fixed"):
        start = time.process_time()
        extract = (
            Fixed()
            if name == "fixed"
            else domain_extractor(data if name == "labels" else replace(data, labels=None, classes=()))
        )
        trained = time.process_time() - start
        real = extract(reference)
        distances[name] = [[frechet_distance(real, extract(s)) for s in row] for row in sets.values()]
        accuracy = extract.facts.get("test_accuracy", float("nan"))
        print(f"{name}: {trained:.0f} s to train, accuracy {accuracy:.3f}", flush=True)
        for way, row in zip(sets, distances[name], strict=True):
            print(f"  {way:<14}", *(f"{value:9.3f}" for value in row), flush=True)
    print(f"\n{asked.data}: {data.name}, {len(data):,} to learn from, {n:,} a set")
    print(f"{'':<10} {'all sets':>9} {'mean of ways':>13}")
    truth = distances["labels"]
    for name, found in distances.items():
        whole_rank = spearman([v for row in truth for v in row], [v for row in found for v in row])
        by_way = np.mean([spearman(a, b) for a, b in zip(truth, found, strict=True)])
        print(f"{name:<10} {whole_rank:9.3f} {by_way:13.3f}")


if __name__ == "__main__":
    main()
