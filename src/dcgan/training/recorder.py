"""Training steps as CUDA graphs: what a step asks of a GPU is recorded once and then repeated by a single call.

A step of a small model is hundreds of kernels of some microseconds each, which take longer to call one by one than to
run (docs/speed.md).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dcgan.methods import Turn

Compute = Callable[[Mapping[str, Tensor], Turn], dict[str, Tensor]]
"""What a step makes of its draws: its quantities, 0-d tensors."""
Replay = Callable[[], dict[str, Tensor]]

NUMBERS = "numbers"
"""Under which name a turn's rate and gamma lie among the inputs."""


class Recorder:
    """Steps of `compute` on a GPU, of which each kind is computed once, recorded the second time and then repeated.

    Inputs lie at fixed places on the GPU and are overwritten before each step; nothing waits for the GPU. The random
    numbers that a step draws there follow torch's seed, as in a step that was not recorded.
    """

    def __init__(self, compute: Compute, tensor: Callable[[NDArray[Any]], Tensor]) -> None:
        """tensor: an array on the GPU, copied without waiting."""
        self.compute, self.tensor = compute, tensor
        self.inputs: dict[str, Tensor] = {}
        self.replays: dict[Hashable, Replay | None] = {}
        # What is recorded must not have met the default stream: torch remembers where gradients are added up.
        self.aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]

    def __call__(self, drawn: Mapping[str, NDArray[Any]], turn: Turn) -> dict[str, Tensor]:
        """The quantities of the step. drawn: arrays of the same names, shapes and types in every step."""
        numbers = np.array([turn.rate, turn.gamma], np.float32)
        for name, array in {**drawn, NUMBERS: numbers}.items():
            there = self.tensor(array)
            if name in self.inputs:
                self.inputs[name].copy_(there)
            else:
                self.inputs[name] = there
        turn = turn.with_numbers(*self.inputs[NUMBERS].unbind())
        if turn.kind not in self.replays:
            self.replays[turn.kind] = None
            return self._first(turn)
        replay = self.replays[turn.kind]
        if replay is None:
            replay = self.replays[turn.kind] = self._recorded(turn)
        return replay()

    def _first(self, turn: Turn) -> dict[str, Tensor]:
        """Compute the step as ever: libraries prepare themselves, optimizers make their state."""
        here = torch.cuda.current_stream()
        self.aside.wait_stream(here)
        with torch.cuda.stream(self.aside):
            values = self.compute(self.inputs, turn)
        here.wait_stream(self.aside)
        for value in values.values():
            value.record_stream(here)
        return values

    def _recorded(self, turn: Turn) -> Replay:
        graph = torch.cuda.CUDAGraph()
        # Other threads may go on to use the GPU meanwhile.
        with torch.cuda.graph(graph, stream=self.aside, capture_error_mode="thread_local"):
            values = self.compute(self.inputs, turn)
            names, together = tuple(values), torch.stack(list(values.values()))

        def replay() -> dict[str, Tensor]:
            graph.replay()
            return dict(zip(names, together.clone().unbind(), strict=True))

        return replay
