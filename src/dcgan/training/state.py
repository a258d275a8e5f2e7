"""A run's whole state as named tensors: networks, optimizers and the moving average, and back."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import torch
from torch import Tensor, nn, optim

from dcgan.errors import DcganError, Diverged
from dcgan.methods import Method, build_method
from dcgan.methods.adam import fresh
from dcgan.networks import build_networks
from dcgan.networks.outline import outline
from dcgan.recipe import Recipe
from dcgan.training.ema import Average
from dcgan.training.engine import Engine

ADAM = ("step", "exp_avg", "exp_avg_sq")
MODEL_ROLES = ("ema", "discriminator", "encoder")
"""What a finished model needs: the averaged generator, the discriminator that scores its images, and, where it has one,
the encoder that finds an image's z."""


def state_tensors(method: Method, average: Average) -> dict[str, Tensor]:
    """Every tensor that training changes, by name: `generator.*`, `ema.*`, `optimizer.generator.NAME.exp_avg`, …

    Optimizers that have not stepped yet are filled with their zero state, so that the names never vary.
    """
    tensors = {f"ema.{name}": tensor for name, tensor in average.module.state_dict().items()}
    for role, module in method.networks.items():
        tensors |= {f"{role}.{name}": tensor for name, tensor in module.state_dict().items()}
    for role, optimizer in method.optimizers.items():
        for name, parameter in method.networks[role].named_parameters():
            state = optimizer.state[parameter] or fresh(parameter)
            tensors |= {f"optimizer.{role}.{name}.{key}": state[key] for key in ADAM}
    return tensors


def finite_state(method: Method, average: Average, step: int) -> dict[str, Tensor]:
    """`state_tensors` on the CPU. Raises `Diverged` when one is not finite at `step`."""
    tensors = {name: tensor.detach().cpu() for name, tensor in state_tensors(method, average).items()}
    bad = [name for name, tensor in tensors.items() if not tensor.isfinite().all()]
    if bad:
        raise Diverged(f"{bad[0]} became NaN or infinite by step {step}")
    return tensors


def load_state(method: Method, average: Average, tensors: Mapping[str, Tensor]) -> None:
    """The reverse of `state_tensors`, in place."""
    average.module.load_state_dict(part(tensors, "ema"))
    for role, module in method.networks.items():
        module.load_state_dict(part(tensors, role))
    for role, optimizer in method.optimizers.items():
        load_optimizer(optimizer, method.networks[role], part(tensors, f"optimizer.{role}"))


def load_optimizer(optimizer: optim.Optimizer, module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Give an Adam its state: `NAME.step` () , `NAME.exp_avg` and `NAME.exp_avg_sq` shaped like the parameter."""
    for name, parameter in module.named_parameters():
        # In place, like all else: a recorded step knows its tensors by where they lie.
        state = optimizer.state[parameter] = optimizer.state[parameter] or fresh(parameter)
        for key in ADAM:
            state[key].copy_(tensors[f"{name}.{key}"])


def part(tensors: Mapping[str, Tensor], role: str) -> dict[str, Tensor]:
    """The tensors below `role.`, that prefix taken off."""
    prefix = f"{role}."
    return {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}


@lru_cache(maxsize=16)
def expected_state(recipe: Recipe) -> Mapping[str, Tensor]:
    """Names, shapes and dtypes of a recipe's state on the meta device: no memory is taken, whatever its sizes.

    Raises `DcganError` when the recipe describes no networks.
    """
    if recipe.channels not in (1, 3):
        raise DcganError(f"channels is {recipe.channels}: must be 1 (grey) or 3 (colour)")
    with outline():
        method = build_method(
            recipe, build_networks(recipe), Engine(torch.device("meta"), bf16=False).autocast
        )
        return state_tensors(method, Average(method.networks["generator"], recipe.ema))


def expected_model(recipe: Recipe) -> dict[str, Tensor]:
    """The part of `expected_state` that a finished model needs."""
    return {
        name: tensor
        for name, tensor in expected_state(recipe).items()
        if name.partition(".")[0] in MODEL_ROLES
    }
