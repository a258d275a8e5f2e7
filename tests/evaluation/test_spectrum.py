from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import uniform_filter

from dcgan.errors import DcganError
from dcgan.evaluation.metrics import spectrum
from dcgan.evaluation.metrics.spectrum import BAND, CHECKERBOARD, nyquist_ratio, nyquist_share


def natural(n: int, channels: int, side: int, seed: int) -> np.ndarray:
    """Noise of amplitude 1/f, as photographs have."""
    draw = np.random.default_rng(seed)
    f = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None])
    f[0, 0] = 1
    noise = np.fft.fft2(draw.normal(size=(n, channels, side, side))) / f
    plane = np.fft.ifft2(noise).real
    plane = (plane - plane.mean((2, 3), keepdims=True)) / plane.std((2, 3), keepdims=True)
    return np.clip(128 + 45 * plane, 0, 255).astype(np.uint8)


def reference(images: np.ndarray) -> float:
    """Each frequency by its own sum, over the whole plane of them."""
    n, c, h, w = images.shape
    wy = np.sin(np.pi * np.arange(1, h + 1) / (h + 1)) ** 2
    wx = np.sin(np.pi * np.arange(1, w + 1) / (w + 1)) ** 2
    window = wy[:, None] * wx[None]
    fy, fx = np.fft.fftfreq(h), np.fft.fftfreq(w)
    down = np.exp(-2j * np.pi * fy[:, None] * np.arange(h))
    across = np.exp(-2j * np.pi * fx[:, None] * np.arange(w))
    power = np.full((h, w), n * c * (window**2).sum() / 12)
    for image in images.reshape(-1, h, w).astype(float):
        image = image - np.average(image, weights=window)
        power += np.abs(down @ (image * window) @ across.T) ** 2
    points = [(0.5, 0), (0, 0.5), (0.5, 0.5)]
    near = sum(
        power[y, x]
        for y in range(h)
        for x in range(w)
        if any(max(abs(abs(fy[y]) - p), abs(abs(fx[x]) - q)) <= BAND for p, q in points)
    )
    return float(near / power.sum())


@pytest.mark.parametrize(("side", "channels"), [(8, 1), (28, 1), (27, 3), (32, 3)])
def test_it_agrees_with_every_frequency_by_its_own_sum(side: int, channels: int) -> None:
    images = natural(4, channels, side, 0)
    assert nyquist_share(images) == pytest.approx(reference(images), rel=1e-9)


def test_halves_of_the_real_set_are_alike() -> None:
    images = natural(600, 1, 28, 1)
    assert nyquist_ratio(images[:300], images[300:]) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("kind", ["across", "down", "both", "modulated"])
def test_checkerboards_are_above_the_threshold(kind: str) -> None:
    images = natural(300, 1, 28, 2)
    i, j = np.indices((28, 28))
    sign = {"across": (-1.0) ** j, "down": (-1.0) ** i}.get(kind, (-1.0) ** (i + j))
    pattern = 0.15 * (images[150:] - 128.0) * sign if kind == "modulated" else 6 * sign
    broken = np.clip(images[150:] + pattern, 0, 255).astype(np.uint8)
    assert nyquist_ratio(broken, images[:150]) > CHECKERBOARD


def test_blurred_ones_are_below_one_and_contrast_changes_little() -> None:
    images = natural(300, 3, 32, 3)
    blurred = uniform_filter(images[150:].astype(float), (0, 0, 3, 3)).astype(np.uint8)
    assert nyquist_ratio(blurred, images[:150]) < 0.6
    pale = (96 + images[150:] // 4).astype(np.uint8)
    assert nyquist_ratio(pale, images[:150]) == pytest.approx(1, abs=0.2)


def test_blocks_and_order_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    images = natural(20, 1, 16, 4)
    whole = nyquist_share(images)
    monkeypatch.setattr(spectrum, "_BLOCK_VALUES", 3 * 256)
    assert nyquist_share(images[::-1]) == pytest.approx(whole, rel=1e-12)


def test_refusals_are_one_line() -> None:
    images = natural(2, 1, 16, 5)
    with pytest.raises(DcganError, match="every generated picture is of one colour"):
        nyquist_ratio(np.full_like(images, 9), images)
    with pytest.raises(DcganError, match="at least 8 × 8"):
        nyquist_share(images[:, :, :7])
    with pytest.raises(DcganError, match="0 generated pictures"):
        nyquist_ratio(images[:0], images)
