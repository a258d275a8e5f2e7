"""The moving average of a generator's weights: what is sampled, scored and shipped."""

from __future__ import annotations

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn


class Average:
    """An exponential moving average of a module's parameters and floating-point buffers.

    The decay of step k (from 0) is min(decay, (1+k)/(10+k)): a short run is not weighed down by its random start. With
    a decay of 0 it is the module as it is, copied when it is looked at and not at every step.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.source = module
        self._module = copy.deepcopy(module).requires_grad_(False).eval()
        self.decay = decay
        pairs = list(zip(self._module.state_dict().values(), module.state_dict().values(), strict=True))
        self._averaged = _columns(pair for pair in pairs if pair[0].is_floating_point())
        self._copied = _columns(pair for pair in pairs if not pair[0].is_floating_point())
        self._behind = False

    @property
    def module(self) -> nn.Module:
        """The averaged module, in evaluation mode."""
        if self._behind:
            self._behind = False
            with torch.no_grad():
                for mine, theirs in (self._averaged, self._copied):
                    if mine:
                        torch._foreach_copy_(mine, theirs)
        return self._module

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move towards the source by 1 − decay(step)."""
        if self.decay == 0:
            self._behind = True
            return
        weight = 1 - min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(*self._averaged, weight)
        if self._copied[0]:
            torch._foreach_copy_(*self._copied)


def _columns(pairs: Iterable[tuple[Tensor, Tensor]]) -> tuple[list[Tensor], list[Tensor]]:
    """The first of each pair, and the second."""
    kept = list(pairs)
    return [mine for mine, _ in kept], [theirs for _, theirs in kept]
