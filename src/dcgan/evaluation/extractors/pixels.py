"""Pixels as features: what a distance between pictures is without any network."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcgan.data.options import Progress
from dcgan.evaluation.extractors.blocks import in_blocks, shrunk

MOST = 3072
"""Features at most: 32 × 32 in colour, 55 × 55 in grey. Larger pictures are averaged over squares of pixels."""

_BLOCK = 256


class Pixels:
    """uint8 (N, C, H, W) → float32 (N, C·h·w) in [0, 1]; h × w is H × W, or less so that there are at most `MOST`."""

    name = "pixels"
    sha256 = hashlib.sha256(f"pixels 1: /255, averaged to at most {MOST}".encode()).hexdigest()

    def __init__(self) -> None:
        self.facts: dict[str, Any] = {
            "most_features": MOST,
            "larger_pictures": "averaged over squares of pixels",
        }

    def __call__(self, images: NDArray[np.uint8], progress: Progress | None = None) -> NDArray[np.float32]:
        _, channels, height, width = images.shape
        longest = max(height, width)
        factor = 1
        while channels * math.ceil(height / factor) * math.ceil(width / factor) > MOST:
            factor += 1
        side = math.ceil(longest / factor)
        return in_blocks(images, _BLOCK, lambda x: shrunk(x, side).flatten(1), progress)
