"""Does a Fréchet distance see damage, and more of it where there is more? By extractor, on Fashion-MNIST.

    python benchmarks/extractors.py --n 1000

Each number is the distance of n damaged images to n others, over the floor: the mean distance of three undamaged draws
of n images to the same. It should be about 1 without damage and rise along the row; a row that does not is marked.
The CPU seconds of n images stand beside the extractor's name.
"""

from __future__ import annotations

import argparse
import time
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from dcgan.data import open_dataset
from dcgan.evaluation.extractors import extractor
from dcgan.evaluation.metrics.frechet import frechet_between, moments

Images = NDArray[np.uint8]


def clipped(x: NDArray[np.floating]) -> Images:
    return np.asarray(np.clip(np.rint(x), 0, 255), np.uint8)


def blurred(images: Images, passes: int) -> Images:
    """Each pass is the binomial filter ¼ ½ ¼, across and down: σ² grows by ½."""
    x = images.astype(np.float64)
    for _ in range(passes):
        for axis in (2, 3):
            x = (np.roll(x, 1, axis) + 2 * x + np.roll(x, -1, axis)) / 4
    return clipped(x)


def damages(
    images: Images, others: Images, labels: NDArray[np.int64], foreign: Images
) -> dict[str, list[Images]]:
    """Rows of rising damage. images: (n, 1, H, W); others with their labels: more of the same; foreign: another set."""
    n = len(images)
    noise = np.random.default_rng(0).normal(size=images.shape)
    board = (-1.0) ** np.indices(images.shape[2:]).sum(0)
    return {
        "blur, 1 2 4 8 passes": [blurred(images, p) for p in (1, 2, 4, 8)],
        "noise, σ 6 12 24 48 of 255": [clipped(images + s * noise) for s in (6, 12, 24, 48)],
        "checkerboard, ±3 6 12 24": [clipped(images + a * board * (images > 0)) for a in (3, 6, 12, 24)],
        "contrast, 95 85 70 50 %": [clipped(images * share) for share in (0.95, 0.85, 0.7, 0.5)],
        "shift, 1 2 4 8 pixels": [np.roll(images, s, 3) for s in (1, 2, 4, 8)],
        "classes missing, 1 2 4 8 of 10": [others[labels >= k][:n] for k in (1, 2, 4, 8)],
        "different images, n/4 10 25 100": [
            np.resize(images[: n // k], images.shape) for k in (4, 10, 25, 100)
        ],
        "digits among them, 3 10 30 100 %": [
            np.concatenate([images[: n - n * p // 100], foreign[: n * p // 100]]) for p in (3, 10, 30, 100)
        ],
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--extractors", nargs="+", default=["pixels", "fixed"])
    n = parser.parse_args().n
    data, foreign = open_dataset("fashion-mnist"), open_dataset("mnist-5k").images[:n]
    order = np.random.default_rng(1).permutation(len(data))
    labels = data.labels[order] if data.labels is not None else np.zeros(len(data), np.int64)
    images = np.ascontiguousarray(data.images[order])
    table = damages(images[n : 2 * n], images[5 * n :], labels[5 * n :], foreign)
    for name in parser.parse_args().extractors:
        features = extractor(name)
        start = time.process_time()
        real = moments(features(images[:n]))
        seconds = time.process_time() - start
        floors = [frechet_between(real, moments(features(images[k * n : (k + 1) * n]))) for k in (2, 3, 4)]
        floor = float(np.mean(floors))
        clean = frechet_between(real, moments(features(images[n : 2 * n]))) / floor
        print(
            f"\n{name}: {len(real.mean)} features, {seconds:.2f} s, floor {floor:.4g}, undamaged {clean:.2f}"
        )
        for damage, sets in table.items():
            row = [frechet_between(real, moments(features(one))) / floor for one in sets]
            rises = all(a < b for a, b in pairwise([clean, *row]))
            print(
                f"  {damage:34}"
                + "".join(f"{value:9.2f}" for value in row)
                + ("" if rises else "  not rising")
            )


if __name__ == "__main__":
    main()
