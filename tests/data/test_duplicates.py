"""Planted copies are found, other pictures are not, and nothing takes for ever."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from dcgan.data.check import duplicates
from dcgan.data.check.duplicates import Duplicates, exact_groups, find_duplicates, perceptual_hashes
from dcgan.data.dataset import Dataset

Pixels = NDArray[np.uint8]


def photographs(count: int, side: int = 64, channels: int = 3, seed: int = 0) -> Pixels:
    """Pictures with the structure of photographs: blurred noise of several scales, a tint, fine grain."""
    draw = np.random.default_rng(seed)
    result = np.empty((count, channels, side, side), np.uint8)
    for index in range(count):
        total = np.zeros((side, side, channels))
        for radius, weight in ((side / 5, 6), (side / 12, 2), (2, 0.5)):
            noise = draw.integers(0, 256, (side, side, channels), np.uint8)
            blurred = [
                np.asarray(Image.fromarray(noise[..., c]).filter(ImageFilter.GaussianBlur(radius)), float)
                for c in range(channels)
            ]
            layer = np.stack(blurred, axis=2)
            total += weight * (layer - layer.mean()) / layer.std()
        total = total / total.std() * 40 + 128 + draw.normal(0, 2, total.shape)
        result[index] = np.clip(total, 0, 255).astype(np.uint8).transpose(2, 0, 1)
    return result


def changed(images: Pixels, how: Callable[[Image.Image], Image.Image]) -> Pixels:
    return np.stack(
        [np.asarray(how(Image.fromarray(image.transpose(1, 2, 0)))).transpose(2, 0, 1) for image in images]
    )


def as_jpeg(quality: int) -> Callable[[Image.Image], Image.Image]:
    def change(image: Image.Image) -> Image.Image:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        return Image.open(buffer)

    return change


def resized(side: int) -> Callable[[Image.Image], Image.Image]:
    return lambda image: image.resize((side, side), Image.Resampling.LANCZOS).resize(
        image.size, Image.Resampling.LANCZOS
    )


def brighter(by: int) -> Callable[[Image.Image], Image.Image]:
    return lambda image: image.point(lambda value: max(0, min(255, value + by)))


COPIES = {
    "jpeg 95": as_jpeg(95),
    "jpeg 75": as_jpeg(75),
    "smaller and back": resized(56),
    "larger and back": resized(90),
    "brighter": brighter(15),
    "darker": brighter(-15),
}


@pytest.fixture(scope="module")
def originals() -> Pixels:
    return photographs(120)


@pytest.mark.parametrize("name", COPIES)
def test_planted_copies_are_found_and_nothing_else(originals: Pixels, name: str) -> None:
    planted = changed(originals[:40], COPIES[name])
    found = find_duplicates(np.concatenate([originals, planted]))
    assert found.complete and found.exact == ()
    pairs = {tuple(pair) for pair in found.near.tolist()}
    true = {(index, 120 + index) for index in range(40)}
    assert pairs <= true, "no two different pictures are called one"
    assert len(pairs) >= 38, f"{len(pairs)} of 40"


def test_exact_copies_are_groups_and_stand_for_each_other(originals: Pixels) -> None:
    again = changed(originals[:1], as_jpeg(90))
    images = np.concatenate([originals[:5], originals[:2], originals[:1], again, again])
    found = find_duplicates(images)
    assert found.exact == ((0, 5, 7), (1, 6), (8, 9))
    assert found.near.tolist() == [[0, 8]] and found.groups() == ((0, 5, 7, 8, 9), (1, 6))
    assert exact_groups(originals) == ()
    assert find_duplicates(images, near=False).exact == found.exact
    assert find_duplicates(images, near=False).complete is False


def test_the_same_shape_in_another_colour_is_another_picture() -> None:
    canvas = np.full((2, 3, 32, 32), 255, np.uint8)
    canvas[0, :, 8:24, 8:24] = np.array([200, 40, 60])[:, None, None]
    canvas[1, :, 8:24, 8:24] = np.array([20, 120, 90])[:, None, None]  # of the same grey
    assert abs(perceptual_hashes(canvas)[0] - perceptual_hashes(canvas)[1]).max() < 0.01
    assert find_duplicates(canvas).near.tolist() == []


def test_pictures_without_contrast_are_never_near_copies() -> None:
    draw = np.random.default_rng(0)
    flat = (draw.integers(0, 250, (60, 1, 1, 1)) + draw.integers(0, 3, (60, 1, 16, 16))).astype(np.uint8)
    found = find_duplicates(flat)
    assert found.near.tolist() == [] and found.complete
    assert not perceptual_hashes(flat).any()


@pytest.mark.parametrize("shape", [(0, 3, 8, 8), (1, 1, 8, 8), (2, 3, 8, 128), (3, 1, 5, 9)])
def test_any_shape_and_number(shape: tuple[int, ...]) -> None:
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    found = find_duplicates(images)
    assert found.exact == () and found.near.shape == (0, 2) and found.groups() == ()


def test_different_digits_are_not_called_copies(digits: Dataset) -> None:
    assert find_duplicates(digits.images).near.tolist() == []


def test_all_neighbours_are_found_whatever_the_order(
    originals: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The blocks along the first component leave out no pair that comparing all with all would find."""
    images = np.concatenate(
        [originals, changed(originals[:60], as_jpeg(75)), changed(originals[30:90], resized(50))]
    )
    hashes = perceptual_hashes(images)
    expected = {
        (int(i), int(j))
        for i, j in np.argwhere(hashes @ hashes.T >= 1 - duplicates.MOST_APART**2 / 2)
        if i < j
    }
    for block in (16, 64, 4096):
        monkeypatch.setattr(duplicates, "_BLOCK", block)
        blocks = [
            pairs for pairs in duplicates._neighbours(hashes, duplicates.MOST_APART) if pairs is not None
        ]
        found = [tuple(sorted(pair)) for pair in np.concatenate(blocks).tolist()]
        assert len(found) == len(set(found)) and set(found) == expected and len(expected) > 100


def test_neighbours_that_differ_along_the_first_component_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Points on an arc: those nearly as far apart as allowed are as far apart in their projections."""
    angles = np.random.default_rng(0).permutation(np.arange(-40, 41)) * 0.0123
    hashes = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    apart = 2 * np.sin(abs(angles[:, None] - angles) / 2)
    expected = {(i, j) for i, j in np.argwhere(apart <= 0.1).tolist() if i < j}
    monkeypatch.setattr(duplicates, "_BLOCK", 16)
    found = np.concatenate([pairs for pairs in duplicates._neighbours(hashes, 0.1) if pairs is not None])
    assert {tuple(sorted(pair)) for pair in found.tolist()} == expected and len(expected) > 500


def test_the_search_stops_at_its_bounds_and_says_so(
    originals: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = np.concatenate([originals, changed(originals, as_jpeg(95))])
    monkeypatch.setattr(duplicates, "_BLOCK", 16)
    with monkeypatch.context() as patch:
        patch.setattr(duplicates, "MOST_COMPARISONS", 1_000)
        assert not find_duplicates(images).complete
    with monkeypatch.context() as patch:
        patch.setattr(duplicates, "MOST_PAIRS", 10)
        found = find_duplicates(images)
        assert not found.complete and 0 < len(found.near) < 120
    assert find_duplicates(images).complete


def test_large_pictures_are_worked_on_in_small_blocks(
    originals: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = np.concatenate([originals, changed(originals[:60], as_jpeg(75))])
    whole = find_duplicates(images)
    monkeypatch.setattr(duplicates, "_BLOCK_VALUES", 7 * images[0].size)
    pieces = find_duplicates(images)
    assert np.array_equal(whole.near, pieces.near) and len(whole.near) > 50


def test_the_order_of_pictures_changes_only_the_numbers(originals: Pixels) -> None:
    images = np.concatenate([originals, changed(originals[:30], as_jpeg(80)), originals[:5]])
    order = np.random.default_rng(1).permutation(len(images))
    there, here = find_duplicates(images), find_duplicates(images[order])

    def groups(found: Duplicates, names: NDArray[np.int64]) -> set[frozenset[int]]:
        return {frozenset(int(names[index]) for index in group) for group in found.groups()}

    assert groups(there, np.arange(len(images))) == groups(here, order)
