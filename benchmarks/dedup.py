"""Planted near-duplicates: what the autoencoder's codes find, by threshold, and what the preflight's check finds.

    python benchmarks/dedup.py fashion-mnist --images 20000

Takes the first pictures of a set, adds 300 changed copies of each kind, and prints a Markdown table: the share of each
kind that is found, and the pairs among the originals, true duplicates or false positives: look at the sheet.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from dcgan.analysis.dedup import Deduplication, write_sheet
from dcgan.analysis.hashing import activations
from dcgan.data import Dataset, open_dataset
from dcgan.data.check.duplicates import find_duplicates
from dcgan.evaluation.neighbours import pairs_within

Pixels = NDArray[np.uint8]
EACH = 300
CROPPED = 0.04


def by_picture(change: Callable[[Image.Image], Image.Image]) -> Callable[[Pixels], Pixels]:
    def every(images: Pixels) -> Pixels:
        changed = [change(Image.fromarray(i[0] if len(i) == 1 else i.transpose(1, 2, 0))) for i in images]
        _, channels, height, width = images.shape
        return np.stack([np.asarray(i).reshape(height, width, channels).transpose(2, 0, 1) for i in changed])

    return every


def jpeg(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=70)
    return Image.open(buffer)


def cropped(image: Image.Image) -> Image.Image:
    w, h = image.size
    box = (w * CROPPED, h * CROPPED, w * (1 - CROPPED), h * (1 - CROPPED))
    return image.resize(image.size, Image.Resampling.BICUBIC, box=box)


def clipped(values: NDArray[Any]) -> Pixels:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


CHANGES: dict[str, Callable[[Pixels], Pixels]] = {
    "JPEG 70": by_picture(jpeg),
    "1 px right": lambda images: np.concatenate([images[..., :1], images[..., :-1]], axis=3),
    "5 % brighter": lambda images: clipped(images * 1.05),
    "5 % darker": lambda images: clipped(images * 0.95),
    "noise σ 4": lambda images: clipped(images + np.random.default_rng(0).normal(0, 4, images.shape)),
    "4 % off each side": by_picture(cropped),
}


def row(name: str, pairs: NDArray[np.int64], n: int) -> str:
    """A line of the table. pairs: (P, 2), first < second; the originals are the first n."""
    there = set(map(tuple, pairs.tolist()))
    shares = [
        sum((kind * EACH + i, n + kind * EACH + i) in there for i in range(EACH)) / EACH
        for kind in range(len(CHANGES))
    ]
    inner = pairs[pairs[:, 1] < n]
    cells = [f"{share:.2f}" for share in shares]
    return f"| {name} | {' | '.join(cells)} | {len(inner):,} | {100 * len(np.unique(inner)) / n:.2f} % |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data")
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--sheet", type=Path, help="PNG of pairs among the originals, codes within 2 bits.")
    options = parser.parse_args()
    torch.set_num_threads(1)
    originals = open_dataset(options.data).images[: options.images]
    n = len(originals)
    parts = [change(originals[k * EACH : (k + 1) * EACH]) for k, change in enumerate(CHANGES.values())]
    images = np.concatenate([originals, *parts])
    start = time.process_time()
    values = activations(images)
    seconds = time.process_time() - start
    print(f"\n{options.data}, {n:,} pictures and {EACH} copies of each kind; {seconds:.0f} s of one core\n")
    print(f"| | {' | '.join(CHANGES)} | pairs among originals | originals in one |")
    print("|---|" + "---|" * (len(CHANGES) + 2))
    for rule, cut in (
        ("above 0", np.zeros(values.shape[1])),
        ("above the median", np.median(values, axis=0)),
    ):
        signs = np.where(values > cut, np.float32(1), np.float32(-1))
        for within in (0, 1, 2, 4, 6):
            pairs = np.concatenate(list(pairs_within(signs, 2 * (within + 0.5) ** 0.5)))
            print(row(f"{rule}, {within} bits", pairs, n), flush=True)
            if options.sheet and rule != "above 0" and within == 2:
                inner = pairs[pairs[:, 1] < n]
                bits = (signs[inner[:, 0]] != signs[inner[:, 1]]).sum(axis=1)
                rows = np.concatenate([inner, bits[:, None]], axis=1).astype(np.int64)
                write_sheet(options.sheet, Dataset(options.data, originals), Deduplication(n, 2, rows))
    start = time.process_time()
    found = find_duplicates(images)
    exact = [(group[0], other) for group in found.exact for other in group[1:]]
    pairs = np.array([*exact, *found.near.tolist()], np.int64).reshape(-1, 2)
    print(row(f"`datasets check` ({time.process_time() - start:.0f} s)", pairs, n))


if __name__ == "__main__":
    main()
