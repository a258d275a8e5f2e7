"""Independent pieces of work on as many threads as torch has, each computed by one thread alone.

Small networks gain little from a second thread inside each layer, where the threads wait for each other many times a
millisecond; two pieces side by side take half the time of one after the other. And what one thread computes has the
same bits on a machine with more of them.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

import torch

T = TypeVar("T")

AHEAD = 2
"""Pieces begun before they are asked for, a thread: a reader that is slower than they are holds no more than these."""

_POOLS: dict[int, ThreadPoolExecutor] = {}
os.register_at_fork(after_in_child=_POOLS.clear)  # threads do not live on in a forked process


def in_order(work: Callable[[int], T], count: int) -> Iterator[T]:
    """work(0), work(1), … work(count − 1), in this order; what `work` raises is raised where its result was due."""
    threads = torch.get_num_threads()
    if threads == 1:
        yield from map(work, range(count))
        return
    pool = _pool(threads)
    begun: deque[Future[T]] = deque()
    try:
        for piece in range(count):
            begun.append(pool.submit(work, piece))
            if len(begun) == AHEAD * threads:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        for future in begun:
            future.cancel()


def _pool(threads: int) -> ThreadPoolExecutor:
    """The workers, for whom torch has one thread each; those of the caller stay as many as they are."""
    if threads not in _POOLS:
        ready = Barrier(threads + 1)

        def begin() -> None:
            torch.set_num_threads(1)
            torch.get_num_threads()  # from now on this thread's own number, whatever is set elsewhere
            ready.wait()

        pool = ThreadPoolExecutor(threads, "dcgan", begin)
        for _ in range(threads):
            pool.submit(int)
        ready.wait()
        torch.set_num_threads(threads)
        _POOLS[threads] = pool
    return _POOLS[threads]
