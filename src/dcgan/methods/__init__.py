"""What one training step does, by name. A new method is one file here and one row in `METHODS`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Protocol

from torch import Tensor, nn, optim

from dcgan.errors import one_of
from dcgan.methods import adversarial, regularized
from dcgan.methods.augmentation import CHANCES
from dcgan.methods.batch import Batch
from dcgan.methods.turn import Turn
from dcgan.recipe import Recipe

__all__ = ["CHANCES", "METHODS", "Batch", "Method", "Turn", "build_method"]

Autocast = Callable[[], AbstractContextManager[None]]
"""Opens the context in which forward passes run; the engine's business."""
Mean = Callable[[Iterable[Tensor]], None]
"""Puts into each tensor its mean over all processes that train together: the gradients, before an optimizer steps."""


class Method(Protocol):
    """Networks, their optimizers by the same role, and the step that trains them.

    `networks` holds at least "generator" and "discriminator", `weights` the parameters of each, `rates` each
    optimizer's learning rate. All that training changes must lie in the networks and the optimizers: a checkpoint
    stores these and nothing else.
    """

    networks: dict[str, nn.Module]
    weights: dict[str, list[nn.Parameter]]
    optimizers: dict[str, optim.Optimizer]
    rates: dict[str, float]

    def turn(self, step: int) -> Turn:
        """What the `step`-th step of a run is, from 0."""
        ...

    def step(self, batch: Batch, turn: Turn) -> dict[str, Tensor]:
        """Train once on `batch`. Returns 0-d tensors on the device by quantity: at least `loss_d`, `loss_g`,
        `real_score`, `fake_score`. It must not wait for the device, and what it does is a function of `turn.kind`: a
        GPU does it once and then repeats what was done with other numbers."""
        ...


METHODS: dict[str, Callable[[Recipe, dict[str, nn.Module], Autocast, Mean], Method]] = {
    "adversarial": adversarial.Adversarial,
    "regularized": regularized.Regularized,
}


def build_method(
    recipe: Recipe,
    networks: dict[str, nn.Module],
    autocast: Autocast,
    mean_: Mean = lambda tensors: None,
) -> Method:
    """The recipe's method over networks that are already on their device."""
    if recipe.method not in METHODS:
        raise one_of("method", recipe.method, METHODS)
    return METHODS[recipe.method](recipe, networks, autocast, mean_)
