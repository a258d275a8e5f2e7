"""Back to an earlier checkpoint: what came after is set aside, and the run goes on as if it had been the newest."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.training.tiny import begin, checkpoints, digits, saved_state, tiny, train, trained

from dcgan.analysis.doctor.chart import chart_of
from dcgan.errors import DcganError
from dcgan.run import Run
from dcgan.training import folder as layout
from dcgan.training.rollback import ABANDONED, find_start, roll_back


def stopped(tmp_path: Path, name: str = "run", **changes: object) -> Path:
    return trained(tmp_path, digits(), 4, 8, 12, name=name, keep_every=1, **changes)


def test_a_rolled_back_run_is_the_run_that_never_went_further(tmp_path: Path) -> None:
    folder = stopped(tmp_path)
    aside = roll_back(folder, find_start(folder, 8), layout.read_recipe(folder))
    assert aside == folder / ABANDONED / "001-after-step-8"
    assert (aside / layout.CHECKPOINTS / "0000000012.safetensors").is_file()
    assert '"step": 12' in (aside / layout.JOURNAL).read_text()
    assert max(entry["step"] for entry in Run(folder).journal()) == 8
    train(folder, digits(), 12)
    step, state = saved_state(folder)
    _, never = saved_state(stopped(tmp_path, "never"))
    assert step == 12 and all(torch.equal(state[name], never[name]) for name in never)


def test_another_recipe_from_there_on_is_what_the_run_is_then(tmp_path: Path) -> None:
    folder = stopped(tmp_path)
    gentler = layout.read_recipe(folder).with_changes({"g_lr": 1e-5, "d_lr": 1e-5})
    roll_back(folder, find_start(folder, "8"), gentler)
    assert layout.read_recipe(folder) == gentler
    train(folder, digits(), 12)
    _, state = saved_state(folder)
    _, before = saved_state(stopped(tmp_path, "before"))
    assert any(not torch.equal(state[name], before[name]) for name in before)


def test_rolling_back_twice_keeps_both_futures(tmp_path: Path) -> None:
    folder = stopped(tmp_path)
    for _ in range(2):
        roll_back(folder, find_start(folder, 4), layout.read_recipe(folder))
        train(folder, digits(), 8)
    assert sorted(path.name for path in (folder / ABANDONED).iterdir()) == [
        "001-after-step-4",
        "002-after-step-4",
    ]
    assert roll_back(folder, find_start(folder, "last"), layout.read_recipe(folder)) is None


@pytest.mark.parametrize(("name", "value"), [("batch", 4), ("g_maps", 8), ("z_dim", 9)])
def test_what_the_weights_depend_on_cannot_change(tmp_path: Path, name: str, value: int) -> None:
    folder = stopped(tmp_path)
    before = sorted(path.name for path in folder.rglob("*"))
    other = layout.read_recipe(folder).with_changes({name: value})
    with pytest.raises(DcganError, match=f"{name} is .* cannot become {value}"):
        roll_back(folder, find_start(folder, 4), other)
    assert sorted(path.name for path in folder.rglob("*")) == before


def test_a_start_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    folder = stopped(tmp_path)
    with pytest.raises(DcganError, match=r"no checkpoint '5': expected best, last or one of 4, 8, 12"):
        find_start(folder, 5)
    with pytest.raises(DcganError, match="not scored while it trained"):
        find_start(folder, "best")
    data = digits()
    with pytest.raises(DcganError, match="no checkpoint to start from"):
        find_start(begin(tmp_path, data, tiny(data, 4), "new"), "last")


def test_cut_short_while_setting_aside_the_run_still_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = stopped(tmp_path)
    rename, calls = Path.rename, iter(range(100))

    def refuse(self: Path, target: Path) -> Path:
        if next(calls) == 1:
            raise OSError(28, "No space left on device")
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", refuse)
        with pytest.raises(DcganError, match="No space left"):
            roll_back(folder, find_start(folder, 4), layout.read_recipe(folder))
    train(folder, digits(), 16)
    assert checkpoints(folder)[0].stem == "0000000016"


def test_the_doctor_does_not_hold_the_old_recipe_against_the_new_one(tmp_path: Path) -> None:
    folder = stopped(tmp_path)
    roll_back(folder, find_start(folder, 8), layout.read_recipe(folder).with_changes({"g_lr": 1e-5}))
    train(folder, digits(), 12)
    (change,) = [entry for entry in Run(folder).journal() if entry["event"] == "change"]
    assert change["settings"] == {"g_lr": 1e-5} and change["step"] == 8
    chart = chart_of(layout.read_recipe(folder), Run(folder).journal())
    assert chart.began == 8 and min(entry["step"] for entry in chart.intervals) > 8
