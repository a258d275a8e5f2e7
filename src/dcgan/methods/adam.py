"""Adam as torch has it, without what torch wraps around it for its compiler; and Adam as Keras has it."""

from __future__ import annotations

import inspect
import math
from typing import Any

import torch
from torch import Tensor, nn, optim

from dcgan.recipe import Recipe

_step = inspect.unwrap(optim.Adam.step)


def adam(recipe: Recipe, weights: list[nn.Parameter], lr: float) -> Adam:
    """The recipe's Adam over the weights of one network."""
    kind = KerasAdam if recipe.adam_form == "keras" else Adam
    return kind(
        weights,
        lr,
        betas=(recipe.beta1, recipe.beta2),
        eps=recipe.adam_eps,
        weight_decay=recipe.weight_decay,
        fused=True,
        capturable=weights[0].is_cuda,
    )


class Adam(optim.Adam):
    """`torch.optim.Adam`, bit for bit. The wrappers of its methods load the whole of torch's compiler with the first
    step, a second of every start, to tell it to leave them alone; nothing here is compiled.
    """

    add_param_group = inspect.unwrap(optim.Adam.add_param_group)
    zero_grad = inspect.unwrap(optim.Adam.zero_grad)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        return _step(self, closure)


class KerasAdam(Adam):
    """Adam with ε where Keras adds it: lr·√(1−β2ᵗ)/(1−β1ᵗ) · m/(√v + ε); torch divides v by 1−β2ᵗ before it adds ε.

    It is torch's own step with the corrections in the rate. Torch's are 1 − βᵗ, which are 1 where t is infinite.
    """

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        rates = [group["lr"] for group in self.param_groups]
        counts = [self._corrected(group) for group in self.param_groups]
        told = super().step(closure)
        for group, rate, (steps, taken) in zip(self.param_groups, rates, counts, strict=True):
            group["lr"] = rate
            if steps:
                torch._foreach_copy_(steps, taken)
        return told

    def _corrected(self, group: dict[str, Any]) -> tuple[list[Tensor], list[Tensor]]:
        """Put the corrections into the group's rate; its counts of steps, now infinite, and what they are to become."""
        states = [self._known(weight) for weight in group["params"] if weight.grad is not None]
        steps = [state["step"] for state in states]
        if not steps:
            return [], []
        taken = list(torch._foreach_add(steps, 1))
        beta1, beta2 = group["betas"]
        t = taken[0].double()
        group["lr"] = (group["lr"] * (1 - beta2**t).sqrt() / (1 - beta1**t)).float()
        torch._foreach_add_(steps, math.inf)
        return steps, taken

    def _known(self, weight: Tensor) -> dict[str, Tensor]:
        state: dict[str, Tensor] = self.state[weight]
        if not state:
            state.update(fresh(weight))
        return state


def fresh(parameter: Tensor) -> dict[str, Tensor]:
    """The state of a weight before Adam's first step, on its device."""
    # Not zeros_like: for the meta device it loads sympy, a third of a second.
    shape, kind, where = parameter.shape, parameter.dtype, parameter.device
    return {
        "step": torch.zeros((), dtype=torch.float32, device=where),
        "exp_avg": torch.zeros(shape, dtype=kind, device=where),
        "exp_avg_sq": torch.zeros(shape, dtype=kind, device=where),
    }
