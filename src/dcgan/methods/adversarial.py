"""The adversarial step: D learns to tell real from fake, G to pass (Goodfellow et al. 2014, alg. 1).

The order of the updates is the recipe's:
- "d-then-g": D steps; then the same fakes are scored by the updated D, and G steps.
- "together": both gradients are taken on the same fakes from the same weights, then both step.
- "in-turn": G steps on even batches, D on odd ones, as in the DCGAN authors' code.
The fakes are drawn once, so G runs forward once a step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor, nn, optim
from torch.nn.modules.batchnorm import _BatchNorm

from dcgan.methods.adam import adam
from dcgan.methods.augmentation import augmented
from dcgan.methods.batch import Batch
from dcgan.methods.turn import Turn
from dcgan.objectives import gradient_penalty, objective
from dcgan.recipe import Recipe

REAL, FAKE = 0, 1
"""Whose chances: `Batch.chances`."""
Seen = tuple[Tensor, Tensor]
"""Images, and what D says of them."""


@dataclass(frozen=True)
class Verdict:
    """What D says of real and of fake images, (N,) each.

    passed: images, (2N, C, H, W), and D's outputs for them, (2N,), where one pass gave the verdict. penalised: the same
    in float32, where penalties are to be derived from them.
    """

    real: Tensor
    fake: Tensor
    passed: Seen | None = None
    penalised: Seen | None = None


class Adversarial:
    """One generator against one discriminator, each with an Adam of its own."""

    def __init__(
        self,
        recipe: Recipe,
        networks: dict[str, nn.Module],
        autocast: Callable[[], AbstractContextManager[None]],
        mean_: Callable[[Iterable[Tensor]], None],
    ) -> None:
        self.recipe = recipe
        self.networks = networks
        self.autocast, self.mean_ = autocast, mean_
        self.objective = objective(recipe.objective)
        self.generator, self.discriminator = networks["generator"], networks["discriminator"]
        # Asked for several times a step: a walk through the modules takes longer than a small layer.
        self.weights = {role: list(network.parameters()) for role, network in networks.items()}
        self.optimizers: dict[str, optim.Optimizer] = {
            "generator": adam(recipe, self.weights["generator"], recipe.g_lr),
            "discriminator": adam(recipe, self.weights["discriminator"], recipe.d_lr),
        }
        # Without batch norm in D an image's logit is its own affair, and one pass over both halves costs less.
        self.normed = any(isinstance(module, _BatchNorm) for module in self.discriminator.modules())
        self.joined = recipe.d_batches == "joined" or not self.normed
        self.rates = {"generator": recipe.g_lr, "discriminator": recipe.d_lr}
        """Learning rates before annealing, by role."""
        self._step = {"d-then-g": self._d_then_g, "together": self._together, "in-turn": self._in_turn}[
            recipe.updates
        ]

    def turn(self, step: int) -> Turn:
        """What the `step`-th step is, from 0."""
        recipe, whose = self.recipe, "both"
        if recipe.updates == "in-turn":
            whose, step_of_d = ("generator", "discriminator")[step % 2], step // 2
        else:
            step_of_d = step
        penalised = recipe.gamma > 0 and whose != "generator" and step_of_d % recipe.penalty_every == 0
        return Turn(whose, penalised, *annealing(recipe, step * recipe.batch))

    def step(self, batch: Batch, turn: Turn) -> dict[str, Tensor]:
        """Train on one batch, in the recipe's order."""
        self._learns("generator", "discriminator")
        with self.autocast():
            fake = self.generator(batch.z, batch.labels)
        return self._step(self._shown(batch), self._changed(fake, batch, FAKE), turn)

    def _shown(self, batch: Batch) -> Batch:
        """The batch with its real images as D is to see them."""
        return replace(batch, real=self._changed(batch.real, batch, REAL))

    def _changed(self, images: Tensor, batch: Batch, kind: int) -> Tensor:
        """Images as D is to see them, the same in all passes of a step. kind: `REAL` or `FAKE`."""
        return (
            images if batch.chances is None else augmented(self.recipe.augment, images, batch.chances[kind])
        )

    def _d_then_g(self, batch: Batch, fake: Tensor, turn: Turn) -> dict[str, Tensor]:
        verdict = self._judge(batch, fake.detach(), turn.penalised)
        loss_d = self.objective.discriminator(verdict.real, verdict.fake)
        self._update("discriminator", loss_d + self._penalty(verdict, turn), turn)

        # D's weights take no part in G's step: not asking for their gradients saves a third of D's backward pass.
        self._rests("discriminator")
        loss_g = self._loss_g(batch, fake)
        self._update("generator", loss_g, turn)
        return self._told(loss_d, loss_g, verdict)

    def _together(self, batch: Batch, fake: Tensor, turn: Turn) -> dict[str, Tensor]:
        if not self.normed:
            return self._in_one_pass(batch, fake, turn)
        verdict = self._judge(batch, fake, turn.penalised)
        loss_d = self.objective.discriminator(verdict.real, verdict.fake)
        loss_g = self.objective.generator(verdict.real, verdict.fake)
        # One forward pass, two losses: each is derived by the weights of its own network alone.
        total_d = loss_d + self._penalty(verdict, turn)
        for role, loss, more in (("discriminator", total_d, True), ("generator", loss_g, False)):
            parameters = self.weights[role]
            _set_gradients(parameters, torch.autograd.grad(loss, parameters, retain_graph=more))
        for role in ("discriminator", "generator"):
            self._apply(role, turn)
        return self._told(loss_d, loss_g, verdict)

    def _in_one_pass(self, batch: Batch, fake: Tensor, turn: Turn) -> dict[str, Tensor]:
        """`_together` with one backward pass through D for both losses, where D judges every image by itself.

        Then ∂L/∂x = ∂L/∂D(x) · ∂D(x)/∂x for either loss: the gradient of G's loss by a fake is that of D's loss times
        the ratio of their derivatives by its logit. That of D's loss is kept from 0 (an error of 1e-12 of it), so that
        a fake of which D is sure still teaches G.
        """
        verdict = self._judge(batch, fake.detach(), turn.penalised, images_too=True)
        images, outputs = cast(Seen, verdict.passed)
        real, fakes = (half.detach().requires_grad_() for half in (verdict.real, verdict.fake))
        loss_d = self.objective.discriminator(real, fakes)
        loss_g = self.objective.generator(real, fakes)
        by_real, by_fake = torch.autograd.grad(loss_d, (real, fakes), retain_graph=True)
        (for_g,) = torch.autograd.grad(loss_g, fakes)
        least = 1e-12 / len(fake)
        by_fake = torch.where(by_fake.abs() < least, least, by_fake)

        parameters = self.weights["discriminator"]
        penalty = self._penalty(verdict, turn)
        by_image, *gradients = torch.autograd.grad(
            outputs,
            [images, *parameters],
            torch.cat([by_real, by_fake]),
            retain_graph=penalty.requires_grad,
        )
        _set_gradients(parameters, gradients)
        if penalty.requires_grad:
            torch.autograd.backward(penalty, inputs=parameters)
        self.optimizers["generator"].zero_grad(set_to_none=True)
        ratio = (for_g / by_fake).to(fake.dtype).view(-1, 1, 1, 1)
        torch.autograd.backward(fake, by_image[len(fake) :] * ratio)
        for role in ("discriminator", "generator"):
            self._apply(role, turn)
        return self._told(loss_d, loss_g, verdict)

    def _in_turn(self, batch: Batch, fake: Tensor, turn: Turn) -> dict[str, Tensor]:
        if turn.whose == "discriminator":
            verdict = self._judge(batch, fake.detach(), turn.penalised)
            loss_d = self.objective.discriminator(verdict.real, verdict.fake)
            self._update("discriminator", loss_d + self._penalty(verdict, turn), turn)
            loss_g = self.objective.generator(verdict.real, verdict.fake)
        else:
            self._rests("discriminator")
            verdict = self._judge(batch, fake)
            loss_d = self.objective.discriminator(verdict.real, verdict.fake)
            loss_g = self.objective.generator(verdict.real, verdict.fake)
            self._update("generator", loss_g, turn)
        return self._told(loss_d, loss_g, verdict)

    def _judge(
        self, batch: Batch, fake: Tensor, penalised: bool = False, images_too: bool = False
    ) -> Verdict:
        """D on the real and on the fake images.

        penalised: a penalty is to be derived from it. images_too: the gradients of the images are asked for.
        """
        with self.autocast():
            # Double backward through bf16 loses the small gradients that penalties are about: they get their own pass.
            exact = not torch.is_autocast_enabled(batch.real.device.type)
            if not self.joined:
                real_out = self.discriminator(batch.real, batch.labels)
                fake_out = self.discriminator(fake, batch.labels)
                return Verdict(real_out, fake_out, None, self._apart(batch, fake) if penalised else None)
            images = torch.cat([batch.real, fake.to(batch.real.dtype)])
            if images_too or (penalised and exact):
                images.requires_grad_()
            outputs = self.discriminator(images, _twice(batch.labels))
        passed = images, outputs
        real_out, fake_out = outputs.chunk(2)
        if not penalised:
            return Verdict(real_out, fake_out, passed)
        return Verdict(real_out, fake_out, passed, passed if exact else self._apart(batch, fake))

    def _apart(self, batch: Batch, fake: Tensor) -> Seen:
        """Images and D's outputs for them by a pass of their own, in float32, as D's batch norm sees them."""
        with torch.autocast(batch.real.device.type, enabled=False):
            images = torch.cat([batch.real, fake]).detach().float().requires_grad_()
            if self.joined:
                return images, self.discriminator(images, _twice(batch.labels))
            return images, torch.cat([self.discriminator(half, batch.labels) for half in images.chunk(2)])

    def _loss_g(self, batch: Batch, fake: Tensor) -> Tensor:
        if self.recipe.d_batches == "joined":
            verdict = self._judge(batch, fake)
            return self.objective.generator(verdict.real, verdict.fake)
        with self.autocast():
            fake_out = self.discriminator(fake, batch.labels)
            relative = self.objective.relative
            real_out = self.discriminator(batch.real, batch.labels).detach() if relative else fake_out
        return self.objective.generator(real_out, fake_out)

    def _penalty(self, verdict: Verdict, turn: Turn) -> Tensor:
        """γ/2 · (R1 + R2), every few steps with as much more weight."""
        if verdict.penalised is None:
            return verdict.real.new_zeros(())
        images, outputs = verdict.penalised
        # Twice the mean over both halves is the sum of the halves' means.
        both = 2 * gradient_penalty(self.objective.logits(outputs), images)
        return self.recipe.penalty_every * self.recipe.gamma / 2 * turn.gamma * both

    def _learns(self, *roles: str) -> None:
        """Let the weights of these networks have gradients."""
        for role in roles:
            for weight in self.weights[role]:
                weight.requires_grad = True

    def _rests(self, role: str) -> None:
        """Let the weights of this network have none."""
        for weight in self.weights[role]:
            weight.requires_grad = False

    def _update(self, role: str, loss: Tensor, turn: Turn) -> None:
        self.optimizers[role].zero_grad(set_to_none=True)
        loss.backward(inputs=self.weights[role])  # type: ignore[no-untyped-call]
        self._apply(role, turn)

    def _apply(self, role: str, turn: Turn) -> None:
        """Let the optimizer of `role` take a step by the mean gradient of all ranks."""
        optimizer = self.optimizers[role]
        self.mean_(p.grad for p in self.weights[role] if p.grad is not None)
        for group in optimizer.param_groups:
            group["lr"] = self.rates[role] * turn.rate
        optimizer.step()

    def _told(self, loss_d: Tensor, loss_g: Tensor, verdict: Verdict) -> dict[str, Tensor]:
        real_out, fake_out = verdict.real.detach(), verdict.fake.detach()
        real_score, fake_score = self.objective.scores(real_out, fake_out)
        values = {
            "loss_d": loss_d,
            "loss_g": loss_g,
            "real_score": real_score,
            "fake_score": fake_score,
            "d_accuracy": self.objective.accuracy(real_out, fake_out),
            "logit_std": self.objective.logits(torch.cat([real_out, fake_out])).float().std(),
        }
        return {name: value.detach().float() for name, value in values.items()}


def _set_gradients(parameters: Sequence[nn.Parameter], gradients: Sequence[Tensor]) -> None:
    """Each in its weight's own layout, as `backward` leaves them: fused Adam pairs both by their place in memory."""
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient.contiguous()


def _twice(labels: Tensor | None) -> Tensor | None:
    return None if labels is None else labels.repeat(2)


def annealing(recipe: Recipe, seen: int) -> tuple[float, float]:
    """What is left of the learning rates and of the penalty's weight after `seen` real images, whoever's turn it is.

    Each falls by half a cosine to its last value over the recipe's first `anneal` images (Huang et al. 2024, appendix),
    and the rates then as 1/√images: held up, they kept the pictures as they were from some point on
    (docs/results/search.md).
    """
    if not recipe.anneal:
        return 1.0, 1.0
    left = (1 + math.cos(math.pi * min(1.0, seen / recipe.anneal))) / 2
    rate, gamma = (last + (1 - last) * left for last in (recipe.last_lr, recipe.last_gamma))
    return rate * math.sqrt(recipe.anneal / max(seen, recipe.anneal)), gamma
