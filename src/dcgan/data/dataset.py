"""Pictures in memory or mapped into it: one uint8 array, labels, class names, and where they came from."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BLOCK = 64 * 2**20
"""Bytes hashed at a time."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """A set of pictures, read and ready.

    images: uint8, NCHW, C is 1 (grey) or 3 (RGB), C-contiguous. A read-only `np.memmap` when they are many.
    labels: int64, shape (N,), values in 0 … len(classes)-1; None when the set has none.
    classes: the class names in label order; empty when there are no labels.
    origin: what was read, as JSON-ready facts (source, files, licence, and those of `findings.Findings.facts`).
    captions: what each image shows, in words, "" where there are none; None when the set has no words.
    names: the file each image came from; None where images have no files. Not written by `describe`.
    """

    name: str
    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None = None
    classes: tuple[str, ...] = ()
    origin: dict[str, Any] = field(default_factory=dict)
    captions: tuple[str, ...] | None = None
    names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.images.dtype != np.uint8 or self.images.ndim != 4 or self.images.shape[1] not in (1, 3):
            raise ValueError(
                f"images must be uint8 NCHW with C 1 or 3, not {self.images.dtype} {self.images.shape}"
            )
        if (self.labels is None) != (not self.classes):
            raise ValueError("labels and class names come together or not at all")
        if self.labels is not None and (
            self.labels.dtype != np.int64
            or self.labels.shape != (len(self.images),)
            or self.labels.min(initial=0) < 0
            or self.labels.max(initial=0) >= len(self.classes)
        ):
            raise ValueError("labels must be int64, one per image, each the index of a class name")
        if any(words is not None and len(words) != len(self.images) for words in (self.captions, self.names)):
            raise ValueError("captions and names must be one per image")

    def __len__(self) -> int:
        return len(self.images)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return int(self.images.shape[2]), int(self.images.shape[3])

    @property
    def channels(self) -> int:
        """1 for grey, 3 for RGB."""
        return int(self.images.shape[1])

    @property
    def shape(self) -> str:
        """Of a picture, in words: "28×28 grey"."""
        return f"{self.size[0]}×{self.size[1]} {'grey' if self.channels == 1 else 'colour'}"

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """Images per class, in label order; empty without labels."""
        if self.labels is None:
            return np.zeros(0, np.int64)
        return np.bincount(self.labels, minlength=len(self.classes)).astype(np.int64)

    @cached_property
    def sha256(self) -> str:
        """Hash of shape, pixels, labels and captions: the same for the same pictures, whatever file they came in."""
        digest = hashlib.sha256(repr((self.images.shape, self.classes)).encode())
        rows = max(1, _BLOCK // max(1, self.images[:1].nbytes))
        for start in range(0, len(self), rows):  # mapped pictures may be more than memory holds
            digest.update(np.ascontiguousarray(self.images[start : start + rows]).data)
        if self.labels is not None:
            digest.update(np.ascontiguousarray(self.labels, "<i8").data)
        if self.captions is not None:
            digest.update(json.dumps(self.captions).encode())
        return digest.hexdigest()

    @property
    def mapped(self) -> bool:
        """Whether the pixels lie in a file and come into memory as they are looked at."""
        return isinstance(self.images, np.memmap)

    def describe(self) -> dict[str, Any]:
        """The facts that a run keeps in its `data.json`."""
        return {
            "name": self.name,
            "images": len(self),
            "height": self.size[0],
            "width": self.size[1],
            "channels": self.channels,
            "classes": list(self.classes),
            "counts": self.counts.tolist(),
            "sha256": self.sha256,
            **self.origin,
        }
