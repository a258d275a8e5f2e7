"""Each finding at its threshold and below it, on charts made up for it; what holds for every row of the table."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from dcgan.analysis.doctor.chart import Chart, chart_of
from dcgan.analysis.doctor.findings import FINDINGS, diagnose
from dcgan.analysis.doctor.live import LiveDoctor, is_collapse
from dcgan.analysis.doctor.mends import mends, penalised, slower
from dcgan.analysis.doctor.see import early
from dcgan.networks import build_networks
from dcgan.presets import PRESETS
from dcgan.recipe import Recipe

LN2 = math.log(2)
BCE = Recipe(preset="fast-28", objective="bce", height=8, width=8, channels=1, g_maps=4, d_maps=4, gamma=0.1)
HINGE, PAIRED = BCE.with_changes({"objective": "hinge"}), BCE.with_changes({"objective": "relativistic"})
WELL = {
    "loss_d": 1.1, "loss_g": 1.0, "real_score": 0.6, "fake_score": 0.4, "d_accuracy": 0.75, "logit_std": 0.5,
    "grad_g": 1.0, "grad_d": 1.0,
}  # fmt: skip
GOOD_LOOKS = {
    "step": 600, "precision": 0.6, "recall": 0.6, "coverage": 0.5, "diversity": 0.95, "spacing": 0.9, "nyquist": 1.1,
    "imbalance": 0.02, "imbalance_real": 0.01, "memorised": 1.2, "isolated": 0.02, "gap": 0.1, "top_share": 0.15,
    "top_usual": 0.1, "top_class": "7", "class_balance": 0.98,
}  # fmt: skip


def intervals(steps: int = 600, every: int = 20, **numbers: float) -> list[dict[str, Any]]:
    """A journal's intervals; weights grow a little, as in a healthy run, unless they are given."""
    rows = []
    for step in range(every, steps + 1, every):
        grow = {"weights_g": 20 + step / 1000, "weights_d": 5 + step / 1000}
        rows.append({"event": "interval", "step": step, **grow, **WELL, **numbers})
    return rows


def chart(recipe: Recipe = BCE, looks: dict[str, Any] | None = None, **numbers: float) -> Chart:
    return chart_of(recipe, intervals(**numbers), exam={**GOOD_LOOKS, **(looks or {})}, images=1797)


def names(found: Chart) -> list[str]:
    return [diagnosis.finding for diagnosis in diagnose(found)]


NEUTRAL = {"loss_d": 2 * LN2, "loss_g": LN2, "real_score": 0.5, "fake_score": 0.5, "d_accuracy": 0.5}
SICK: dict[str, tuple[str, Chart, Chart]] = {
    "stuck": (
        "stuck at ln 2",
        chart(**NEUTRAL, logit_std=5e-4),
        chart(**{**NEUTRAL, "d_accuracy": 0.65, "real_score": 0.53, "logit_std": 0.1}),
    ),
    "stuck, hinge": (
        "stuck at ln 2",
        chart(HINGE, loss_d=2.0, loss_g=0.0, real_score=0.5, fake_score=0.5, logit_std=5e-4),
        chart(HINGE, loss_d=1.9, loss_g=0.1, real_score=0.52, fake_score=0.48, d_accuracy=0.6, logit_std=0.3),
    ),
    "stuck, relativistic": (
        "stuck at ln 2",
        chart(PAIRED, loss_d=LN2, loss_g=LN2, real_score=0.5, fake_score=0.5, logit_std=5e-4),
        chart(PAIRED, loss_d=0.67, loss_g=0.74, real_score=0.51, fake_score=0.49, d_accuracy=0.63, logit_std=0.08),
    ),
    "guessing": (
        "stuck at ln 2",
        chart(loss_d=1.57, loss_g=0.78, real_score=0.484, fake_score=0.5, d_accuracy=0.46, logit_std=1.0),
        chart(loss_d=1.3, loss_g=0.78, real_score=0.55, fake_score=0.5, d_accuracy=0.6, logit_std=1.0),
    ),
    "double sigmoid": (
        "double sigmoid",
        chart(loss_d=1.386, loss_g=0.688, real_score=0.013, fake_score=0.013, d_accuracy=0.5, logit_std=0.4),
        chart(loss_d=1.386, loss_g=0.688, real_score=0.55, fake_score=0.45, d_accuracy=0.65, logit_std=0.4),
    ),
    "double sigmoid, sure of itself": (
        "double sigmoid",
        chart(loss_d=1.01, loss_g=0.69, real_score=0.99, fake_score=0.01, d_accuracy=1.0, logit_std=6.0),
        chart(loss_d=0.4, loss_g=0.69, real_score=0.85, fake_score=0.15, d_accuracy=0.95, logit_std=3.0),
    ),
    "negative": ("negative D loss", chart(loss_d=-0.2), chart(loss_d=0.5)),
    "D wins": ("D wins", chart(loss_d=0.05, d_accuracy=0.99), chart(loss_d=0.2, d_accuracy=0.95)),
    "D wins by accuracy": ("D wins", chart(loss_d=0.3, d_accuracy=0.985), chart(loss_d=0.3, d_accuracy=0.96)),
    "D wins, relativistic": (
        "D wins",
        chart(PAIRED, loss_d=0.02, d_accuracy=1.0),
        chart(PAIRED, loss_d=0.45, d_accuracy=0.98),
    ),
    "G frozen": ("G does not learn", chart(weights_g=20.0), chart()),
    "G frozen by its rate": ("G does not learn", chart(BCE.with_changes({"g_lr": 0.0})), chart()),
    "weights": (
        "learning rate too high",
        chart_of(BCE, [{**row, "weights_g": 20 * 1.01 ** row["step"]} for row in intervals()]),
        chart_of(BCE, [{**row, "weights_g": 20 * 1.001 ** row["step"]} for row in intervals()]),
    ),
    "spike": (
        "learning rate too high",
        chart_of(BCE, [*intervals(580), {**intervals(600)[-1], "loss_d": 60.0}]),
        chart_of(BCE, [*intervals(580), {**intervals(600)[-1], "loss_d": 5.0}]),
    ),
    "vanished": (
        "vanishing G gradient",
        chart_of(BCE, [{**row, "grad_g": 1.0 if row["step"] < 80 else 0.005} for row in intervals()]),
        chart_of(BCE, [{**row, "grad_g": 1.0 if row["step"] < 80 else 0.2} for row in intervals()]),
    ),
    "memorised": (
        "memorisation",
        chart(looks={"memorised": 0.5, "isolated": 0.6}),
        chart(looks={"memorised": 0.95, "isolated": 0.1}),
    ),
    "known by heart": (
        "memorisation",
        chart(looks={"memorised": 0.9, "gap": 2.5}),
        chart(looks={"memorised": 0.9, "gap": 0.3}),
    ),
    "one class": (
        "one-class collapse",
        chart(looks={"top_share": 0.85, "coverage": 0.15}),
        chart(looks={"top_share": 0.28}),
    ),
    "collapsed": (
        "mode collapse",
        chart(looks={"coverage": 0.05, "diversity": 0.2}),
        chart(looks={"coverage": 0.05, "diversity": 0.8}),
    ),
    "a few that recur": (
        "mode collapse",
        chart(looks={"coverage": 0.1, "spacing": 0.2}),
        chart(looks={"coverage": 0.1, "spacing": 0.4}),
    ),
    "half of the classes": (
        "mode collapse",
        chart(looks={"top_share": 0.4, "coverage": 0.2}),
        chart(looks={"top_share": 0.29}),
    ),
    "checkerboard": (
        "checkerboard",
        chart(looks={"nyquist": 2.0, "imbalance": 0.15}),
        chart(looks={"nyquist": 6.0, "imbalance": 0.02}),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SICK)
def test_a_finding_is_made_at_its_threshold_and_not_below(case: str) -> None:
    name, sick, well = SICK[case]
    found = diagnose(sick)
    assert found[0].finding == name
    assert names(well) == []
    first = found[0]
    assert 0.5 <= first.sure <= 1 and first.evidence
    assert first.now in ("go on", "stop") or first.now.startswith("roll back to step ")
    text = json.dumps(first.to_dict(), allow_nan=False).lower()
    assert " nan" not in text and "none" not in text


@pytest.mark.parametrize("recipe", [BCE, HINGE, PAIRED])
def test_nothing_is_said_of_a_healthy_run(recipe: Recipe) -> None:
    numbers = {"loss_d": 0.8 * {"bce": 2 * LN2, "hinge": 2.0, "relativistic": LN2}[recipe.objective]}
    assert names(chart(recipe, **numbers)) == []


def test_nothing_is_said_too_early() -> None:
    started = {**GOOD_LOOKS, "step": 60, "diversity": 0.1, "coverage": 0.0, "nyquist": 50.0, "imbalance": 0.3}
    assert names(chart_of(BCE, intervals(60, loss_d=0.01, d_accuracy=1.0), exam=started)) == []


def test_far_from_the_data_is_said_where_nothing_was_found() -> None:
    begun = chart(looks={"coverage": 0.1})
    assert diagnose(begun) == () and "that is how training begins" in early(begun, ())
    collapsed = chart(looks={"coverage": 0.1, "spacing": 0.2})
    assert diagnose(collapsed) and early(collapsed, diagnose(collapsed)) == ""
    assert early(chart(), ()) == ""


def test_every_cause_hides_what_follows_from_it() -> None:
    frozen = chart(weights_g=20.0, loss_d=0.01, d_accuracy=1.0, looks={"diversity": 0.1, "coverage": 0.0})
    assert names(frozen) == ["G does not learn"]


def test_the_table_names_each_finding_once_and_hides_only_what_comes_later() -> None:
    rows = [row.name for row in FINDINGS]
    assert len(set(rows)) == len(rows)
    for index, row in enumerate(FINDINGS):
        assert set(row.hides) <= set(rows[index + 1 :])
    assert {name for name, _, _ in SICK.values()} | {"not finite", "oscillation"} == set(rows)


@pytest.mark.parametrize("preset", PRESETS)
def test_mends_are_what_the_preset_can_have(preset: str) -> None:
    row = PRESETS[preset]
    recipe = row.recipe.for_data((row.size, row.size), row.channels, 0)
    found = mends(
        recipe, **slower(recipe), **penalised(recipe), spectral_norm=True, batch_norm="none", objective="relativistic"
    )  # fmt: skip
    assert found.resumed
    for word in found.resumed:
        changed = recipe.with_settings([word])
        assert changed != recipe and not recipe.fixed_changes(changed)
    for word in found.anew:
        build_networks(recipe.with_settings([word]))
    assert ("spectral_norm=true" in found.anew) == (recipe.network == "fast")
    assert ("batch_norm=none" in found.anew) == (recipe.network == "fashion-maxpool")
    assert ("objective=relativistic" in found.resumed) == (
        recipe.head == "logits" and recipe.objective != "relativistic"
    )


def score(step: int, frechet: float, **more: float) -> dict[str, Any]:
    return {"event": "score", "step": step, "frechet": frechet, **more}


def test_oscillation_takes_three_scores_far_from_the_best() -> None:
    declined = [score(100, 5.0), score(200, 2.0), score(300, 3.0), score(400, 2.8), score(500, 3.2)]
    (found,) = diagnose(chart_of(BCE, [*intervals(500), *declined]))
    assert (found.finding, found.now, found.since) == ("oscillation", "roll back to step 200", 300)
    recovered = [*declined, score(600, 2.1)]
    assert names(chart_of(BCE, [*intervals(600), *recovered])) == []
    at_the_floor = [score(step, 0.01 + 0.01 * (step > 200), floor=0.05) for step in range(100, 600, 100)]
    assert names(chart_of(BCE, [*intervals(), *at_the_floor])) == []


def test_nan_is_told_from_the_error_and_from_a_number_written_as_a_word() -> None:
    error = {
        "event": "error",
        "step": 151,
        "message": "loss_g became NaN or infinite at step 151: no checkpoint",
    }
    (found,) = diagnose(chart_of(BCE, [*intervals(140), error]))
    assert (found.finding, found.sure, found.now) == ("not finite", 1.0, "stop")
    word = {**intervals(160)[-1], "loss_d": "nan"}
    (found,) = diagnose(chart_of(BCE, [*intervals(140), word], checkpoints=(50, 120)))
    assert (found.finding, found.now) == ("not finite", "roll back to step 120")


def without(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As a version wrote them that did not tell accuracy and spread yet."""
    return [{k: v for k, v in row.items() if k not in ("d_accuracy", "logit_std")} for row in rows]


def test_a_journal_of_an_older_version_is_read_without_the_new_fields() -> None:
    assert names(chart_of(BCE, without(intervals(**NEUTRAL)))) == ["stuck at ln 2"]
    winning = intervals(loss_d=0.02, real_score=0.99, fake_score=0.01)
    assert names(chart_of(BCE, without(winning))) == ["D wins"]


def test_a_journal_may_say_anything() -> None:
    odd: list[dict[str, Any]] = [
        {"event": "interval"},
        {"event": "interval", "step": "many"},
        {"event": "interval", "step": 5, "loss_d": None, "loss_g": [1], "weights_g": True, "grad_g": 10**400},
        {"event": "score", "step": 5, "frechet": "low"},
        {"event": "sample", "step": 5, "file": 7},
        {"event": "error", "step": 6, "message": 3},
        {"event": "resume", "step": 0},
    ]
    assert names(chart_of(BCE, odd)) == []
    doctor = LiveDoctor(BCE)
    assert [doctor.see(entry) for entry in odd] == [()] * len(odd)


def test_live_a_finding_appears_once_and_clears() -> None:
    doctor = LiveDoctor(BCE)
    said = [found.finding for row in intervals(400) for found in doctor.see(row)]
    assert said == []
    sick = [row for row in intervals(1000, loss_d=0.01, d_accuracy=1.0) if row["step"] > 400]
    said = [found.finding for row in sick for found in doctor.see(row)]
    assert said == ["D wins"] and set(doctor.present) == {"D wins"}
    cleared: list[str] = []
    for row in intervals(1600):
        if row["step"] > 1000:
            assert doctor.see(row) == ()
            cleared += doctor.cleared
    assert cleared == ["D wins"] and not doctor.present


def test_live_designs_that_recur_are_seen_in_the_check_ups() -> None:
    doctor = LiveDoctor(BCE)
    score = {"event": "score", **GOOD_LOOKS, "coverage": 0.1, "spacing": 0.2}
    rows = [entry for row in intervals(1000) for entry in (row, {**score, "step": row["step"]})]
    said = [found for row in rows for found in doctor.see(row)]
    assert [found.finding for found in said] == ["mode collapse"] and is_collapse(said[0])
    varied, begun = LiveDoctor(BCE), LiveDoctor(BCE)
    assert not any(varied.see({**row, "spacing": 0.9} if "spacing" in row else row) for row in rows)
    # A G that has just begun draws pictures that are near to each other because they are alike: no ground to end a run.
    alike = [{**row, "diversity": 0.55} if "spacing" in row else row for row in rows]
    assert not any(is_collapse(found) for row in alike for found in begun.see(row))


def test_live_keeps_no_more_of_a_long_run() -> None:
    doctor = LiveDoctor(BCE)
    rows = intervals(12_000, **NEUTRAL, logit_std=5e-4)
    assert [found.finding for row in rows for found in doctor.see(row)] == ["stuck at ln 2"]
    assert len(doctor.intervals) == 400


def test_only_what_does_not_mend_itself_ends_a_run() -> None:
    ending = {name for name, sick, _ in SICK.values() if is_collapse(diagnose(sick)[0])}
    assert {"double sigmoid", "negative D loss", "G does not learn", "mode collapse"} <= ending
    assert ending.isdisjoint({"D wins", "memorisation", "checkerboard"})
