"""Adam as torch has it, without what torch wraps around it for its compiler."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import optim

_step = inspect.unwrap(optim.Adam.step)


class Adam(optim.Adam):
    """`torch.optim.Adam`, bit for bit. The wrappers of its methods load the whole of torch's compiler with the first
    step, a second of every start, to tell it to leave them alone; nothing here is compiled.
    """

    add_param_group = inspect.unwrap(optim.Adam.add_param_group)
    zero_grad = inspect.unwrap(optim.Adam.zero_grad)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        return _step(self, closure)
