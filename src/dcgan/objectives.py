"""Adversarial losses and penalties: pure functions of logits and gradients, all in float32.

`real` and `fake` are what the discriminator gives for real and for fake images, shape (N,): logits, or probabilities
for the losses that say so. Every loss is a mean over the batch, a 0-d tensor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus

from dcgan.errors import one_of


class Loss(Protocol):
    """A loss of two batches of D's outputs, (N,) and (N,), to a 0-d tensor."""

    def __call__(self, real: Tensor, fake: Tensor) -> Tensor: ...


def bce_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """BCE(D(x), 1) + BCE(D(G(z)), 0) from logits (Goodfellow et al. 2014, eq. 1)."""
    return softplus(-real).mean() + softplus(fake).mean()


def bce_generator(real: Tensor, fake: Tensor) -> Tensor:
    """BCE(D(G(z)), 1), the non-saturating loss (Goodfellow et al. 2014, section 3)."""
    return softplus(-fake).mean()


def probability_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """−E log D(x) − E log(1 − D(G(z))) from probabilities (Goodfellow et al. 2014, eq. 1)."""
    return -_log(real).mean() - _log(1 - fake).mean()


def probability_generator(real: Tensor, fake: Tensor) -> Tensor:
    """−E log D(G(z)) from probabilities (Goodfellow et al. 2014, section 3)."""
    return -_log(fake).mean()


def _log(probability: Tensor) -> Tensor:
    """Finite at 0, cut off only where float32 ends: a D that wins gives 1e-20, from which G must still learn."""
    return probability.clamp(min=torch.finfo(torch.float32).tiny).log()


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """E max(0, 1 − D(x)) + E max(0, 1 + D(G(z))) (Lim & Ye 2017; Miyato et al. 2018, eq. 16)."""
    return relu(1 - real).mean() + relu(1 + fake).mean()


def hinge_generator(real: Tensor, fake: Tensor) -> Tensor:
    """−E D(G(z)) (Miyato et al. 2018, eq. 17)."""
    return -fake.mean()


def relativistic_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """E softplus(−(D(x) − D(G(z)))), each real paired with one fake (Huang et al. 2024, eq. 2)."""
    return softplus(fake - real).mean()


def relativistic_generator(real: Tensor, fake: Tensor) -> Tensor:
    """E softplus(−(D(G(z)) − D(x))) (Huang et al. 2024, eq. 2)."""
    return softplus(real - fake).mean()


@dataclass(frozen=True)
class Objective:
    """A pair of losses.

    relative: it judges a real image against a fake one, so one logit alone means nothing.
    probabilities: it takes D's probabilities, of a sigmoid head, not its logits.
    """

    discriminator: Loss
    generator: Loss
    relative: bool = False
    probabilities: bool = False

    def scores(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """Mean probability of "real" that D gives to real and to fake images, 0-d each, from 0 to 1.

        For a relative objective it is the probability that the one looks more real than its partner.
        """
        if self.relative:
            ahead = torch.sigmoid(real - fake).mean()
            return ahead, 1 - ahead
        if self.probabilities:
            return real.mean(), fake.mean()
        return torch.sigmoid(real).mean(), torch.sigmoid(fake).mean()

    def accuracy(self, real: Tensor, fake: Tensor) -> Tensor:
        """Share of the batch that D puts on its right side, 0-d; of the pairs, for a relative objective.

        An output right on the border counts as wrong: a D that says the same of everything is right about nothing.
        """
        if self.relative:
            return (real > fake).float().mean()
        border = 0.5 if self.probabilities else 0.0
        return (torch.cat([real > border, fake < border])).float().mean()

    def logits(self, output: Tensor) -> Tensor:
        """D's output as finite logits, (N,): the higher, the more real."""
        return torch.logit(output.double(), 1e-13).float() if self.probabilities else output


OBJECTIVES = {
    "bce": Objective(bce_discriminator, bce_generator),
    "bce-probability": Objective(probability_discriminator, probability_generator, probabilities=True),
    "hinge": Objective(hinge_discriminator, hinge_generator),
    "relativistic": Objective(relativistic_discriminator, relativistic_generator, relative=True),
}


def objective(name: str) -> Objective:
    """The objective called `name`; an unknown one names its nearest."""
    if name not in OBJECTIVES:
        raise one_of("objective", name, OBJECTIVES)
    return OBJECTIVES[name]


def gradient_penalty(logits: Tensor, images: Tensor) -> Tensor:
    """E ‖∇ D(x)‖², zero-centred: R1 on real images, R2 on fakes (Mescheder et al. 2018, eq. 9).

    images: (N, C, H, W), requiring a gradient. logits: (N,), computed from them. Returns a 0-d tensor.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return gradient.square().sum((1, 2, 3)).mean()
