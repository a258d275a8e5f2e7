"""Promise 7: NaN or infinity stops a run at that step, names quantity and step, and keeps the last good checkpoint."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from dcgan.errors import Diverged
from dcgan.methods import Turn
from dcgan.methods.adversarial import Adversarial
from dcgan.run import Run
from dcgan.training import loop
from dcgan.training import trainer as trainer_module
from dcgan.training.finite import Finite
from dcgan.training.journal import read_journal

from .tiny import (
    ENGINE,
    STEPS_BETWEEN,
    assert_one_line,
    assert_same_run,
    begin,
    checkpoints,
    digits,
    forks_training,
    good_checkpoints,
    saved_state,
    start,
    tiny,
    train,
    trained,
)

BAD_STEP = 5


def poke(monkeypatch: pytest.MonkeyPatch, harm: Callable[[Adversarial, dict[str, Tensor]], None]) -> None:
    """Do `harm` within the step after `BAD_STEP` steps."""
    real, turn, taken = Adversarial.step, Adversarial.turn, []

    def noted(self: Adversarial, step: int) -> Turn:
        taken.append(step)
        return turn(self, step)

    def step(self: Adversarial, batch: Any, turn: Turn) -> dict[str, Tensor]:
        values = real(self, batch, turn)
        if taken[-1] == BAD_STEP:
            harm(self, values)
        return values

    monkeypatch.setattr(Adversarial, "turn", noted)
    monkeypatch.setattr(Adversarial, "step", step)


def spoil(tensors: Iterable[Tensor], value: float) -> None:
    with torch.no_grad():
        next(iter(tensors)).view(-1)[0] = value


def generator(method: Adversarial) -> Iterator[Tensor]:
    return method.generator.parameters()


def discriminator(method: Adversarial) -> Iterator[Tensor]:
    return method.discriminator.parameters()


def gradients(parameters: Iterator[Tensor]) -> Iterator[Any]:
    return (parameter.grad for parameter in parameters)


HARMS: dict[str, tuple[Callable[[Adversarial, dict[str, Tensor]], None], str]] = {
    "NaN in G's weights": (lambda method, _: spoil(generator(method), math.nan), "weights_g"),
    "infinity in G's weights": (lambda method, _: spoil(generator(method), math.inf), "weights_g"),
    "NaN in D's weights": (lambda method, _: spoil(discriminator(method), math.nan), "weights_d"),
    "NaN in G's gradient": (lambda method, _: spoil(gradients(generator(method)), math.nan), "grad_g"),
    "infinity in D's gradient": (
        lambda method, _: spoil(gradients(discriminator(method)), -math.inf),
        "grad_d",
    ),
    "a loss is NaN": (lambda _, values: values.update(loss_g=torch.tensor(math.nan)), "loss_g"),
    "a score is infinite": (lambda _, values: values.update(real_score=torch.tensor(math.inf)), "real_score"),
}


@pytest.mark.parametrize("harm", HARMS)
def test_the_run_stops_at_the_step_and_names_the_quantity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_steps: None, harm: str
) -> None:
    data = digits(100)
    folder = begin(tmp_path, data, tiny(data, 9))
    poke(monkeypatch, HARMS[harm][0])
    with pytest.raises(Diverged) as failure:
        train(folder, data)
    message = str(failure.value)
    assert failure.value.status == 3
    assert_one_line(failure.value)
    assert f"{HARMS[harm][1]} became NaN or infinite at step {BAD_STEP + 1}" in message
    assert "the last good checkpoint is step 3" in message
    assert "--set g_lr=" in message

    entry = list(read_journal(folder / "journal.jsonl"))[-1]
    assert (entry["event"], entry["step"], entry["message"]) == ("error", BAD_STEP + 1, message)
    assert Run(folder).state == "failed"
    assert_good_and_finite(folder, 3)

    monkeypatch.undo()
    train(folder, data)
    assert_same_run(folder, trained(tmp_path, data, 9, name="straight"))


@pytest.mark.parametrize("steps", [9, 7])
def test_a_gpu_that_answers_late_saves_nothing_bad(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_steps: None, steps: int
) -> None:
    """A checkpoint, which is due at step 6, waits for the answers of all steps before it, and so does the end."""
    data = digits(100)
    folder = begin(tmp_path, data, tiny(data, steps))
    monkeypatch.setattr(trainer_module, "Finite", partial(Finite, lag=4))
    monkeypatch.setitem(STEPS_BETWEEN, "checkpoint", 3 if steps == 9 else 100)
    poke(monkeypatch, HARMS["NaN in G's gradient"][0])
    with pytest.raises(Diverged, match=f"grad_g became NaN or infinite at step {BAD_STEP + 1}"):
        train(folder, data)
    if steps == 9:
        assert_good_and_finite(folder, 3)
    else:
        assert checkpoints(folder) == []


def test_answers_come_after_as_many_steps_as_the_lag() -> None:
    asked = Finite(torch.device("cpu"), lag=2)
    good, bad = {"loss": torch.tensor(1.0)}, {"loss": torch.tensor(math.nan)}
    asked.see(bad, 1)
    asked.see(good, 2)
    with pytest.raises(Diverged, match="loss became NaN or infinite at step 1"):
        asked.see(good, 3)
    asked.settle()  # what followed a step that was told of is not told
    asked.see(good, 4)
    asked.see(bad, 5)
    with pytest.raises(Diverged, match="step 5"):
        asked.settle()


def assert_good_and_finite(folder: Path, step: int) -> None:
    found, tensors = saved_state(folder)
    assert found == step
    assert all(tensor.isfinite().all() for tensor in tensors.values())
    assert len(good_checkpoints(folder)) == len(checkpoints(folder))
    assert len(Run(folder).model(ENGINE).generate(3).images) == 3


def test_it_is_told_when_no_checkpoint_was_made_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = digits(100)
    folder = begin(tmp_path, data, tiny(data, 9))
    poke(monkeypatch, HARMS["a loss is NaN"][0])
    with pytest.raises(Diverged, match="no checkpoint was made yet"):
        train(folder, data)
    assert checkpoints(folder) == []


def test_a_run_that_diverges_by_itself(tmp_path: Path) -> None:
    """Adam without an epsilon divides zero by zero for the classes that are not in the batch."""
    data = digits(100)
    folder = begin(tmp_path, data, tiny(data, 9, adam_eps=0.0))
    with pytest.raises(Diverged, match=r"weights_. became NaN or infinite at step 1:") as failure:
        train(folder, data)
    assert_one_line(failure.value)
    assert checkpoints(folder) == []


@forks_training
def test_its_exit_status_is_3(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data = digits(100)
    child = start(train, begin(tmp_path, data, tiny(data, 9, adam_eps=0.0)), data)
    child.join()
    assert child.exitcode == 3
    assert capfd.readouterr().err.count("\n") == 1


def average(trainer: loop.Trainer) -> Iterable[Tensor]:
    return trainer.average.module.parameters()


def statistics(trainer: loop.Trainer) -> Iterable[Tensor]:
    return (tensor for tensor in trainer.method.networks["generator"].buffers() if tensor.is_floating_point())


def moments(trainer: loop.Trainer) -> Iterable[Tensor]:
    state = trainer.method.optimizers["generator"].state
    return (state[p]["exp_avg_sq"] for p in trainer.method.networks["generator"].parameters())


@pytest.mark.parametrize("place", [average, statistics, moments])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_no_state_that_is_not_finite_is_ever_saved(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    by_steps: None,
    place: Callable[[loop.Trainer], Iterable[Tensor]],
    value: float,
) -> None:
    """Also where no loss and no gradient shows it: one NaN in the average would be in every picture for good."""
    data = digits(100)
    folder = begin(tmp_path, data, tiny(data, 9))
    real = loop.Trainer.advance

    def advance(self: loop.Trainer) -> dict[str, Tensor]:
        values = real(self)
        if self.step == BAD_STEP:
            spoil(place(self), value)
        return values

    monkeypatch.setattr(loop.Trainer, "advance", advance)
    with pytest.raises(
        Diverged, match=r"became NaN or infinite (at|by) step 6: the last good checkpoint is step 3"
    ) as failure:
        train(folder, data)
    assert_one_line(failure.value)
    assert_good_and_finite(folder, 3)
