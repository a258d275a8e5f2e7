"""Exact nearest neighbours by Euclidean distance, block by block: memory does not grow with the product of the sets."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Progress = Callable[[int, int], None]

_QUERIES, _REFERENCES = 1024, 8192
"""Rows compared at a time: a block of their distances is 32 MB."""

_SPARE = 4
"""Candidates kept beyond k, so that the rounding of the fast distances cannot lose a neighbour to a near tie."""


@torch.inference_mode()
def nearest(
    queries: Floats,
    references: Floats,
    k: int = 1,
    *,
    own: NDArray[np.int64] | None = None,
    progress: Progress | None = None,
) -> tuple[Floats, NDArray[np.int64]]:
    """The k nearest references of each query: distances float32 (N, k), ascending, and indices int64 (N, k).

    queries: float32 (N, d). references: float32 (M, d), M at least k.
    own: int64 (N,), the reference that each query is: it is not its own neighbour; M must be at least k + 1.

    Candidates are found by |q|² + |r|² − 2 q·r, which loses small distances to rounding; the distances returned are
    computed from the differences of these candidates. Of equally near ones the first comes first.
    """
    if queries.ndim != 2 or references.ndim != 2 or queries.shape[1] != references.shape[1]:
        raise ValueError(f"features must be (N, d) and (M, d), not {queries.shape} and {references.shape}")
    others = len(references) - (own is not None)
    if not 1 <= k <= others:
        raise ValueError(f"k is {k}: there are {others} neighbours")
    centre = references.mean(axis=0, dtype=np.float64).astype(np.float32)  # small numbers round less
    there = torch.from_numpy(references - centre)
    lengths = there.square().sum(1)
    kept = min(k + _SPARE, others)
    distances = np.empty((len(queries), k), np.float32)
    indices = np.empty((len(queries), k), np.int64)
    for start in range(0, len(queries), _QUERIES):
        here = torch.from_numpy(queries[start : start + _QUERIES] - centre)
        itself = None if own is None else torch.from_numpy(own[start : start + _QUERIES])
        best = torch.empty((len(here), 0))
        which = torch.empty((len(here), 0), dtype=torch.int64)
        for left in range(0, len(there), _REFERENCES):
            right = min(left + _REFERENCES, len(there))
            # |q|² is the same along a row: leaving it out changes no order.
            block = torch.addmm(lengths[left:right], here, there[left:right].T, alpha=-2)
            if itself is not None:
                inside = (left <= itself) & (itself < right)
                block[inside, itself[inside] - left] = torch.inf
            near = torch.topk(block, min(kept, right - left), dim=1, largest=False)
            best, which = torch.cat([best, near.values], 1), torch.cat([which, near.indices + left], 1)
            again = torch.topk(best, min(kept, best.shape[1]), dim=1, largest=False).indices
            best, which = best.gather(1, again), which.gather(1, again)
        which = which.sort(dim=1).values
        exact = torch.stack([(here - there[column]).norm(dim=1) for column in which.T], 1)
        if itself is not None:
            exact[which == itself[:, None]] = torch.inf
        order = exact.sort(dim=1, stable=True).indices[:, :k]
        distances[start : start + len(here)] = exact.gather(1, order).numpy()
        indices[start : start + len(here)] = which.gather(1, order).numpy()
        if progress:
            progress(start + len(here), len(queries))
    return distances, indices


@torch.inference_mode()
def pairs_within(features: Floats, apart: float) -> Iterator[NDArray[np.int64]]:
    """All pairs (i < j) of rows at most `apart` from each other, int64 (P, 2), in blocks.

    features: float32 (N, d). Distances are those of `nearest`'s last step: exact for rows that are the same.
    """
    rows = torch.from_numpy(features - features.mean(axis=0, dtype=np.float64).astype(np.float32))
    lengths = rows.square().sum(1)
    # What rounding may take from a squared distance; the pairs that pass are measured again.
    margin = 1e-5 * float(lengths.max()) if len(rows) else 0.0
    for start in range(0, len(rows), _QUERIES):
        here = rows[start : start + _QUERIES]
        for left in range(start, len(rows), _REFERENCES):
            there = rows[left : left + _REFERENCES]
            squared = lengths[start : start + len(here), None] + lengths[left : left + len(there)]
            squared -= 2 * here @ there.T
            first, second = torch.nonzero(squared <= apart**2 + margin, as_tuple=True)
            first, second = first + start, second + left
            later = second > first
            first, second = first[later], second[later]
            close = torch.cat(
                [
                    (rows[a] - rows[b]).norm(dim=1) <= apart
                    for a, b in zip(
                        torch.split(first, _REFERENCES), torch.split(second, _REFERENCES), strict=True
                    )
                ]
            )
            yield torch.stack([first[close], second[close]], 1).numpy()
