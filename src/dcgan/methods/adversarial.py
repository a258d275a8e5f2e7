"""The adversarial step: D learns to tell real from fake, then G learns to pass (Goodfellow et al. 2014, alg. 1).

Update order: D's loss on a real batch and on fakes, D steps; then the same fakes are scored by the updated D and G
steps. The fakes are drawn once, so G runs forward once a step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn, optim

from dcgan.methods.batch import Batch
from dcgan.objectives import gradient_penalty, objective
from dcgan.recipe import Recipe


class Adversarial:
    """One generator against one discriminator, each with an Adam of its own."""

    def __init__(
        self,
        recipe: Recipe,
        networks: dict[str, nn.Module],
        autocast: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self.recipe = recipe
        self.networks = networks
        self.autocast = autocast
        self.objective = objective(recipe.objective)
        self.generator, self.discriminator = networks["generator"], networks["discriminator"]
        self.optimizers: dict[str, optim.Optimizer] = {
            "generator": _adam(recipe, self.generator.parameters(), recipe.g_lr),
            "discriminator": _adam(recipe, self.discriminator.parameters(), recipe.d_lr),
        }

    def step(self, batch: Batch, step: int) -> dict[str, Tensor]:
        """Train D, then G, on one batch."""
        self.generator.requires_grad_(True)
        with self.autocast():
            fake = self.generator(batch.z, batch.labels)

        self.discriminator.requires_grad_(True)
        with self.autocast():
            real_logits, fake_logits = self._judge(batch, fake.detach())
        loss_d = self.objective.discriminator(real_logits, fake_logits)
        total = loss_d
        if self.recipe.gamma and step % self.recipe.penalty_every == 0:
            total = total + self.recipe.penalty_every * self._penalty(batch, fake.detach())
        self._update("discriminator", total)
        real_score, fake_score = self.objective.scores(real_logits.detach(), fake_logits.detach())

        # D's weights take no part in G's step: not asking for their gradients saves a third of D's backward pass.
        self.discriminator.requires_grad_(False)
        with self.autocast():
            logits = self.discriminator(fake, batch.labels)
            if self.objective.relative:
                real_logits = self.discriminator(batch.real, batch.labels)
        loss_g = self.objective.generator(real_logits.detach(), logits)
        self._update("generator", loss_g)
        return {
            "loss_d": loss_d.detach(),
            "loss_g": loss_g.detach(),
            "real_score": real_score,
            "fake_score": fake_score,
        }

    def _judge(self, batch: Batch, fake: Tensor) -> tuple[Tensor, Tensor]:
        """D's logits of real and fake in one pass: without batch norm in D an image's logit is its own affair."""
        labels = None if batch.labels is None else batch.labels.repeat(2)
        logits = self.discriminator(torch.cat([batch.real, fake.to(batch.real.dtype)]), labels)
        real, fakes = logits.chunk(2)
        return real, fakes

    def _penalty(self, batch: Batch, fake: Tensor) -> Tensor:
        """γ/2 · (R1 + R2) in float32: double backward through bf16 loses the small gradients it is about."""
        total = batch.real.new_zeros(())
        for images in (batch.real, fake.float()):
            images = images.detach().requires_grad_(True)
            total = total + gradient_penalty(self.discriminator(images, batch.labels), images)
        return self.recipe.gamma / 2 * total

    def _update(self, role: str, loss: Tensor) -> None:
        optimizer = self.optimizers[role]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def _adam(recipe: Recipe, parameters: Iterable[nn.Parameter], lr: float) -> optim.Adam:
    return optim.Adam(parameters, lr, betas=(recipe.beta1, recipe.beta2), eps=recipe.adam_eps, fused=True)
