"""Do the reference and dcgan's trainer compute the same? Otherwise a race between them would mean nothing.

Both start from the same weights, statistics and Adam state and take one step on the same batch, without dropout, whose
masks no two programs share; then again from where dcgan has come to, so that Adam's memory and the steps with and
without a penalty are looked at. What is compared: the losses; Adam's mean of the gradients; the weights; the moving
average; batch norm's statistics.

Adam's step is lr·m/√v, so a gradient that is nothing but rounding (of a bias that batch norm takes away again) moves a
weight by a whole learning rate up or down, and no two orders of summation agree. Weights are therefore compared where
the gradient is more than `NOISE` of the largest one beside it, and in learning rates. A unit whose input rounding moves
across the kink of its leaky ReLU changes a few gradients by a percent or more (against float64, torch's own layers
differ as much as ours do), so it is the whole tensor that is compared, not its worst entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dcgan.data.dataset import Dataset
from dcgan.recipe import Recipe
from dcgan.training.engine import Engine
from dcgan.training.state import load_optimizer, part, state_tensors
from dcgan.training.trainer import Trainer
from speed.reference import Reference

NOISE = 1e-2
QUIET = 1e-2
"""A tensor whose largest gradient is below this part of its network's largest is measured by that part."""
STEPS = 2
STEADY_EPS = 1e-3


@dataclass
class Deviation:
    """The largest differences of two trainings.

    loss: relative, to 1 where the loss is smaller. gradient: the norm of the difference, relative to the tensor's.
    weights: the mean of a tensor, in learning rates. statistics: batch norm's running mean and variance and its count
    of batches, relative to their tensor's largest entry, means to the largest deviation if more. compared: the share
    of the weights that was compared.
    """

    loss: float = 0.0
    gradient: float = 0.0
    weights: float = 0.0
    statistics: float = 0.0
    compared: float = 1.0

    def within(self, limits: Deviation) -> bool:
        """Whether nothing deviates by more, and as much was compared."""
        return (
            all(
                getattr(self, name) <= getattr(limits, name)
                for name in ("loss", "gradient", "weights", "statistics")
            )
            and self.compared >= limits.compared
        )

    def note(self, what: str, value: Tensor) -> None:
        """Keep the larger one; NaN counts as infinite."""
        setattr(self, what, max(getattr(self, what), float(torch.nan_to_num(value.detach(), nan=torch.inf))))


FLOAT32 = Deviation(loss=2e-4, gradient=4e-2, weights=0.02, statistics=3e-3, compared=0.4)
"""Four seeds of `pytorch-64` have gradients .010 to .028 apart."""
BF16 = Deviation(loss=5e-2, gradient=torch.inf, weights=torch.inf, statistics=torch.inf, compared=0.0)
"""What is still the same maths. bf16 has 8 bits: its gradients are judged by what they train, not entry by entry."""


def deviation(recipe: Recipe, data: Dataset, engine: Engine) -> Deviation:
    """The largest differences in `STEPS` steps of `recipe` on `data`."""
    # Where one step is made of several of the same network, each sees what the one before has rounded: an ε of 1e-8
    # makes a whole learning rate of that, and a unit that crosses the kink of its ReLU moves the plain script's own
    # gradients by 6 % from one thread to two. There both are smoothed, for both programs.
    steady = recipe.method == "regularized"
    recipe = recipe.with_changes({"adam_eps": STEADY_EPS} if steady else {})
    trainer = Trainer(recipe, data, engine)
    reference = Reference(recipe, *on_device(data, engine))
    for network in (*trainer.method.networks.values(), *reference.networks.values()):
        for module in network.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
            for name, part_of in list(module.named_children()) if steady else ():
                if isinstance(part_of, nn.ReLU | nn.LeakyReLU):
                    setattr(module, name, nn.SiLU())
    found = Deviation()
    for step in range(STEPS):
        _copy(trainer, reference)
        batch = trainer.batch(step)
        told = trainer.advance()
        for name, loss in zip(
            ("loss_d", "loss_g"), reference.step(batch.real, batch.labels, batch.z), strict=True
        ):
            if loss is not None:
                found.note("loss", (told[name] - loss).abs() / loss.abs().clamp(min=1))
        _compare(trainer, reference, found)
    return found


def on_device(data: Dataset, engine: Engine) -> tuple[Tensor, Tensor | None]:
    """All images as float32 in [-1, 1], and their labels, on the engine's device."""
    images = torch.from_numpy(data.images).to(engine.device).float() / 127.5 - 1
    return images, None if data.labels is None else torch.from_numpy(data.labels).to(engine.device)


def _copy(trainer: Trainer, reference: Reference) -> None:
    """Give the reference all that the trainer has."""
    state = {name: tensor.clone() for name, tensor in state_tensors(trainer.method, trainer.average).items()}
    for role, network in reference.networks.items():
        network.load_state_dict(part(state, role))
        load_optimizer(reference.optimizers[role], network, part(state, f"optimizer.{role}"))
    if reference.average is not None:
        reference.average.load_state_dict(part(state, "ema"))


def _compare(trainer: Trainer, reference: Reference, found: Deviation) -> None:
    ours = state_tensors(trainer.method, trainer.average)
    recipe, compared, there = reference.recipe, 0, 0
    for role, network in reference.networks.items():
        lr = recipe.d_lr if role == "discriminator" else recipe.g_lr
        state, mine = reference.optimizers[role].state, part(ours, role)
        average = reference.average if role == "generator" else None
        means = {name: state[weight]["exp_avg"] for name, weight in network.named_parameters()}
        largest = max(float(mean.abs().max()) for mean in means.values())
        for name, weight in network.named_parameters():
            mean = means[name]
            scale = mean.abs().max().clamp(min=QUIET * largest)
            if largest:
                gap = ours[f"optimizer.{role}.{name}.exp_avg"] - mean
                found.note(
                    "gradient", gap.norm() / mean.norm().clamp(min=QUIET * largest * mean.numel() ** 0.5)
                )
            loud = mean.abs() >= NOISE * scale
            compared, there = compared + int(loud.sum()), there + loud.numel()
            pairs = [(mine[name], weight.detach())]
            if average is not None:
                pairs.append((ours[f"ema.{name}"], average.get_parameter(name)))
            for one, other in pairs:
                found.note("weights", torch.where(loud, one - other, 0).abs().mean() / lr)
        # A reference that takes its turns computes D on fakes alone in G's turn, so D's statistics see less.
        if role == "generator" or recipe.updates != "in-turn":
            _compare_statistics(mine, network, found)
        if average is not None:
            _compare_statistics(part(ours, "ema"), average, found)
    found.compared = min(found.compared, compared / there)


def _compare_statistics(mine: Mapping[str, Tensor], network: nn.Module, found: Deviation) -> None:
    buffers = dict(network.named_buffers())
    for name, theirs in buffers.items():
        gap, scale = (mine[name] - theirs).abs().max().float(), theirs.abs().max().float()
        if name.endswith("running_mean"):
            # Where batch norm takes a bias away again, rounding walks the bias at Adam's rate, and this with it.
            scale = scale.maximum(buffers[name.removesuffix("mean") + "var"].max().sqrt())
        found.note("statistics", gap / scale.clamp(min=1e-3))
