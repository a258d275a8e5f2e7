"""Promise 3: a full disk, a refused write or an I/O error anywhere: one clear line, the old checkpoint intact."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dcgan.errors import DcganError
from dcgan.files import write_json
from dcgan.training import folder as layout
from dcgan.training import journal, loop
from dcgan.training.journal import read_journal

from .tiny import (
    assert_one_line,
    assert_same_run,
    assert_whole_journal,
    checkpoints,
    count_calls,
    digits,
    forks_training,
    good_steps,
    intercepted,
    save_numbered,
    saved_state,
    start,
    temporaries,
    train,
    trained,
)

SMALL = 1_000
ERRORS = [errno.ENOSPC, errno.EIO, errno.EFBIG, errno.EROFS]


def refuse(
    code: int, first: int, last: float, spared: tuple[str, ...]
) -> Callable[[int, str, tuple[Any, ...]], None]:
    """Calls number `first` to `last` fail with `code`, except for the names `spared`."""

    def act(number: int, name: str, args: tuple[Any, ...]) -> None:
        if first <= number <= last and name not in spared:
            raise OSError(code, os.strerror(code))

    return act


def test_an_error_at_every_system_call_of_a_save_leaves_the_old_checkpoint_and_no_temporary(
    tmp_path: Path,
) -> None:
    template = tmp_path / "template"
    save_numbered(template, 1, SMALL)
    save_numbered(template, 2, SMALL)
    names = count_calls(lambda: save_numbered(copied(template, tmp_path / "whole"), 3, SMALL))
    faults = 0
    for code in ERRORS:
        for position in range(len(names)):
            # Once; from then on but for removals, as on a full disk; from then on for good, as on a disk that is gone.
            lasting = (
                [(float("inf"), ("unlink",)), (float("inf"), ())] if code in (errno.ENOSPC, errno.EIO) else []
            )
            for last, spared in [(position, ()), *lasting]:
                folder = copied(template, tmp_path / f"{code}-{position}-{last}-{len(spared)}")
                if names[position] in spared:
                    continue
                with intercepted(refuse(code, position, last, spared)), pytest.raises(DcganError) as failure:
                    save_numbered(folder, 3, SMALL)
                assert_one_line(failure.value)
                assert failure.value.status == 2
                assert os.strerror(code) in str(failure.value)
                assert str(folder) in str(failure.value)
                assert 2 in good_steps(folder, SMALL)
                if last == position or spared:
                    assert not temporaries(folder)
                save_numbered(folder, 4, SMALL)
                assert good_steps(folder, SMALL)[0] == 4
                assert not temporaries(folder)
                faults += 1
    assert faults > 80


def test_short_writes_are_carried_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`write` may take less than it was given; nothing is cut off and nothing is written twice."""
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:100]))
    save_numbered(tmp_path, 1, SMALL)
    write_json(tmp_path / "facts.json", list(range(200)))
    monkeypatch.undo()
    assert good_steps(tmp_path, SMALL) == [1]


def copied(template: Path, folder: Path) -> Path:
    shutil.copytree(template, folder)
    return folder


def test_an_error_at_every_system_call_of_a_run_stops_it_in_one_line_and_costs_nothing(
    tmp_path: Path, by_steps: None
) -> None:
    """Journal, samples, checkpoints: whatever cannot be written, the run ends, and what is resumed is the same run."""
    data = digits(40)
    template = trained(tmp_path, data, 4, name="template", spectral_norm=False)
    straight = trained(tmp_path, data, 7, name="straight", spectral_norm=False)
    names = count_calls(lambda: train(copied(template, tmp_path / "whole"), data, 7))
    for position in range(len(names)):
        folder = copied(template, tmp_path / f"at-{position}")
        with intercepted(refuse(errno.ENOSPC, position, position, ())), pytest.raises(DcganError) as failure:
            train(folder, data, 7)
        assert_one_line(failure.value)
        assert failure.value.status == 2
        assert "cannot write" in str(failure.value)
        assert "No space left on device" in str(failure.value)
        assert saved_state(folder)[0] in (4, 7)
        assert not temporaries(folder)
        if position % 4 == 0:
            train(folder, data, 7)
            assert_same_run(folder, straight)
            assert_whole_journal(folder)


def test_a_journal_line_that_is_cut_short_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last bytes of a full disk take half a line; that must not pass for a line that was written."""
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[: len(data) // 2]))
    book = journal.Journal(tmp_path / "journal.jsonl")
    with pytest.raises(DcganError, match="No space left on device") as failure:
        book.write("interval", step=1)
    assert_one_line(failure.value)
    monkeypatch.undo()
    book.rewind(0)
    book.write("interval", step=2)
    assert [entry["step"] for entry in read_journal(book.path)] == [2]


def train_within(folder: Path, largest: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    train(folder, digits(40), 6)


@pytest.mark.parametrize(("largest", "what"), [(30_000, "safetensors"), (1_000, "json")])
@forks_training
def test_the_system_refuses_a_large_file(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], largest: int, what: str
) -> None:
    """RLIMIT_FSIZE in a process of its own: the kernel itself says no, in the middle of a checkpoint or a journal."""
    folder = trained(tmp_path, digits(40), 4)
    before = checkpoints(folder)
    child = start(train_within, folder, largest)
    child.join()
    said = capfd.readouterr().err
    assert child.exitcode == 2
    assert said.count("\n") == 1
    assert what in said
    assert os.strerror(errno.EFBIG) in said
    assert checkpoints(folder) == before
    assert saved_state(folder)[0] == 4
    assert not temporaries(folder)
    train(folder, digits(40), 6)
    assert saved_state(folder)[0] == 6


@pytest.fixture
def small_disk(tmp_path: Path) -> Any:
    """A real file system of 512 KiB, where this user may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    made = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=512k", "tmpfs", place], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("this machine does not let root mount a tmpfs")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@forks_training
def test_a_run_fills_a_small_disk(
    tmp_path: Path, small_disk: Path, capfd: pytest.CaptureFixture[str], by_steps: None
) -> None:
    """Two checkpoints of 60 kB fit, the pictures fill the rest; when nothing fits, the last good one is still there."""
    data = digits(40)
    folder = trained(small_disk, data, 4)
    (small_disk / "ballast").write_bytes(b"x" * 250_000)
    child = start(partial(train, folder, data, 200))
    child.join()
    said = capfd.readouterr().err
    assert child.exitcode == 2
    assert said.count("\n") == 1
    assert os.strerror(errno.ENOSPC) in said
    assert not temporaries(folder)
    step = saved_state(folder)[0]
    assert step >= 4
    (small_disk / "ballast").unlink()
    train(folder, data, step + 2)
    assert saved_state(folder)[0] == step + 2
    assert_same_run(folder, trained(tmp_path, data, step + 2))


@pytest.mark.parametrize("place", [layout.SAMPLES, layout.CHECKPOINTS, layout.JOURNAL, ".lock"])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, place: str, by_steps: None) -> None:
    data = digits(40)
    folder = trained(tmp_path, data, 4)
    spoiled = trained(tmp_path, data, 4, name="spoiled")
    target = spoiled / place
    if target.is_dir():
        shutil.rmtree(target)
        target.write_text("a file in place of the folder")
    else:
        target.unlink()
        target.mkdir()
    with pytest.raises(DcganError) as failure:
        train(spoiled, data, 9)
    assert_one_line(failure.value)
    assert place in str(failure.value)
    assert saved_state(folder)[0] == 4


def test_the_last_checkpoint_does_not_wait_for_the_last_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = trained(tmp_path, digits(40), 4)

    def full(self: Any) -> None:
        raise DcganError("cannot write a sample: No space left on device.")

    monkeypatch.setattr(loop._Session, "_sample", full)
    with pytest.raises(DcganError):
        train(folder, digits(40), 6)
    assert saved_state(folder)[0] == 6
