"""The training loop: batch → step → average → watch the numbers → report, sample, save → done?

Progress is counted in real images.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dcgan.data.dataset import Dataset
from dcgan.errors import DcganError, Diverged, Interrupted, enough_memory
from dcgan.files import exists, make_folder, write_atomic, write_json
from dcgan.recipe import Recipe
from dcgan.training import folder as layout
from dcgan.training.board import Parted
from dcgan.training.budget import Budget
from dcgan.training.checkpoint import list_manifests, save_checkpoint
from dcgan.training.engine import Engine
from dcgan.training.follow import follow, level, stranded, verify
from dcgan.training.journal import Journal
from dcgan.training.means import Means
from dcgan.training.observer import Observer, Unobserved, collapsed, diverged
from dcgan.training.ranks import ALONE, Ranks
from dcgan.training.restore import changes, restore
from dcgan.training.scoring import Scoring
from dcgan.training.signals import StopRequest
from dcgan.training.state import expected_state, finite_state
from dcgan.training.trainer import Trainer
from dcgan.version import __version__

Watcher = Callable[[dict[str, Any]], None]
"""Is told every journal entry as it is written, with `left`, the seconds to go, and `done`, 0 to 1, added."""

JOURNAL_SECONDS, EPOCH_SECONDS, SAMPLE_SECONDS, CHECKPOINT_SECONDS = 1.0, 0.5, 5.0, 30.0
SAVE_COST = 20
"""Checkpoints of a large model take seconds: the next comes after at least this many times the last one's, 5 %."""


def check(recipe: Recipe, data: Dataset) -> None:
    """Raise `DcganError` for what would stop a run of this recipe on this data, before anything is written."""
    Budget.of(recipe, len(data))
    if (recipe.height, recipe.width) != data.size or recipe.channels != data.channels:
        raise DcganError(
            f"{data.name} holds {data.size[0]}x{data.size[1]} images of {data.channels} channels, and the recipe makes "
            f"{recipe.height}x{recipe.width} of {recipe.channels}: add --size {recipe.height}x{recipe.width}"
        )
    expected_state(recipe)


def fit(
    folder: Path,
    recipe: Recipe,
    data: Dataset,
    engine: Engine,
    watch: Watcher | None = None,
    observer: Observer | None = None,
    ranks: Ranks = ALONE,
) -> None:
    """Train the run in `folder` until its budget is spent, from its newest good checkpoint where it has one.

    Called by each of `ranks`, of which the first alone touches the folder, watches and observes.
    Raises `Diverged`, `Collapsed` or `Interrupted` (after saving) or `DcganError` (a write refused, no memory); what
    was saved before stays. A `watch` that raises ends the run, after saving. A refused run leaves the folder as it was.
    """
    try:
        with enough_memory():
            if not ranks.first:
                return follow(recipe, data, engine, ranks)
            with layout.sole_writer(folder), StopRequest() as stop:
                trainer = Trainer(recipe, data, engine, ranks)
                _Session(folder, trainer, watch or (lambda entry: None), observer or Unobserved()).run(stop)
                return ranks.finish()
    except Parted as error:
        raise stranded(folder, error) from None


class _Session:
    """One sitting of a run: from start or resume to the end, a signal or an error."""

    def __init__(self, folder: Path, trainer: Trainer, watch: Watcher, observer: Observer) -> None:
        self.folder, self.trainer, self.watch, self.observer = folder, trainer, watch, observer
        self.recipe, self.data = trainer.recipe, trainer.data
        self.facts = {**trainer.describe(), "ranks": trainer.ranks.world}
        self.budget = Budget.of(self.recipe, len(self.data))
        self.journal = Journal(folder / layout.JOURNAL)
        self.better = False  # the newest score is the best so far, and is to be saved
        self.before = 0.0
        self.save_seconds = 0.0
        self.saved: tuple[int, float | None] = (0, None)  # step and score of the newest checkpoint
        self.finding: dict[str, Any] = {}
        self.means = Means()
        self.marks: dict[str, tuple[float, int]] = {}
        self._resume()
        self.started = time.monotonic()
        for what in ("journal", "sample", "checkpoint", "epoch", "score"):
            self._mark(what)

    @property
    def seconds(self) -> float:
        """Seconds of training so far, over all sittings."""
        return self.before + time.monotonic() - self.started

    def run(self, stop: StopRequest) -> None:
        """Train, and leave a checkpoint and a journal entry behind however it ends."""
        trainer = self.trainer
        try:
            if trainer.step == 0:
                self._sample()
            while not self._ends(stop):
                epoch = int(trainer.epoch)
                self.means.add(trainer.advance())
                self._report(ended_epoch=int(trainer.epoch) > epoch)
            if trainer.step > self.scoring.step and self._affords_a_score(last=True):
                self._score()
            if not self.scoring.step and 0 < self.scoring.every <= self.seconds - self.before:
                self._log(
                    "warning", message="not scored, so there is no best checkpoint: " + self.scoring.why_not
                )
            self._save()
            self._sample()
            self._log("finish")
        except Diverged as error:
            told = diverged(error, self.saved[0], self.recipe)
            self._log("error", message=str(told))
            raise told from None
        except Parted as error:
            self._log("error", message=str(error))
            raise

    def _ends(self, stop: StopRequest) -> bool:
        """Between two steps, with all ranks: save what is due, end a run that is to stop. Whether it is over."""
        over = self.budget.spent(self.trainer.images, self.seconds)
        due = self.better or self._due("checkpoint", max(CHECKPOINT_SECONDS, SAVE_COST * self.save_seconds))
        signum, ends, saves = self.trainer.ranks.agree(stop.signum, over or bool(self.finding), due)
        if signum or ends or saves:
            verify(self.trainer)
        if saves:
            self._save()
        if signum:
            self._interrupt(signum)
        if self.finding:
            self._collapse()
        return over

    def _collapse(self) -> None:
        self._save()
        self._log("stop", reason=f"{self.finding.get('finding')}: {self.finding.get('evidence')}")
        raise collapsed(self.folder, self.trainer.step, self.finding)

    def _interrupt(self, signum: int) -> None:
        self._save()
        name = signal.Signals(signum).name
        self._log("stop", reason=name)
        raise Interrupted(
            f"{name}: saved at step {self.trainer.step}; go on with `{layout.command('resume', self.folder)}`",
            signum,
        )

    def _resume(self) -> None:
        """Load the newest good checkpoint; damaged and missing ones are named in the journal.

        Nothing is written before every check is passed.
        """
        self.started = time.monotonic()
        restored = restore(self.folder, self.trainer)
        self.saved, self.before = (restored.step, None), restored.seconds
        self.began = self.trainer.images
        level(self.trainer)
        earlier = (manifest.score for _, manifest in list_manifests(self.folder / layout.CHECKPOINTS))
        self.scoring = Scoring(self.recipe.evaluate_every, earlier)
        if not exists(self.folder / layout.RECIPE) or layout.read_recipe(self.folder) != self.recipe:
            write_json(self.folder / layout.RECIPE, self.recipe.to_dict())
        make_folder(self.folder / layout.SAMPLES)
        again = self.saved[0] > 0 or exists(self.journal.path)
        self.journal.rewind(self.trainer.step)
        self._log("resume" if again else "start", version=__version__, **self.facts)
        for message in restored.damaged:
            self._log("warning", message=f"{message}; going on from step {self.trainer.step}")
        if changed := changes(restored.made_with, self.facts):
            self._log("warning", message=changed)

    def _report(self, *, ended_epoch: bool) -> None:
        """Whatever is due now. Intervals grow with the run, so that a long one does not drown in lines and pictures."""
        if ended_epoch and self._due("epoch", EPOCH_SECONDS):
            since, step = self.marks["epoch"]
            passes = (self.trainer.step - step) * self.recipe.batch / len(self.data)
            self._log("epoch", epoch_seconds=round((self.seconds - since) / passes, 3))
            self._mark("epoch")
        if self._due("journal", max(JOURNAL_SECONDS, 0.002 * self.seconds)):
            self._flush()
        if self._due("sample", max(SAMPLE_SECONDS, 0.03 * self.seconds)) or (
            ended_epoch and self._due("sample", max(1.0, 0.003 * self.seconds))
        ):
            self._sample()
        if self._due("score", self.scoring.every) and self._affords_a_score():
            self._score()

    def _due(self, what: str, every: float) -> bool:
        return self.seconds - self.marks[what][0] >= every

    def _mark(self, what: str) -> None:
        self.marks[what] = (self.seconds, self.trainer.step)

    def _flush(self) -> None:
        """Write the means of all quantities since the last interval."""
        since, step = self.marks["journal"]
        steps = self.trainer.step - step
        means = self.means.take()
        rate = steps * self.recipe.batch / max(self.seconds - since, 1e-9)
        self._mark("journal")
        if steps:
            self._log("interval", rate=round(rate, 1), **means)

    def _sample(self) -> None:
        name = f"{layout.SAMPLES}/{self.trainer.images:012d}.png"
        write_atomic(self.folder / name, self.trainer.picture())
        self._mark("sample")
        self._log("sample", file=name)

    def _affords_a_score(self, *, last: bool = False) -> bool:
        trained = self.trainer.images - self.began
        return self.scoring.affords(self.seconds - self.before, trained, last=last)

    def _score(self) -> None:
        """Let the observer score the averaged generator, and save when it is the best so far."""
        self._flush()
        self._mark("score")
        began = self.seconds
        try:
            values = dict(self.observer.score(self.trainer))
        except DcganError as error:
            self._log("warning", message=f"not scored while it trains: {error}")
            values = {}
        if not values:
            return self.scoring.give_up()
        cost = self.seconds - began
        better = self.scoring.note(self.trainer.step, values.get("frechet"), cost)
        self._mark("journal")
        self._log("score", **values, best=better, cost=round(cost, 3))
        self.better = better
        return None

    def _save(self) -> None:
        trainer = self.trainer
        score = self.scoring.at(trainer.step)
        self.better = False
        if trainer.step == self.saved[0] and score in (None, self.saved[1]):
            return
        trainer.finite.settle()
        # The journal goes on from here after a kill, so it must have told every step up to here.
        self._flush()
        began = self.seconds
        tensors = finite_state(trainer.method, trainer.average, trainer.step)
        path = save_checkpoint(
            self.folder / layout.CHECKPOINTS,
            tensors,
            step=trainer.step,
            images=trainer.images,
            seconds=round(self.seconds, 3),
            recipe=self.recipe,
            classes=self.data.classes if self.recipe.conditional else (),
            counts=tuple(self.data.counts.tolist()) if self.recipe.conditional else (),
            made_with={"version": __version__, **self.facts},
            score=score,
            data_sha256=self.data.sha256,
        )
        self.saved = trainer.step, score
        self.save_seconds = self.seconds - began
        self._mark("checkpoint")
        self._log("checkpoint", file=f"{layout.CHECKPOINTS}/{path.stem}.safetensors")

    def _log(self, event: str, **facts: Any) -> None:
        trainer = self.trainer
        place = {"step": trainer.step, "images": trainer.images, "epoch": round(trainer.epoch, 4)}
        entry = self.journal.write(event, **{**place, "seconds": round(self.seconds, 3), **facts})
        rate = entry.get("rate", 0.0)
        left = self.budget.left(trainer.images, self.seconds, rate) if rate else None
        done = self.budget.fraction(trainer.images, self.seconds)
        for found in () if event == "doctor" else self.observer.diagnose(entry):
            facts = dict(found)
            if facts.pop("stop", False):
                self.finding = facts
            self._log("doctor", **facts)
        try:
            self.watch({**entry, "left": left, "done": done})
        except BaseException:
            # Whoever looks on must not cost the run: between two steps all is in order, so it is saved first.
            self.watch = lambda entry: None
            self._save()
            raise
