"""The check-up during training: numbers that say how it stands, at no cost to what is trained."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from tests.training.tiny import ENGINE, digits, tiny
from torch import Tensor

from dcgan.data.dataset import Dataset
from dcgan.errors import DcganError
from dcgan.evaluation import checkup
from dcgan.evaluation.checkup import CheckUp
from dcgan.training.state import state_tensors
from dcgan.training.trainer import Trainer


@pytest.fixture(autouse=True)
def smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "GENERATED", 200)
    monkeypatch.setattr(checkup, "REFERENCE", 800)
    monkeypatch.setattr(checkup, "ON_MANIFOLD", 400)


def trainer(data: Dataset, **changes: object) -> Trainer:
    return Trainer(tiny(data, 4, **changes), data, ENGINE)


class Replaying(torch.nn.Module):
    """A generator that shows given pictures, whatever it is asked for."""

    def __init__(self, images: np.ndarray) -> None:
        super().__init__()
        self.images = torch.from_numpy(images).float() / 127.5 - 1
        self.at = 0

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        index = (torch.arange(len(z)) + self.at) % len(self.images)
        self.at += len(z)
        return self.images[index]


def looked_at(images: np.ndarray, data: Dataset, unseen: Dataset | None = None) -> dict[str, float]:
    one = trainer(data)
    one.average._module = Replaying(images)
    return CheckUp(data, lambda: unseen)(one)


def parts() -> tuple[Dataset, Dataset]:
    data = digits()
    order = np.random.default_rng(0).permutation(len(data))
    assert data.labels is not None
    return tuple(  # type: ignore[return-value]
        Dataset("digits", data.images[index], data.labels[index], data.classes)
        for index in (order[:1300], order[1300:])
    )


@pytest.mark.parametrize("labelled", [True, False])
def test_a_check_up_changes_nothing_that_training_reads(labelled: bool) -> None:
    data = digits(labelled=labelled)
    watched, alone = trainer(data), trainer(data)
    look = CheckUp(data, lambda: digits(500, labelled=labelled))
    for _ in range(3):
        watched.advance(), alone.advance()
        facts = look(watched)
    modes = [module.training for module in watched.method.networks["discriminator"].modules()]
    assert modes == [module.training for module in alone.method.networks["discriminator"].modules()]
    mine, theirs = (state_tensors(each.method, each.average) for each in (watched, alone))
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)
    assert {
        "frechet",
        "floor",
        "precision",
        "recall",
        "coverage",
        "diversity",
        "spacing",
        "nyquist",
        "drift",
        "gap",
    } <= set(facts)
    assert all(math.isfinite(value) for value in facts.values() if isinstance(value, float))
    json.dumps(facts, allow_nan=False)


def test_real_pictures_are_at_the_floor_and_failures_are_far_from_it() -> None:
    data, unseen = parts()
    real = looked_at(unseen.images, data, unseen)
    one = looked_at(unseen.images[:1], data, unseen)
    ten = looked_at(np.repeat(unseen.images[:10], 20, 0), data, unseen)
    noise = looked_at(np.random.default_rng(0).integers(0, 256, (300, 1, 8, 8), dtype=np.uint8), data, unseen)
    assert real["frechet"] < 1.5 * real["floor"] and real["coverage"] > 0.8 * real["floor_coverage"]
    assert 0.9 < real["diversity"] < 1.1 and real["isolated"] < 0.1
    assert 0.85 < real["spacing"] < 1.15
    assert ten["spacing"] < 0.01 and ten["diversity"] > 0.8, "any two of ten differ; ten that recur are few"
    assert one["diversity"] < 0.01 and one["coverage"] < 0.05 and one["frechet"] > 5 * one["floor"]
    assert noise["precision"] < 0.05 and noise["frechet"] > 5 * noise["floor"] and noise["nyquist"] > 1.5


def test_copies_of_training_pictures_stand_out() -> None:
    data, unseen = parts()
    copied = looked_at(data.images[:200], data, unseen)
    # Of the originals 800 of 1,300 are in the reference: only their copies can be told.
    assert 0.5 < copied["isolated"] < 0.7 and copied["memorised"] < 0.1


def test_a_checkerboard_stands_out() -> None:
    data, unseen = parts()
    board = (np.indices((8, 8)).sum(0) % 2 * 80 - 40).astype(np.int64)
    spoilt = np.clip(unseen.images.astype(np.int64) // 2 + 64 + board, 0, 255).astype(np.uint8)
    assert looked_at(spoilt, data, unseen)["nyquist"] > 1.5


def test_a_handful_of_pictures_is_refused_in_a_line_and_a_few_are_looked_at_without_a_floor() -> None:
    few = digits(11, labelled=False)
    with pytest.raises(DcganError, match="11 pictures: a score needs at least 12"):
        CheckUp(few)(trainer(few))
    twenty = digits(20, labelled=False)
    facts = CheckUp(twenty)(trainer(twenty))
    assert "floor" not in facts and "frechet" in facts and "memorised" in facts
