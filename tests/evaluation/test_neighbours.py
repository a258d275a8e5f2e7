"""Neighbours found in blocks are those of brute force; a copy is its original at distance 0."""

from __future__ import annotations

import numpy as np
import pytest

from dcgan.evaluation import neighbours
from dcgan.evaluation.neighbours import nearest, pairs_within


def features(count: int, dim: int = 12, seed: int = 0) -> np.ndarray:
    # Far from the origin, where |q|² + |r|² - 2qr rounds the most.
    return (np.random.default_rng(seed).normal(size=(count, dim)) + 50).astype(np.float32)


def brute(queries: np.ndarray, references: np.ndarray) -> np.ndarray:
    return np.sqrt(((queries[:, None].astype(np.float64) - references[None]) ** 2).sum(axis=2))


@pytest.mark.parametrize("blocks", [(7, 11), (64, 30), (1024, 8192)])
@pytest.mark.parametrize("k", [1, 6])
def test_blocked_neighbours_equal_brute_force(
    blocks: tuple[int, int], k: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "_QUERIES", blocks[0])
    monkeypatch.setattr(neighbours, "_REFERENCES", blocks[1])
    queries, references = features(50), features(123, seed=1)
    distances, indices = nearest(queries, references, k)
    expected = brute(queries, references)
    assert np.array_equal(indices, np.argsort(expected, axis=1, kind="stable")[:, :k])
    assert np.allclose(distances, np.sort(expected, axis=1)[:, :k], rtol=1e-5)
    assert distances.dtype == np.float32 and indices.dtype == np.int64


def test_a_copy_is_its_original_at_distance_0_and_the_first_of_equals_comes_first() -> None:
    references = np.concatenate([features(40), features(40)[:5]])
    distances, indices = nearest(references[40:], references, 2)
    assert (distances == 0).all() and np.array_equal(indices, np.stack([np.arange(5), np.arange(40, 45)], 1))


@pytest.mark.parametrize("rows", [np.arange(45), np.array([44, 3, 17])])
def test_no_picture_is_its_own_neighbour(rows: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "_QUERIES", 8)
    monkeypatch.setattr(neighbours, "_REFERENCES", 10)
    references = features(45)
    expected = brute(references[rows], references)
    expected[np.arange(len(rows)), rows] = np.inf
    for k in (1, 44):
        _, indices = nearest(references[rows], references, k, own=rows)
        assert np.array_equal(indices, np.argsort(expected, axis=1)[:, :k])
    with pytest.raises(ValueError, match="44 neighbours"):
        nearest(references, references, 45, own=np.arange(45))


def test_pairs_are_all_pairs_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.concatenate([features(60), features(60)[:4]])
    distances = brute(rows, rows)
    apart = float(np.quantile(distances, 0.1)) + 1e-4
    for block in (9, 1000):
        monkeypatch.setattr(neighbours, "_QUERIES", block)
        monkeypatch.setattr(neighbours, "_REFERENCES", block)
        found = np.concatenate(list(pairs_within(rows, apart)))
        expected = {(i, j) for i, j in np.argwhere(distances <= apart).tolist() if i < j}
        assert len(found) == len(expected) and set(map(tuple, found.tolist())) == expected
    assert np.concatenate(list(pairs_within(rows, 0.0))).tolist() == [[i, 60 + i] for i in range(4)]
