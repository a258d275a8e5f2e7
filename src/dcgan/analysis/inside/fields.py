"""Where a unit of a convolution looks: its receptive field, from kernels, strides and padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from dcgan.networks.layers import SameConv2d, same_padding
from dcgan.networks.stages import Stage, through


class Box(NamedTuple):
    """A rectangle of a picture, in pixels."""

    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True)
class Field:
    """Of the unit at (row, column): `size` pixels from (row · step − before), over height and over width."""

    size: tuple[int, int] = (1, 1)
    step: tuple[int, int] = (1, 1)
    before: tuple[int, int] = (0, 0)

    def followed_by(self, kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int]) -> Field:
        """The field with one more convolution behind it: Araujo et al. 2019, eqs. 1 and 2, one layer at a time."""
        sides = range(2)
        return Field(
            _two([self.size[i] + (kernel[i] - 1) * self.step[i] for i in sides]),
            _two([self.step[i] * stride[i] for i in sides]),
            _two([self.before[i] + padding[i] * self.step[i] for i in sides]),
        )

    def box(self, row: int, column: int, picture: tuple[int, int]) -> Box:
        """The part of the picture, of (height, width), that the unit sees; padding is cut off."""
        place = row, column
        starts = [place[i] * self.step[i] - self.before[i] for i in (0, 1)]
        ends = [min(starts[i] + self.size[i], picture[i]) for i in (0, 1)]
        top, left = (max(start, 0) for start in starts)
        return Box(top, left, ends[0] - top, ends[1] - left)


@torch.no_grad()
def receptive_field(network: nn.Module, stages: Sequence[Stage], images: Tensor) -> Field:
    """The field of the units that `stages`, the first ones of a discriminator, end in; images: any it takes."""
    field = Field()

    def note(layer: nn.Module, inputs: tuple[Any, ...]) -> None:
        nonlocal field
        assert isinstance(layer, nn.Conv2d)  # noqa: S101 - only these are hooked
        if isinstance(layer, SameConv2d):
            size = inputs[0].shape[2], inputs[0].shape[3]
            (top, _), (left, _) = same_padding(size, layer.kernel_size[0], layer.stride[0])
        else:
            top, left = int(layer.padding[0]), int(layer.padding[1])
        field = field.followed_by(layer.kernel_size, layer.stride, (top, left))

    hooks = [
        layer.register_forward_pre_hook(note) for layer in network.modules() if isinstance(layer, nn.Conv2d)
    ]
    try:
        through(stages, images[:1])
    finally:
        for hook in hooks:
            hook.remove()
    return field


def _two(values: Sequence[int]) -> tuple[int, int]:
    return values[0], values[1]
