"""What Python users call."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import dcgan
from dcgan.data.dataset import Dataset


def test_generate_gives_images_and_labels(trained: dcgan.Run) -> None:
    images, labels = trained.generate(70, label="3", seed=0)
    assert images.dtype == np.uint8 and images.shape == (70, 8, 8, 1)
    assert labels is not None and labels.dtype == np.int64 and (labels == 3).all()
    images, labels = trained.generate(200, seed=0)
    assert labels is not None and len(set(labels.tolist())) == 10


def test_balanced_and_named_labels_come_in_turn(trained: dcgan.Run) -> None:
    assert trained.generate(12, balanced=True).labels.tolist() == [*range(10), 0, 1]  # type: ignore[union-attr]
    assert trained.generate(4, label=["7", "1"]).labels.tolist() == [7, 1, 7, 1]  # type: ignore[union-attr]


def test_scores_can_be_computed_again_from_the_pixels(trained: dcgan.Run) -> None:
    import torch

    model = trained.model()
    block = next(model.blocks(5, seed=2))
    x = torch.from_numpy(block.images).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.no_grad():
        again = model.discriminator(x, torch.from_numpy(block.labels))
    assert np.allclose(again.numpy(), block.scores, atol=1e-5)


def test_load_finds_runs_models_and_checkpoints(trained: dcgan.Run, tmp_path: Path) -> None:
    assert isinstance(dcgan.load(trained.folder), dcgan.Run)
    assert isinstance(dcgan.load("tiny", runs_dir=trained.folder.parent), dcgan.Run)
    checkpoint = next((trained.folder / "checkpoints").glob("*.safetensors"))
    from_checkpoint = dcgan.load(checkpoint)
    assert isinstance(from_checkpoint, dcgan.Model)
    assert np.array_equal(from_checkpoint.generate(3).images, trained.generate(3).images)
    trained.model().save(tmp_path / "kept.safetensors")
    assert isinstance(dcgan.load(tmp_path / "kept.safetensors"), dcgan.Model)
    with pytest.raises(dcgan.DcganError, match="unknown run or model"):
        dcgan.load("nosuch")
    with pytest.raises(dcgan.DcganError, match="not a run"):
        dcgan.load(tmp_path)


def test_an_unconditional_run_when_labels_are_declined(digits: Dataset, tmp_path: Path) -> None:
    run = dcgan.train(
        digits,
        labels=False,
        images=32,
        batch=16,
        settings={"g_maps": 4, "d_maps": 4},
        runs_dir=tmp_path,
        name="plain",
    )
    assert run.recipe.classes == 0 and run.generate(2).labels is None
    with pytest.raises(dcgan.DcganError, match="without labels"):
        run.generate(2, label="3")


def test_names_count_up_by_themselves(digits: Dataset, tmp_path: Path) -> None:
    names = [
        dcgan.train(digits, images=16, batch=16, settings={"g_maps": 4, "d_maps": 4}, runs_dir=tmp_path).name
        for _ in range(2)
    ]
    assert names == ["digits-1", "digits-2"]


def test_watchers_are_told_and_the_journal_keeps_the_same(digits: Dataset, tmp_path: Path) -> None:
    seen: list[dict[str, object]] = []
    run = dcgan.train(
        digits, images=64, batch=16, settings={"g_maps": 4, "d_maps": 4}, runs_dir=tmp_path, watch=seen.append
    )
    assert [entry["event"] for entry in seen] == [entry["event"] for entry in run.journal()]
    assert next(entry["event"] for entry in seen) == "start" and seen[-1]["event"] == "finish"
    interval = next(entry for entry in seen if entry["event"] == "interval")
    assert {"rate", "loss_d", "loss_g", "real_score", "fake_score", "left", "done"} <= interval.keys()


def test_unknown_settings_are_refused_by_name(digits: Dataset, tmp_path: Path) -> None:
    with pytest.raises(dcgan.DcganError, match="did you mean z_dim"):
        dcgan.train(digits, settings={"zdim": 3}, runs_dir=tmp_path)
    assert not any(tmp_path.iterdir())


def test_what_a_killed_generate_left_does_not_get_into_the_next(trained: dcgan.Run, tmp_path: Path) -> None:
    from dcgan.designs import write_designs

    (tmp_path / ".tmp-big").mkdir()
    (tmp_path / ".tmp-big" / "000999.png").write_bytes(b"stale")
    write_designs(trained.model(), tmp_path / "big", 3)
    assert len(list((tmp_path / "big").glob("0*.png"))) == 3 and not (tmp_path / ".tmp-big").exists()


def test_a_folder_that_a_killed_demo_left_does_not_stop_a_resume(digits: Dataset, tmp_path: Path) -> None:
    run = dcgan.train(digits, images=32, batch=16, settings={"g_maps": 4, "d_maps": 4}, runs_dir=tmp_path)
    (run.folder / ".tmp-designs").mkdir()
    dcgan.resume(run, images=64, data=digits)
    assert run.journal()[-1]["images"] == 64 and not (run.folder / ".tmp-designs").exists()
