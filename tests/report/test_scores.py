"""Scores, always with what they were measured with, and marks on the curves."""

import re
import warnings

import numpy as np
import pytest
from stripes_run import DIAGNOSIS, RESULT, interval, journal_line, score, write_evaluation, write_journal
from test_report import Page, page_of

from dcgan.report.figures import MARKS, marks
from dcgan.report.journal import read
from dcgan.report.plots import Series, line_plot
from dcgan.report.score_curves import newest_score, score_curves
from dcgan.report.score_table import score_table, score_tables


def test_only_scores_that_can_be_compared_share_a_plot(run):
    events = [score(step, n=500, frechet=999.0) for step in (10, 20)]
    write_journal(run, [*events, *(score(step, frechet=50.0 - step) for step in (30, 40))])
    page = Page(score_curves(read(run)))
    assert "2 check-ups with another extractor or another number of pictures are left out" in page.text
    assert "999" not in page.text and "extractor “fixed” on n = 1,000" in page.text


def test_the_best_check_up_is_ringed_and_the_floor_dashed(run):
    distances = [(10, 30.0, True), (20, 20.0, True), (30, 25.0, False)]
    write_journal(run, [score(step, frechet=value, best=best) for step, value, best in distances])
    html = score_curves(read(run))
    assert (
        "The ring is the best so far, 20." in html and "stroke-dasharray" in html and "class=dashed" in html
    )
    write_journal(run, [score(step, frechet=value, best=None) for step, value, _ in distances])
    assert "The ring is the best so far, 20." in score_curves(read(run))


def test_keys_that_were_not_measured_have_no_plot(run):
    write_journal(run, [journal_line("score", 10, extractor="pixels", n=20, frechet=3.0)])
    page = Page(score_curves(read(run)))
    assert len(page.tags("svg")) == 1 and "Precision" not in page.text


def test_results_are_apart_that_were_measured_apart():
    last = RESULT | {"checkpoint": "last", "step": 800, "frechet": 25.0}
    pixels, fewer = RESULT | {"extractor": "pixels", "frechet": 900.0}, RESULT | {"n": 500, "frechet": 40.0}
    html = score_tables([RESULT, RESULT | {"frechet": 20.5}, last, pixels, fewer, {"n": 3}])
    page = Page(html)
    assert len(page.tags("table")) == 3
    # Of one checkpoint scored twice alike the newer stands; the best of a row is bold.
    assert "21.3" not in page.text and "<strong>20.5</strong>" in html and "<strong>25</strong>" not in html
    assert not score_tables([]) and not score_tables([{"extractor": "x"}])


def test_results_against_other_pictures_share_no_table():
    own, other = (
        RESULT | {"data": "shoes", "data_sha256": "ab" * 32},
        {"data": "digits", "data_sha256": "cd" * 32},
    )
    page = Page(score_tables([own, RESULT | other | {"checkpoint": "last"}]))
    assert len(page.tags("table")) == 2
    assert "test split of shoes" in page.text and "test split of digits" in page.text


def test_scores_that_cannot_be_compared_have_no_best():
    html = score_table([RESULT, RESULT | {"frechet": 3.0}, None], ["a", "b", "c"], comparable=False)
    assert "<strong>3" not in html and html.count(">–<") == 4  # a row a metric


def test_missing_scores_are_dashes_and_never_nan():
    html = score_table(
        [RESULT | {"kid": float("nan")}, RESULT | {"kid": 0.5, "kid_spread": None}], ["a", "b"]
    )
    assert ">–<" in html and "nan" not in html and ">0.5<" in html


def test_the_newest_score_is_of_the_extractor_that_says_most(run):
    write_journal(run, [score(10, frechet=7.0)])
    record = read(run)
    assert newest_score(record, [])["extractor"] == "fixed"
    results = [
        RESULT | {"frechet": 9.0},
        RESULT,
        RESULT | {"extractor": "pixels"},
        {"extractor": "inception"},
    ]
    assert newest_score(record, results) == {"frechet": 21.3, "extractor": "domain", "n": 10000, "floor": 1.8}


def test_marks_stand_where_the_step_was_seen(run):
    # The batch grew from 64 to 128 pictures at step 20.
    write_journal(run, [interval(10), interval(20), interval(30) | {"images": 20 * 64 + 10 * 128}])
    record = read(run)
    found = marks(record, [("late", 25), ("early", 10), ("whenever", None), ("beyond", 1e300)])
    assert [(mark.name, mark.images) for mark in found] == [("early", 640), ("late", 1920), ("beyond", 2560)]
    assert len(marks(record, [("x", step) for step in range(50)])) == MARKS


def test_the_doctor_s_marks_are_on_every_curve(run):
    write_evaluation(run, doctor=[DIAGNOSIS, DIAGNOSIS | {"finding": "D wins", "since": 310}])
    page = page_of(run)
    curves = len(page.tags("svg")) - 1  # seconds per epoch have no images
    assert sum(tag.get("class") == "mark" for tag in page.tags("li")) == 2 * curves
    assert page.text.count("2 D wins") == curves


def test_a_mark_at_each_end_and_many_in_one_place():
    x = np.arange(100.0)
    svg, _ = line_plot([Series("D", x, x)], "images seen", marks=[0.0, 50.0, 50.0, 50.1, 99.0])
    assert svg.count("var(--bad)") >= 10 and {"1", "2", "3", "4", "5"} <= set(
        re.findall(r">(\d)</text>", svg)
    )


@pytest.mark.parametrize("low", [1e-6, 1e-12])
def test_bounds_and_a_logarithm_do_not_meet(low):
    y = np.geomspace(low, 1.0, 200)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        svg, outside = line_plot([Series("real", np.arange(200.0), y)], "images seen", bounds=(-0.02, 1.02))
    assert outside == 0 and ">0.5<" in svg


def test_a_curve_without_points_keeps_its_colour_from_the_next():
    empty = np.empty(0)
    svg, _ = line_plot(
        [Series("a", empty, empty), Series("b", np.arange(3.0), np.arange(3.0))], "images seen"
    )
    assert "var(--series-2)" in svg and "var(--series-1)" not in svg
