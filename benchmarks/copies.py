"""Generators that copy and generators that do not: what `dcgan.analysis.memorization` and `birthday` say of them.

    python benchmarks/copies.py fashion-mnist --extractor pixels --model fashion-mnist --model runs/fashion-2020

Prints a Markdown table: models; held-out pictures as they are, blurred, and with only their first principal components;
training pictures replayed with noise, blends and blur; held-out pictures with a part of copies among them.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from dcgan import api
from dcgan.analysis.birthday import NEAR, birthday
from dcgan.analysis.memorization import memorization
from dcgan.data import open_dataset
from dcgan.evaluation.extractors import extractor

Pixels = NDArray[np.uint8]


def clipped(values: NDArray[np.floating]) -> Pixels:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


def blurred(images: Pixels, radius: float) -> Pixels:
    blur = ImageFilter.GaussianBlur(radius)
    return np.stack([[np.asarray(Image.fromarray(c).filter(blur)) for c in image] for image in images])


def reduced(images: Pixels, train: Pixels, components: int) -> Pixels:
    """What is left of pictures by the first principal components of 10,000 training pictures."""
    rows = train[:10_000].reshape(min(len(train), 10_000), -1).astype(np.float32)
    mean = rows.mean(axis=0)
    axes = np.linalg.svd(rows - mean, full_matrices=False)[2][:components]
    return clipped((images.reshape(len(images), -1) - mean) @ axes.T @ axes + mean).reshape(images.shape)


def generators(train: Pixels, held_out: Pixels, models: list[str], n: int) -> Iterator[tuple[str, Pixels]]:
    draw = np.random.default_rng(1)
    for name in models:
        found = api.load(name)
        yield f"model {name.rsplit('/', 1)[-1]}", found.generate(n).images.transpose(0, 3, 1, 2)
    real = held_out[:n]
    yield "held out", real
    for radius in (0.7, 1.2):
        yield f"held out, blurred {radius}", blurred(real, radius)
    for components in (30, 100):
        yield f"held out, {components} components", reduced(real, train, components)
    few = draw.choice(len(train), 20, replace=False)
    first, second = train[draw.choice(few, n)], train[draw.choice(few, n)]

    def noise(sigma: float) -> NDArray[np.float64]:
        return np.asarray(draw.normal(0, sigma, first.shape), np.float64)

    for sigma in (0, 8, 25):
        yield f"20 replayed, noise {sigma}", clipped(first + noise(sigma))
    for part in (0.1, 0.25, 0.5):
        yield f"20 replayed, blends {part}", clipped((1 - part) * first + part * second)
    parts = draw.random((n, 1, 1, 1)) / 2
    yield "20 replayed, blends to 0.5, noise 5", clipped((1 - parts) * first + parts * second + noise(5))
    yield "20 replayed, blurred 1.2", blurred(first, 1.2)
    copies = train[draw.choice(len(train), n, replace=False)]
    yield "all copied, noise 8", clipped(copies + noise(8))
    yield "all copied, blurred 1.2", blurred(copies, 1.2)
    for part in (0.05, 0.1, 0.2, 0.3):
        mixed = held_out[n : 2 * n].copy()
        mixed[: int(part * n)] = clipped(copies + noise(8))[: int(part * n)]
        yield f"held out with {part:.0%} copies, noise 8", mixed


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data")
    parser.add_argument("--extractor", default="pixels")
    parser.add_argument("--model", action="append", default=[])
    parser.add_argument("-n", type=int, default=1000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    train = open_dataset(options.data).images
    test = open_dataset(options.data, split="test").images
    held_out = test[np.random.default_rng(0).permutation(len(test))]
    features = extractor(options.extractor)
    known, reference = features(train), features(held_out[: options.n])
    print(f"\n{options.data}, {features.name}, {options.n:,} pictures each\n")
    heads = (
        "ratio of medians (95 %)",
        "below 1st, 5th percentile",
        "isolated (95 %)",
        "alarm",
        "birthday: support",
    )
    print(f"| pictures | {' | '.join(heads)} |")
    print("|---|---|---|---|---|---|")
    for name, images in generators(train, held_out[options.n :], options.model, options.n):
        own = features(images)
        found = memorization(own, known, reference)
        twice = birthday(own, NEAR * found.held_out_median)
        ratio, share = (
            "{:.3f}–{:.3f}".format(*ends) for ends in (found.ratio_interval, found.isolated_interval)
        )
        print(
            f"| {name} | {found.ratio:.3f} ({ratio}) | {found.below_1:.3f}, {found.below_5:.3f} "
            f"| {found.isolated:.3f} ({share}) | {'**yes**' if found.alarm else 'no'} "
            f"| {twice.verdict.split('support ')[1]} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
