"""A picture changed so much that a network must see what it shows, and so little that it still shows it."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

TURN, SCALE, STRETCH, SHEAR, MOVE = 7.0, 0.07, 0.05, 0.07, 1 / 18
"""At most: degrees; logarithm of the size, and of how much wider than high; shear; of the side."""
GAMMA, CONTRAST = 0.3, 0.18
"""At most, as logarithms."""
HOLE = 0.36
"""Side of the square that is painted over, of the picture's."""


def distorted(x: Tensor, draws: torch.Generator, *, mirrored: bool) -> Tensor:
    """Each picture turned, scaled, sheared, moved, of another gamma and contrast, and with a grey square painted over.

    x: float32 (N, C, H, W) in [-1, 1], which outside it is -1. mirrored: half of them are. draws: on the CPU.
    The square is "cutout" (DeVries & Taylor 2017), the others those of RandAugment that fit a grey picture (Cubuk et
    al. 2020).
    """
    count, _, height, width = x.shape

    def up_to(most: float, *shape: int) -> Tensor:
        return ((torch.rand(count, *shape, generator=draws) * 2 - 1) * most).to(x.device)

    angle, size, wide = up_to(TURN * math.pi / 180), up_to(SCALE).exp(), up_to(STRETCH).exp()
    mirror = torch.ones_like(angle)
    if mirrored:
        mirror = torch.where(up_to(1) < 0, -1.0, 1.0)
    across, down = size * wide * mirror, size / wide
    shear, right, below = up_to(SHEAR), up_to(2 * MOVE), up_to(2 * MOVE)
    first = torch.stack([angle.cos() * across, shear - angle.sin() * down, right], 1)
    second = torch.stack([angle.sin() * across, angle.cos() * down, below], 1)
    grid = affine_grid(torch.stack([first, second], 1), list(x.shape), align_corners=False)
    y = (grid_sample(x + 1, grid, align_corners=False) / 2).clamp(0, 1)
    y = (y ** up_to(GAMMA, 1, 1, 1).exp() * up_to(CONTRAST, 1, 1, 1).exp()).clamp(0, 1)
    across_hole = _within(width, up_to(1), x.device).view(count, 1, 1, width)
    down_hole = _within(height, up_to(1), x.device).view(count, 1, height, 1)
    grey = (up_to(0.5, 1, 1, 1) + 0.5).expand_as(y)
    return torch.where(across_hole & down_hole, grey, y) * 2 - 1


def _within(side: int, place: Tensor, device: torch.device) -> Tensor:
    """Which pixels of a side are in the square: bool (N, side). place: -1 … 1, where it is; its edge may be outside."""
    long = HOLE * side
    start = (place + 1) / 2 * (side + long / 2) - long / 2
    pixels = torch.arange(side, device=device)
    return (pixels >= start[:, None]) & (pixels < start[:, None] + long)
