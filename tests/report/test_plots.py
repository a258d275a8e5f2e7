"""Plots: honest frames, whole labels, the page's own colours."""

import re

import numpy as np

from dcgan.report.plots import POINTS, Series, _thin, bar_plot, line_plot


def test_extreme_values_still_make_a_plot():
    x = np.arange(100.0)
    for y in (np.zeros(100), np.full(100, 1e29), np.geomspace(1e-29, 1e29, 100), -np.geomspace(1, 1e29, 100)):
        svg, _ = line_plot([Series("D", x, y)], "images seen")
        assert svg.startswith("<svg") and "nan" not in svg and "inf" not in svg


def test_one_wild_value_does_not_flatten_the_curve():
    y = np.ones(500) + 0.1 * np.sin(np.arange(500.0))
    y[3] = 1e6
    svg, outside = line_plot([Series("D", np.arange(500.0), y)], "images seen")
    assert outside >= 1
    assert "1M" not in svg


def test_a_long_journal_is_thinned_but_keeps_its_peaks():
    y = np.zeros(100_000)
    y[54_321] = 1.0
    x, kept = _thin(np.arange(100_000.0), y)
    assert len(x) <= POINTS and kept.max() == 1.0 and x[kept.argmax()] == 54_321


def labels(svg):
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_labels_of_the_axes_are_whole():
    x = np.linspace(0, 1e6, 50)
    svg, _ = line_plot([Series("D", x, np.geomspace(1e-3, 1e3, 50))], "images seen")
    assert {"0.001", "0.1", "10", "1k", "0", "250k", "images seen"} <= set(labels(svg))
    assert {"1", "2", "5"} <= set(labels(bar_plot(Series("", np.array([1.0]), np.array([70.0])), "epoch")))


def test_plots_take_their_colours_from_the_page():
    svg, _ = line_plot([Series("D", np.arange(5.0), np.arange(5.0))], "images seen")
    assert "var(--series-1)" in svg and "var(--muted)" in svg
    assert not re.search(r"stroke: #|fill: #", svg)
    assert "http" not in svg and "<style" not in svg
