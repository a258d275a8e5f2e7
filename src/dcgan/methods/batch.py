"""What a training step is given."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """One minibatch on the device.

    real: float32 (N, C, H, W) in [-1, 1]. labels: int64 (N,) of the real images, or None.
    z: float32 (N, z_dim). fake_labels: int64 (N,), what the generator is asked for, or None.
    """

    real: Tensor
    labels: Tensor | None
    z: Tensor
    fake_labels: Tensor | None
