"""Provisional."""

from __future__ import annotations
from typing import Any
from collections.abc import Callable
import numpy as np, torch
from numpy.typing import NDArray


class Fixed:
    name = "fixed"
    sha256 = "0" * 64
    facts: dict[str, Any] = {}

    def __init__(self) -> None:
        g = np.random.default_rng(0)
        self.w = [
            torch.from_numpy((g.standard_normal((o, i, 3, 3)) * (2 / (9 * i)) ** 0.5).astype(np.float32))
            for i, o in ((3, 32), (32, 64), (64, 128))
        ]

    def __call__(
        self, images: NDArray[np.uint8], progress: Callable[[int, int], None] | None = None
    ) -> NDArray[np.float32]:
        out = []
        for s in range(0, len(images), 256):
            x = torch.from_numpy(images[s : s + 256]).float() / 127.5 - 1
            x = x.expand(-1, 3, -1, -1)
            parts = []
            for w in self.w:
                x = torch.nn.functional.conv2d(x, w, padding=1, stride=2).relu()
                parts.append(x.mean((2, 3)))
            out.append(torch.cat(parts, 1).numpy())
        return np.concatenate(out)
