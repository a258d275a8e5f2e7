"""A student of few labels: balanced answers, distorted pictures, and that it learns more than it was told."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import dcgan
from dcgan.analysis.probe import controls, distort
from dcgan.analysis.probe.distort import distorted
from dcgan.analysis.probe.neighbours import Neighbours
from dcgan.analysis.probe.probe import CHOOSING_DRAWS, Split, draw, held_out
from dcgan.analysis.probe.student import balanced, probabilities, probe_student, taught
from dcgan.analysis.probe.svm import fit
from dcgan.data import Dataset
from dcgan.errors import DcganError
from dcgan.model import Model
from dcgan.probes import Asked, probe


@pytest.fixture(scope="module")
def model(trained: dcgan.Run) -> Model:
    return trained.model()


def test_balanced_answers_name_all_classes_equally_often() -> None:
    draws = torch.Generator().manual_seed(0)
    answers = (torch.randn(500, 4, generator=draws) * 2 + torch.tensor([1.0, 0.0, 0.0, -2.0])).softmax(1)
    found, itself = balanced(answers)
    assert (found.mean(0) - 0.25).abs().max() < 1e-3 < (answers.mean(0) - 0.25).abs().max()
    assert torch.equal(found, itself) and (found.sum(1) - 1).abs().max() < 1e-6
    assert (balanced(found)[0] - found).abs().max() < 1e-2, "nothing left to do"
    # One factor a class, found without those that are asked about.
    factors = found / answers
    assert (factors / factors[:, :1]).std(0).max() < 1e-3
    _, asked = balanced(answers, answers[:3])
    assert torch.allclose(asked, found[:3])


def test_distorted_pictures_are_the_pictures_where_nothing_may_change(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = torch.from_numpy(digits.images[:64]).float() / 127.5 - 1
    for name in ("TURN", "SCALE", "STRETCH", "SHEAR", "MOVE", "GAMMA", "CONTRAST", "HOLE"):
        monkeypatch.setattr(distort, name, 0.0)
    assert torch.allclose(distorted(x, _draws(), mirrored=False), x, atol=1e-5)
    found = distorted(x, _draws(), mirrored=True)
    same, other = ((found - y).abs().amax((1, 2, 3)) < 1e-4 for y in (x, x.flip(3)))
    assert bool((same | other).all()) and 16 < int((~same).sum()) < 48


@pytest.mark.parametrize("name", ["TURN", "SCALE", "STRETCH", "SHEAR", "MOVE", "GAMMA", "CONTRAST", "HOLE"])
def test_each_distortion_changes_pictures(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    x = torch.from_numpy(digits.images[:64]).float() / 127.5 - 1
    for other in ("TURN", "SCALE", "STRETCH", "SHEAR", "MOVE", "GAMMA", "CONTRAST", "HOLE"):
        if other != name:
            monkeypatch.setattr(distort, other, 0.0)
    found = distorted(x, _draws(), mirrored=False)
    assert found.shape == x.shape and float(found.min()) >= -1 and float(found.max()) <= 1
    changed = (found - x).abs().mean((1, 2, 3))
    assert 0 < float(changed.mean()) < 0.5 and changed.std() > 0, "each picture by other draws"
    assert torch.equal(found, distorted(x, _draws(), mirrored=False))


def test_the_square_is_of_one_grey_and_may_stand_out_at_an_edge(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TURN", "SCALE", "STRETCH", "SHEAR", "MOVE", "GAMMA", "CONTRAST"):
        monkeypatch.setattr(distort, name, 0.0)
    x = torch.full((500, 3, 24, 36), -1.0)
    found = distorted(x, _draws(), mirrored=False)
    painted = (found + 1).abs() > 1e-6
    sizes = painted.sum((1, 2, 3)) / 3
    assert torch.equal(painted.all(1), painted.any(1)), "all channels"
    assert float(sizes.max()) == 9 * 13 and float(sizes.float().mean()) < 90
    assert all(len(picture[where].unique()) <= 1 for picture, where in zip(found, painted, strict=True))


def test_a_student_begins_as_the_discriminator(model: Model, digits: Dataset) -> None:
    answers = torch.full((len(digits), 10), 0.1)
    network = taught(model, digits.images, answers, np.arange(10), mirrored=False, steps=0)
    theirs = model.discriminator.state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in network.hidden.state_dict().items())
    assert not network.training


def test_a_student_corrects_its_teacher(model: Model, digits: Dataset) -> None:
    """A third of what it is told is wrong; it learns what the answers have in common."""
    assert digits.labels is not None
    draws = np.random.default_rng(0)
    told = np.where(
        draws.random(len(digits)) < 1 / 3, draws.integers(0, 10, len(digits)), digits.labels
    ).astype(np.int64)
    known = np.arange(0, len(digits), 20)
    told[known] = digits.labels[known]
    answers = torch.nn.functional.one_hot(torch.from_numpy(told), 10).float() * 0.9 + 0.01
    heard: list[tuple[int, int]] = []
    network = taught(
        model, digits.images, answers, known, mirrored=False, steps=400, progress=lambda *at: heard.append(at)
    )
    found = probabilities(network, digits.images, model.engine, mirrored=False)
    right = float((found.argmax(1).numpy() == digits.labels).mean())
    assert right > float((told == digits.labels).mean()) + 0.05
    assert heard == [(step, 400) for step in range(1, 401)]
    both = probabilities(network, digits.images[:8], model.engine, mirrored=True)
    mirror = np.ascontiguousarray(digits.images[:8, ..., ::-1])
    other = probabilities(network, mirror, model.engine, mirrored=False)
    assert torch.allclose(both, (found[:8] + other) / 2, atol=1e-5)


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_student_sees_mirrored_pictures_only_where_they_show_the_same(
    model: Model, digits: Dataset, mirrored: bool
) -> None:
    """Bright on the left, bright on the right: two classes, of which one is the other's mirror image."""
    images = digits.images[:400] // 4
    side = np.arange(400) % 2
    images[side == 0, ..., :4] += 190
    images[side == 1, ..., 4:] += 190
    answers = torch.nn.functional.one_hot(torch.from_numpy(side), 2).float()
    network = taught(model, images, answers, np.arange(20), mirrored=mirrored, steps=60)
    found = probabilities(network, images, model.engine, mirrored=False)
    sure = float(found[torch.arange(400), torch.from_numpy(side)].mean())
    assert 0.4 < sure < 0.6 if mirrored else sure > 0.9


def test_the_row_is_teacher_and_student_together(model: Model, digits: Dataset) -> None:
    assert digits.labels is not None
    x = controls.pixels(digits.images)
    split = Split(x[:1200].copy(), digits.labels[:1200], x[1200:].copy(), digits.labels[1200:], 10).scaled()
    pictures = digits.images[:1200], digits.images[1200:]
    near = Neighbours.of(split.train, split.test, 5)
    state = torch.random.get_rng_state()
    row = probe_student(model, split, pictures, near, 1e-2, 3, 2, mirrored=False, steps=3)
    assert torch.equal(torch.random.get_rng_state(), state), "nobody else's draws move"
    assert row == probe_student(model, split, pictures, near, 1e-2, 3, 2, mirrored=False, steps=3)
    assert len(row.draws) == len(row.facts["alone"]) == 2 and row.labels == 30 and row.tested == 597
    _, pool = held_out(1200, 0)
    own = pool[draw(split.train_labels[pool], 3, 10, 0, CHOOSING_DRAWS + 1)]
    machine = fit(split.train[own], split.train_labels[own], 10, 1e-2)
    said = near.for_train(machine, split.train, own, split.train_labels[own])
    teacher = said, near.for_test(machine, split.test, said)
    network = taught(model, pictures[0], teacher[0], own, mirrored=False, steps=3, seed=1)
    student = [probabilities(network, some, model.engine, mirrored=False) for some in pictures]
    alone = (student[1].argmax(1).numpy() == split.test_labels).mean()
    _, both = balanced((teacher[0] + student[0]) / 2, (teacher[1] + student[1]) / 2)
    assert row.facts["alone"][1] == pytest.approx(alone)
    assert row.draws[1] == pytest.approx((both.argmax(1).numpy() == split.test_labels).mean())


def test_probe_has_a_row_for_it(trained: dcgan.Run, digits: Dataset) -> None:
    asked = Asked(
        per_class=5,
        draws=3,
        controls=("pixels",),
        neighbours=3,
        student=2,
        trained_draws=2,
        views=("shifted",),
    )
    told: list[str] = []
    rows = list(probe(trained, digits, asked, tell=told.append))
    assert [row.features for row in rows] == [trained.name, "with 3 neighbours", "with a student", "pixels"]
    assert [len(row.draws) for row in rows] == [3, 3, 2, 3] and rows[2].c == rows[1].c
    assert any("2 steps, 2 times" in line for line in told)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"student": 5}, "--student learns what classifier and neighbours say: give --neighbours too"),
        ({"student": -1, "neighbours": 2}, "--student is -1: must be from 0 to"),
    ],
)
def test_what_a_student_needs(asked: dict[str, int], words: str) -> None:
    with pytest.raises(DcganError, match=words):
        Asked(per_class=5, **asked)  # type: ignore[arg-type]


def _draws() -> torch.Generator:
    return torch.Generator().manual_seed(0)
