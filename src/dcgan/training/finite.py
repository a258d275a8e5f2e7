"""Whether every quantity of a step is finite, asked without waiting for a GPU that is at work."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from dcgan.errors import Diverged

LAG = 4
"""Steps that a GPU may be behind: enough that the host, which only lists the work, never waits for the newest."""


@dataclass(frozen=True)
class _Asked:
    step: int
    names: tuple[str, ...]
    values: Tensor
    wait: Callable[[], object]


class Finite:
    """Looks at the quantities of each step: at once on a CPU, `LAG` steps later on a GPU.

    The lag is a number of steps and no matter of time, so that all ranks come to the same answer in the same step.
    """

    def __init__(self, device: torch.device, lag: int | None = None) -> None:
        self.lag = (LAG if device.type == "cuda" else 0) if lag is None else lag
        self._asked: deque[_Asked] = deque()

    def see(self, values: Mapping[str, Tensor], step: int) -> None:
        """Note what the `step`-th step gave, 0-d tensors; raises `Diverged` for the step `lag` before it."""
        together = torch.stack(list(values.values()))
        self._asked.append(_Asked(step, tuple(values), *_on_its_way(together)))
        while len(self._asked) > self.lag:
            self._answer()

    def settle(self) -> None:
        """Wait for all steps so far; raises `Diverged` for the first that was not finite."""
        while self._asked:
            self._answer()

    def _answer(self) -> None:
        asked = self._asked.popleft()
        asked.wait()
        finite = asked.values.isfinite().tolist()
        bad = [name for name, good in zip(asked.names, finite, strict=True) if not good]
        if bad:
            self._asked.clear()
            raise Diverged(f"{', '.join(bad)} became NaN or infinite at step {asked.step}")


def _on_its_way(values: Tensor) -> tuple[Tensor, Callable[[], object]]:
    """The values on the host, and how to wait until they have arrived there."""
    if values.device.type != "cuda":
        return values, lambda: None
    host = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
    host.copy_(values, non_blocking=True)
    arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
    arrived.record()
    return host, arrived.synchronize
