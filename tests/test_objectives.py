"""Losses against their formulas in float64 NumPy, and the penalty against calculus."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dcgan.errors import DcganError
from dcgan.objectives import OBJECTIVES, gradient_penalty, objective
from dcgan.recipe import PROBABILITY_OBJECTIVES

RNG = np.random.default_rng(0)
REAL, FAKE = RNG.normal(1, 2, 64), RNG.normal(-1, 2, 64)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


EXPECTED = {
    "bce": (-np.log(sigmoid(REAL)).mean() - np.log(1 - sigmoid(FAKE)).mean(), -np.log(sigmoid(FAKE)).mean()),
    "bce-probability": (
        -np.log(sigmoid(REAL)).mean() - np.log(1 - sigmoid(FAKE)).mean(),
        -np.log(sigmoid(FAKE)).mean(),
    ),
    "hinge": (np.maximum(0, 1 - REAL).mean() + np.maximum(0, 1 + FAKE).mean(), -FAKE.mean()),
    "relativistic": (-np.log(sigmoid(REAL - FAKE)).mean(), -np.log(sigmoid(FAKE - REAL)).mean()),
}


def outputs(name: str, logits: torch.Tensor) -> torch.Tensor:
    """What D gives for these logits to a loss of this name."""
    return torch.sigmoid(logits) if objective(name).probabilities else logits


def test_the_recipe_knows_which_losses_take_probabilities() -> None:
    assert {name for name, row in OBJECTIVES.items() if row.probabilities} == PROBABILITY_OBJECTIVES


@pytest.mark.parametrize("name", OBJECTIVES)
def test_losses_are_their_formulas(name: str) -> None:
    chosen = objective(name)
    real, fake = (outputs(name, torch.from_numpy(logits)) for logits in (REAL, FAKE))
    assert chosen.discriminator(real, fake).item() == pytest.approx(EXPECTED[name][0], abs=1e-12)
    assert chosen.generator(real, fake).item() == pytest.approx(EXPECTED[name][1], abs=1e-12)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_losses_pull_the_right_way(name: str) -> None:
    """D's loss falls when real logits rise and fake ones fall; G's falls when fake ones rise."""
    real = outputs(name, torch.zeros(8)).requires_grad_(True)
    fake = outputs(name, torch.zeros(8)).requires_grad_(True)
    by_real, by_fake = torch.autograd.grad(objective(name).discriminator(real, fake), (real, fake))
    assert (by_real < 0).all() and (by_fake > 0).all()
    (by_fake,) = torch.autograd.grad(objective(name).generator(real, fake), fake)
    assert (by_fake < 0).all()


@pytest.mark.parametrize("name", OBJECTIVES)
def test_losses_stay_finite_at_large_logits(name: str) -> None:
    for sign in (-1, 1):
        real, fake = (outputs(name, torch.full((4,), value)) for value in (sign * 1e4, -sign * 1e4))
        real.requires_grad_(True), fake.requires_grad_(True)
        for loss in (objective(name).discriminator(real, fake), objective(name).generator(real, fake)):
            assert torch.isfinite(loss)
            gradients = torch.autograd.grad(loss, (real, fake), allow_unused=True)
            assert all(gradient is None or torch.isfinite(gradient).all() for gradient in gradients)


def test_g_learns_from_a_discriminator_that_is_sure() -> None:
    """d/ds −log σ(s) = σ(s) − 1, which is −1 at s = −40, where σ is 4e-18."""
    logits = torch.full((4,), -40.0, requires_grad=True)
    fake = torch.sigmoid(logits)
    (gradient,) = torch.autograd.grad(objective("bce-probability").generator(fake, fake), logits)
    assert gradient.sum().item() == pytest.approx(-1)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_nan_stays_nan(name: str) -> None:
    """It must reach the check that stops the run, not an error of a kernel's own."""
    bad = torch.tensor([0.5, float("nan")])
    assert objective(name).discriminator(bad, bad).isnan() and objective(name).generator(bad, bad).isnan()


def test_logits_come_back_from_probabilities() -> None:
    chosen = objective("bce-probability")
    assert torch.allclose(chosen.logits(torch.sigmoid(torch.tensor([-2.0, 3.0]))), torch.tensor([-2.0, 3.0]))
    assert torch.isfinite(chosen.logits(torch.tensor([0.0, 1.0]))).all()


def test_scores_are_probabilities() -> None:
    real, fake = torch.from_numpy(REAL), torch.from_numpy(FAKE)
    for name, expected in (
        ("hinge", sigmoid(REAL).mean()),
        ("relativistic", sigmoid(REAL - FAKE).mean()),
        ("bce-probability", sigmoid(REAL).mean()),
    ):
        scores = objective(name).scores(outputs(name, real), outputs(name, fake))
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
