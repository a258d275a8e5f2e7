"""Fixtures of the data tests: a cache of their own, and folders made on the spot."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from making import encoded
from PIL import Image

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
