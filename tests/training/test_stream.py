"""The same pixels by any route, of one image or of millions, and no more memory for millions than for one block."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dcgan.data.sampling import BLOCK
from dcgan.errors import DcganError
from dcgan.model import Model
from dcgan.portions import FEW, MANY
from dcgan.run import Run

from .tiny import ENGINE, digits, tiny, trained, untrained


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(trained(tmp_path_factory.mktemp("stream"), digits(200), 8))


@pytest.fixture
def model(run: Run) -> Model:
    return run.model(ENGINE)


def test_every_route_leads_to_the_same_pixels(run: Run, model: Model) -> None:
    whole, labels = model.generate(200, seed=5)
    assert labels is not None
    for route in (model, run):
        streamed = list(route.stream(200, seed=5))
        assert [len(part.images) for part in streamed] == [64, 64, 64, 8]
        assert np.concatenate([part.images for part in streamed]).tobytes() == whole.tobytes()
        assert np.concatenate([part.labels for part in streamed]).tolist() == labels.tolist()
        blocks = list(route.blocks(200, seed=5))
        assert np.concatenate([block.images for block in blocks]).tobytes() == whole.tobytes()
        assert np.concatenate([block.index for block in blocks]).tolist() == list(range(200))
    one = model.generate(1, seed=5)
    assert one.images.tobytes() == whole[:1].tobytes() and one.labels is not None
    assert one.labels[0] == labels[0]


def test_more_threads_make_the_same_bits(model: Model) -> None:
    """A block is computed by one thread, however many there are."""
    whole = model.generate(300, seed=1).images
    scores = np.concatenate([block.scores for block in model.blocks(300, seed=1)])
    torch.set_num_threads(2)
    try:
        assert model.generate(300, seed=1).images.tobytes() == whole.tobytes()
        assert np.concatenate([b.scores for b in model.blocks(300, seed=1)]).tobytes() == scores.tobytes()
        assert model.generate(1, seed=1).images.tobytes() == whole[:1].tobytes()
    finally:
        torch.set_num_threads(1)


def test_the_first_images_wait_for_no_others(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    model.generate(1)  # whether eight have the bits of many is asked once
    seen = bodies(model, monkeypatch)
    model.generate(1)
    assert seen == [FEW]
    seen.clear()
    model.generate(BLOCK + FEW + 1)
    assert seen == [MANY] * (BLOCK // MANY + 1)
    seen.clear()
    model.decode(model.latents([(5, 3)])[0], np.array([1]))
    assert seen == [FEW]


def test_few_are_computed_alone_only_where_they_have_the_bits_of_many(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    body: Any = model.generator.body
    whole = model.generate(BLOCK, seed=2).images

    def by_count(maps: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(body(maps)) * (1 if len(maps) == MANY else 0.9)

    monkeypatch.setattr(model.generator, "body", by_count)
    assert model.generate(3, seed=2).images.tobytes() == whole[:3].tobytes()
    assert model.portions.few == MANY


def test_a_heavy_body_sees_a_whole_block_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    model = untrained(tiny(digits(10, labelled=False), 1, g_maps=256))
    whole = model.generate(FEW + 1).images
    assert model.generate(1).images.tobytes() == whole[:1].tobytes()
    seen = bodies(model, monkeypatch)
    model.generate(FEW + 1)
    assert seen == [BLOCK]
    model.generate(1)
    assert seen == [BLOCK, model.portions.few]


def test_a_stream_does_not_score(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("D was asked")

    monkeypatch.setattr(model.discriminator, "forward", refuse)
    model.generate(70)
    with pytest.raises(AssertionError):
        list(model.blocks(70))


def test_a_long_stream_takes_no_more_memory_than_a_short_one(model: Model) -> None:
    def peak(count: int) -> int:
        tracemalloc.start()
        for part in model.stream(count):
            del part
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(640)
    assert peak(100 * BLOCK) < peak(10 * BLOCK) + 50_000  # all of the 90 blocks more are 369 kB of pixels


def test_a_wrong_wish_is_refused_before_the_first_picture(model: Model) -> None:
    for count, label in ((0, None), (5, "ten")):
        with pytest.raises(DcganError, match=r"-n is|unknown label"):
            model.stream(count, label=label)


def bodies(model: Model, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many maps the generator's body is given, call by call."""
    seen: list[int] = []
    body: Any = model.generator.body

    def noting(maps: torch.Tensor) -> torch.Tensor:
        seen.append(len(maps))
        return torch.as_tensor(body(maps))

    monkeypatch.setattr(model.generator, "body", noting)
    return seen


def test_a_model_file_keeps_the_names_of_the_weights(model: Model, tmp_path: Path) -> None:
    from dcgan.model import load_model

    model.save(tmp_path / "model.safetensors")
    again = load_model(tmp_path / "model.safetensors", ENGINE)
    assert again.generator.state_dict().keys() == model.generator.state_dict().keys()
