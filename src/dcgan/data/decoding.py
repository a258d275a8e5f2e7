"""Many image files to one array, on all cores, each read, decoded and fitted once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from dcgan.data.images import UnreadableError, decode, fit
from dcgan.data.options import Progress

IN_FLIGHT = 256
"""Pictures given to the threads at a time: a million futures at once would take a gigabyte."""

T = TypeVar("T")
R = TypeVar("R")


def in_parallel(work: Callable[[T], R], items: Sequence[T], progress: Progress | None = None) -> list[R]:
    """`work` of every item, in order, on all cores: Pillow and hashlib leave the interpreter free."""
    results: list[R] = []
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        for start in range(0, len(items), IN_FLIGHT):
            for result in pool.map(work, items[start : start + IN_FLIGHT]):
                results.append(result)
                if progress:
                    progress(len(results), len(items))
    finally:
        pool.shutdown(cancel_futures=True)
    return results


@dataclass(frozen=True)
class Decoded:
    """What became of the files. shape: of the pixels now. kept: indices of the files that could be decoded.

    failed: (index, reason, kind) of the others. grey: whether every pixel of all pictures is grey, None if not known.
    """

    shape: tuple[int, int, int, int]
    kept: list[int]
    failed: list[tuple[int, str, str]]
    grey: bool | None


def decode_all(
    pixels: NDArray[np.uint8],
    read: Callable[[int], bytes],
    digests: Sequence[bytes],
    *,
    channels: int | None,
    how: str,
    progress: Progress | None = None,
) -> Decoded:
    """Fill `pixels`, uint8 (N, 3 or 1, H, W), with picture i at place i; then close the gaps, in place.

    read: the bytes of file i, whose SHA-256 must be `digests[i]`. channels: None keeps one channel of three when all
    is grey; `pixels` may have one from the start where the headers say so. The result is the first `prod(shape)` bytes
    of `pixels`, which may be mapped from a file: no copy is made.
    """
    size: tuple[int, int] = (pixels.shape[2], pixels.shape[3])
    grey = np.ones(len(pixels), bool)

    def one(index: int) -> UnreadableError | None:
        try:
            content = read(index)
            if hashlib.sha256(content).digest() != digests[index]:
                raise UnreadableError("it changed while it was being read", "unreadable")
            picture = decode(content, near=max(size))
        except UnreadableError as reason:
            return reason
        values = np.asarray(fit(picture.convert("L") if pixels.shape[1] == 1 else picture, size, how))
        if values.ndim == 3:
            grey[index] = bool((values == values[..., :1]).all())
            values = values.transpose(2, 0, 1)
        pixels[index] = values
        return None

    results = in_parallel(one, range(len(pixels)), progress)
    kept = [index for index, error in enumerate(results) if error is None]
    failed = [(at, str(error), error.kind) for at, error in enumerate(results) if error is not None]
    all_grey = None if channels == 1 else bool(grey[kept].all())
    depth = 1 if channels is None and all_grey else pixels.shape[1]
    _close_gaps(pixels, kept, depth)
    return Decoded((len(kept), depth, *size), kept, failed, all_grey)


def _close_gaps(pixels: NDArray[np.uint8], kept: Sequence[int], depth: int) -> None:
    """Move the first `depth` channels of the pictures `kept` to the front, without gaps."""
    if len(kept) == len(pixels) and depth == pixels.shape[1]:
        return
    flat = pixels.reshape(-1)
    row = depth * pixels.shape[2] * pixels.shape[3]
    for place, index in enumerate(kept):  # never behind where it is read from, so nothing is lost
        flat[place * row : (place + 1) * row] = pixels[index, :depth].reshape(-1)
