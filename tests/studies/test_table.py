"""The table of studies: each names its paper's numbers, where they stand, and runs that can be made."""

from __future__ import annotations

import itertools
import re

import pytest

from dcgan.errors import DcganError
from dcgan.presets import preset
from dcgan.recipe import Recipe
from dcgan.studies import STUDIES, find_study
from dcgan.studies.study import Study
from dcgan.training.state import expected_state

every = pytest.mark.parametrize("study", STUDIES.values(), ids=STUDIES)


def test_the_studies_are_there() -> None:
    assert list(STUDIES) == [
        "gan-vs-dcgan",
        "fashion-2020",
        "failures",
        "linear-probe",
        "few-labels",
        "rdcgan",
        "latent",
        "inside",
    ]


@every
def test_published_numbers_have_a_source(study: Study) -> None:
    assert study.paper and study.question.endswith("?") and study.differs
    assert len(study.numbers) >= 5
    for number in study.numbers:
        assert number.what and number.value
        assert number.where or number.value == "none", number


def published(study: Study) -> str:
    return " ".join(f"{number.what} {number.value}" for number in study.numbers)


def test_the_papers_own_numbers() -> None:
    assert "28,020" in published(STUDIES["gan-vs-dcgan"]) and 28_020 == 60 * 467
    assert "27.00157380104065" in published(STUDIES["fashion-2020"])
    assert "27.06604552268982" in published(STUDIES["fashion-2020"])
    assert "82.8 % (73.8 ± 0.4" in published(STUDIES["linear-probe"])
    assert "22.48 %" in published(STUDIES["few-labels"]) and "28.87" in published(STUDIES["few-labels"])
    assert "0.6931" in published(STUDIES["failures"]) and "1,340,929" in published(STUDIES["failures"])


@every
def test_every_run_can_be_made(study: Study) -> None:
    names = [plan.name for plan in study.runs]
    assert len(set(names)) == len(names) and all(re.fullmatch(r"[a-z0-9-]+", name) for name in names)
    for plan in study.runs:
        row = preset(plan.preset)
        expected_state(plan.recipe.for_data((row.size, row.size), row.channels, 0))
        assert plan.images > 0 and plan.budget and plan.title and plan.saw


@every
def test_a_runs_command_says_its_recipe(study: Study) -> None:
    for plan in study.runs:
        words = plan.command(plan.data, 60_000).split()
        assert words[:5] == ["dcgan", "train", plan.data, "--preset", plan.preset]
        said = [word for flag, word in itertools.pairwise(words) if flag == "--set"]
        assert preset(plan.preset).recipe.with_settings(said) == plan.recipe


def test_the_ablations_differ_from_each_other_and_from_the_published_model() -> None:
    recipes: list[Recipe] = [plan.recipe for plan in STUDIES["failures"].runs]
    assert len({str(recipe) for recipe in recipes}) == len(recipes) == 7
    assert recipes[0] == preset("fashion-maxpool").recipe


def test_an_unknown_study_names_its_nearest() -> None:
    with pytest.raises(DcganError, match="did you mean failures"):
        find_study("failure")


def test_a_study_of_one_seed_has_its_runs_of_that_seed() -> None:
    assert [plan.name for plan in find_study("rdcgan").of_seeds([1]).runs] == ["rdcgan-1", "dcgan-1"]
    assert find_study("failures").of_seeds([0]).runs == find_study("failures").runs
