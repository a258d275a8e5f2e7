"""The adversarial step: D learns to tell real from fake, G to pass (Goodfellow et al. 2014, alg. 1).

The order of the updates is the recipe's:
- "d-then-g": D steps; then the same fakes are scored by the updated D, and G steps.
- "together": both gradients are taken on the same fakes from the same weights, then both step.
- "in-turn": G steps on even batches, D on odd ones, as in the DCGAN authors' code.
The fakes are drawn once, so G runs forward once a step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn, optim
from torch.nn.modules.batchnorm import _BatchNorm

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
        mean_: Callable[[Iterable[Tensor]], None],
    ) -> None:
        self.recipe = recipe
        self.networks = networks
        self.autocast, self.mean_ = autocast, mean_
        self.objective = objective(recipe.objective)
        self.generator, self.discriminator = networks["generator"], networks["discriminator"]
        self.optimizers: dict[str, optim.Optimizer] = {
            "generator": _adam(recipe, self.generator.parameters(), recipe.g_lr),
            "discriminator": _adam(recipe, self.discriminator.parameters(), recipe.d_lr),
        }
        # Without batch norm in D an image's logit is its own affair, and one pass over both halves costs less.
        normed = any(isinstance(module, _BatchNorm) for module in self.discriminator.modules())
        self.joined = recipe.d_batches == "joined" or not normed
        self._step = {"d-then-g": self._d_then_g, "together": self._together, "in-turn": self._in_turn}[
            recipe.updates
        ]

    def step(self, batch: Batch, step: int) -> dict[str, Tensor]:
        """Train on one batch, in the recipe's order."""
        self.generator.requires_grad_(True)
        self.discriminator.requires_grad_(True)
        with self.autocast():
            fake = self.generator(batch.z, batch.labels)
        return self._step(batch, fake, step)

    def _d_then_g(self, batch: Batch, fake: Tensor, step: int) -> dict[str, Tensor]:
        real_out, fake_out = self._judge(batch, fake.detach())
        loss_d = self.objective.discriminator(real_out, fake_out)
        self._update("discriminator", loss_d + self._penalty(batch, fake, step), step)

        # D's weights take no part in G's step: not asking for their gradients saves a third of D's backward pass.
        self.discriminator.requires_grad_(False)
        loss_g = self._loss_g(batch, fake)
        self._update("generator", loss_g, step)
        return self._told(loss_d, loss_g, real_out, fake_out)

    def _together(self, batch: Batch, fake: Tensor, step: int) -> dict[str, Tensor]:
        real_out, fake_out = self._judge(batch, fake)
        loss_d = self.objective.discriminator(real_out, fake_out)
        loss_g = self.objective.generator(real_out, fake_out)
        # One forward pass, two losses: each is derived by the weights of its own network alone.
        total_d = loss_d + self._penalty(batch, fake, step)
        for role, loss, more in (("discriminator", total_d, True), ("generator", loss_g, False)):
            parameters = list(self.networks[role].parameters())
            gradients = torch.autograd.grad(loss, parameters, retain_graph=more)
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient
        for role in ("discriminator", "generator"):
            self._apply(role, step)
        return self._told(loss_d, loss_g, real_out, fake_out)

    def _in_turn(self, batch: Batch, fake: Tensor, step: int) -> dict[str, Tensor]:
        if step % 2:
            real_out, fake_out = self._judge(batch, fake.detach())
            loss_d = self.objective.discriminator(real_out, fake_out)
            self._update("discriminator", loss_d + self._penalty(batch, fake, step // 2), step // 2)
            loss_g = self.objective.generator(real_out, fake_out)
        else:
            self.discriminator.requires_grad_(False)
            real_out, fake_out = self._judge(batch, fake)
            loss_d = self.objective.discriminator(real_out, fake_out)
            loss_g = self.objective.generator(real_out, fake_out)
            self._update("generator", loss_g, step // 2)
        return self._told(loss_d, loss_g, real_out, fake_out)

    def _judge(self, batch: Batch, fake: Tensor) -> tuple[Tensor, Tensor]:
        """D's outputs for the real and for the fake images, (N,) each."""
        with self.autocast():
            if not self.joined:
                return self.discriminator(batch.real, batch.labels), self.discriminator(fake, batch.labels)
            labels = None if batch.labels is None else batch.labels.repeat(2)
            outputs = self.discriminator(torch.cat([batch.real, fake.to(batch.real.dtype)]), labels)
        real_out, fake_out = outputs.chunk(2)
        return real_out, fake_out

    def _loss_g(self, batch: Batch, fake: Tensor) -> Tensor:
        if self.recipe.d_batches == "joined":
            return self.objective.generator(*self._judge(batch, fake))
        with self.autocast():
            fake_out = self.discriminator(fake, batch.labels)
            relative = self.objective.relative
            real_out = self.discriminator(batch.real, batch.labels).detach() if relative else fake_out
        return self.objective.generator(real_out, fake_out)

    def _penalty(self, batch: Batch, fake: Tensor, step: int) -> Tensor:
        """γ/2 · (R1 + R2), every few steps with as much more weight.

        In float32: double backward through bf16 loses the small gradients it is about.
        """
        total = batch.real.new_zeros(())
        if not self.recipe.gamma or step % self.recipe.penalty_every:
            return total
        for images in (batch.real, fake.float()):
            images = images.detach().requires_grad_(True)
            logits = self.objective.logits(self.discriminator(images, batch.labels))
            total = total + gradient_penalty(logits, images)
        return self.recipe.penalty_every * self.recipe.gamma / 2 * total

    def _update(self, role: str, loss: Tensor, step: int) -> None:
        self.optimizers[role].zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._apply(role, step)

    def _apply(self, role: str, step: int) -> None:
        """Let the optimizer of `role` take its `step`-th step, from 0, by the mean gradient of all ranks."""
        optimizer = self.optimizers[role]
        self.mean_(p.grad for p in self.networks[role].parameters() if p.grad is not None)
        if self.recipe.adam_form == "keras":
            # Keras: lr·√(1−β2ᵗ)/(1−β1ᵗ) · m/(√v + ε). PyTorch divides v first, so the same step has a larger ε in it.
            for group in optimizer.param_groups:
                group["eps"] = self.recipe.adam_eps / (1 - self.recipe.beta2 ** (step + 1)) ** 0.5
        optimizer.step()

    def _told(self, loss_d: Tensor, loss_g: Tensor, real_out: Tensor, fake_out: Tensor) -> dict[str, Tensor]:
        real_out, fake_out = real_out.detach(), fake_out.detach()
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


def _adam(recipe: Recipe, parameters: Iterable[nn.Parameter], lr: float) -> optim.Adam:
    betas = recipe.beta1, recipe.beta2
    return optim.Adam(
        parameters, lr, betas=betas, eps=recipe.adam_eps, weight_decay=recipe.weight_decay, fused=True
    )
