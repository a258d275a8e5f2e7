"""Promises 1 and 2: a kill or a power cut at any instant of a save leaves the old checkpoint or the new one."""

from __future__ import annotations

import os
import random
import shutil
import signal
import statistics
import time
from collections.abc import Callable
from functools import partial
from itertools import chain, combinations, count
from pathlib import Path
from typing import Any

import pytest

from dcgan.files import TEMPORARY, write_atomic
from dcgan.training import folder as layout
from dcgan.training import loop

from .tiny import (
    PROCESSES,
    SYSTEM_CALLS,
    assert_same_run,
    assert_whole_journal,
    count_calls,
    digits,
    due_by_steps,
    forks_training,
    good_steps,
    intercepted,
    leftovers,
    save_numbered,
    saved_state,
    start,
    temporaries,
    train,
    trained,
)

KILLS = 200
SMALL = 1_000


def save_forever(folder: Path, first: int, progress: Path, ready: Any) -> None:
    """Save step after step, and note each save that returned where a kill cannot undo it."""
    descriptor = os.open(progress, os.O_WRONLY)
    ready.send_bytes(b"ready")
    for step in count(first):
        save_numbered(folder, step)
        os.pwrite(descriptor, step.to_bytes(8, "little"), 0)


def test_200_kills_during_saving_lose_at_most_the_save_under_way(tmp_path: Path) -> None:
    draw = random.Random(1)
    progress = tmp_path / "progress"
    torn = 0
    span = measured_span(tmp_path / "span")
    for kill in range(KILLS):
        if kill % 20 == 0:
            folder, step = tmp_path / f"run-{kill}", 0
        progress.write_bytes(step.to_bytes(8, "little"))
        here, there = PROCESSES.Pipe(duplex=False)
        child = start(save_forever, folder, step + 1, progress, there)
        there.close()
        assert here.poll(60)
        here.recv_bytes()
        time.sleep(draw.uniform(0, 2 * span))
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        assert child.exitcode == -signal.SIGKILL

        done = int.from_bytes(progress.read_bytes(), "little")
        good = [*good_steps(folder), 0]
        assert good[0] in (done, done + 1)
        assert done < 2 or good[1] == good[0] - 1, "the newest has no forerunner"
        torn += bool(leftovers(folder)) if folder.exists() else 0

        step = good[0]
        if kill % 10 == 9:
            step += 1
            save_numbered(folder, step)
            assert good_steps(folder)[0] == step
            assert not leftovers(folder)
    assert torn, "no kill fell into a save: the test proves nothing"


def measured_span(folder: Path) -> float:
    """Seconds of one save, here and now."""
    spans = []
    for step in range(1, 6):
        before = time.monotonic()
        save_numbered(folder, step)
        spans.append(time.monotonic() - before)
    return statistics.median(spans)


def prepared(folder: Path) -> Path:
    """Two checkpoints and what an earlier dead save has left."""
    save_numbered(folder, 1, SMALL)
    save_numbered(folder, 2, SMALL)
    (folder / f"{TEMPORARY}99-0000000003.json").write_bytes(b"{")
    shutil.copy(folder / "0000000002.safetensors", folder / "0000000003.safetensors")
    return folder


def end_at(fatal: int, torn: bool, number: int, name: str, args: tuple[Any, ...]) -> None:
    """End the process before a system call, or after half of a write."""
    if number == fatal:
        if torn and name == "write":
            os.pwrite(args[0], args[1][: len(args[1]) // 2], 0)
        os._exit(9)


def die_saving(folder: Path, fatal: int, torn: bool) -> None:
    with intercepted(partial(end_at, fatal, torn)):
        save_numbered(folder, 3, SMALL)


def test_death_at_every_system_call_of_a_save(tmp_path: Path) -> None:
    template = prepared(tmp_path / "template")
    names = count_calls(lambda: save_numbered(copied(template, tmp_path / "whole"), 3, SMALL))
    assert {"write", "fsync", "replace", "unlink"} <= set(names)
    for fatal, name in enumerate(names):
        for torn in (False, True)[: 1 + (name == "write")]:
            folder = copied(template, tmp_path / f"{fatal}-{torn}")
            child = start(die_saving, folder, fatal, torn)
            child.join()
            assert child.exitcode == 9
            assert good_steps(folder, SMALL)[0] in (2, 3)
            save_numbered(folder, 4, SMALL)
            assert good_steps(folder, SMALL)[0] == 4
            assert not leftovers(folder)


def die_writing(path: Path, fatal: int) -> None:
    with intercepted(partial(end_at, fatal, True)):
        write_atomic(path, "new" * 1000)


def test_death_at_every_system_call_leaves_the_old_file_or_the_new(tmp_path: Path) -> None:
    path = tmp_path / "recipe.json"
    for fatal in range(len(count_calls(lambda: write_atomic(path, "old")))):
        write_atomic(path, "old")
        child = start(die_writing, path, fatal)
        child.join()
        assert child.exitcode == 9
        assert path.read_text() in ("old", "new" * 1000)


def copied(template: Path, folder: Path) -> Path:
    shutil.copytree(template, folder)
    return folder


def die_training(folder: Path, steps: int, fatal: int) -> None:
    loop._Session._due = due_by_steps
    with intercepted(partial(end_at, fatal, True)):
        train(folder, digits(40), steps)


@forks_training
def test_death_at_every_system_call_of_a_run_and_then_resume(tmp_path: Path, by_steps: None) -> None:
    """What a resumed run comes to is what the run would have come to, wherever it died."""
    data = digits(40)
    start_steps, end_steps = 4, 7
    template = trained(tmp_path, data, start_steps, name="template", spectral_norm=False)
    straight = trained(tmp_path, data, end_steps, name="straight", spectral_norm=False)
    names = count_calls(lambda: train(copied(template, tmp_path / "whole"), data, end_steps))
    assert_same_run(tmp_path / "whole", straight)
    for fatal in range(len(names)):
        folder = copied(template, tmp_path / f"at-{fatal}")
        child = start(die_training, folder, end_steps, fatal)
        child.join()
        assert child.exitcode == 9
        assert saved_state(folder)[0] >= start_steps
        train(folder, data, end_steps)
        assert_same_run(folder, straight)
        assert_whole_journal(folder)
        assert not temporaries(folder)


def test_two_writers_are_kept_apart_until_the_first_is_dead(tmp_path: Path) -> None:
    folder = trained(tmp_path, digits(40), 2)
    here, there = PROCESSES.Pipe(duplex=False)
    child = start(hold, folder, there)
    assert here.poll(60)
    with pytest.raises(loop.DcganError, match="is being trained by another process") as refusal:
        train(folder, digits(40), 4)
    assert refusal.value.status == 2
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    train(folder, digits(40), 4)
    assert saved_state(folder)[0] == 4


def hold(folder: Path, ready: Any) -> None:
    with layout.sole_writer(folder):
        ready.send_bytes(b"held")
        time.sleep(600)


class Disk:
    """A disk that keeps what was fsynced and, of the rest, whatever is worst.

    A file that was not fsynced holds nothing, half or all of what was written; of the names that changed since the
    folder was fsynced any may have changed and any may not.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = {path.name: [path.read_bytes(), True] for path in folder.iterdir()}
        self.durable = dict(self.files)
        self.pending: list[tuple[str, list[Any] | None]] = []
        self.opened: dict[int, list[Any] | None] = {}
        self.latest: Any = None

    def states(self) -> dict[tuple[Any, ...], dict[str, bytes]]:
        """All folders that a power cut may leave now."""
        found = {}
        for chosen in chain.from_iterable(
            combinations(self.pending, k) for k in range(len(self.pending) + 1)
        ):
            names = dict(self.durable)
            for name, file in chosen:
                if file is None:
                    names.pop(name, None)
                else:
                    names[name] = file
            for part in (0.0, 0.5, 1.0):
                state = {
                    name: data if synced else data[: int(part * len(data))]
                    for name, (data, synced) in names.items()
                }
                found[tuple(sorted(state.items()))] = state
        return found

    def happened(self, name: str, args: tuple[Any, ...], result: Any) -> None:
        if name == "open":
            path = Path(args[0])
            if path == self.folder:
                self.opened[result] = None
            else:
                self.files[path.name] = self.opened[result] = [b"", False]
                self.pending.append((path.name, self.files[path.name]))
        elif name == "write":
            file = self.opened[args[0]]
            assert file is not None
            file[0], file[1] = file[0] + bytes(args[1][:result]), False
        elif name == "fsync" and self.opened[args[0]] is None:
            self.durable, self.pending = dict(self.files), []
        elif name == "fsync":
            self.opened[args[0]][1] = True  # type: ignore[index]
        elif name == "replace":
            source, target = Path(args[0]).name, Path(args[1]).name
            self.files[target] = self.files.pop(source)
            self.pending += [(target, self.files[target]), (source, None)]
        elif name == "unlink":
            del self.files[Path(args[0]).name]
            self.pending.append((Path(args[0]).name, None))


def cut(folder: Path, work: Callable[[], None]) -> tuple[list[dict[str, bytes]], list[dict[str, bytes]]]:
    """What power cuts may leave of `folder` during `work`, and after it."""
    disk = Disk(folder)
    seen: dict[tuple[Any, ...], dict[str, bytes]] = {}

    def watched(name: str, real: Callable[..., Any], *args: Any) -> Any:
        result = real(*args)
        disk.happened(name, args, result)
        seen.update(disk.states())
        return result

    with pytest.MonkeyPatch.context() as patch:
        for name in SYSTEM_CALLS:
            patch.setattr(os, name, partial(watched, name, getattr(os, name)))
        work()
    return list(seen.values()), list(disk.states().values())


def test_a_power_cut_at_any_instant_leaves_a_checkpoint_and_after_a_save_the_new_one(tmp_path: Path) -> None:
    folder = prepared(tmp_path / "run")
    during, after = cut(folder, lambda: save_numbered(folder, 3, SMALL))
    assert len(during) >= 15
    for number, state in enumerate(during):
        assert good_steps(written(tmp_path / f"during-{number}", state), SMALL)[0] in (2, 3)
    for number, state in enumerate(after):
        assert good_steps(written(tmp_path / f"after-{number}", state), SMALL)[:2] == [3, 2]


def test_a_power_cut_leaves_the_old_file_or_the_new_and_after_a_write_the_new(tmp_path: Path) -> None:
    path = tmp_path / "recipe.json"
    write_atomic(path, "old")
    during, after = cut(tmp_path, lambda: write_atomic(path, "the new"))
    assert {state[path.name] for state in during} == {b"old", b"the new"}
    assert {state[path.name] for state in after} == {b"the new"}


def written(folder: Path, state: dict[str, bytes]) -> Path:
    folder.mkdir()
    for name, data in state.items():
        (folder / name).write_bytes(data)
    return folder
