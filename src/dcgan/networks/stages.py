"""A network as a chain of stages, so that the maps between them can be looked at, kept or changed.

A discriminator's stages go from images to its last hidden layer, and its `verdict` from there; a generator's go from
its head's output to images. A stage ends after its activation: what it gives are the maps that the next layer sees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial, reduce
from typing import NamedTuple, Protocol

from torch import Tensor, nn

from dcgan.networks.folding import normed


class Stage(NamedTuple):
    """name: "conv1", "up2", "dense1", …, from 1 in the order of computing. compute: (N, …) → (N, …)."""

    name: str
    compute: Callable[[Tensor], Tensor]


class Staged(Protocol):
    """What every network here is."""

    def stages(self) -> list[Stage]:
        """The stages, in the order of computing."""


_WEIGHTED: tuple[tuple[type[nn.Module], str], ...] = (
    (nn.ConvTranspose2d, "up"),
    (nn.Conv2d, "conv"),
    (nn.Linear, "dense"),
)


def grouped(layers: Iterable[nn.Module]) -> list[Stage]:
    """Layers as stages: each begins at a layer of weights, and what has none goes with the layer before it, or, at the
    beginning, with the first. Without a layer of weights they are one stage called "base"."""
    groups: list[tuple[str, list[nn.Module]]] = []
    counts: dict[str, int] = {}
    leading: list[nn.Module] = []
    for layer in layers:
        kind = next((word for known, word in _WEIGHTED if isinstance(layer, known)), None)
        if kind:
            counts[kind] = counts.get(kind, 0) + 1
            groups.append((f"{kind}{counts[kind]}", [*leading, layer]))
            leading = []
        elif groups:
            groups[-1][1].append(layer)
        else:
            leading.append(layer)
    if leading or not groups:
        groups.append(("base", leading))
    return [Stage(name, chain(parts)) for name, parts in groups]


def through(stages: Iterable[Stage], x: Tensor) -> Tensor:
    """What the stages make of x, one after the other."""
    return reduce(lambda value, stage: stage.compute(value), stages, x)


def chain(parts: Iterable[nn.Module]) -> Callable[[Tensor], Tensor]:
    """The layers one after the other, as one function; batch norm goes with the layer before it."""
    steps: list[Callable[[Tensor], Tensor]] = []
    for part in parts:
        if isinstance(part, nn.BatchNorm2d) and steps:
            steps.append(partial(normed, steps.pop(), part))
        else:
            steps.append(part)
    return lambda x: reduce(lambda value, step: step(value), steps, x)


def stage_names(network: Staged) -> list[str]:
    """The names of a network's stages, in order."""
    return [stage.name for stage in network.stages()]
