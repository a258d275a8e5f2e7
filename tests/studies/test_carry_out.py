"""A study from its first step to its page, in seconds: small pictures, a few batches, the real code."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dcgan import api
from dcgan.analysis.doctor import exam
from dcgan.data.dataset import Dataset
from dcgan.errors import DcganError, Diverged, Interrupted
from dcgan.studies import STUDIES, running
from dcgan.studies.done import Done
from dcgan.studies.page import Page, scores_table
from dcgan.studies.running import Asked, carry_out
from dcgan.studies.study import Planned, Published, Study

SMALL = {"g_maps": 4, "d_maps": 4, "z_dim": 8, "batch": 16, "precision": "float32", "evaluate_every": 0.0}


def body(page: Page, done: list[Done]) -> str:
    return scores_table([(one.plan.name, one.points[-1].scores) for one in done])


FAKE = Study(
    name="fake",
    title="Two tiny models",
    paper="nobody",
    question="Do they train?",
    numbers=(Published("loss", "0.5", "nowhere"),),
    runs=(
        Planned("one", "the first", "digits", "fast-28", 320, "20 batches", SMALL),
        Planned("two", "the second", "digits", "fast-28", 1600, "100 batches", {**SMALL, "seed": 1}),
    ),
    differs=("It is small.",),
    minutes=1,
    body=body,
)


@pytest.fixture
def pictures(digits: Dataset) -> Dataset:
    """Pictures without labels: no labeller has to be trained."""
    return Dataset("digits", digits.images[:300])


@pytest.fixture(autouse=True)
def cheap_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The report of a run and the doctor's exam have their own tests, and take longer than these runs' training."""
    monkeypatch.setattr(api, "write_report", lambda folder: None)
    monkeypatch.setattr(exam, "DESIGNS", 100)


class Sitting:
    """Calls of one study in one folder; `steps` are the steps trained in the newest call."""

    def __init__(self, folder: Path, pictures: Dataset) -> None:
        self.folder, self.pictures = folder, pictures
        self.steps: list[tuple[str, int]] = []
        self.said: list[str] = []
        self.entries: list[dict[str, Any]] = []

    def __call__(self, study: Study = FAKE, **asked: Any) -> str:
        self.said, self.entries = [], []
        choice = {"budget": {"images": 160}, "data": self.pictures, "extractor": "pixels", "n": 50, **asked}
        page = carry_out(
            study,
            Asked(**choice),
            self.folder / "runs",
            self.folder / "results",
            "dcgan study fake",
            watch=self.entries.append,
            tell=self.said.append,
        )
        assert page == self.folder / "results" / f"{study.name}.md"
        return page.read_text()

    @property
    def trained(self) -> bool:
        return bool(self.entries)

    def images(self, run: str) -> int:
        return Done(FAKE.runs[0], api.open_run(self.folder / "runs" / "fake" / run), [], {}).reached[0]


@pytest.fixture
def sitting(tmp_path: Path, pictures: Dataset) -> Sitting:
    return Sitting(tmp_path, pictures)


def test_a_page_says_first_how_far_it_is_from_the_paper(sitting: Sitting) -> None:
    text = sitting()
    first = text.split("\n\n")[1]
    assert first.startswith("**Not the paper's budget: each run saw 10 to 50 %")
    for words in ("dcgan study fake", "| loss | 0.5 | nowhere |", "- It is small."):
        assert words in text
    measured = json.loads((sitting.folder / "results" / "fake" / "measured.json").read_text())
    assert [one["run"] for one in measured] == ["one", "two"]
    assert all(one["images"] == 160 and one["points"][-1]["scores"]["n"] == 50 for one in measured)


def test_a_second_call_trains_and_scores_nothing(sitting: Sitting) -> None:
    first = sitting()
    assert sitting.trained and any(line.startswith("scoring one") for line in sitting.said)
    again = sitting()
    assert not sitting.trained
    assert not any(line.startswith("scoring") for line in sitting.said)
    assert again == first


def test_a_larger_budget_goes_on(sitting: Sitting) -> None:
    sitting()
    sitting(budget={"images": 320})
    assert sitting.entries[0]["event"] == "resume"
    assert min(entry["step"] for entry in sitting.entries if entry["event"] == "interval") > 10
    assert sitting.images("one") == sitting.images("two") == 320
    text = sitting(budget={"images": 1600})
    assert text.split("\n\n")[1] == "Every run saw at least as many images as the paper's."


def test_an_interrupted_study_goes_on_and_ends_as_if_it_had_not_been(
    sitting: Sitting, tmp_path: Path, pictures: Dataset
) -> None:
    assert threading.current_thread() is threading.main_thread()

    def interrupt(entry: dict[str, Any]) -> None:
        if entry["event"] == "sample":
            os.kill(os.getpid(), signal.SIGINT)

    whole = Sitting(tmp_path / "whole", pictures)
    whole()
    asked = Asked({"images": 160}, pictures, extractor="pixels", n=50)
    with pytest.raises(Interrupted, match="saved at step"):
        carry_out(FAKE, asked, tmp_path / "runs", tmp_path / "results", "", watch=interrupt)
    assert not (tmp_path / "results" / "fake.md").exists()
    assert sitting.images("one") < 160
    sitting()
    scores = [
        [one["points"][-1]["scores"]["frechet"] for one in json.loads(path.read_text())]
        for path in sorted(tmp_path.rglob("measured.json"))
    ]
    assert len(scores) == 2 and scores[0] == scores[1]


def test_a_run_that_diverges_is_a_result(sitting: Sitting, monkeypatch: pytest.MonkeyPatch) -> None:
    sitting()
    real = api.resume

    def diverging(run: Any, **options: Any) -> Any:
        if run.name == "one":
            raise Diverged("loss_d became NaN or infinite at step 12")
        return real(run, **options)

    monkeypatch.setattr(api, "resume", diverging)
    sitting(budget={"images": 320})
    measured = json.loads((sitting.folder / "results" / "fake" / "measured.json").read_text())
    assert [one["ended"] for one in measured] == ["loss_d became NaN or infinite at step 12", ""]


def test_remarks_are_taken_over(sitting: Sitting) -> None:
    sitting()
    (sitting.folder / "results" / "fake" / "remarks.md").write_text("Grey noise.\n")
    assert "## Looked at\n\nGrey noise." in sitting()


def test_scores_that_were_damaged_are_computed_again(sitting: Sitting) -> None:
    first = sitting()
    (kept,) = (sitting.folder / "runs" / "fake" / "one").rglob("over-training.json")
    kept.write_text(kept.read_text()[:100])
    assert sitting() == first
    assert any(line.startswith("scoring one") for line in sitting.said)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"budget": {"images": 0}}, "above 0"),
        ({"budget": {"images": 16, "minutes": 1}}, "one budget"),
        ({"extractor": "domian"}, "did you mean domain"),
        ({"n": 10}, "-n is 10: must be from 50"),
        ({"data": "digts"}, "did you mean digits"),
        ({"settings": {"bacth": 3}}, "did you mean batch"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(sitting: Sitting, asked: dict[str, Any], says: str) -> None:
    with pytest.raises(DcganError, match=re.escape(says)):
        sitting(**asked)
    assert not list(sitting.folder.rglob("*.json")) and not (sitting.folder / "results").exists()


def test_another_recipes_run_is_not_gone_on_with(sitting: Sitting, pictures: Dataset) -> None:
    other = {
        **SMALL,
        "augment": "none",
    }  # which a study of few pictures trains with, unless it says otherwise
    api.train(pictures, name="two", images=32, settings=other, runs_dir=sitting.folder / "runs" / "fake")
    with pytest.raises(DcganError, match="two is a run of another recipe: seed is 0, and the study's is 1"):
        sitting()
    assert not (sitting.folder / "runs" / "fake" / "one").exists()


def enlarged(digits: Dataset, count: int, *, labelled: bool) -> Dataset:
    """The digits at 28×28, as the published models take them."""
    images = np.pad(digits.images[:count].repeat(3, 2).repeat(3, 3), ((0, 0), (0, 0), (2, 2), (2, 2)))
    if not labelled:
        return Dataset("digits", images)
    assert digits.labels is not None
    return Dataset("digits", images, digits.labels[:count], digits.classes)


@pytest.mark.parametrize("name", ["fashion-2020", "failures"])
def test_the_real_studies_from_end_to_end(sitting: Sitting, digits: Dataset, name: str) -> None:
    study = STUDIES[name]
    study = replace(study, runs=study.runs[::3])  # of seven ablations three
    sitting.pictures = enlarged(digits, 200, labelled=name == "fashion-2020")
    text = sitting(study, budget={"images": 16}, settings={"batch": 8, "precision": "float32"})
    assert text.startswith(f"# {study.title}\n\n**Not the paper's budget")
    for plan in study.runs:
        assert f"`{plan.name}`" in text
        assert f"dcgan train digits --preset {plan.preset}" in text, "the pictures that it was trained on"
    shown = re.findall(r"!\[[^]]*\]\(([^)]+)\)", text)
    assert len(shown) >= 2 and len(set(shown)) == len(shown)
    for path in shown:
        assert (sitting.folder / "results" / path).stat().st_size < 300_000
    for number in study.numbers:
        assert number.value in text
    assert not re.search(r"\b(nan|inf)\b", text)


def test_a_fast_preset_takes_the_colours_of_its_set(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(running, "open_dataset", lambda name, **options: asked.append(options["channels"]))
    for name in ("fast-32", "fashion-2020"):
        running._data(Planned("one", "", "cifar10", name, 1, ""), Asked({"images": 1}), {}, print)
    assert asked == [None, 1]


def test_the_command_of_a_run_trains_what_the_study_trained() -> None:
    """`dcgan train` takes an augmentation of its own for few pictures, which the study did not."""
    plan = STUDIES["latent"].runs[0]
    assert plan.command("fashion-mnist", 60_000).startswith(
        "dcgan train fashion-mnist --preset fast-28 --set g_maps=32 --set d_maps=32 --set seed=0"
    )
    assert "augment" not in plan.command("fashion-mnist", 500)
    assert plan.command("my shoes", 499).startswith("dcgan train 'my shoes' ")
    assert "--set augment=none" in plan.command("fashion-mnist", 499)
