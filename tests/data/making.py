"""What the data tests make: toy sets, pictures, and image files in memory."""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
import zlib
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from PIL import Image

from dcgan.data.named.rows import File, NamedSet, Web


def file_of(content: bytes, name: str = "a-file", split: str = "train") -> File:
    return File(name, split, hashlib.sha256(content).hexdigest(), len(content))


def set_of(*files: File, name: str = "toy") -> NamedSet:
    return NamedSet(
        name=name,
        title="a toy",
        images={"train": 1},
        size=(8, 8),
        channels=1,
        classes=("x",),
        licence="none",
        reader="idx",
        files=files,
        sources=(Web("https://one/"), Web("https://two/")),
    )


def picture(height: int = 12, width: int = 12, colour: bool = True, seed: int = 0) -> Image.Image:
    shape = (height, width, 3) if colour else (height, width)
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8))


def encoded(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def zipped(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def png(width: int, height: int, body: bytes = b"") -> bytes:
    """An 8-bit grey PNG of any size in its header, whatever its body."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b"")


def tries(count: int) -> settings:
    """Hypothesis on a machine that may be busy: so many examples, however long they take."""
    return settings(max_examples=count, deadline=None, suppress_health_check=[HealthCheck.too_slow])
