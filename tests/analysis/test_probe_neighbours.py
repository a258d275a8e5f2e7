"""Answers of neighbours: against the formula done by hand, and on real digits."""

from __future__ import annotations

import numpy as np
import pytest

from dcgan.analysis.probe import controls, neighbours
from dcgan.analysis.probe.neighbours import ROUNDS, SHARE, SHARPNESS, Neighbours
from dcgan.analysis.probe.probe import Split, probe_few
from dcgan.analysis.probe.svm import LinearSVM
from dcgan.data import Dataset


@pytest.fixture(scope="module")
def split(digits: Dataset) -> Split:
    assert digits.labels is not None
    x = controls.pixels(digits.images)
    return Split(x[:1200].copy(), digits.labels[:1200], x[1200:].copy(), digits.labels[1200:], 10).scaled()


def test_the_formula() -> None:
    draws = np.random.default_rng(0)
    train, test = (draws.normal(size=(count, 3)).astype(np.float32) for count in (600, 200))
    machine = LinearSVM(draws.normal(size=(4, 4)).astype(np.float32))
    known, labels = np.arange(0, 600, 6), draws.integers(0, 4, 100)
    found = _answers(Neighbours.of(train, test, 5), machine, train, test, known, labels)

    near = np.linalg.norm(train[:, None] - train[None], axis=2)
    np.fill_diagonal(near, np.inf)
    far = np.linalg.norm(test[:, None] - train[None], axis=2)
    unit = np.sort(near, 1)[:, :5].mean()

    def weights(distances: np.ndarray) -> np.ndarray:
        kept = np.argsort(distances, 1)[:, :5]
        dense = np.zeros_like(distances)
        closeness = np.exp(-np.take_along_axis(distances, kept, 1) / unit)
        np.put_along_axis(dense, kept, closeness / closeness.sum(1, keepdims=True), 1)
        return dense

    def probabilities(rows: np.ndarray) -> np.ndarray:
        powers = np.exp(SHARPNESS * machine.margins(rows))
        return powers / powers.sum(1, keepdims=True)

    first = probabilities(train)
    first[known] = np.eye(4)[labels]
    spread = first
    for _ in range(ROUNDS):
        spread = (1 - SHARE) * first + SHARE * weights(near) @ spread
        spread[known] = first[known]
    asked = (1 - SHARE) * probabilities(test) + SHARE * weights(far) @ spread
    assert np.abs(found[0] - spread).max() < 1e-5 and np.abs(found[1] - asked).max() < 1e-5
    assert np.array_equal(found[0][known], np.eye(4)[labels])
    assert (found[0].argmax(1) != machine.predict(train)).any(), "they say something"


def _answers(
    near: Neighbours,
    machine: LinearSVM,
    train: np.ndarray,
    test: np.ndarray,
    known: np.ndarray,
    labels: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    said = near.for_train(machine, train, known, labels)
    return said.numpy(), near.for_test(machine, test, said).numpy()


def test_no_test_picture_answers_for_another() -> None:
    draws = np.random.default_rng(1)
    train, test = (draws.normal(size=(count, 3)).astype(np.float32) for count in (40, 20))
    machine = LinearSVM(draws.normal(size=(3, 4)).astype(np.float32))
    known, labels = np.arange(4), np.array([0, 1, 2, 0])
    together = _answers(Neighbours.of(train, test, 3), machine, train, test, known, labels)
    alone = [
        _answers(Neighbours.of(train, one[None], 3), machine, train, one[None], known, labels) for one in test
    ]
    assert np.abs(together[1] - np.concatenate([of_test for _, of_test in alone])).max() < 1e-6
    assert all(np.array_equal(together[0], of_train) for of_train, _ in alone)


def test_neighbours_help_where_labels_are_few(split: Split) -> None:
    near = Neighbours.of(split.train, split.test, 5)
    alone = probe_few("pixels", split, 3, 8)
    mixed = probe_few("pixels", split, 3, 8, neighbours=near)
    assert mixed.accuracy > alone.accuracy + 0.03
    assert mixed.labels == alone.labels == 30 and len(mixed.draws) == 8


def test_in_many_dimensions_by_leading_components(split: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Neighbours.of(split.train, split.test, 5)
    monkeypatch.setattr(neighbours, "COMPONENTS", 20)
    reduced = Neighbours.of(split.train, split.test, 5)
    shared = [
        len(set(a.tolist()) & set(b.tolist())) for a, b in zip(whole.train[0], reduced.train[0], strict=True)
    ]
    assert 2.5 < np.mean(shared) < 4.9
