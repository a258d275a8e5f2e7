"""The means of a run's quantities over the steps between two lines of its journal."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


class Means:
    """Adds up 0-d tensors by name, where they lie: a GPU is waited for when the means are asked for, and not before."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._steps = 0

    def add(self, values: Mapping[str, Tensor]) -> None:
        """The quantities of one more step, the same ones in every step."""
        if not self._sums:
            self._sums = {name: torch.zeros_like(value) for name, value in values.items()}
        torch._foreach_add_([self._sums[name] for name in values], list(values.values()))
        self._steps += 1

    def take(self) -> dict[str, float]:
        """The means since they were taken last, to six decimals; none without a step."""
        means = {name: round(float(total) / self._steps, 6) for name, total in self._sums.items()}
        self._sums, self._steps = {}, 0
        return means
