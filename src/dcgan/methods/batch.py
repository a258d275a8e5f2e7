"""What a training step is given."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """One minibatch on the device.

    real: float32 (N, C, H, W) in [-1, 1]. labels: int64 (N,), the classes of the real images, or None.
    z: float32 (N, z_dim). The generator is asked for the same labels: they are a draw by the data's frequencies, and
    a relative objective then compares a real image with a fake one of its own class. chances: float32
    (2, N, CHANCES) in [0, 1), what `augmentation` makes of the real and of the fake images, or None.
    """

    real: Tensor
    labels: Tensor | None
    z: Tensor
    chances: Tensor | None = None
