"""The moving average of a generator's weights: what is sampled, scored and shipped."""

from __future__ import annotations

import copy

import torch
from torch import nn


class Average:
    """An exponential moving average of a module's parameters and floating-point buffers.

    The decay of step k (from 0) is min(decay, (1+k)/(10+k)): a short run is not weighed down by its random start.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.source = module
        self.module = copy.deepcopy(module).requires_grad_(False).eval()
        self.decay = decay
        pairs = list(zip(self.module.state_dict().values(), module.state_dict().values(), strict=True))
        self._averaged = [pair for pair in pairs if pair[0].is_floating_point()]
        self._copied = [pair for pair in pairs if not pair[0].is_floating_point()]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move towards the source by 1 − decay(step)."""
        weight = 1 - min(self.decay, (1 + step) / (10 + step))
        mine, theirs = zip(*self._averaged, strict=True)
        torch._foreach_lerp_(mine, theirs, weight)
        if self._copied:
            mine, theirs = zip(*self._copied, strict=True)
            torch._foreach_copy_(mine, theirs)
