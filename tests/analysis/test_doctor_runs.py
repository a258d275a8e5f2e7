"""The doctor on real trainings, sick and well, of a few seconds; and on the command line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import Tensor

from dcgan.analysis.doctor.confirm import confirm
from dcgan.analysis.doctor.exam import phase_imbalance
from dcgan.analysis.doctor.live import LiveDoctor
from dcgan.analysis.doctor.see import see
from dcgan.cli import main
from dcgan.data.dataset import Dataset
from dcgan.errors import DcganError
from dcgan.presets import preset
from dcgan.run import Run
from dcgan.training import folder as layout
from dcgan.training import loop
from dcgan.training.engine import Engine
from dcgan.training.trainer import Trainer

SMALL = {"g_maps": 8, "d_maps": 8, "z_dim": 16, "batch": 16, "precision": "float32"}
BCE = {"objective": "bce", "gamma": 0.0, "g_lr": 5e-4, "d_lr": 5e-4}
Train = Callable[..., Run]


@pytest.fixture
def train(tmp_path: Path, digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> Train:
    """Train so many steps with a journal line every ten."""

    def due(session: Any, what: str, every: float) -> bool:
        return what == "journal" and bool(session.trainer.step - session.marks[what][1] >= 10)

    monkeypatch.setattr(loop._Session, "_due", due)

    def work(steps: int, data: Dataset = digits, **changes: Any) -> Run:
        recipe = preset("fast-28").recipe.with_changes({**SMALL, **changes}).with_budget(images=16 * steps)
        recipe = recipe.for_data(data.size, data.channels, 0)
        folder = layout.begin(tmp_path, "patient", recipe, data.describe())
        loop.fit(folder, recipe, data, Engine.choose("float32", "cpu"))
        return Run(folder)

    return work


def live(run: Run) -> list[str]:
    doctor = LiveDoctor(run.recipe)
    return [found.finding for entry in run.journal() for found in doctor.see(entry)]


def test_a_healthy_run_is_left_alone(train: Train, digits: Dataset) -> None:
    run = train(300)
    verdict = see(run, data=digits)
    # Of 300 steps no design is near the data yet, which is said, and is no finding.
    assert verdict.healthy and not verdict.early.startswith("too early") and live(run) == []
    assert {"mode collapse", "D wins", "memorisation"} <= set(verdict.checked)
    kept = json.loads((run.folder / "evaluation" / "doctor.json").read_text())
    assert kept["diagnoses"] == [] and kept["step"] == 300


def test_a_frozen_generator(train: Train, digits: Dataset) -> None:
    run = train(200, g_lr=0.0)
    (found,) = see(run, data=digits).diagnoses
    assert found.finding == "G does not learn" and found.mend == ("g_lr=0.002",)
    assert live(run) == ["G does not learn"]


def test_a_learning_rate_far_too_high(train: Train, digits: Dataset) -> None:
    run = train(250, **{**BCE, "g_lr": 0.05, "d_lr": 0.05})
    assert see(run, data=digits).diagnoses[0].finding == "learning rate too high"


def test_a_discriminator_that_is_decayed_to_nothing_is_stuck(train: Train, digits: Dataset) -> None:
    run = train(350, **{**BCE, "weight_decay": 1.0, "d_lr": 3e-3, "g_lr": 3e-3})
    verdict = see(run, data=digits, confirmed=True)
    (found,) = verdict.diagnoses
    assert found.finding == "stuck at ln 2" and "weight_decay=0" in found.mend
    assert "with G frozen" in " ".join(found.evidence)


def test_confirm_writes_nothing_and_leaves_g_alone(
    train: Train, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = train(60, **BCE)
    real, weights = Trainer.advance, set()

    def advance(trainer: Trainer) -> dict[str, Tensor]:
        weights.add(
            tuple(float(p.detach().double().sum()) for p in trainer.method.networks["generator"].parameters())
        )
        return real(trainer)

    monkeypatch.setattr(Trainer, "advance", advance)
    before = {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}
    told = confirm(run.folder, run.recipe, digits, steps=150)
    assert len(weights) == 1
    assert told["from"] == 60 and told["jump"] == pytest.approx(told["after"] - told["before"])
    assert told["after"] > told["before"]  # against a G that stands still, D soon knows more
    assert {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()} == before


def test_twenty_pictures_are_learned_by_heart(train: Train, digits: Dataset) -> None:
    assert digits.labels is not None
    few = replace(digits, images=digits.images[:20].copy(), labels=digits.labels[:20], origin={})
    run = train(1000, few, g_lr=1e-3, d_lr=1e-3)
    found = see(run, data=few).diagnoses[0]
    assert found.finding == "memorisation" and found.mend[0] == "augment=translation,cutout"


def test_the_checkerboard_of_even_and_odd_pixels_is_not_noise() -> None:
    draw = np.random.default_rng(0)
    noise = draw.integers(0, 256, (200, 1, 16, 16)).astype(np.uint8)
    board = noise // 8 + 100
    board[:, :, ::2, ::2] += 60
    assert phase_imbalance(noise) < 0.02 < 0.1 < phase_imbalance(board)


def doctor(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["doctor", *words])
    told = capsys.readouterr()
    return int(ended.value.code or 0), told.out, told.err


def test_the_command_says_what_to_paste_and_exits_with_1(
    train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    run = train(200, g_lr=0.0)
    where = ["patient", "--runs-dir", str(run.folder.parent)]
    status, out, _ = doctor(capsys, *where)
    assert status == 1
    assert "G does not learn (100% sure" in out and "now: stop" in out
    assert f"dcgan resume patient --runs-dir {run.folder.parent} --from last --set g_lr=0.002" in out
    status, out, _ = doctor(capsys, *where, "--quick", "--json")
    told = json.loads(out)
    assert status == 1 and told["diagnoses"][0]["finding"] == "G does not learn"


def test_the_command_copes_with_half_a_run(
    trained: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "half"
    shutil.copytree(trained.folder, folder)
    shutil.rmtree(folder / "checkpoints")
    with (folder / "journal.jsonl").open("a") as file:
        file.write('{"event": "interval", "step": 41, "loss_d": 0.')
    status, out, err = doctor(capsys, str(folder))
    assert status == 0 and "too early to judge" in out and "nothing wrong found" in out
    assert "not checked  pictures:" in out and "nan" not in out.lower() and "Traceback" not in err
    (folder / "journal.jsonl").write_text("")
    (folder / "checkpoints").mkdir()
    status, out, err = doctor(capsys, str(folder))
    assert status == 2 and out == "" and err.count("\n") == 1 and "nothing to look at" in err


def test_a_run_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = doctor(capsys, "nobody", "--runs-dir", str(tmp_path))
    assert status == 2 and err.count("\n") == 1


def test_data_that_moved_is_named_and_the_rest_is_looked_at(trained: Run, tmp_path: Path) -> None:
    folder = tmp_path / "moved"
    shutil.copytree(trained.folder, folder)
    facts = json.loads((folder / "data.json").read_text())
    (folder / "data.json").write_text(json.dumps({**facts, "path": str(tmp_path / "gone"), "source": ""}))
    verdict = see(Run(folder))
    assert any(reason.startswith("data: ") for reason in verdict.unchecked)
    with pytest.raises(DcganError):
        Run(tmp_path)
