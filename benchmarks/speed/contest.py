"""Contestants step in turn in one process, so that a machine that slows down slows them all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

Advance = Callable[[], object]
"""One training step."""


@dataclass(frozen=True)
class Times:
    """What one contestant took: seconds of each of its turns, each of so many images."""

    seconds: tuple[float, ...]
    images: int

    @property
    def rates(self) -> tuple[float, float, float]:
        """Images a second: lower quartile, median, upper quartile over the turns."""
        return quartiles([self.images / seconds for seconds in self.seconds])


def quartiles(values: list[float]) -> tuple[float, float, float]:
    """Lower quartile, median, upper quartile."""
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def race(
    contestants: Mapping[str, tuple[Advance, int]],
    *,
    rounds: int,
    cycle: int = 1,
    shortest: float = 0.3,
    device: torch.device | None = None,
) -> dict[str, Times]:
    """Let each contestant, (its step, its batch), take a turn in each of `rounds` rounds.

    A turn is a multiple of `cycle` steps, so that steps with and without a penalty stand in each as often as in
    training, and lasts `shortest` seconds or more. The order is reversed from round to round. Two turns go before, by
    which the first's length is found.
    """
    steps = dict.fromkeys(contestants, cycle)
    for name, (advance, _) in contestants.items():
        turn(advance, cycle, device)  # memory is taken, kernels are chosen and compiled
        steps[name] *= max(1, round(shortest / turn(advance, cycle, device) + 0.5))
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds):
        for name in list(contestants)[:: -1 if number % 2 else 1]:
            seconds[name].append(turn(contestants[name][0], steps[name], device))
    return {
        name: Times(tuple(seconds[name]), steps[name] * batch) for name, (_, batch) in contestants.items()
    }


def turn(advance: Advance, steps: int, device: torch.device | None = None) -> float:
    """Seconds that `steps` steps take, until the device has finished them."""
    _wait(device)
    before = time.perf_counter()
    for _ in range(steps):
        advance()
    _wait(device)
    return time.perf_counter() - before


def _wait(device: torch.device | None) -> None:
    if device is not None and device.type == "cuda":
        torch.cuda.synchronize(device)
