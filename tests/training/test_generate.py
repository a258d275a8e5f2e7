"""Promise 17: same seed and checkpoint, same pixels, however many are made and whatever else the process does."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dcgan.errors import DcganError
from dcgan.model import Model, load_model
from dcgan.pictures import png
from dcgan.run import Run
from dcgan.training.state import part

from .tiny import ENGINE, assert_one_line, digits, saved_state, tiny, trained, untrained

COUNTS = [1, 7, 63, 64, 65, 130]


@pytest.fixture(scope="module", params=["with classes", "without classes"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    data = digits(200, labelled=request.param == "with classes")
    return Run(trained(tmp_path_factory.mktemp("generate"), data, 12))


@pytest.fixture
def model(run: Run) -> Model:
    return run.model(ENGINE)


@pytest.fixture(scope="module")
def conditional(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return Run(trained(tmp_path_factory.mktemp("conditional"), digits(200), 12)).model(ENGINE)


def test_the_same_pixels_labels_and_files_at_any_count(model: Model) -> None:
    whole = model.generate(max(COUNTS), seed=3)
    scores = np.concatenate([block.scores for block in model.blocks(max(COUNTS), seed=3)])
    assert len(np.unique(whole.images.reshape(len(whole.images), -1), axis=0)) == max(COUNTS)
    for count in COUNTS:
        images, labels = model.generate(count, seed=3)
        assert images.shape == (count, 8, 8, 1) and images.dtype == np.uint8
        assert images.tobytes() == whole.images[:count].tobytes()
        assert [png(image) for image in images] == [png(image) for image in whole.images[:count]]
        if whole.labels is None:
            assert labels is None
        else:
            assert labels is not None
            assert labels.tolist() == whole.labels[:count].tolist()
        found = np.concatenate([block.scores for block in model.blocks(count, seed=3)])
        assert found.tobytes() == scores[:count].tobytes()


def test_a_design_is_made_again_from_its_z_and_class(model: Model) -> None:
    whole = model.generate(130, seed=3)
    places = [129, 0, 64, 63, 5]
    z, labels = model.latents([(3, index) for index in places])
    assert z.shape == (5, model.recipe.z_dim) and z.dtype == np.float32
    if labels is not None and whole.labels is not None:
        assert labels.tolist() == whole.labels[places].tolist()
    assert model.decode(z, labels).tobytes() == whole.images[places].tobytes()
    assert model.decode(z[:0], None if labels is None else labels[:0]).shape == (0, 8, 8, 1)
    with pytest.raises(DcganError, match=r"z is \(5, 3\)"):
        model.decode(z[:, :3], labels)
    with pytest.raises(DcganError, match=r"takes (one class for each z|no classes)"):
        model.decode(z, None if labels is not None else np.zeros(5, np.int64))


def test_the_same_png_bytes_every_time_and_nothing_in_them_but_pixels(model: Model) -> None:
    image = model.generate(1, seed=5).images[0]
    first = png(image)
    assert all(png(image.copy()) == first for _ in range(3))
    with Image.open(io.BytesIO(first)) as opened:
        assert opened.info == {}
        assert np.asarray(opened).tobytes() == image.tobytes()


def test_the_same_pixels_again_from_disk_and_from_a_model_file(run: Run, tmp_path: Path) -> None:
    first, again = run.model(ENGINE), run.model(ENGINE)
    assert first.generate(70, seed=1).images.tobytes() == again.generate(70, seed=1).images.tobytes()
    first.save(tmp_path / "model.safetensors")
    one, other = (load_model(tmp_path / "model.safetensors", ENGINE) for _ in range(2))
    assert one.generate(70, seed=1).images.tobytes() == other.generate(70, seed=1).images.tobytes()
    difference = one.generate(70, seed=1).images.astype(int) - first.generate(70, seed=1).images
    assert np.abs(difference).max() <= 3, "float16 weights should cost a level or two"


def test_asking_for_more_or_for_something_else_in_between_changes_nothing(model: Model) -> None:
    first = model.generate(5, seed=2).images.tobytes()
    model.generate(100, seed=9)
    interrupted: Iterator[object] = model.blocks(1000, seed=4)
    next(interrupted)
    assert model.generate(5, seed=2).images.tobytes() == first


def test_another_seed_makes_other_pictures(model: Model) -> None:
    made = [model.generate(64, seed=seed).images for seed in (0, 1, 2, 2**31, 2**32, 2**63 - 1)]
    images = np.concatenate(made).reshape(len(made) * 64, -1)
    assert len(np.unique(images, axis=0)) == len(images)


@pytest.mark.parametrize("count", [0, -1, 10**9])
def test_a_count_that_cannot_be_is_refused(model: Model, count: int) -> None:
    with pytest.raises(DcganError, match="-n is") as refusal:
        model.generate(count)
    assert_one_line(refusal.value)


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_that_cannot_be_is_refused(model: Model, seed: int) -> None:
    with pytest.raises(DcganError, match="--seed is") as refusal:
        model.generate(1, seed=seed)
    assert_one_line(refusal.value)


def test_the_global_generators_neither_matter_nor_are_touched(model: Model) -> None:
    first = model.generate(70, seed=1).images.tobytes()
    torch.manual_seed(123)
    np.random.seed(123)
    before = torch.get_rng_state(), np.random.get_state()[1].tobytes()
    assert model.generate(70, seed=1).images.tobytes() == first
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tobytes() == before[1]


def test_the_number_of_threads_does_not_matter(model: Model) -> None:
    """Measured, not promised by torch: the sums of these small networks are not split between threads."""
    first = model.generate(130, seed=1).images.astype(int)
    torch.set_num_threads(2)
    try:
        again = model.generate(130, seed=1).images
    finally:
        torch.set_num_threads(1)
    assert np.abs(first - again).max() <= 1


def test_batch_norm_uses_its_stored_statistics_and_leaves_them(run: Run, model: Model) -> None:
    assert not any(module.training for module in (*model.generator.modules(), *model.discriminator.modules()))
    model.generate(130, seed=1)
    stored = part(saved_state(run.folder)[1], "ema")
    now = model.generator.state_dict()
    assert {name for name in now if not torch.equal(now[name], stored[name])} == set()


def test_a_picture_does_not_depend_on_its_neighbours(model: Model) -> None:
    """One z alone, and the same z among others: with a batch's own statistics they would be different pictures."""
    z = torch.randn(64, model.recipe.z_dim, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(64) % model.recipe.classes if model.recipe.conditional else None
    together = model.generator(z, labels)
    for index in (0, 31, 63):
        alone = model.generator(z[index : index + 1], None if labels is None else labels[index : index + 1])
        assert torch.allclose(alone[0], together[index], atol=1e-5)


def test_labels_are_drawn_by_their_frequency_and_can_be_asked_for(conditional: Model) -> None:
    drawn = conditional.generate(6400, seed=1).labels
    assert drawn is not None
    share = np.bincount(drawn, minlength=10) / 6400
    assert np.abs(share - conditional.counts / conditional.counts.sum()).max() < 0.02
    for count in COUNTS:
        balanced = conditional.generate(count, seed=1, balanced=True).labels
        assert balanced is not None and balanced.tolist() == [i % 10 for i in range(count)]
        sevens = conditional.generate(count, seed=1, label="7")
        assert sevens.labels is not None and set(sevens.labels.tolist()) == {7}
        assert (
            sevens.images.tobytes() == conditional.generate(130, seed=1, label="7").images[:count].tobytes()
        )
        turns = conditional.generate(count, seed=1, label=["3", "5"]).labels
        assert turns is not None and turns.tolist() == [(3, 5)[i % 2] for i in range(count)]


def test_a_class_is_drawn_into_the_picture(conditional: Model) -> None:
    one, other = (conditional.generate(64, seed=1, label=label).images for label in ("0", "1"))
    assert one.tobytes() != other.tobytes()


def test_a_class_that_is_not_there_is_refused(conditional: Model) -> None:
    with pytest.raises(DcganError, match="unknown label 'ten'") as refusal:
        conditional.generate(1, label="ten")
    assert_one_line(refusal.value)


def test_an_untrained_network_makes_no_less_the_same(tmp_path: Path) -> None:
    """At 28×28 with the preset's own widths: larger matrices take other kernels."""
    recipe = tiny(digits(10, labelled=False), 1, g_maps=32, d_maps=32, z_dim=64).for_data((28, 28), 1, 0)
    torch.manual_seed(0)
    model = untrained(recipe)
    whole = model.generate(130, seed=1).images
    for count in COUNTS:
        assert model.generate(count, seed=1).images.tobytes() == whole[:count].tobytes()
