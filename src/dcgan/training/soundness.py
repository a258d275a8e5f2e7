"""Is bf16 right, and is it faster? Every convolution of a network is asked once on this machine, and float32 is kept
where the answer is no; then all networks are asked together, since small layers lose more by rounding back and forth
between both than each gains alone.

Convolutions in bf16 are known to be wrong, or many times slower than in float32, for some shapes on some CPUs
(pytorch issues 163347, 169688, 183815). A layer is judged by its output and both its gradients on the very shape that
it will see. The answers are kept in the cache folder, so that a run and its resumption compute alike.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dcgan.data.named.fetch import cache_folder
from dcgan.errors import DcganError
from dcgan.files import make_folder, write_json
from dcgan.networks import evaluating
from dcgan.networks.convolution import Layer

TOLERANCE = 2**-6
"""Relative Frobenius norm of the difference. Rounding to bf16's eight bits gives 2⁻⁹ to 2⁻⁸; a wrong kernel about 1."""
IMAGES, TRIES = 16, 3
"""Images of the trial, and timings of each way, of which the fastest counts."""
WORTH = 0.9
"""bf16 is taken where all networks together need less than this share of float32's time: penalties gain nothing."""


@dataclass(frozen=True)
class Answer:
    """error: the largest of output and gradients. ratio: bf16's time over float32's, forward and backward."""

    error: float
    ratio: float

    @property
    def good(self) -> bool:
        """Whether bf16 computes the layer, and sooner."""
        return self.error <= TOLERANCE and self.ratio < 1


def keep_sound(
    networks: Mapping[str, nn.Module], run: Callable[[], Any], machine: str, cache: Path | None = None
) -> dict[str, Answer]:
    """Set `exact` on every convolution that is to stay in float32; the answers by the layer's name.

    run: computes all networks forward once, so that every layer sees its shape. machine: what answers depend on besides
    the shape; they are looked up and kept in `cache`, a file in the cache folder if not given.
    """
    known = _Known(machine, cache)
    answers: dict[str, Answer] = {}
    with evaluating(*networks.values()):
        for name, (layer, shape) in _shapes(networks, run).items():
            answers[name] = known.answer(f"{layer} | {tuple(shape)}", partial(ask, layer, shape))
            layer.exact = not answers[name].good
    known.keep()
    return answers


def sooner(
    networks: Mapping[str, nn.Module],
    passes: Callable[[bool], Any],
    machine: str,
    cache: Path | None = None,
) -> bool:
    """Whether bf16, in the layers that `keep_sound` left to it, takes the networks forward and back in less time.

    passes: computes all networks and the gradients of their weights once, in bf16 if told so, else in float32. The
    answer is kept as `keep_sound` keeps its own.
    """

    def both() -> Answer:
        seconds = {False: float("inf"), True: float("inf")}
        with evaluating(*networks.values()):
            for _ in range(TRIES):
                for bf16 in seconds:
                    began = time.perf_counter()
                    passes(bf16)
                    seconds[bf16] = min(seconds[bf16], time.perf_counter() - began)
        return Answer(0.0, round(seconds[True] / seconds[False], 4))

    known = _Known(machine, cache)
    shapes = sha256("\n".join(map(repr, networks.values())).encode()).hexdigest()[:16]
    answer = known.answer(f"all of {', '.join(networks)} {shapes}", both)
    known.keep()
    return answer.ratio < WORTH


def ask(layer: Layer, shape: torch.Size) -> Answer:
    """Compute `layer` on noise of `shape`, (N, C, H, W), of at most `IMAGES` images, in float32 and in bf16."""
    noise = torch.Generator().manual_seed(0)
    x = torch.randn(min(shape[0], IMAGES), *shape[1:], generator=noise)
    x = x.contiguous(memory_format=torch.channels_last)
    before = layer.exact
    try:
        layer.exact = True
        expected, slow = _timed(layer, x)
        layer.exact = False
        found, fast = _timed(layer, x)
    finally:
        layer.exact = before
    errors = [
        float((a.float() - b).norm() / b.norm().clamp(min=1e-30))
        for a, b in zip(found, expected, strict=True)
    ]
    return Answer(round(max(errors), 6), round(fast / slow, 4))


def _timed(layer: Layer, x: Tensor) -> tuple[list[Tensor], float]:
    best, found = float("inf"), []
    weights = [parameter for parameter in layer.parameters() if parameter.ndim > 1]
    for _ in range(TRIES):
        began = time.perf_counter()
        leaf = x.detach().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16), torch.enable_grad():
            y = layer(leaf)
            gradients = torch.autograd.grad(y.float().square().mean(), (leaf, *weights))
        best = min(best, time.perf_counter() - began)
        found = [y.detach(), *gradients]
    return found, best


def _shapes(networks: Mapping[str, nn.Module], run: Callable[[], Any]) -> dict[str, tuple[Layer, torch.Size]]:
    """Every convolution by name, with the shape of what it is given."""
    found: dict[str, tuple[Layer, torch.Size]] = {}
    handles = []
    for role, network in networks.items():
        for name, part in network.named_modules():
            if isinstance(part, Layer):

                def note(layer: nn.Module, inputs: tuple[Tensor, ...], name: str = f"{role}.{name}") -> None:
                    found[name] = layer, inputs[0].shape  # type: ignore[assignment]

                handles.append(part.register_forward_pre_hook(note))
    try:
        with torch.no_grad():
            run()
    finally:
        for handle in handles:
            handle.remove()
    return found


class _Known:
    """The answers so far on a machine, by question; `file`, one in the cache folder if None, has those of before."""

    def __init__(self, machine: str, file: Path | None) -> None:
        self.machine, self.file = machine, file or cache_folder("kernels") / "bf16.json"
        self.answers, self.fresh = _read(self.file), False

    def answer(self, question: str, ask: Callable[[], Answer]) -> Answer:
        """The known one, or what `ask` finds."""
        key = f"{self.machine} | {question} | {torch.get_num_threads()} threads"
        if key not in self.answers:
            found = ask()
            self.answers[key], self.fresh = [found.error, found.ratio], True
        return Answer(*self.answers[key])

    def keep(self) -> None:
        """Write the answers, if there are new ones."""
        if self.fresh:
            with suppress(DcganError):  # a cache that cannot be written costs the question, no more
                make_folder(self.file.parent)
                write_json(self.file, self.answers)


def _read(file: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError, RecursionError):
        known = json.loads(file.read_text("utf-8"))
        if isinstance(known, dict):
            return {key: value for key, value in known.items() if _sound(value)}
    return {}


def _sound(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(type(number) is float for number in value)
