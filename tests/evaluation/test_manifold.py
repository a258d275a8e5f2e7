from __future__ import annotations

import numpy as np
import pytest

from dcgan.errors import DcganError
from dcgan.evaluation.metrics import features as distances
from dcgan.evaluation.metrics.manifold import Manifold


def reference(real: np.ndarray, fake: np.ndarray, k: int) -> tuple[float, float, float, float]:
    """The definitions, point by point."""

    def apart(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.sqrt(sum((p - q) ** 2 for p, q in zip(a, b, strict=True))))

    def radii(points: np.ndarray) -> list[float]:
        return [
            sorted(apart(p, q) for j, q in enumerate(points) if j != i)[k - 1] for i, p in enumerate(points)
        ]

    edge = 1 + 1e-9
    around_real, around_fake = radii(real), radii(fake)
    inside = [[apart(x, y) <= r * edge for x, r in zip(real, around_real, strict=True)] for y in fake]
    recalled = [any(apart(x, y) <= r * edge for y, r in zip(fake, around_fake, strict=True)) for x in real]
    covered = [any(row[i] for row in inside) for i in range(len(real))]
    return (
        float(np.mean([any(row) for row in inside])),
        float(np.mean(recalled)),
        float(np.sum(inside) / (k * len(fake))),
        float(np.mean(covered)),
    )


def all_four(real: np.ndarray, fake: np.ndarray, k: int = 5) -> tuple[float, float, float, float]:
    s = Manifold(real, k).scores(fake)
    return s.precision, s.recall, s.density, s.coverage


@pytest.mark.parametrize("k", [1, 3, 5])
def test_it_agrees_with_the_definitions_point_by_point(k: int) -> None:
    draw = np.random.default_rng(k)
    for m, n, d, shift in ((40, 30, 2, 0.5), (25, 60, 5, 1.0), (30, 30, 3, 0.0)):
        real, fake = draw.normal(size=(m, d)), draw.normal(shift, 0.7, size=(n, d))
        assert all_four(real, fake, k) == pytest.approx(reference(real, fake, k), abs=1e-12)


def test_on_a_grid_the_surface_belongs_to_the_ball() -> None:
    # Integer points: nearly every distance is a tie, and all are far from zero.
    real = np.array([[i, j] for i in range(6) for j in range(6)], float) + 1000
    fake = np.array([[i + 1, j] for i in range(6) for j in range(5)], float) + 1000
    assert all_four(real, fake, 3) == pytest.approx(reference(real, fake, 3), abs=1e-12)


def test_by_hand() -> None:
    real, fake = np.array([[0.0], [1], [3]]), np.array([[1.5], [10]])
    # k 1: real radii 1 1 2, fake 8.5 8.5. 1.5 is in the balls of 1 and of 3; 10 in none.
    assert all_four(real, fake, 1) == pytest.approx((1 / 2, 1, 2 / 2, 2 / 3))


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(0)
    real, fake = draw.normal(size=(90, 6)), draw.normal(0.4, 1, size=(70, 6))
    whole = all_four(real, fake)
    monkeypatch.setattr(distances, "_BLOCK_VALUES", 7 * 90)
    assert all_four(real, fake) == whole
    assert all_four(real[::-1].copy(), fake[::-1].copy()) == whole


def test_equal_sets_and_collapses() -> None:
    draw = np.random.default_rng(1)
    real = draw.normal(size=(100, 4)).astype(np.float32) + 50
    precision, recall, _, coverage = all_four(real, real)
    assert (precision, recall, coverage) == (1, 1, 1)
    # One real image made again and again: its ball has radius 0, and holds just the one real image.
    precision, recall, density, coverage = all_four(real, np.repeat(real[:1], 100, axis=0))
    assert precision == 1 and recall == 0.01 and coverage < 0.2 and density > 0
    assert all_four(real, real + 100) == (0, 0, 0, 0)


def test_one_set_of_radii_serves_many() -> None:
    draw = np.random.default_rng(2)
    manifold = Manifold(draw.normal(size=(50, 3)))
    fake = draw.normal(size=(50, 3))
    assert manifold.scores(fake) == manifold.scores(fake)


def test_refusals_are_one_line() -> None:
    x = np.random.default_rng(0).normal(size=(20, 3))
    with pytest.raises(DcganError, match="5 real pictures: this score needs at least 6"):
        Manifold(x[:5])
    with pytest.raises(DcganError, match="4 generated pictures: this score needs at least 6"):
        Manifold(x).scores(x[:4])
    with pytest.raises(DcganError, match="do not vary"):
        Manifold(np.zeros((20, 3)))
    with pytest.raises(DcganError, match="generated pictures are not finite"):
        Manifold(x).scores(np.full((20, 3), np.inf))


def test_the_public_implementation_agrees() -> None:
    prdc = pytest.importorskip("prdc")
    draw = np.random.default_rng(3)
    real, fake = draw.normal(size=(400, 16)), draw.normal(0.2, 0.9, size=(350, 16))
    theirs = prdc.compute_prdc(real, fake, nearest_k=5)
    names = ("precision", "recall", "density", "coverage")
    assert all_four(real, fake) == pytest.approx(tuple(theirs[n] for n in names), abs=1e-12)
