"""How many pictures fit into this machine's memory, and what is said when they do not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod

from dcgan.errors import DcganError

MAPPED_FROM = 2**30
"""Bytes from which pictures are mapped from the file instead of read, on a machine with 4 GiB of memory or more."""

Shape = tuple[int, int, int, int]
"""(N, C, H, W)."""


def in_memory(size: int) -> bool:
    """Whether `size` bytes of pictures are read into memory rather than mapped."""
    return size <= min(MAPPED_FROM, physical_memory() // 4)


def physical_memory() -> int:
    """Bytes of memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@contextmanager
def out_of_memory(shape: Shape) -> Iterator[None]:
    """Say in one line that pictures of `shape` do not fit into memory."""
    need = prod(shape)
    message = (
        f"{shape[0]:,} images of {shape[2]}×{shape[3]} need {need / 2**30:.1f} GiB of memory: choose a smaller size, "
        "or give the cache room ($DCGAN_CACHE, $DCGAN_CACHE_LIMIT) to map them from there"
    )
    if need > 0.8 * physical_memory():
        raise DcganError(message)
    try:
        yield
    except MemoryError:
        raise DcganError(message) from None
