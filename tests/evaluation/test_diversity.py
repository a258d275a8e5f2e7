from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from dcgan.errors import DcganError
from dcgan.evaluation.metrics.diversity import MOST, diversity, mean_distance, spacing


def test_it_agrees_with_every_pair() -> None:
    draw = np.random.default_rng(0)
    x, y = draw.normal(5, 2, size=(80, 7)), draw.normal(5, 1, size=(60, 7))
    assert mean_distance(x) == pytest.approx(pdist(x).mean(), rel=1e-9)
    assert diversity(x, y) == pytest.approx(pdist(x).mean() / pdist(y).mean(), rel=1e-9)
    assert diversity(x[::-1], y) == pytest.approx(diversity(x, y), rel=1e-12)


def test_a_collapse_is_zero() -> None:
    y = np.random.default_rng(1).normal(size=(50, 3)).astype(np.float32)
    assert diversity(np.repeat(y[:1], 40, axis=0), y) == 0


def test_of_many_some_are_drawn_by_the_seed() -> None:
    draw = np.random.default_rng(2)
    x, y = draw.normal(size=(MOST + 500, 4)), draw.normal(size=(100, 4))
    assert diversity(x, y, seed=1) == diversity(x, y, seed=1) != diversity(x, y, seed=2)
    assert diversity(x, y) == pytest.approx(pdist(x).mean() / pdist(y).mean(), rel=0.01)


def test_a_few_that_recur_lie_close_though_any_two_differ() -> None:
    rng = np.random.default_rng(3)
    real = rng.normal(size=(400, 6))
    few = real[rng.integers(0, 10, 400)] + 0.05 * rng.normal(size=(400, 6))
    assert spacing(real[::-1], real) == pytest.approx(1, rel=1e-6)
    assert diversity(few, real) > 0.8
    assert spacing(few, real) < 0.15
    # Images that are all alike are near to each other, but no nearer to one than to the rest.
    assert spacing(0.1 * rng.normal(size=(400, 6)), real) == pytest.approx(1, abs=0.1)
    assert spacing(few, real[:100]) == pytest.approx(spacing(few, real), rel=0.4), "of both as many are taken"
    assert spacing(real[:100], real) == pytest.approx(1, abs=0.12), "fewer lie further apart"


def test_refusals_are_one_line() -> None:
    x = np.random.default_rng(0).normal(size=(10, 3))
    with pytest.raises(DcganError, match="1 generated picture: this score needs at least 2"):
        diversity(x[:1], x)
    with pytest.raises(DcganError, match="do not vary"):
        diversity(x, np.zeros((5, 3)))
