"""A generator that copies is caught, held-out and blurred pictures are not; a known support is estimated."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageFilter
from sklearn.datasets import load_digits

from dcgan.analysis.birthday import Birthday, birthday
from dcgan.analysis.memorization import LEAST_GENERATED, memorization
from dcgan.analysis.nearest import closest_picture, look_for_copies
from dcgan.errors import DcganError

Pixels = np.ndarray


@pytest.fixture(scope="module")
def split() -> tuple[Pixels, Pixels, Pixels]:
    """1,000 training pictures and two disjoint sets that were held out: real digits."""
    images = np.round(load_digits().images * 255 / 16).astype(np.uint8)[:, None]
    images = images[np.random.default_rng(0).permutation(len(images))]
    return images[:1000], images[1000:1400], images[1400:]


def flat(images: Pixels) -> Pixels:
    return images.reshape(len(images), -1).astype(np.float32) / 255


def noisy(images: Pixels, sigma: float) -> Pixels:
    draw = np.random.default_rng(1)
    return np.clip(np.round(images + draw.normal(0, sigma, images.shape)), 0, 255).astype(np.uint8)


def blurred(images: Pixels) -> Pixels:
    blur = ImageFilter.GaussianBlur(0.7)
    return np.stack([np.asarray(Image.fromarray(image[0]).filter(blur))[None] for image in images])


def replayed(train: Pixels, blend: float = 0.0, sigma: float = 5) -> Pixels:
    draw = np.random.default_rng(2)
    first, second = train[draw.integers(20, size=400)], train[draw.integers(20, size=400)]
    return noisy((1 - blend) * first + blend * second, sigma)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("change", [lambda images: images, blurred])
def test_held_out_pictures_are_no_copies(
    split: tuple[Pixels, ...], change: Callable[[Pixels], Pixels], seed: int
) -> None:
    train, held_out, others = split
    found = memorization(flat(change(others)), flat(train), flat(held_out), seed=seed)
    assert not found.alarm and found.verdict.startswith("no sign of copying")
    assert found.isolated < 0.1 and 0.7 < found.ratio < 1.3
    assert found.ratio_interval[0] <= found.ratio <= found.ratio_interval[1]


@pytest.mark.parametrize("blend", [0.0, 0.1, 0.2])
@pytest.mark.parametrize("left_out", [False, True])
def test_a_generator_that_replays_20_pictures_is_caught(
    split: tuple[Pixels, ...], blend: float, left_out: bool
) -> None:
    train, held_out, _ = split
    found = memorization(flat(replayed(train, blend)), flat(train), None if left_out else flat(held_out))
    assert found.alarm and found.isolated > 0.5 and found.left_one_out == left_out
    assert found.verdict.startswith("copies training pictures")
    assert {pair.train for pair in found.closest} <= set(range(20)) and len(found.closest) == 10
    assert len({pair.train for pair in found.closest}) == 10, "each of another picture"
    assert [pair.distance for pair in found.closest] == sorted(pair.distance for pair in found.closest)


def test_a_part_of_copies_is_caught_and_copies_in_the_training_set_hide_none(
    split: tuple[Pixels, ...],
) -> None:
    train, held_out, others = split
    mixed = others.copy()
    mixed[: len(mixed) // 5] = noisy(train[: len(mixed) // 5], 5)
    for known in (train, np.concatenate([train, train, train])):
        assert memorization(flat(mixed), flat(known), flat(held_out)).alarm


def test_a_model_of_20_pictures_is_caught_without_any_held_out(split: tuple[Pixels, ...]) -> None:
    train = split[0][:20]
    found = memorization(flat(replayed(train)), flat(train))
    assert found.alarm and found.left_one_out and found.held_out == 20


def test_the_same_seed_gives_the_same_numbers(split: tuple[Pixels, ...]) -> None:
    train, _, others = split
    one, two = (look_for_copies(others, train, seed=3).as_json() for _ in range(2))
    assert one == two and json.loads(json.dumps(one, allow_nan=False)) == json.loads(json.dumps(two))


def test_too_few_and_unusable_pictures_are_one_line(split: tuple[Pixels, ...]) -> None:
    train, held_out, others = map(flat, split)
    for arguments, says in {
        "few": ((others[:40], train, held_out), f"40 generated pictures .* {LEAST_GENERATED} or more"),
        "held": ((others, train, held_out[:19]), "19 held-out pictures .* 20 or more"),
        "train": ((others, train[:19]), "19 training pictures .* 20 or more"),
        "same": ((others, train, train[:200]), "half of the held-out pictures are in the training set"),
        "zero": ((others * 0, train * 0, held_out * 0), "features cannot tell them apart"),
        "nan": ((others * np.float32("nan"), train, held_out), "not all finite"),
    }.values():
        with pytest.raises(DcganError, match=says):
            memorization(*arguments)
    with pytest.raises(DcganError, match="8×8 grey, those of the data 4×4 grey"):
        look_for_copies(split[2], split[0][:, :, :4, :4])
    with pytest.raises(DcganError, match="99 pictures are too few for the birthday test: it takes 100"):
        birthday(others[:99], 0.1)


@pytest.mark.parametrize("support", [1, 5, 20, 100, 1000, 10_000])
def test_a_known_support_is_estimated_within_a_factor_of_3(support: int) -> None:
    for seed in range(3):
        draw = np.random.default_rng(seed)
        different = draw.normal(size=(support, 16)).astype(np.float32)
        found = birthday(different[draw.integers(support, size=1500)], 0.0, seed=seed)
        assert found.support is not None and found.high is not None and found.batch is not None
        assert found.support == found.batch**2
        if support > 1:  # two of one picture are 2² in the eyes of the estimate
            assert support / 3 <= found.support <= 3 * support
        assert found.low <= support <= found.high


def test_where_all_differ_only_a_lower_bound_is_told(split: tuple[Pixels, ...]) -> None:
    found = birthday(flat(split[0]), 0.0)
    assert (found.pairs, found.batch, found.support, found.high) == (0, None, None, None)
    assert found.low == 166_667 and found.verdict == "no duplicates among 1,000: support above 170,000"
    assert isinstance(found, Birthday) and birthday(flat(split[0]), 100.0).batch == 2


def test_the_picture_of_pairs_shows_both(split: tuple[Pixels, ...]) -> None:
    train, _, others = split
    found = memorization(flat(others), flat(train))
    picture = closest_picture(others, train, found.closest)
    pair = found.closest[0]
    left, right = (
        image[0].repeat(12, 0).repeat(12, 1) for image in (others[pair.generated], train[pair.train])
    )
    window = np.concatenate([left, np.full((96, 3), 250, np.uint8), right], axis=1)
    places = np.lib.stride_tricks.sliding_window_view(picture[..., 0], (96, 1))[:, 16, :, 0]
    top = int(np.flatnonzero((places == window[:, 0]).all(axis=1))[0])
    assert np.array_equal(picture[top : top + 96, 16 : 16 + 195, 0], window)
