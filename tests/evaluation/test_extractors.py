from __future__ import annotations

import numpy as np
import pytest

from dcgan.errors import DcganError
from dcgan.evaluation.extractors import EXTRACTORS, extractor
from dcgan.evaluation.extractors.fixed import SCALES, Fixed
from dcgan.evaluation.extractors.pixels import Pixels


def pictures(n: int, channels: int, height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, channels, height, width), dtype=np.uint8)


@pytest.mark.parametrize("make", [Pixels, Fixed])
@pytest.mark.parametrize(
    "shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 40, 64), (1, 128, 128), (3, 100, 128)]
)
def test_features_are_the_same_whatever_the_batch(make: type, shape: tuple[int, int, int]) -> None:
    images = pictures(140, *shape)
    one = make()
    whole = one(images)
    assert whole.dtype == np.float32 and whole.shape[0] == 140 and np.isfinite(whole).all()
    for rows in (slice(0, 1), slice(3, 135), slice(139, 140), slice(0, 128)):
        assert np.array_equal(one(images[rows]), whole[rows])
    assert np.array_equal(one(images[::-1]), whole[::-1])


@pytest.mark.parametrize("make", [Pixels, Fixed])
def test_progress_is_told(make: type) -> None:
    told: list[tuple[int, int]] = []
    make()(pictures(300, 1, 8, 8), lambda done, of: told.append((done, of)))
    assert told[-1] == (300, 300) and told == sorted(told)


def test_no_images_have_no_features() -> None:
    assert Pixels()(pictures(0, 1, 8, 8)).shape == (0, 64)
    assert Fixed()(pictures(0, 1, 8, 8)).shape == (0, 240)


def test_pixels_are_the_pixels_while_they_are_few() -> None:
    images = pictures(3, 3, 32, 32)
    assert np.array_equal(Pixels()(images), images.reshape(3, -1).astype(np.float32) / 255)


def test_larger_pictures_are_averaged_over_squares() -> None:
    images = pictures(2, 3, 64, 64)
    by_hand = images.reshape(2, 3, 32, 2, 32, 2).mean((3, 5)).reshape(2, -1) / 255
    assert Pixels()(images) == pytest.approx(by_hand, abs=1e-6)
    for shape in ((1, 56, 56), (3, 33, 32), (1, 128, 128), (3, 90, 128), (3, 128, 8)):
        assert 64 <= Pixels()(pictures(2, *shape)).shape[1] <= 3072


def test_the_fixed_network_is_the_same_everywhere() -> None:
    assert Fixed().sha256 == "f16ec0a546970cabf1174911ad3bfcd63a2375e4bd18235fea697b41eb8f4706"
    assert Fixed().weights[0].sum((1, 2, 3)).abs().max() < 1e-5


def test_the_fixed_network_agrees_with_sums_by_hand() -> None:
    network, image = Fixed(), pictures(1, 3, 12, 9)
    maps = image[0].astype(float) / 255
    columns = (slice(0, 3), slice(2, 5), slice(4, 7), slice(6, 9))  # a quarter of 9, and what it touches
    brightness = [maps.mean(0)[3 * y : 3 * y + 3, x] for y in range(4) for x in columns]
    expected = [np.array([cell.mean() for cell in brightness]) * SCALES[0]]
    for layer, weight in enumerate(network.weights):
        padded = np.pad(maps, ((0, 0), (1, 1), (1, 1)))
        height, width = (-(-side // 2) for side in maps.shape[1:])
        following = np.zeros((len(weight), height, width))
        for y in range(height):
            for x in range(width):
                patch = padded[:, 2 * y : 2 * y + 3, 2 * x : 2 * x + 3]
                following[:, y, x] = np.maximum((weight.numpy() * patch).sum((1, 2, 3)), 0)
        maps = following
        expected.append(maps.mean((1, 2)) * SCALES[(1, 3, 4)[layer]])
        if layer == 0:
            expected.append(maps.std((1, 2)) * SCALES[2])
    assert network(image)[0] == pytest.approx(np.concatenate(expected), abs=1e-4)


def test_grey_is_three_equal_channels() -> None:
    grey = pictures(5, 1, 28, 28)
    assert Fixed()(grey) == pytest.approx(Fixed()(grey.repeat(3, 1)), abs=1e-5)


def test_every_extractor_of_the_table_keeps_the_protocol() -> None:
    for name in set(EXTRACTORS) - {"inception"}:
        one = extractor(name)
        assert one.name == name and len(one.sha256) == 64 and isinstance(one.facts, dict)


def test_refusals_are_one_line() -> None:
    with pytest.raises(DcganError, match=r"unknown extractor 'fixt': did you mean fixed\?"):
        extractor("fixt")
    with pytest.raises(DcganError, match="pictures of 8 × 7 pixels: extractor fixed needs 8 × 8"):
        Fixed()(pictures(1, 1, 7, 8))
