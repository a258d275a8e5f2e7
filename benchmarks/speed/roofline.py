"""What a step costs in operations, and what this machine can do: the ceilings under which the rates stand.

An operation is a multiplication or an addition, in matrix products and convolutions, forward and backward; everything
else (batch norm, activations, Adam) is bytes, not operations, and is not counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv2d
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from speed.contest import Advance

CONVOLUTIONS = ((32, 64, 64, 32, 3), (32, 128, 128, 32, 3), (16, 256, 256, 16, 3), (64, 128, 64, 14, 5))
"""(images, maps in, maps out, side, kernel) of the convolutions of which the fastest counts."""


class Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While entered, adds up the operations that are carried out, by torch's own table of formulas.

    Torch's `FlopCounterMode` is the same sum, but refuses a gradient of a gradient.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func.overloadpacket)
        if formula is not None:
            self.total += float(formula(*args, **(kwargs or {}), out_val=result))
        return result


def operations(advance: Advance, steps: int, batch: int) -> float:
    """Operations for each image in one step, the mean over `steps` steps of the reference."""
    with Operations() as count:
        for _ in range(steps):
            advance()
    return float(count.total) / steps / batch


def ceilings(device: torch.device, *, bf16: bool) -> dict[str, float]:
    """The machine's best rates, in operations and bytes a second.

    "matrix product": 2048×2048 by 2048×2048. "convolution": the fastest of `CONVOLUTIONS`, forward. Each in float32,
    and in bf16 when asked for. "copy": 256 MiB to another place, bytes read and bytes written both counted.
    """
    found = {}
    for name, dtype in {"float32": torch.float32, **({"bf16": torch.bfloat16} if bf16 else {})}.items():
        found[f"matrix product, {name}"] = _matrix_product(device, dtype)
        found[f"convolution, {name}"] = max(_convolution(device, dtype, *shape) for shape in CONVOLUTIONS)
    source = torch.zeros(2**26, device=device)
    target = torch.empty_like(source)
    found["copy"] = 2 * source.nbytes / _best(device, lambda: target.copy_(source))
    return found


def _matrix_product(device: torch.device, dtype: torch.dtype, side: int = 2048) -> float:
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    return 2 * side**3 / _best(device, lambda: a @ b)


@torch.no_grad()
def _convolution(
    device: torch.device, dtype: torch.dtype, images: int, inputs: int, outputs: int, side: int, kernel: int
) -> float:
    x = torch.randn(images, inputs, side, side, device=device).to(dtype)
    weights = torch.randn(outputs, inputs, kernel, kernel, device=device).to(dtype)
    with Operations() as count:
        conv2d(x, weights, padding=kernel // 2)
    return float(count.total) / _best(device, lambda: conv2d(x, weights, padding=kernel // 2))


def _best(device: torch.device, work: Callable[[], Tensor], seconds: float = 1.0) -> float:
    """Seconds of the fastest of at least three calls, and of as many as fit into `seconds`."""
    times: list[float] = []
    work()
    while len(times) < 3 or sum(times) < seconds:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        before = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - before)
    return min(times)
