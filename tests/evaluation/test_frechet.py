from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import sqrtm

from dcgan.errors import DcganError
from dcgan.evaluation.metrics.frechet import frechet_between, frechet_distance, moments


def reference(x: np.ndarray, y: np.ndarray) -> float:
    """As it is published: the square root of a product that is not symmetric."""
    a, b = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    root = np.trace(sqrtm(a @ b).real)
    return float(((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(a) + np.trace(b) - 2 * root)


def features(n: int, d: int, seed: int, scale: float = 1.0) -> np.ndarray:
    draw = np.random.default_rng(seed)
    return scale * draw.normal(size=(n, d)) @ draw.normal(size=(d, d)) + draw.normal(size=d)


@pytest.mark.parametrize(("n", "d"), [(50, 3), (400, 24), (2000, 64)])
def test_it_agrees_with_the_published_form(n: int, d: int) -> None:
    x, y = features(n, d, 0), features(n + 7, d, 1, 1.3)
    assert frechet_distance(x, y) == pytest.approx(reference(x, y), rel=1e-9)


def test_two_gaussians_by_hand() -> None:
    # Variance 2 and 8 along one axis (unbiased), none along the other, means 0 and 3: 9 + 2 + 8 − 2·√16.
    x = np.array([[-1.0, 5], [1, 5]])
    y = np.array([[1.0, 5], [5, 5]])
    assert frechet_distance(x, y) == pytest.approx(9 + (np.sqrt(2) - np.sqrt(8)) ** 2)


def test_a_covariance_of_low_rank_is_as_good_as_any() -> None:
    # Two sets in a plane of 40 dimensions: their distance is that in the plane.
    x, y = features(30, 2, 0), features(30, 2, 1)
    plane = np.linalg.qr(np.random.default_rng(2).normal(size=(40, 2)))[0].T
    assert frechet_distance(x @ plane, y @ plane) == pytest.approx(reference(x, y), rel=1e-9)
    wide = np.pad(x, ((0, 0), (0, 5)))
    assert frechet_distance(wide, np.pad(y, ((0, 0), (0, 5)))) == pytest.approx(reference(x, y), rel=1e-9)


def test_fewer_images_than_features() -> None:
    # Equal covariances (n ≪ d), shifted: the distance is that of the means alone.
    x = features(10, 100, 0)
    assert frechet_distance(x, x + 2) == pytest.approx(400, rel=1e-9)


def test_of_itself_it_is_zero_and_never_below() -> None:
    x = features(300, 40, 3)
    assert 0 <= frechet_distance(x, x) < 1e-9
    assert 0 <= frechet_distance(x, x[::-1].copy()) < 1e-9


def test_generated_images_that_are_all_the_same_are_scored() -> None:
    x = features(100, 4, 0)
    y = np.repeat(x[:1], 50, axis=0)
    expected = ((x.mean(0) - x[0]) ** 2).sum() + x.var(0, ddof=1).sum()
    assert frechet_distance(x, y) == pytest.approx(expected)


def test_order_does_not_matter_and_both_sides_are_alike() -> None:
    x, y = features(60, 8, 0), features(70, 8, 1)
    assert frechet_distance(x[::-1], y) == pytest.approx(frechet_distance(x, y), rel=1e-12)
    assert frechet_distance(y, x) == pytest.approx(frechet_distance(x, y), rel=1e-12)


def test_kept_moments_give_the_same() -> None:
    x, y = features(60, 8, 0).astype(np.float32), features(70, 8, 1).astype(np.float32)
    assert frechet_between(moments(x), moments(y)) == frechet_distance(x, y)
    assert moments(x).n == 60


def test_refusals_are_one_line() -> None:
    x = features(10, 3, 0)
    with pytest.raises(DcganError, match="1 generated picture: this score needs at least 2"):
        frechet_distance(x, x[:1])
    with pytest.raises(DcganError, match="not finite"):
        frechet_distance(x, np.full((5, 3), np.nan))
    with pytest.raises(DcganError, match="do not vary"):
        frechet_distance(np.ones((9, 3)), x)
    with pytest.raises(ValueError, match="compared"):
        frechet_between(moments(x), moments(x[:, :2]))
