"""A resume that is refused changes nothing; what is missing or another run's is told before a byte is written."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest

import dcgan
from dcgan.data.dataset import Dataset
from dcgan.errors import DcganError
from dcgan.training import folder as layout
from dcgan.training.checkpoint import _digest as seal
from dcgan.training.checkpoint import read_manifest
from dcgan.training.journal import read_journal

from .tiny import (
    assert_one_line,
    assert_same_run,
    begin,
    checkpoints,
    digits,
    saved_state,
    tiny,
    train,
    trained,
)


def contents(folder: Path) -> dict[str, str]:
    """Every file of a run but its report and its lock, by hash."""
    files = (
        path for path in folder.rglob("*") if path.is_file() and path.name not in ("report.html", ".lock")
    )
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def refused(folder: Path, data: Dataset, **options: object) -> str:
    """What a resume says that is refused and changes nothing."""
    before = contents(folder)
    with pytest.raises(DcganError) as refusal:
        dcgan.resume(folder, data=data, **options)  # type: ignore[arg-type]
    assert_one_line(refusal.value)
    assert contents(folder) == before
    return str(refusal.value)


def test_a_run_that_another_process_trains_keeps_its_recipe(tmp_path: Path) -> None:
    folder = trained(tmp_path, digits(40), 4)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "another process" in refused(folder, digits(40), images=1600)


def test_a_run_without_a_usable_checkpoint_keeps_its_recipe(tmp_path: Path) -> None:
    folder = trained(tmp_path, digits(40), 4)
    for path in checkpoints(folder):
        path.write_text("{}")
    assert "no checkpoint can be used" in refused(folder, digits(40), images=1600)


def test_a_longer_budget_is_written_when_the_run_goes_on(tmp_path: Path) -> None:
    folder = trained(tmp_path, digits(40), 4)
    dcgan.resume(folder, data=digits(40), images=96)
    assert layout.read_recipe(folder).images == 96 and saved_state(folder)[0] == 6


def test_checkpoints_that_are_gone_are_not_begun_anew(tmp_path: Path) -> None:
    folder = trained(tmp_path, digits(40), 4)
    shutil.rmtree(folder / layout.CHECKPOINTS)
    said = refused(folder, digits(40), images=1600)
    assert "0000000004.json is missing" in said and "put them back" in said


def test_a_newest_checkpoint_that_is_gone_is_named_and_the_one_before_is_used(tmp_path: Path) -> None:
    data = digits(40)
    folder = trained(tmp_path, data, 4, 6)
    for path in checkpoints(folder)[0].parent.glob("0000000006.*"):
        path.unlink()
    train(folder, data, 8)
    warnings = [entry for entry in read_journal(folder / layout.JOURNAL) if entry["event"] == "warning"]
    assert ["0000000006.json is missing; going on from step 4" in entry["message"] for entry in warnings] == [
        True
    ]
    assert_same_run(folder, trained(tmp_path, data, 8, name="straight"))


def test_a_run_killed_before_its_first_checkpoint_begins_anew(tmp_path: Path) -> None:
    data = digits(40)
    folder = trained(tmp_path, data, 4)
    shutil.rmtree(folder / layout.CHECKPOINTS)
    journal = folder / layout.JOURNAL
    journal.write_text(
        "".join(
            line
            for line in journal.read_text().splitlines(True)
            if '"checkpoint"' not in line and "finish" not in line
        )
    )
    train(folder, data, 4)
    assert saved_state(folder)[0] == 4


def test_another_runs_checkpoint_of_the_same_recipe_is_refused(tmp_path: Path) -> None:
    mine, theirs = digits(40), digits(41)
    theirs = Dataset("theirs", theirs.images[1:], theirs.labels[1:], theirs.classes)  # type: ignore[index]
    folder, other = trained(tmp_path, mine, 4), trained(tmp_path, theirs, 6, name="other")
    shutil.rmtree(folder / layout.CHECKPOINTS)
    shutil.copytree(other / layout.CHECKPOINTS, folder / layout.CHECKPOINTS)
    assert "other pictures" in refused(folder, mine, images=1600)


def test_a_manifest_that_does_not_say_its_data_is_taken(tmp_path: Path) -> None:
    """The first version of the format did not."""
    data = digits(40)
    folder = trained(tmp_path, data, 4)
    assert read_manifest(checkpoints(folder)[0]).data_sha256 == data.sha256
    value = json.loads(checkpoints(folder)[0].read_bytes())
    del value["sha256"], value["data_sha256"]
    checkpoints(folder)[0].write_text(json.dumps({**value, "sha256": seal(value)}))
    assert read_manifest(checkpoints(folder)[0]).data_sha256 is None
    train(folder, data, 6)
    assert_same_run(folder, trained(tmp_path, data, 6, name="straight"))


def test_a_run_killed_between_its_last_checkpoint_and_its_end_is_brought_to_it(tmp_path: Path) -> None:
    data = digits(40)
    folder = trained(tmp_path, data, 4)
    journal = folder / layout.JOURNAL
    journal.write_text(
        "".join(line for line in journal.read_text().splitlines(True) if '"finish"' not in line)
    )
    dcgan.resume(folder, data=data)
    assert dcgan.Run(folder).state == "finished" and saved_state(folder)[0] == 4
    assert "spent its budget" in refused(folder, data)


@pytest.mark.parametrize("name", [layout.RECIPE, layout.DATA, layout.JOURNAL, ".lock"])
def test_a_pipe_in_a_files_place_is_refused_and_not_waited_for(tmp_path: Path, name: str) -> None:
    data = digits(40)
    folder = trained(tmp_path, data, 4)
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(DcganError) as refusal:
        dcgan.resume(folder, data=data, images=96)
    assert_one_line(refusal.value)
    assert name in str(refusal.value) and saved_state_step(folder) == 4


def saved_state_step(folder: Path) -> int:
    return read_manifest(checkpoints(folder)[0]).step


def test_the_lock_harms_no_file_that_it_is_a_link_to(tmp_path: Path) -> None:
    folder = trained(tmp_path, digits(40), 4)
    (tmp_path / "letter").write_text("dear")
    (folder / ".lock").unlink()
    (folder / ".lock").symlink_to(tmp_path / "letter")
    train(folder, digits(40), 5)
    assert (tmp_path / "letter").read_text() == "dear"


@pytest.mark.parametrize("key", ["path", "source", "split", "sha256", "name"])
@pytest.mark.parametrize("value", [5, None, ["digits"], {"a": 1}])
def test_a_data_json_of_wrong_types_is_one_line(tmp_path: Path, key: str, value: object) -> None:
    folder = begin(tmp_path, digits(40), tiny(digits(40), 1))
    facts = json.loads((folder / layout.DATA).read_bytes())
    (folder / layout.DATA).write_text(json.dumps({**facts, key: value}))
    with pytest.raises(DcganError, match=f"data.json is damaged: {key} is") as refusal:
        dcgan.resume(folder, images=96)
    assert_one_line(refusal.value)


def test_a_run_whose_data_had_no_place_asks_for_it(tmp_path: Path) -> None:
    folder = trained(tmp_path, digits(40), 4)
    with pytest.raises(DcganError, match="give them with --data"):
        dcgan.resume(folder, images=96)


def test_a_samples_folder_that_is_gone_is_made_again(tmp_path: Path) -> None:
    folder = trained(tmp_path, digits(40), 4)
    shutil.rmtree(folder / layout.SAMPLES)
    train(folder, digits(40), 6)
    assert list((folder / layout.SAMPLES).glob("*.png"))
