"""Scores while training: the best checkpoint is kept, the time they take is bounded, a finding can end a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.training.tiny import begin, checkpoints, digits, tiny, train

from dcgan.errors import Collapsed, DcganError
from dcgan.run import Run
from dcgan.training import folder as layout
from dcgan.training import loop
from dcgan.training.checkpoint import best_manifest, list_manifests
from dcgan.training.scoring import Scoring


class Told:
    """An observer that says what it is told to say, and keeps what it is shown."""

    def __init__(
        self, scores: dict[int, float | DcganError], finding: dict[int, dict[str, Any]] | None = None
    ):
        self.scores, self.findings = scores, finding or {}
        self.asked: list[int] = []

    def score(self, trainer: Any) -> dict[str, Any]:
        self.asked.append(trainer.step)
        value = self.scores.get(trainer.step, 9.0)
        if isinstance(value, DcganError):
            raise value
        return {"frechet": value, "extractor": "told"}

    def diagnose(self, entry: dict[str, Any]) -> list[dict[str, Any]]:
        return (
            [self.findings[entry["step"]]]
            if entry["event"] == "score" and entry["step"] in self.findings
            else []
        )


@pytest.fixture
def every_two_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A score every second step, whatever it costs, and a checkpoint every third."""
    between = {"journal": 1, "checkpoint": 3, "sample": 4, "epoch": 1, "score": 2}
    monkeypatch.setattr(
        loop._Session,
        "_due",
        lambda self, what, every: self.trainer.step - self.marks[what][1] >= between[what],
    )
    monkeypatch.setattr(Scoring, "affords", lambda self, sitting, images, last=False: self.every > 0)


def run(tmp_path: Path, observer: Told, steps: int = 12, **changes: Any) -> Path:
    data = digits()
    folder = begin(tmp_path, data, tiny(data, steps, **changes))
    train(folder, data, steps, observer=observer)
    return folder


@pytest.mark.usefixtures("every_two_steps")
def test_the_best_checkpoint_outlives_the_newer_ones_and_is_what_a_run_generates_from(tmp_path: Path) -> None:
    observer = Told({2: 5.0, 4: 1.0, 6: 3.0, 8: 2.0, 10: 2.5, 12: 4.0})
    found = Run(run(tmp_path, observer))
    assert observer.asked == [2, 4, 6, 8, 10, 12]
    best = best_manifest(found.folder / layout.CHECKPOINTS)
    assert best and (best.step, best.score) == (4, 1.0)
    assert found.model().facts["step"] == 4
    assert found.model(start="last").facts["step"] == 12
    scored = {entry["step"]: entry["best"] for entry in found.journal() if entry["event"] == "score"}
    assert scored == {2: True, 4: True, 6: False, 8: False, 10: False, 12: False}


@pytest.mark.usefixtures("every_two_steps")
def test_scores_change_nothing_that_is_trained(tmp_path: Path) -> None:
    one = Run(run(tmp_path / "a", Told({}), evaluate_every=0.0))
    other = Run(run(tmp_path / "b", Told({2: 3.0, 4: 2.0, 12: 1.0})))
    digests = [
        list_manifests(each.folder / layout.CHECKPOINTS)[-1][1].weights_sha256 for each in (one, other)
    ]
    assert digests[0] == digests[1]


@pytest.mark.usefixtures("every_two_steps")
def test_a_resumed_run_goes_on_from_the_best_score_there_was(tmp_path: Path) -> None:
    data = digits()
    folder = begin(tmp_path, data, tiny(data, 12))
    train(folder, data, 6, observer=Told({2: 1.0, 4: 5.0, 6: 5.0}))
    train(folder, data, 12, observer=Told({8: 2.0, 10: 2.0, 12: 2.0}))
    best = best_manifest(folder / layout.CHECKPOINTS)
    assert best and best.step == 2


@pytest.mark.usefixtures("every_two_steps")
def test_data_that_cannot_be_scored_is_told_once_and_trained_on(tmp_path: Path) -> None:
    observer = Told({2: DcganError("20 real pictures: this score needs at least 1000")})
    found = Run(run(tmp_path, observer))
    assert observer.asked == [2]
    assert found.state == "finished"
    (warning,) = [entry for entry in found.journal() if entry["event"] == "warning"]
    assert "needs at least 1000" in warning["message"]


def test_a_run_that_could_not_afford_a_score_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Scoring, "affords", lambda self, sitting, images, last=False: False)
    found = Run(run(tmp_path, Told({}), evaluate_every=1e-6))
    (warning,) = [entry for entry in found.journal() if entry["event"] == "warning"]
    assert "no best checkpoint" in warning["message"] and "5%" in warning["message"]
    short = Run(run(tmp_path / "short", Told({})))
    assert [entry for entry in short.journal() if entry["event"] == "warning"] == []


@pytest.mark.usefixtures("every_two_steps")
def test_a_finding_that_ends_the_run_saves_it_first_and_names_the_best(tmp_path: Path) -> None:
    finding = {"finding": "mode collapse", "evidence": "coverage 0.01", "mend": ["g_lr=1e-4"], "stop": True}
    with pytest.raises(
        Collapsed, match=r"step 6.*mode collapse.*the best checkpoint is step 4.*--from best --set g_lr=1e-4"
    ) as caught:
        run(tmp_path, Told({2: 5.0, 4: 1.0, 6: 8.0}, {6: finding}))
    assert caught.value.status == 3
    found = Run(tmp_path / "run")
    assert checkpoints(found.folder)[0].stem == "0000000006"
    events = [entry["event"] for entry in found.journal()]
    assert events[-1] == "stop" and "doctor" in events
    (doctor,) = [entry for entry in found.journal() if entry["event"] == "doctor"]
    assert "stop" not in doctor and doctor["finding"] == "mode collapse"


@pytest.mark.parametrize("rate", [5, 100, 2000])
def test_scores_stay_below_their_share_of_the_time(rate: int) -> None:
    scoring, now, spent = Scoring(30.0), 0.0, 0.0
    while now < 36_000:
        now += 1.0
        if scoring.affords(now, int(rate * now)):
            cost = (900 if spent == 0 else 600) / rate  # as measured: the first one computes the real side
            scoring.note(int(now), 1.0, cost)
            now, spent = now + cost, spent + cost
            assert now >= 30 and spent <= 0.05 * now
    assert 0 < spent <= 0.04 * now
    assert not Scoring(0.0).affords(1e6, 10**9)
    assert not Scoring(30.0).affords(29.0, 10**6, last=True)
