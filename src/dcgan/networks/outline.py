"""Networks without numbers: names, shapes and dtypes, for the price of neither memory nor time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


@contextmanager
def outline() -> Iterator[None]:
    """While entered, tensors are made on the meta device, and no random number is drawn for them."""
    with torch.device("meta"), _Undrawn():
        yield


class _Undrawn(TorchFunctionMode):
    """Skips what layers fill themselves with: on the meta device torch loads its compiler for that, in a second."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        drawn = (
            func in (Tensor.normal_, Tensor.uniform_) or getattr(func, "__module__", "") == "torch.nn.init"
        )
        return (args or tuple(kwargs.values()))[0] if drawn else func(*args, **kwargs)
