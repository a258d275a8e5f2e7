"""Which step is to be taken: all of a step that depends on how many were taken before."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

Number = float | Tensor
"""A float, or the same as a 0-d tensor on the device."""


@dataclass(frozen=True)
class Turn:
    """One step of a run. `kind` says which operations it is, `rate` and `gamma` are numbers in them.

    Steps of one kind are the same operations on other numbers, so that a GPU can repeat them from a recording; that is
    why a method may ask for nothing else.

    whose: "both", "generator" or "discriminator". penalised: D's loss has its penalty in this step.
    rate: what annealing has left of the learning rates; gamma: of the penalty's weight; 1 at the start.
    """

    whose: str
    penalised: bool
    rate: Number = 1.0
    gamma: Number = 1.0

    @property
    def kind(self) -> tuple[str, bool]:
        """Equal for steps that are the same operations."""
        return self.whose, self.penalised

    def with_numbers(self, rate: Number, gamma: Number) -> Turn:
        """The same operations with other numbers."""
        return replace(self, rate=rate, gamma=gamma)
