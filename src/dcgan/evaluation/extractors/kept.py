"""Features kept in the cache, a block of images a file: what is done once need not be done again, nor after a kill."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dcgan.data.named.fetch import cache_folder
from dcgan.errors import DcganError
from dcgan.files import make_folder, remove, write_atomic

LIMIT = 2 * 10**9
"""Bytes of all kept features together; the least recently used go. 10,000 images of 2048 features take 82 MB."""


class FeatureCache:
    """A folder of files, each the sha256 of features and then the features, float32 little-endian (n, d).

    A file's name is a hash of the extractor and of the images, so that a block is found whatever set it is part of.
    """

    def __init__(self, folder: Path, extractor: str, limit: int = LIMIT) -> None:
        self.folder, self.extractor, self.limit = folder, extractor, limit

    @classmethod
    def find(cls, extractor: str) -> FeatureCache | None:
        """In $DCGAN_CACHE/features or ~/.cache/dcgan/features; None without a home folder."""
        try:
            return cls(cache_folder("features"), extractor)
        except DcganError:
            return None

    def load(self, images: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """The features (N, d) of these images, N ≥ 1, or None where there are none or they are damaged."""
        path = self._path(images)
        try:
            content = path.read_bytes()
            os.utime(path)  # used just now: the last to go
        except OSError:
            return None
        seal, raw = content[:32], content[32:]
        if hashlib.sha256(raw).digest() != seal or len(raw) % (4 * len(images)):
            with contextlib.suppress(DcganError):
                remove(path)
            return None
        return np.frombuffer(raw, "<f4").reshape(len(images), -1).astype(np.float32)

    def keep(self, images: NDArray[np.uint8], features: NDArray[np.float32]) -> None:
        """Keep features (N, d) of these images. A cache that cannot be written is no reason to stop."""
        raw = np.ascontiguousarray(features, "<f4").tobytes()
        with contextlib.suppress(DcganError):
            make_folder(self.folder)
            self._sweep(32 + len(raw))
            write_atomic(self._path(images), hashlib.sha256(raw).digest() + raw)

    def _path(self, images: NDArray[np.uint8]) -> Path:
        digest = hashlib.sha256(f"{self.extractor} {images.shape}".encode())
        digest.update(np.ascontiguousarray(images).data)
        return self.folder / f"{digest.hexdigest()}.features"

    def _sweep(self, coming: int) -> None:
        files: list[tuple[float, int, Path]] = []
        for path in self.folder.glob("*.features"):
            with contextlib.suppress(OSError):
                facts = path.stat()
                files.append((facts.st_mtime, facts.st_size, path))
        total = coming + sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if total <= self.limit:
                return
            remove(path)
            total -= size
