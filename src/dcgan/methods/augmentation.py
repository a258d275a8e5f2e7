"""Differentiable augmentation: D sees real and generated images through the same random changes (Zhao et al. 2020).

A discriminator that has seen every picture many times knows them by heart and stops teaching. Real pictures alone must
not be changed, or G learns to draw the changes; changed on both sides, with G's gradient running through, they cost G
nothing and give D a set that does not end. The three changes, their ranges and their order are the paper's (section
3.2 and its code), but for what a shift brings in: here the edge of the image, repeated, so that a white ground stays
white.
"""

from __future__ import annotations

import torch
from torch import Tensor

CHANCES = 7
"""Numbers that the changes of one image take."""

SHIFT = 1 / 8
"""Longest shift, as a share of each side."""
CUTOUT = 1 / 2
"""Side of the grey rectangle, as a share of the image's."""


def augmented(policy: str, images: Tensor, chances: Tensor) -> Tensor:
    """Images (N, C, H, W) in about [-1, 1] as D is to see them; differentiable.

    policy: names of `CHANGES` with commas. chances: (N, `CHANCES`), uniform in [0, 1). Colour may leave [-1, 1].
    """
    for name in policy.split(","):
        images = CHANGES[name](images, chances)
    return images


def colour(images: Tensor, chances: Tensor) -> Tensor:
    """Brightness by ±½, saturation by 0 to 2 (of three channels), contrast by ½ to 3⁄2, around the image's own mean."""
    brightness, saturation, contrast = chances[:, :3, None, None, None].to(images.dtype).unbind(1)
    images = images + (brightness - 0.5)
    if images.shape[1] > 1:
        grey = images.mean(1, keepdim=True)
        images = grey + (images - grey) * (2 * saturation)
    mean: Tensor = images.mean((1, 2, 3), keepdim=True)
    return mean + (images - mean) * (contrast + 0.5)


def translation(images: Tensor, chances: Tensor) -> Tensor:
    """A shift by whole pixels, up to an eighth of each side; the edge is repeated where nothing is known."""
    count, _, height, width = images.shape
    rows = _shifted(height, chances[:, 3])
    columns = _shifted(width, chances[:, 4])
    which = torch.arange(count, device=images.device)[:, None, None]
    pixels = images.permute(0, 2, 3, 1)
    return pixels[which, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def cutout(images: Tensor, chances: Tensor) -> Tensor:
    """A grey rectangle of half the height and width, anywhere, also half outside."""
    height, width = images.shape[2:]
    rows, columns = _inside(height, chances[:, 5]), _inside(width, chances[:, 6])
    return images * ~(rows[:, None, :, None] & columns[:, None, None, :])


CHANGES = {"color": colour, "translation": translation, "cutout": cutout}
"""The paper's names."""


def _shifted(edge: int, chance: Tensor) -> Tensor:
    """int64 (N, edge): the row that is to stand at each place."""
    most = int(edge * SHIFT + 0.5)
    by = (chance * (2 * most + 1)).long() - most
    return (torch.arange(edge, device=chance.device) + by[:, None]).clamp(0, edge - 1)


def _inside(edge: int, chance: Tensor) -> Tensor:
    """bool (N, edge): the rows of the rectangle, whose middle may be any of them."""
    side = int(edge * CUTOUT + 0.5)
    top = (chance * (edge + 1 - side % 2)).long() - side // 2
    at = torch.arange(edge, device=chance.device)
    return (at >= top[:, None]) & (at < top[:, None] + side)
