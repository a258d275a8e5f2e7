"""Promises 4 and 6: a run that is stopped and resumed is the run that was never stopped, bit for bit."""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from dcgan.errors import DcganError, Interrupted
from dcgan.methods.adversarial import Adversarial
from dcgan.run import Run
from dcgan.training import loop
from dcgan.training.checkpoint import read_manifest
from dcgan.training.engine import Engine
from dcgan.training.journal import read_journal
from dcgan.training.state import state_tensors

from .tiny import (
    ENGINE,
    PROCESSES,
    assert_one_line,
    assert_same_run,
    assert_whole_journal,
    begin,
    checkpoints,
    digits,
    due_by_steps,
    forks_training,
    saved_state,
    start,
    temporaries,
    tiny,
    train,
    trained,
)

PLAIN: dict[str, Any] = {
    "classes": 0,
    "g_maps": 32,
    "d_maps": 32,
    "g_mix": 0,
    "paint": "pixels",
    "spectral_norm": False,
    "objective": "bce",
    "gamma": 0.0,
    "updates": "together",
    "adam_form": "keras",
    "ema": 0.0,
}
"""Of a published model: none of the fast family's switches."""

CASES = {
    "mid-epoch, several times": (1797, (1, 2, 5, 9), {}),
    "across an epoch's end": (100, (5, 9), {}),
    "exactly at an epoch's end": (80, (5, 10, 12), {}),
    "a batch larger than the data": (40, (2, 3, 6), {"batch": 64}),
    "without classes": (100, (5, 9), {"classes": 0}),
    "relativistic with penalties": (
        100,
        (3, 9),
        {"objective": "relativistic", "gamma": 1.0, "penalty_every": 4},
    ),
    "mirrored, uniform z, momentum": (100, (5, 9), {"flip": True, "prior": "uniform", "beta1": 0.5}),
    "no spectral norm, bce": (100, (5, 9), {"spectral_norm": False, "objective": "bce"}),
    "both from the old weights, dropout, Keras' Adam": (100, (2, 5), {**PLAIN, "network": "fashion-2020"}),
    "in turn, batch norm in D, weight decay": (
        100,
        (1, 2, 5),
        {**PLAIN, "network": "fashion-maxpool", "updates": "in-turn", "weight_decay": 1e-3},
    ),
}


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A fingerprint of every batch that is trained on."""
    seen: list[str] = []
    real = Adversarial.step

    def step(self: Adversarial, batch: Any, turn: Any) -> Any:
        digest = hashlib.sha256(repr(turn).encode())
        for tensor in (batch.real, batch.labels, batch.z):
            digest.update(b"" if tensor is None else tensor.numpy().tobytes())
        seen.append(digest.hexdigest())
        return real(self, batch, turn)

    monkeypatch.setattr(Adversarial, "step", step)
    return seen


@pytest.mark.parametrize("case", CASES)
def test_a_resumed_run_is_the_uninterrupted_one(
    tmp_path: Path, by_steps: None, batches: list[str], case: str
) -> None:
    size, stops, changes = CASES[case]
    changes = dict(changes)
    data = digits(size, labelled=changes.pop("classes", None) is None)
    straight = trained(tmp_path, data, stops[-1], name="straight", **changes)
    uninterrupted, batches[:] = list(batches), []
    stopped = trained(tmp_path, data, *stops, name="stopped", **changes)
    assert batches == uninterrupted
    assert len(set(batches)) == stops[-1]
    assert_same_run(straight, stopped)
    assert_whole_journal(stopped)
    assert [entry["event"] for entry in read_journal(stopped / "journal.jsonl")].count("resume") == len(
        stops
    ) - 1


def test_a_checkpoint_holds_all_that_training_changes(tmp_path: Path) -> None:
    """Networks with their buffers, optimizers and average: a tensor that were left out would start anew."""
    data = digits(100)
    trainer = loop.Trainer(tiny(data, 3), data, ENGINE)
    before = {name: tensor.clone() for name, tensor in state_tensors(trainer.method, trainer.average).items()}
    for _ in range(3):
        trainer.advance()
    state = state_tensors(trainer.method, trainer.average)
    names = {name for name, tensor in state.items() if not torch.equal(tensor, before[name])}
    for part in ("generator.", "discriminator.", "ema.", "optimizer.generator.", "optimizer.discriminator."):
        assert any(name.startswith(part) for name in names)
    for ending in ("_u", "_v", "running_mean", "running_var", "num_batches_tracked", "exp_avg_sq", ".step"):
        assert any(name.endswith(ending) for name in names), ending
    for role, network in trainer.method.networks.items():
        for kind, tensors in (("parameter", network.named_parameters()), ("buffer", network.named_buffers())):
            assert all(f"{role}.{name}" in state for name, _ in tensors), kind
    for role, optimizer in trainer.method.optimizers.items():
        for name, parameter in trainer.method.networks[role].named_parameters():
            for key in optimizer.state[parameter]:
                assert f"optimizer.{role}.{name}.{key}" in state


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_resume_is_exact_with_two_threads_and_in_bf16(tmp_path: Path, precision: str) -> None:
    data, engine = digits(40), Engine.choose(precision, "cpu")
    torch.set_num_threads(2 if precision == "float32" else 1)
    try:
        folders = []
        for name, stops in (("straight", (2,)), ("stopped", (1, 2))):
            folders.append(begin(tmp_path, data, tiny(data, 2, precision=precision), name))
            for steps in stops:
                train(folders[-1], data, steps, engine=engine)
        assert_same_run(*folders)
    finally:
        torch.set_num_threads(1)


def test_another_number_of_threads_is_told(tmp_path: Path) -> None:
    folder = trained(tmp_path, digits(100), 2)
    torch.set_num_threads(2)
    try:
        train(folder, digits(100), 3)
    finally:
        torch.set_num_threads(1)
    warnings = [
        entry["message"] for entry in read_journal(folder / "journal.jsonl") if entry["event"] == "warning"
    ]
    assert warnings == ["not bit-identical to an uninterrupted run: threads was 1 and is 2"]


def test_the_means_of_a_stopped_run_are_those_of_the_uninterrupted_one(
    tmp_path: Path, by_steps: None
) -> None:
    """No step is lost from the journal and none counted twice, though the sittings report at other steps."""
    data = digits(100)
    sums = []
    for name, stops in (("straight", (11,)), ("stopped", (1, 4, 5, 11))):
        total, last = 0.0, 0
        for entry in read_journal(trained(tmp_path, data, *stops, name=name) / "journal.jsonl"):
            if entry["event"] == "interval":
                total += entry["loss_d"] * (entry["step"] - last)
                last = entry["step"]
        sums.append(total)
    assert sums[0] == pytest.approx(sums[1], abs=11e-6)


def test_a_run_that_is_finished_stays_what_it_is(tmp_path: Path) -> None:
    folder = trained(tmp_path, digits(100), 4)
    before = {path.name: path.read_bytes() for path in (folder / "checkpoints").iterdir()}
    train(folder, digits(100), 4)
    assert {path.name: path.read_bytes() for path in (folder / "checkpoints").iterdir()} == before
    assert Run(folder).state == "finished"


def test_another_recipe_is_not_trained_on(tmp_path: Path) -> None:
    data = digits(100)
    folder = trained(tmp_path, data, 2)
    with pytest.raises(DcganError, match="another recipe") as refusal:
        loop.fit(folder, tiny(data, 4, g_lr=1e-5), data, ENGINE)
    assert_one_line(refusal.value)
    assert saved_state(folder)[0] == 2


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "moment", ["before the first step", "in a step", "in a sample", "in a save", "in the last step"]
)
def test_a_signal_at_any_moment_saves_within_one_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_steps: None, signum: int, moment: str
) -> None:
    data = digits(100)
    folder = begin(tmp_path, data, tiny(data, 8))
    at: list[int] = []

    def signalling(owner: Any, name: str, step: int) -> None:
        real = getattr(owner, name)

        def call(self: Any, *args: Any) -> Any:
            trainer = getattr(self, "trainer", self)
            if trainer.step == step and not at:
                at.append(trainer.step)
                signal.raise_signal(signum)
            return real(self, *args)

        monkeypatch.setattr(owner, name, call)

    place = {
        "before the first step": (loop._Session, "_resume", 0),
        "in a step": (loop.Trainer, "draws", 4),
        "in a sample": (loop._Session, "_sample", 4),
        "in a save": (loop._Session, "_save", 3),
        "in the last step": (loop.Trainer, "draws", 7),
    }
    signalling(*place[moment])
    with pytest.raises(Interrupted) as interruption:
        train(folder, data)
    assert interruption.value.status == 128 + signum
    assert_one_line(interruption.value)
    assert "dcgan resume run" in str(interruption.value)
    step = saved_state(folder)[0]
    assert at[0] <= step <= at[0] + 1
    assert f"saved at step {step}" in str(interruption.value)
    assert Run(folder).state == "stopped"
    assert_whole_journal(folder)
    monkeypatch.undo()
    train(folder, data)
    assert_same_run(folder, trained(tmp_path, data, 8, name="straight"))
    assert_whole_journal(folder)


def test_the_handlers_of_before_are_back_after_a_run(tmp_path: Path) -> None:
    before = [signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)]
    trained(tmp_path, digits(40), 1)
    assert [signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)] == before


def train_and_tell(folder: Path, ready: Any) -> None:
    """A run without an end that says when it has begun."""

    def watch(entry: dict[str, Any]) -> None:
        if entry["event"] == "interval" and not told:
            told.append(entry)
            ready.send_bytes(b"training")

    told: list[Any] = []
    loop._Session._due = due_by_steps
    train(folder, digits(100), watch=watch)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
@forks_training
def test_a_real_signal_ends_a_real_process_with_its_own_status(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], signum: int
) -> None:
    data = digits(100)
    folder = begin(tmp_path, data, tiny(data, 10**6))
    here, there = PROCESSES.Pipe(duplex=False)
    child = start(train_and_tell, folder, there)
    assert here.poll(60)
    os.kill(child.pid, signum)
    child.join(60)
    assert child.exitcode == 128 + signum
    said = capfd.readouterr().err
    assert said.count("\n") == 1
    step = saved_state(folder)[0]
    assert f"{signal.Signals(signum).name}: saved at step {step}" in said
    assert not temporaries(folder)
    train(folder, data, step + 2)
    assert_same_run(folder, trained(tmp_path, data, step + 2, name="straight"))


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
@forks_training
def test_a_second_signal_ends_the_process_at_once_though_a_save_is_under_way(
    tmp_path: Path, second: int
) -> None:
    data = digits(100)
    folder = begin(tmp_path, data, tiny(data, 10**6))
    train(folder, data, 3)
    before = checkpoints(folder)
    here, there = PROCESSES.Pipe(duplex=False)
    child = start(train_slowly, folder, there)
    assert here.poll(60)
    assert here.recv_bytes() == b"training"
    os.kill(child.pid, signal.SIGTERM)
    while here.recv_bytes() != b"saving":
        pass
    os.kill(child.pid, second)
    child.join(60)
    assert child.exitcode == 128 + second
    assert checkpoints(folder) == before
    assert temporaries(folder)
    train(folder, data, 5)
    assert saved_state(folder)[0] == 5
    assert not temporaries(folder)
    assert_same_run(folder, trained(tmp_path, data, 5, name="straight"))


def train_slowly(folder: Path, ready: Any) -> None:
    """A run whose save never ends."""

    def never(descriptor: int) -> None:
        ready.send_bytes(b"saving")
        time.sleep(600)

    def advance(trainer: Any) -> Any:
        os.fsync = never
        ready.send_bytes(b"training")
        return real(trainer)

    real, loop.Trainer.advance = loop.Trainer.advance, advance
    train(folder, digits(100), 10**6)
    sys.exit("the run came to its end")


def test_what_a_checkpoint_says_of_itself(tmp_path: Path) -> None:
    data = digits(100)
    folder = trained(tmp_path, data, 2, 5)
    manifest = read_manifest(checkpoints(folder)[0])
    assert (manifest.step, manifest.images, manifest.number) == (5, 5 * manifest.recipe.batch, 2)
    assert manifest.classes == data.classes
    assert list(manifest.counts) == data.counts.tolist()
    assert {
        "version",
        "device",
        "threads",
        "torch",
        "numpy",
        "python",
        "precision",
    } <= manifest.made_with.keys()
