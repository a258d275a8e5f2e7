"""The regularized adversarial step: an encoder learns to find the z of an image, and G to draw the image from it.

Paper 001's subject (Mehralian & Karasfi 2018, as in the authors' code): D takes a step, then E and G take two each.
    L_D = BCE(D(x), 1) + BCE(D(G(z)), 0): reconstructions are no fakes for D
    L_E = BCE(D(G(E(x))), 1) + λ‖x − G(E(x))‖²
    L_G = BCE(D(G(z)), 1) + L_E
It is the mode-regularized GAN of Che et al. 2017 (eq. 2 and 3) with both of its weights 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

from torch import Tensor, nn

from dcgan.errors import DcganError
from dcgan.methods.adam import adam
from dcgan.methods.adversarial import FAKE, Adversarial
from dcgan.methods.batch import Batch
from dcgan.methods.turn import Turn
from dcgan.recipe import Recipe

ROUNDS = 2
"""Steps of E and G for each of D."""


class Regularized(Adversarial):
    """Generator and discriminator as in `Adversarial`, and an encoder with an Adam of its own, at G's rate."""

    def __init__(
        self,
        recipe: Recipe,
        networks: dict[str, nn.Module],
        autocast: Callable[[], AbstractContextManager[None]],
        mean_: Callable[[Iterable[Tensor]], None],
    ) -> None:
        if "encoder" not in networks:
            raise DcganError(
                f"method=regularized trains an encoder, and network={recipe.network} has none: use rdcgan"
            )
        if recipe.updates != "d-then-g":
            raise DcganError(f"updates={recipe.updates}: method=regularized has one order, which is d-then-g")
        super().__init__(recipe, networks, autocast, mean_)
        self.encoder = networks["encoder"]
        self.rates["encoder"] = recipe.g_lr
        self.optimizers["encoder"] = adam(recipe, self.weights["encoder"], recipe.g_lr)

    def step(self, batch: Batch, turn: Turn) -> dict[str, Tensor]:
        """D once, then twice E and G, each from the weights that the one before has left."""
        self._learns(*self.networks)
        with self.autocast():
            fake = self.generator(batch.z, batch.labels)
        shown, fake = self._shown(batch), self._changed(fake, batch, FAKE)
        verdict = self._judge(shown, fake.detach(), turn.penalised)
        loss_d = self.objective.discriminator(verdict.real, verdict.fake)
        self._update("discriminator", loss_d + self._penalty(verdict, turn), turn)

        self._rests("discriminator")
        for number in range(ROUNDS):
            if number:
                with self.autocast():
                    fake = self._changed(self.generator(batch.z, batch.labels), batch, FAKE)
            self._rests("generator")
            loss_e, error = self._encoded(batch, verdict.real)
            self._update("encoder", loss_e, turn)
            self._learns("generator")
            self._rests("encoder")
            again, _ = self._encoded(batch, verdict.real)
            loss_g = self._loss_g(shown, fake)
            self._update("generator", loss_g + again, turn)
            self._learns("encoder")
        # G's loss is told without E's, so that it means what it means in every other run.
        told = {"loss_e": loss_e, "reconstruction": error}
        return self._told(loss_d, loss_g, verdict) | {
            name: value.detach().float() for name, value in told.items()
        }

    def _encoded(self, batch: Batch, real_out: Tensor) -> tuple[Tensor, Tensor]:
        """L_E, and the mean squared error of a pixel's value, from 0 to 4, 0-d each."""
        with self.autocast():
            drawn = self.generator(self.encoder(batch.real), batch.labels)
            out = self.discriminator(self._changed(drawn, batch, FAKE), batch.labels)
        squares = (batch.real - drawn.float()).square()
        mean = squares.mean()
        error = squares.sum((1, 2, 3)).mean() if self.recipe.reduction == "sum" else mean
        return self.objective.generator(real_out.detach(), out) + self.recipe.reconstruction * error, mean
