"""Promise 19: ranks hold equal parameters, see disjoint data, each image once an epoch; one writes; none hangs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

import dcgan as dcgan_package
from child import dcgan_in_child
from dcgan.cli import main, processes
from dcgan.data import open_dataset
from dcgan.errors import DcganError
from dcgan.run import Run
from dcgan.training import folder as layout
from dcgan.training.checkpoint import read_manifest
from dcgan.training.journal import read_journal
from dcgan.training.place import Place
from dcgan.training.ranks import Ranks
from dcgan.training.rendezvous import current, joined
from dcgan.training.state import state_tensors
from dcgan.training.trainer import Trainer

from .tiny import (
    ENGINE,
    assert_same_run,
    assert_whole_journal,
    checkpoints,
    digits,
    forks_training,
    good_checkpoints,
    saved_state,
    tiny,
    train,
)
from .together import PLACE, QUIET, TINY, Ended, dcgan, recording, together

pytestmark = forks_training

BATCH, STEPS = 300, 12
TRAIN = ["train", "digits", "--name", "run", *TINY, *QUIET, "--batch", str(BATCH)]


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PLACE:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Ended]]:
    """A run of two ranks, twice over the data, and what each of them did; read it, do not write it."""
    folder = tmp_path_factory.mktemp("pair")
    work = dcgan(*TRAIN, "--images", str(STEPS * BATCH))
    return folder / "runs" / "run", together(folder, [work, work], recording(folder))


def test_parameters_are_equal_after_every_step(pair: tuple[Path, list[Ended]]) -> None:
    first, second = pair[1]
    assert first.record["states"] == second.record["states"]
    assert len(first.record["states"]) == STEPS


def test_data_is_disjoint_and_each_image_is_seen_once_an_epoch(pair: tuple[Path, list[Ended]]) -> None:
    first, second = (rank.record["indices"] for rank in pair[1])
    seen = [index for steps in zip(first, second, strict=True) for step in steps for index in step]
    assert len(seen) == STEPS * BATCH >= 2 * 1797
    for epoch in range(2):
        assert sorted(seen[epoch * 1797 : (epoch + 1) * 1797]) == list(range(1797))


def test_one_rank_writes_and_tells(pair: tuple[Path, list[Ended]]) -> None:
    folder, (first, second) = pair
    assert (first.status, second.status) == (0, 0), first.err + second.err
    assert (second.out, second.err) == ("", "")
    assert "run     runs/run" in first.out and "in each of 2 processes" in first.err
    assert "Traceback" not in first.err and "arning" not in first.err
    assert any("runs/run" in name for name in first.record["wrote"])
    assert not [name for name in second.record["wrote"] if "runs" in name]
    assert good_checkpoints(folder) == [12, 9]
    assert_whole_journal(folder)
    assert read_manifest(checkpoints(folder)[0]).made_with["ranks"] == 2
    assert Run(folder).state == "finished"


def test_a_resumed_run_of_two_is_the_uninterrupted_one(
    pair: tuple[Path, list[Ended]], tmp_path: Path
) -> None:
    work = dcgan(*TRAIN, "--images", str(7 * BATCH))
    assert [rank.status for rank in together(tmp_path, [work, work])] == [0, 0]
    work = dcgan("resume", "run", "--images", str(STEPS * BATCH))
    ended = together(tmp_path, [work, work])
    assert [rank.status for rank in ended] == [0, 0], ended
    assert "bit-identical" not in ended[0].err and ended[1].err == ""
    assert_same_run(pair[0], tmp_path / "runs" / "run")


def test_another_number_of_ranks_goes_on_and_is_told(pair: tuple[Path, list[Ended]], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(pair[0], folder)
    train(folder, open_dataset("digits"), STEPS + 2)
    assert saved_state(folder)[0] == STEPS + 2
    warnings = [
        entry["message"] for entry in read_journal(folder / layout.JOURNAL) if entry["event"] == "warning"
    ]
    assert warnings == ["not bit-identical to an uninterrupted run: ranks was 2 and is 1"]


CALM: dict[str, Any] = {
    **{"network": "fashion-maxpool", "batch_norm": "none"},
    **{"g_maps": 32, "d_maps": 32, "g_mix": 0, "paint": "pixels", "g_lr": 5e-4, "d_lr": 5e-4},
}
"""No batch norm and no dropout: what a rank computes for an image depends on no other image."""
CHANGED: dict[str, Any] = {"flip": True, "augment": "color,translation,cutout"}


@pytest.mark.parametrize("updates", ["d-then-g", "together", "in-turn"])
def test_two_ranks_compute_what_one_process_does(tmp_path: Path, updates: str) -> None:
    data = digits(100, labelled=False)
    recipe = tiny(data, 4, **CALM, spectral_norm=False, adam_eps=1e-2, **CHANGED, updates=updates)

    def state(trainer: Trainer) -> dict[str, torch.Tensor]:
        for _ in range(4):
            trainer.advance()
        return state_tensors(trainer.method, trainer.average)

    def work() -> None:
        with joined():
            trainer = Trainer(recipe, data, ENGINE, current())
            found = state(trainer)
            assert trainer.images == 4 * recipe.batch
            if current().first:
                torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)

    expected = state(Trainer(recipe, data, ENGINE))
    for rank in together(tmp_path, [work, work]):
        assert rank.status == 0, rank.err


def assert_told_once(ended: list[Ended], status: int, *says: str) -> None:
    """All ranks end with the status, and one of them says why, in a line."""
    assert [rank.status for rank in ended] == [status] * len(ended), ended
    lines = [line for rank in ended for line in rank.err.splitlines() if line.startswith("dcgan: ")]
    assert len(lines) == 1, ended
    assert all(words in lines[0] for words in says), lines
    assert not any("Traceback" in rank.err or "c10d" in rank.err for rank in ended), ended


@pytest.mark.parametrize("victim", [0, 1])
def test_a_rank_that_is_killed_ends_the_run_with_a_line_and_a_good_checkpoint(
    tmp_path: Path, victim: int
) -> None:
    def die(trainer: Trainer) -> None:
        if trainer.ranks.rank == victim and trainer.step == 5:
            os.kill(os.getpid(), signal.SIGKILL)

    work = dcgan(*TRAIN, "--images", str(STEPS * BATCH))
    ended = together(tmp_path, [work] * 3, recording(tmp_path, die))
    assert ended.pop(victim).status == -signal.SIGKILL
    lines = {line for rank in ended for line in rank.err.splitlines() if line.startswith("dcgan: ")}
    if victim:
        assert_told_once(ended, 2)
        said = f"rank {victim} ended without a word"
        assert "error" in [entry["event"] for entry in read_journal(tmp_path / "runs/run/journal.jsonl")]
    else:  # where they met has gone with it, so that they cannot agree who is to speak
        said = "rank 0"
        assert [rank.status for rank in ended] == [2, 2], ended
    assert len(lines) == 1 and said in min(lines), ended
    assert "the newest checkpoint is step 3; go on from there with `dcgan resume run`" in min(lines)
    assert good_checkpoints(tmp_path / "runs" / "run")[0] == 3


def test_a_signal_to_one_rank_saves_once_and_ends_all(tmp_path: Path) -> None:
    def ask(trainer: Trainer) -> None:
        if trainer.ranks.rank == 1 and trainer.step == 4:
            os.kill(os.getpid(), signal.SIGTERM)

    work = dcgan(*TRAIN, "--images", str(STEPS * BATCH))
    ended = together(tmp_path, [work, work], recording(tmp_path, ask))
    assert_told_once(ended, 143, "SIGTERM: saved at step 4; go on with `dcgan resume run`")
    assert good_checkpoints(tmp_path / "runs" / "run")[0] == 4


def test_a_rank_that_drifts_is_named_at_the_next_checkpoint(tmp_path: Path) -> None:
    def drift(trainer: Trainer) -> None:
        if trainer.ranks.rank == 1 and trainer.step == 5:
            weight = next(trainer.method.networks["generator"].parameters())
            with torch.no_grad():
                weight.view(-1)[0] += 1e-3  # of a rounding step the next update might leave no trace

    work = dcgan(*TRAIN, "--images", str(STEPS * BATCH))
    ended = together(tmp_path, [work, work], recording(tmp_path, drift))
    assert_told_once(ended, 2, "rank 1 has come to another", "than rank 0 by step 6", "checkpoint is step 3")
    assert good_checkpoints(tmp_path / "runs" / "run") == [3]


def test_a_rank_that_runs_out_of_memory_says_so_for_all(tmp_path: Path) -> None:
    def burst(trainer: Trainer) -> None:
        if trainer.ranks.rank == 1:
            raise DcganError("the disk of this rank is full")

    work = dcgan(*TRAIN, "--images", str(STEPS * BATCH))
    ended = together(tmp_path, [work, work], recording(tmp_path, burst))
    assert_told_once(ended, 2, "rank 1: the disk of this rank is full")


REFUSED = {
    "a batch that does not divide": (
        ["--batch", "301"],
        ["--batch", "301"],
        ("301", "2 ranks", "300 or 302"),
    ),
    "another recipe": ([], ["--set", "g_lr=0.5"], ("rank 1 has another recipe: g_lr 0.5", "0.002")),
    "other data": ([], ["--split", "test"], ("rank 1",)),
    "a name that is taken": (["--name", "taken"], ["--name", "taken"], ("taken exists in runs",)),
}


@pytest.mark.parametrize("case", REFUSED)
def test_ranks_that_cannot_train_together_are_refused_in_one_line(tmp_path: Path, case: str) -> None:
    (tmp_path / "runs" / "taken").mkdir(parents=True)
    first, second, says = REFUSED[case]
    works = [dcgan(*TRAIN, "--images", "3000", *extra) for extra in (first, second)]
    assert_told_once(together(tmp_path, works), 2, *says)
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["taken"]


def test_other_pictures_are_named_by_their_rank_and_hashes(tmp_path: Path) -> None:
    import numpy as np

    for name, shade in (("a", 10), ("b", 20)):
        images = np.full((40, 8, 8), shade, np.uint8) + np.arange(40, dtype=np.uint8)[:, None, None]
        np.savez(tmp_path / f"{name}.npz", images=images)
    works = [
        dcgan("train", f"{name}.npz", "--name", "run", *TINY, *QUIET, "--batch", "16", "--images", "64")
        for name in ("a", "b")
    ]
    assert_told_once(together(tmp_path, works), 2, "rank 1 has other data: ", "…, where rank 0 has ")
    assert not (tmp_path / "runs").exists()


def test_a_dead_rendezvous_is_a_line_and_not_a_hang(tmp_path: Path) -> None:
    work = dcgan(*TRAIN, "--images", "3000")
    (ended,) = together(tmp_path, [work], WORLD_SIZE="2", DCGAN_JOIN_SECONDS="0.4")
    assert_told_once([ended], 2, "1 of 2 ranks came to 127.0.0.1:", "within 0.4 seconds: missing 1")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
    place = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_PORT": port, "DCGAN_JOIN_SECONDS": "0.4"}
    before = time.monotonic()
    (ended,) = together(tmp_path, [work], **place)
    assert_told_once([ended], 2, f"rank 1 of 2 found nobody at 127.0.0.1:{port}", "Connection refused")
    assert time.monotonic() - before < 30
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"RANK": "2", "WORLD_SIZE": "2"}, "ranks go from 0"),
        ({"RANK": "x", "WORLD_SIZE": "2"}, "RANK is 'x'"),
        ({"RANK": "0", "WORLD_SIZE": "2"}, "MASTER_ADDR is not"),
        ({"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "here"}, "MASTER_PORT is ''"),
    ],
)
def test_an_environment_that_makes_no_sense_is_one_line(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], says: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(DcganError, match=says):
        Place.here()


@pytest.mark.parametrize(
    ("batch", "world", "near"),
    [(15, 2, "14 or 16"), (2, 2, "4"), (3, 4, "8"), (100, 64, "128"), (300, 256, "512")],
)
def test_a_batch_that_works_is_named(batch: int, world: int, near: str) -> None:
    with pytest.raises(DcganError, match=f"use --batch {near}$"):
        Ranks(0, world).share(batch)
    for good in near.split(" or "):
        assert Ranks(0, world).share(int(good)) == int(good) // world


def environment(tmp_path: Path) -> dict[str, str]:
    source = str(Path(dcgan_package.__file__).parents[1])
    return {**os.environ, "PYTHONPATH": source, "DCGAN_CACHE": str(tmp_path / "cache")}


def test_torchrun_trains_and_says_what_one_process_says(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    command += ["-m", "dcgan", *TRAIN, "--images", str(3 * BATCH)]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("run     runs/run") == 1
    assert done.stderr.count("training on") == 1 and "in each of 2 processes" in done.stderr
    assert "process_group" not in done.stderr and "dcgan: " not in done.stderr
    assert good_checkpoints(tmp_path / "runs" / "run") == [3]


def test_processes_started_by_dcgan_itself_stop_by_one_signal(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dcgan", *TRAIN, "--minutes", "5", "--processes", "2"]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stderr and run.stdout
        said = []
        for line in run.stderr:
            said.append(line)
            if "images/s" in line:
                run.send_signal(signal.SIGINT)
        assert run.wait(60) == 130, said
        assert run.stdout.read() == ""
    told = [line for line in said if line.startswith("dcgan: ")]
    step = good_checkpoints(tmp_path / "runs" / "run")[0]
    assert told == [f"dcgan: SIGINT: saved at step {step}; go on with `dcgan resume run`\n"]


@pytest.mark.parametrize("count", ["0", "two", "-1", "1.5", "99999"])
def test_a_number_of_processes_that_makes_no_sense_is_one_line(tmp_path: Path, count: str) -> None:
    done = dcgan_in_child(tmp_path, *TRAIN, "--processes", count)
    done.assert_one_line(2, f"--processes {count}: expected a number from 1 to 1024, or auto")


def test_a_run_goes_on_in_as_many_processes_as_before(pair: tuple[Path, list[Ended]], tmp_path: Path) -> None:
    assert processes.processes_before(pair[0]) == (2 if len(os.sched_getaffinity(0)) > 1 else None)
    assert processes.processes_before(tmp_path) is None
    for told, count in ((1, 1), (10**6, None), ("2", None), (True, None), (0, None)):
        (tmp_path / layout.JOURNAL).write_text(json.dumps({"event": "start", "ranks": told}) + "\n")
        assert processes.processes_before(tmp_path) == count

    asked: list[int] = []

    def work() -> None:
        processes._run = lambda arguments, count: asked.append(count) or 7  # type: ignore[func-returns-value]
        try:
            main(["resume", "run", "--images", "9000", "--runs-dir", str(pair[0].parent)])
        finally:
            assert asked == [2], asked

    if len(os.sched_getaffinity(0)) > 1:
        done = dcgan_in_child(tmp_path, before=work)
        assert (done.status, done.out, done.err) == (7, "", "")


def test_processes_under_torchrun_are_refused(tmp_path: Path) -> None:
    done = dcgan_in_child(
        tmp_path,
        *TRAIN,
        "--processes",
        "2",
        before=lambda: os.environ.update(RANK="0", WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT="1"),
    )
    done.assert_one_line(2, "leave it out")
