"""Fixtures of the data tests: a cache of their own, and files made on the spot."""

import gzip
import hashlib
import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dcgan.data.catalog import File, NamedSet, Web

OUTSIDE = {name: os.environ.get(name) for name in ("DCGAN_CACHE", "DCGAN_DATA")}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache; $DCGAN_DATA unset."""
    monkeypatch.setenv("DCGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("DCGAN_DATA", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache and the data folder that the tests were started with, for the tests of real sets."""
    for name, value in OUTSIDE.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)


def file_of(content: bytes, name: str = "a-file", split: str = "train") -> File:
    return File(name, split, hashlib.sha256(content).hexdigest(), len(content))


def set_of(*files: File, name: str = "toy", bases: tuple[str, ...] = ("https://one/", "https://two/")) -> NamedSet:
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
        sources=tuple(Web(base) for base in bases),
    )


def picture(height: int = 12, width: int = 12, colour: bool = True, seed: int = 0) -> Image.Image:
    shape = (height, width, 3) if colour else (height, width)
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8))


def encoded(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """Make a folder from {relative name: bytes or image}."""

    def make(files: dict[str, bytes | Image.Image]) -> Path:
        root = tmp_path / "pictures"
        root.mkdir()
        for name, content in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else encoded(content))
        return root

    return make


def zipped(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)
