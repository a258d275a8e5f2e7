"""Losses against their formulas in float64 NumPy, and the penalty against calculus."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dcgan.errors import DcganError
from dcgan.objectives import OBJECTIVES, gradient_penalty, objective

RNG = np.random.default_rng(0)
REAL, FAKE = RNG.normal(1, 2, 64), RNG.normal(-1, 2, 64)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


EXPECTED = {
    "bce": (-np.log(sigmoid(REAL)).mean() - np.log(1 - sigmoid(FAKE)).mean(), -np.log(sigmoid(FAKE)).mean()),
    "hinge": (np.maximum(0, 1 - REAL).mean() + np.maximum(0, 1 + FAKE).mean(), -FAKE.mean()),
    "relativistic": (-np.log(sigmoid(REAL - FAKE)).mean(), -np.log(sigmoid(FAKE - REAL)).mean()),
}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_losses_are_their_formulas(name: str) -> None:
    real, fake = torch.from_numpy(REAL), torch.from_numpy(FAKE)
    chosen = objective(name)
    assert chosen.discriminator(real, fake).item() == pytest.approx(EXPECTED[name][0], abs=1e-12)
    assert chosen.generator(real, fake).item() == pytest.approx(EXPECTED[name][1], abs=1e-12)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_losses_pull_the_right_way(name: str) -> None:
    """D's loss falls when real logits rise and fake ones fall; G's falls when fake ones rise."""
    real = torch.zeros(8, requires_grad=True)
    fake = torch.zeros(8, requires_grad=True)
    by_real, by_fake = torch.autograd.grad(objective(name).discriminator(real, fake), (real, fake))
    assert (by_real < 0).all() and (by_fake > 0).all()
    (by_fake,) = torch.autograd.grad(objective(name).generator(real, fake), fake)
    assert (by_fake < 0).all()


@pytest.mark.parametrize("name", OBJECTIVES)
def test_losses_stay_finite_at_large_logits(name: str) -> None:
    for sign in (-1, 1):
        real, fake = torch.full((4,), sign * 1e4), torch.full((4,), -sign * 1e4)
        assert torch.isfinite(objective(name).discriminator(real, fake))
        assert torch.isfinite(objective(name).generator(real, fake))


def test_scores_are_probabilities() -> None:
    real, fake = torch.from_numpy(REAL), torch.from_numpy(FAKE)
    for name, expected in (("hinge", sigmoid(REAL).mean()), ("relativistic", sigmoid(REAL - FAKE).mean())):
        scores = objective(name).scores(real, fake)
        assert scores[0].item() == pytest.approx(expected)
        assert 0 <= scores[1].item() <= scores[0].item() <= 1


def test_penalty_of_a_linear_judge_is_its_squared_weight() -> None:
    weight = torch.randn(2, 3, 4)
    images = torch.randn(5, 2, 3, 4, requires_grad=True)
    penalty = gradient_penalty((images * weight).sum((1, 2, 3)), images)
    assert penalty.item() == pytest.approx(weight.square().sum().item(), rel=1e-5)


def test_unknown_objective_is_named() -> None:
    with pytest.raises(DcganError, match="did you mean hinge"):
        objective("hing")
