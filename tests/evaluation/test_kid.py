from __future__ import annotations

import numpy as np
import pytest

from dcgan.errors import DcganError
from dcgan.evaluation.metrics.kid import kid, squared_mmd


def reference(x: np.ndarray, y: np.ndarray) -> float:
    """Every pair one by one."""

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return float((sum(p * q for p, q in zip(a, b, strict=True)) / len(a) + 1) ** 3)

    def within(s: np.ndarray) -> float:
        values = [kernel(s[i], s[j]) for i in range(len(s)) for j in range(len(s)) if i != j]
        return sum(values) / len(values)

    between = [kernel(a, b) for a in x for b in y]
    return within(x) + within(y) - 2 * sum(between) / len(between)


def test_it_agrees_with_every_pair_one_by_one() -> None:
    draw = np.random.default_rng(0)
    for m, n, d in ((2, 2, 1), (5, 9, 3), (20, 14, 6)):
        x, y = draw.normal(size=(m, d)), draw.normal(1, 2, size=(n, d))
        assert squared_mmd(x, y) == pytest.approx(reference(x, y), rel=1e-9)


def test_by_hand() -> None:
    # Kernel (xy + 1)³ of 0 and 1 with themselves: 1 within x (0·1), 8 within y, between 1·1 … : 1 + 8 − 2·4.5.
    assert squared_mmd(np.array([[0.0], [1]]), np.array([[1.0], [1]])) == pytest.approx(1 + 8 - 2 * 4.5)


def test_it_is_unbiased() -> None:
    draw = np.random.default_rng(1)
    values = [squared_mmd(draw.normal(size=(12, 3)), draw.normal(size=(12, 3))) for _ in range(2000)]
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(2000)
    assert min(values) < 0  # where it were not, it would be biased


def test_subsets_come_from_the_seed_alone() -> None:
    draw = np.random.default_rng(2)
    x, y = draw.normal(size=(300, 5)), draw.normal(0.3, 1, size=(280, 5))
    first = kid(x, y, seed=3, subsets=20, subset_size=100)
    assert first == kid(x, y, seed=3, subsets=20, subset_size=100)
    assert first != kid(x, y, seed=4, subsets=20, subset_size=100)
    assert first.mean == pytest.approx(squared_mmd(x, y), abs=4 * first.spread / np.sqrt(20) + 0.02)
    assert first.subset_size == 100 and first.spread > 0


def test_few_images_make_small_subsets_that_differ() -> None:
    draw = np.random.default_rng(5)
    result = kid(draw.normal(size=(60, 4)), draw.normal(size=(50, 4)))
    assert result.subset_size == 25 and result.subsets == 100 and result.spread > 0


def test_refusals_are_one_line() -> None:
    x = np.random.default_rng(0).normal(size=(10, 3))
    with pytest.raises(DcganError, match="3 generated pictures: this score needs at least 4"):
        kid(x, x[:3])
    with pytest.raises(DcganError, match="not finite"):
        kid(x * np.inf, x)
    with pytest.raises(DcganError, match="do not vary"):
        kid(np.ones((9, 3)), x)
