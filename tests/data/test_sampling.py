"""Every draw is a function of (purpose, seed, step, rank): pure, separate, and fair to every image."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import tries

from dcgan.data import sampling
from dcgan.data.sampling import BLOCK, BatchSampler, Stream, stream
from dcgan.errors import DcganError
from dcgan.recipe import LARGEST_SEED

SEEDS = st.integers(0, LARGEST_SEED)
SMALL = st.integers(1, 50)
STEPS = st.lists(st.integers(0, 10**6), min_size=2)


@tries(60)
@given(n=SMALL, batch=st.integers(1, 20), world=st.integers(1, 4), seed=SEEDS)
def test_ranks_see_each_image_once_an_epoch(n: int, batch: int, world: int, seed: int) -> None:
    epochs = 3
    steps = -(-epochs * n // (batch * world))
    ranks = [BatchSampler(n, batch, seed, rank, world) for rank in range(world)]
    seen = np.concatenate([rank.indices(step) for step in range(steps) for rank in ranks])
    assert seen.dtype == np.int64
    for epoch in range(epochs):
        assert sorted(seen[epoch * n : (epoch + 1) * n]) == list(range(n))


@tries(40)
@given(
    n=st.integers(1, 40),
    batch=st.integers(1, 20),
    seed=SEEDS,
    steps=st.lists(st.integers(0, 10**6), min_size=2),
)
def test_a_batch_depends_on_no_other(n: int, batch: int, seed: int, steps: list[int]) -> None:
    used = BatchSampler(n, batch, seed)
    for step in steps:
        assert np.array_equal(used.indices(step), BatchSampler(n, batch, seed).indices(step))


def test_two_ranks_make_the_batches_of_one_with_twice_the_batch() -> None:
    one = BatchSampler(100, 8, 3)
    for step in range(40):
        halves = [BatchSampler(100, 4, 3, rank, 2).indices(step) for rank in range(2)]
        assert np.array_equal(one.indices(step), np.concatenate(halves))


def test_epochs_and_seeds_have_their_own_order() -> None:
    orders = [tuple(sampling.permutation(seed, epoch, 30)) for seed in range(5) for epoch in range(5)]
    assert len(set(orders)) == 25


def test_the_batches_of_an_epoch_are_its_permutation() -> None:
    sampler = BatchSampler(24, 8, 5)
    for epoch in (0, 1, 9):
        batches = [sampler.indices(3 * epoch + part) for part in range(3)]
        assert np.array_equal(np.concatenate(batches), sampling.permutation(5, epoch, 24))


def test_epoch_counts_the_images_of_all_ranks() -> None:
    assert BatchSampler(100, 10, 0, 1, 2).epoch(10) == 2.0


def test_no_two_places_share_a_stream() -> None:
    """Places that a SeedSequence over the four numbers takes for one another are among these."""
    seeds = (0, 1, 5, 5 + 2**32, 2**32, LARGEST_SEED)
    steps = (0, 1, 7, 2**32, 1 + 7 * 2**32, 10**15)
    places = itertools.product(Stream, seeds, steps, (0, 1, 3, 7))
    first = [int(stream(*place).integers(2**63)) for place in places]
    assert len(set(first)) == len(first) == len(Stream) * len(seeds) * len(steps) * 4


@given(seed=SEEDS, step=st.integers(0, 10**15), rank=st.integers(0, 1000))
@tries(30)
def test_draws_are_pure(seed: int, step: int, rank: int) -> None:
    counts = np.array([3, 0, 5])
    for draw in (
        lambda: sampling.latent(seed, step, rank, 3, 4, "normal"),
        lambda: sampling.latent(seed, step, rank, 3, 4, "uniform"),
        lambda: sampling.labels(seed, step, rank, 9, counts),
        lambda: sampling.flips(seed, step, rank, 9),
        lambda: sampling.generation_block(seed, step, 4, "normal"),
        lambda: sampling.generation_labels(seed, step, counts),
    ):
        once = draw()
        stream(Stream.LATENT, 1).random(7)  # someone else's draws in between
        assert np.array_equal(once, draw())


@pytest.mark.parametrize(("prior", "low", "spread"), [("normal", -np.inf, 1.0), ("uniform", -1.0, 3**-0.5)])
def test_priors(prior: str, low: float, spread: float) -> None:
    z = sampling.latent(1, 2, 0, 2000, 20, prior)
    assert z.dtype == np.float32 and z.shape == (2000, 20) and z.min() >= low
    assert abs(z.mean()) < 0.02 and abs(z.std() - spread) < 0.02


def test_purposes_are_separate() -> None:
    shapes = [sampling.latent(1, 2, 0, 5, 3, "normal", purpose) for purpose in Stream]
    assert len({z.tobytes() for z in shapes}) == len(Stream)


def test_labels_follow_the_frequencies() -> None:
    drawn = np.bincount(sampling.labels(0, 0, 0, 20_000, np.array([1, 0, 3, 0])), minlength=4) / 20_000
    assert drawn[[1, 3]].tolist() == [0, 0]
    assert abs(drawn[0] - 0.25) < 0.015 and abs(drawn[2] - 0.75) < 0.015


def test_flips_are_half() -> None:
    flips = sampling.flips(0, 0, 0, 10_000)
    assert flips.dtype == np.bool_ and abs(flips.mean() - 0.5) < 0.02


def test_generation_blocks() -> None:
    block = sampling.generation_block(7, 3, 5, "normal")
    assert block.shape == (BLOCK, 5) and block.dtype == np.float32
    assert not np.array_equal(block, sampling.generation_block(7, 4, 5, "normal"))
    classes = sampling.generation_labels(7, 3, np.array([1, 1]))
    assert classes.shape == (BLOCK,) and classes.dtype == np.int64 and set(classes) == {0, 1}


@pytest.mark.parametrize("seed", [-1, LARGEST_SEED + 1])
def test_a_seed_out_of_range_is_refused(seed: int) -> None:
    with pytest.raises(DcganError, match="seed is"):
        stream(Stream.ORDER, seed)
