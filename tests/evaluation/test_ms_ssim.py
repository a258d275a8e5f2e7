from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.signal import convolve2d

from dcgan.errors import DcganError
from dcgan.evaluation.metrics import ms_ssim as module
from dcgan.evaluation.metrics.ms_ssim import ms_ssim, scales, within_class_ms_ssim

PUBLISHED = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333]


def reference(a: np.ndarray, b: np.ndarray) -> float:
    """One pair of grey pictures, by a window of two dimensions, variances as moments about the mean."""
    count = next(c for c in range(5, 0, -1) if c == 1 or min(a.shape) // 2 ** (c - 1) >= 11)
    side = min(11, min(a.shape) if min(a.shape) % 2 else min(a.shape) - 1)
    t = np.arange(side) - side // 2
    window = np.exp(-(t[:, None] ** 2 + t[None] ** 2) / (2 * (1.5 * side / 11) ** 2))
    window /= window.sum()
    x, y, result = a.astype(float), b.astype(float), 1.0
    for scale in range(count):
        mx, my = convolve2d(x, window, "valid"), convolve2d(y, window, "valid")
        vx = convolve2d(x * x, window, "valid") - mx * mx
        vy = convolve2d(y * y, window, "valid") - my * my
        cov = convolve2d(x * y, window, "valid") - mx * my
        cs = (2 * cov + (0.03 * 255) ** 2) / (vx + vy + (0.03 * 255) ** 2)
        lum = (2 * mx * my + (0.01 * 255) ** 2) / (mx * mx + my * my + (0.01 * 255) ** 2)
        value = (lum * cs).mean() if scale == count - 1 else cs.mean()
        result *= max(value, 0) ** (PUBLISHED[scale] / (sum(PUBLISHED[:count]) if count < 5 else 1))
        h, w = x.shape[0] // 2 * 2, x.shape[1] // 2 * 2
        x, y = ((p[:h:2, :w:2] + p[1:h:2, :w:2] + p[:h:2, 1:w:2] + p[1:h:2, 1:w:2]) / 4 for p in (x, y))
    return result


def pictures(n: int, c: int, h: int, w: int, seed: int) -> np.ndarray:
    """Smooth random pictures, so that their structure has scales."""
    draw = np.random.default_rng(seed)
    coarse = draw.uniform(0, 255, (n, c, -(-h // 4), -(-w // 4))).repeat(4, 2).repeat(4, 3)[:, :, :h, :w]
    return np.clip(coarse + draw.normal(0, 12, coarse.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("size", [(8, 8), (10, 13), (28, 28), (33, 47), (64, 64), (128, 96), (180, 176)])
def test_it_agrees_with_the_formula_picture_by_picture(size: tuple[int, int]) -> None:
    a = pictures(3, 1, *size, 0)
    b = np.clip(a + np.random.default_rng(1).normal(0, 30, a.shape), 0, 255).astype(np.uint8)
    expected = [reference(x[0], y[0]) for x, y in zip(a, b, strict=True)]
    assert ms_ssim(a, b) == pytest.approx(expected, rel=1e-9)


def test_colour_is_the_mean_of_channels() -> None:
    a, b = pictures(2, 3, 24, 24, 0), pictures(2, 3, 24, 24, 0)[:, ::-1].copy()
    expected = [np.mean([reference(x[c], y[c]) for c in range(3)]) for x, y in zip(a, b, strict=True)]
    assert ms_ssim(a, b) == pytest.approx(expected, rel=1e-9)


def test_which_scales_are_used() -> None:
    assert [scales(s, s) for s in (8, 21, 22, 28, 43, 44, 64, 87, 88, 128, 175, 176)] == [
        *(1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5)
    ]
    assert scales(200, 28) == 2


def test_equal_is_one_opposite_is_zero_and_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    a = pictures(6, 1, 28, 28, 2)
    assert ms_ssim(a, a) == pytest.approx(1)
    assert ms_ssim(a, 255 - a).max() == 0
    whole = ms_ssim(a, a[::-1].copy())
    monkeypatch.setattr(module, "_BLOCK_VALUES", 2 * 784)
    assert ms_ssim(a, a[::-1].copy()) == pytest.approx(whole, rel=1e-12)


def test_a_collapsed_class_stands_out() -> None:
    varied, one = pictures(30, 1, 16, 16, 3), pictures(1, 1, 16, 16, 4).repeat(30, 0)
    images, labels = np.concatenate([varied, one]), np.repeat([2, 5], 30)
    result = within_class_ms_ssim(images, labels, pairs=50, seed=1)
    assert set(result) == {2, 5} and result[5] == pytest.approx(1) and result[2] < 0.5
    assert result == within_class_ms_ssim(images, labels, pairs=50, seed=1)
    assert result != within_class_ms_ssim(images, labels, pairs=50, seed=2)
    assert set(within_class_ms_ssim(images, None, pairs=5)) == {0}


def test_two_images_are_never_compared_with_themselves() -> None:
    images = np.stack([np.zeros((1, 8, 8), np.uint8), np.full((1, 8, 8), 255, np.uint8)])
    assert within_class_ms_ssim(images, np.zeros(2, int), pairs=40)[0] < 0.1
    assert set(within_class_ms_ssim(images.repeat(2, 0)[:3], np.array([0, 0, 1]))) == {0}


def test_refusals_are_one_line() -> None:
    images = pictures(3, 1, 8, 8, 0)
    with pytest.raises(DcganError, match="1 same-class picture: this score needs at least 2"):
        within_class_ms_ssim(images, np.arange(3))
    with pytest.raises(DcganError, match="2 × 9 pixels"):
        ms_ssim(np.zeros((1, 1, 9, 2), np.uint8), np.zeros((1, 1, 9, 2), np.uint8))


def test_the_public_implementation_agrees() -> None:
    public = pytest.importorskip("pytorch_msssim")
    weights = np.exp(-((np.arange(11) - 5.0) ** 2) / 4.5)
    window = torch.from_numpy(weights / weights.sum()).repeat([3, 1, 1, 1])  # its own is rounded to float32
    for size in (28, 64, 176):
        used = PUBLISHED[: scales(size, size)]
        a = pictures(2, 3, size, size, 0)
        b = np.clip(a + np.random.default_rng(1).normal(0, 30, a.shape), 0, 255).astype(np.uint8)
        x, y = (torch.from_numpy(p).double() for p in (a, b))
        if len(used) == 5:
            theirs = public.ms_ssim(x, y, win=window, size_average=False)
        else:  # it refuses such small pictures: its parts, put together for fewer scales
            theirs = torch.ones(2, 3, dtype=torch.float64)
            for scale, weight in enumerate(used):
                ssim, structure = public.ssim.__globals__["_ssim"](x, y, 255, window)
                theirs *= (ssim if scale == len(used) - 1 else structure) ** (weight / sum(used))
                x, y = (torch.nn.functional.avg_pool2d(p, 2) for p in (x, y))
            theirs = theirs.mean(1)
        assert ms_ssim(a, b) == pytest.approx(theirs.numpy(), rel=1e-9)
