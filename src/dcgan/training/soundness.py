"""Is bf16 right, and is it faster? Every convolution of a network is asked once on this machine, and float32 is kept
where the answer is no; then all networks are asked together, since small layers lose more by rounding back and forth
between both than each gains alone.

Convolutions in bf16 are known to be wrong, or many times slower than in float32, for some shapes on some CPUs
(pytorch issues 163347, 169688, 183815). A layer is judged by its output and both its gradients on the very shape that
it will see. The answers are kept in the cache folder, so that a run and its resumption compute alike.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import astuple, dataclass
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
from dcgan.networks.convolution import Conv2d, Layer
from dcgan.networks.products import PASSES

TOLERANCE = 2**-6
"""Relative Frobenius norm of the difference. Rounding to bf16's eight bits gives 2⁻⁹ to 2⁻⁸; a wrong kernel about 1."""
PARTS = "forward", "images", "weights"
"""Of a layer's computation: its output, and its gradients by each."""
IMAGES, WORK, TRIES = 64, 5e9, 2
"""Images of a trial at most, fewer where they are more operations than this, and timings of each way, of which the
fastest counts. A product of few images is another than that of a batch: sixteen chose wrongly."""
WORTH = 0.9
"""bf16 is taken where all networks together need less than this share of float32's time: penalties gain nothing."""


@dataclass(frozen=True)
class Answer:
    """error: the largest of output and gradients. ratio: bf16's time over float32's, forward and backward. products:
    of `networks.products.PASSES`, those that are sooner as products, with spaces between."""

    error: float
    ratio: float
    products: str = ""

    @property
    def good(self) -> bool:
        """Whether bf16 computes the layer, and sooner."""
        return self.error <= TOLERANCE and self.ratio < 1

    @property
    def taken(self) -> frozenset[str]:
        """The passes that are computed as products."""
        return frozenset(PASSES).intersection(self.products.split() if self.good else ())


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
            layer.exact, layer.as_products = not answers[name].good, answers[name].taken
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
    """Compute `layer` on noise of `shape`, (N, C, H, W), in float32 and in bf16; and each of its passes in bf16 as a
    product, which is taken where it is the sooner."""
    noise = torch.Generator().manual_seed(0)
    x = torch.randn(_images(layer, shape), *shape[1:], generator=noise)
    x = x.contiguous(memory_format=torch.channels_last)
    before, multiplies = (layer.exact, layer.as_products), layer.multiplies(shape)
    errors, slow, fast, chosen = torch.zeros(len(PARTS)), 0.0, 0.0, set()
    try:
        for place, (part, name) in enumerate(zip(PARTS, layer.passes, strict=True)):
            layer.exact, layer.as_products = True, frozenset()
            expected, seconds = _timed(layer, x, part)
            slow += seconds
            layer.exact = False
            found, seconds = _timed(layer, x, part)
            if multiplies:
                layer.as_products = frozenset({name})
                other, sooner_ = _timed(layer, x, part)
                if sooner_ < seconds:
                    found, seconds = other, sooner_
                    chosen.add(name)
            fast += seconds
            errors[place] = (found.float() - expected).norm() / expected.norm().clamp(min=1e-30)
    finally:
        layer.exact, layer.as_products = before
    # Torch's largest is nan where there is one; Python's may not be.
    return Answer(round(float(errors.max()), 6), round(fast / slow, 4), " ".join(sorted(chosen)))


def _images(layer: Layer, shape: torch.Size) -> int:
    """How many images of a batch of `shape` a trial takes."""
    places = math.prod(shape[2:]) // (math.prod(layer.stride) if isinstance(layer, Conv2d) else 1)
    return min(shape[0], IMAGES, max(1, int(WORK / (2 * layer.weight.numel() * max(1, places)))))


def _timed(layer: Layer, x: Tensor, part: str) -> tuple[Tensor, float]:
    """What one of `PARTS` gives in bf16, and the seconds that it takes."""
    best = float("inf")
    # Not `layer.weight`: spectral norm computes that from the parameter.
    (weight,) = (parameter for parameter in layer.parameters() if parameter.ndim > 1)
    learns = weight.requires_grad
    try:
        # A product computes the gradients of all that has one, whichever is asked for.
        weight.requires_grad_(part != "images")
        for _ in range(TRIES):
            leaf = x.detach().requires_grad_(part != "weights")
            began = time.perf_counter()
            with torch.autocast("cpu", torch.bfloat16), torch.enable_grad():
                found = y = layer(leaf)
            if part != "forward":
                towards = y.detach()
                began = time.perf_counter()
                (found,) = torch.autograd.grad(y, leaf if part == "images" else weight, towards)
            best = min(best, time.perf_counter() - began)
    finally:
        weight.requires_grad_(learns)
    return found.detach(), best


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
            self.answers[key], self.fresh = list(astuple(found)), True
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
    return isinstance(value, list) and [type(part) for part in value] == [float, float, str]
