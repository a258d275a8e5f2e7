"""What a model may be asked for and given: how many designs, of which classes; pictures of which shape; checkpoints."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dcgan.errors import DcganError, expect, one_of

MOST = 100_000_000


def check_count(count: int, seed: int) -> None:
    """Raise `DcganError` for a number of designs or a seed that cannot be."""
    expect("n", count, (int, np.integer), "a whole number")
    expect("seed", seed, (int, np.integer), "a whole number")
    if not 1 <= count <= MOST:
        raise DcganError(f"-n is {count}: must be from 1 to {MOST:,}")
    if not 0 <= seed < 2**63:
        raise DcganError(f"--seed is {seed}: must be from 0 to {2**63 - 1}")


def wanted_classes(
    model: str, classes: Sequence[str], label: str | Sequence[str] | None, balanced: bool
) -> NDArray[np.int64] | None:
    """The classes to take in turn, int64, None where they are drawn; `classes` are those of the model called `model`.

    Raises `DcganError` for what cannot be.
    """
    expect("balanced", balanced, bool, "true or false")
    if label is None and not balanced:
        return None
    if label is not None and balanced:
        raise DcganError("--label and --balanced are two ways to say which classes: give one of them")
    if not classes:
        raise DcganError(
            f"{model} was trained without labels, so it cannot be asked for a class: train with --labels"
        )
    if label is None:
        return np.arange(len(classes), dtype=np.int64)
    expect("label", label, (str, Sequence), "the name of a class, or several")
    names = [label] if isinstance(label, str) else list(label)
    if not names:
        raise DcganError(f"label is {label!r:.80}: expected the name of a class, or several")
    for name in names:
        expect("label", name, str, "the name of a class")
    return np.array([class_index(name, classes) for name in names], np.int64)


def class_index(name: str, classes: Sequence[str]) -> int:
    """The index of a class by name; case counts only where two classes differ in nothing else."""
    if name in classes:
        return list(classes).index(name)
    folded = [known.casefold() for known in classes]
    if folded.count(name.casefold()) == 1:
        return folded.index(name.casefold())
    raise one_of("label", name, classes)


def check_shape(images: NDArray[np.uint8], shape: tuple[int, int, int]) -> None:
    """Raise `DcganError` for pictures that are not uint8 (N, *shape)."""
    if images.dtype != np.uint8 or images.shape[1:] != shape:
        channels, height, width = shape
        raise DcganError(
            f"pictures are {images.dtype} {images.shape}: this model takes uint8 (N, {channels}, {height}, {width}); "
            f"open them with size=({height}, {width}) and channels={channels}"
        )


def check_start(model: str, start: str | int) -> None:
    """Raise `DcganError` where a checkpoint is asked for of a model, which is one: `model` is its name."""
    if start != "best":
        raise DcganError(f"{model} is a model and no run: it has no checkpoints, so leave out --from {start}")
