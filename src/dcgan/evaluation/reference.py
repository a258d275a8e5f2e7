"""The real pictures that generated ones are judged against: those of a run's data, and those that it did not see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcgan.data import Dataset, open_dataset
from dcgan.data.named.catalog import SETS
from dcgan.data.named.fetch import present
from dcgan.data.sampling import Stream, stream
from dcgan.errors import DcganError


def open_alike(
    facts: Mapping[str, Any],
    size: tuple[int, int],
    channels: int,
    *,
    split: str | None = None,
    report: Callable[[str], None] | None = None,
) -> Dataset:
    """The pictures that `facts`, a run's `data.json`, tell of, as the run saw them; or another split of theirs.

    Raises `DcganError` when they are not where they were, or the facts do not say where.
    """
    source = Path(facts["path"]) if facts.get("path") else facts.get("source")
    if not source:
        raise DcganError(f"where {facts.get('name', 'the')} pictures are is not known: give them with --data")
    return open_dataset(
        source,
        split=split or facts.get("split", "train"),
        size=size,
        channels=channels,
        fit=facts.get("fit", "crop"),
        report=report,
    )


def held_out(facts: Mapping[str, Any], size: tuple[int, int], channels: int) -> Dataset | None:
    """The test split of a run's data, if there is one that training did not see and nothing has to be fetched."""
    if facts.get("split", "train") != "train":
        return None
    name = str(facts.get("source", ""))
    if not facts.get("path") and not (
        name in SETS and "test" in SETS[name].images and present(SETS[name], "test")
    ):
        return None
    try:
        return open_alike(facts, size, channels, split="test")
    except DcganError:
        return None


def some(images: NDArray[np.uint8], count: int, seed: int = 0, rank: int = 0) -> NDArray[np.uint8]:
    """`count` of `images` (N, C, H, W) without repetition, drawn by the seed; all of them in order if they are fewer.

    Draws of different rank are of the same order: the first 100 of 200 are the first 100 of 300.
    """
    if len(images) <= count:
        return np.ascontiguousarray(images)
    order = stream(Stream.SCORES, seed, 0, rank).permutation(len(images))[:count]
    return np.ascontiguousarray(images[order])
