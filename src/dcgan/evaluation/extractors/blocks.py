"""Images go through a network in blocks of one fixed size, so that their features do not depend on the batch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dcgan.data.options import Progress
from dcgan.errors import enough_memory


def in_blocks(
    images: NDArray[np.uint8],
    block: int,
    features: Callable[[Tensor], Tensor],
    progress: Progress | None = None,
) -> NDArray[np.float32]:
    """float32 (N, d): `features` of uint8 NCHW images, which it is given as float32 in [0, 1], `block` at a time.

    The last block is filled up with black, whose features are left out: a network is always given the same shape,
    for which the order of its additions is the same.
    """
    parts: list[NDArray[np.float32]] = []
    with torch.inference_mode(), enough_memory():
        for start in range(0, max(1, len(images)), block):
            part = images[start : start + block]
            x = torch.zeros((block, *images.shape[1:]))
            x[: len(part)] = torch.from_numpy(np.ascontiguousarray(part, np.float32))
            parts.append(features(x / 255).numpy()[: len(part)])
            if progress and len(part):
                progress(start + len(part), len(images))
    return np.concatenate(parts)


def in_colour(x: Tensor) -> Tensor:
    """(N, 3, H, W) of (N, 1 or 3, H, W): grey is the same in all three."""
    return x.expand(-1, 3, -1, -1)


def shrunk(x: Tensor, side: int) -> Tensor:
    """`x` NCHW, averaged over squares of whole pixels until neither side is above `side`."""
    factor = -(-max(x.shape[2:]) // side)
    return torch.nn.functional.avg_pool2d(x, factor, ceil_mode=True) if factor > 1 else x
