"""What a model makes: images with their labels, and blocks of designs with D's scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Generated(NamedTuple):
    """images: uint8 (N, H, W, C). labels: int64 (N,), indices of the model's classes, or None."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None


@dataclass(frozen=True)
class Block:
    """Consecutive designs. index: int64 (n,). scores: float32 (n,), D's logits: higher looks more real to D."""

    index: NDArray[np.int64]
    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None
    scores: NDArray[np.float32]
