"""A convolution by torch, and what goes into one."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from dcgan.networks.frequency import Geometry


def direct(x: Tensor, weight: Tensor, geometry: Geometry) -> Tensor:
    """The convolution that a geometry names, by torch."""
    after = [
        (out - 1) * geometry.stride + geometry.kernel - size - before
        for size, out, before in zip(geometry.size, geometry.output, geometry.pad, strict=True)
    ]
    return conv2d(
        pad(x, (geometry.pad[1], after[1], geometry.pad[0], after[0])), weight, stride=geometry.stride
    )


def inputs(geometry: Geometry, maps: int = 3, more: int = 4, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """x, weight and y in float64."""
    draw = torch.Generator().manual_seed(seed)
    k = geometry.kernel
    shapes = (2, maps, *geometry.size), (more, maps, k, k), (2, more, *geometry.output)
    x, weight, y = (torch.randn(shape, generator=draw, dtype=torch.double) for shape in shapes)
    return x.requires_grad_(), weight.requires_grad_(), y.requires_grad_()
