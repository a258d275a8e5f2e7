from __future__ import annotations

import numpy as np
import pytest

from dcgan.errors import DcganError
from dcgan.evaluation.metrics.classes import balance, class_counts, entropy, label_fidelity, total_variation


def test_counts_include_the_classes_that_are_not_there() -> None:
    assert class_counts(np.array([0, 2, 2, 3]), 5).tolist() == [1, 0, 2, 1, 0]


def test_entropy_by_hand() -> None:
    assert entropy(np.array([2, 1, 1, 0])) == pytest.approx(1.5 * np.log(2))
    assert balance(np.array([2, 1, 1, 0])) == pytest.approx(0.75)
    assert entropy(np.array([7, 0])) == 0 and str(entropy(np.array([7, 0]))) == "0.0"
    for k in (2, 3, 10, 47):
        assert balance(np.full(k, 3)) == pytest.approx(1) and balance(np.full(k, 3)) <= 1


def test_total_variation_by_hand() -> None:
    assert total_variation(np.array([1, 1]), np.array([30, 10])) == pytest.approx(0.25)
    assert total_variation(np.array([4, 0]), np.array([0, 9])) == 1
    assert total_variation(np.array([1, 2, 3]), np.array([10, 20, 30])) == pytest.approx(0)


def test_fidelity_by_hand() -> None:
    result = label_fidelity(np.array([0, 0, 1, 1, 1, 3]), np.array([0, 1, 1, 1, 0, 3]), 4)
    assert result.overall == pytest.approx(4 / 6)
    assert result.per_class == pytest.approx((0.5, 2 / 3, None, 1.0))


def test_refusals_are_one_line() -> None:
    with pytest.raises(DcganError, match="0 labelled pictures: this score needs at least 1"):
        class_counts(np.zeros(0, int), 3)
    with pytest.raises(DcganError, match="0 labelled"):
        entropy(np.zeros(3, int))
    with pytest.raises(DcganError, match="at least 2 classes"):
        balance(np.array([5]))
    with pytest.raises(DcganError, match="0 labelled"):
        label_fidelity(np.zeros(0, int), np.zeros(0, int), 3)
    with pytest.raises(ValueError, match="compared"):
        total_variation(np.ones(2, int), np.ones(3, int))
