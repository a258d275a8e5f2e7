"""The curves of several runs on one axis: one plot a quantity, one colour a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from dcgan.report.curves import SHARES
from dcgan.report.figures import overlaid
from dcgan.report.journal import Record, curve
from dcgan.report.plots import Series
from dcgan.report.score_curves import named, taken_with
from dcgan.report.words import text

PLOTS = {
    "loss_d": ("D's loss", "Falling to zero while G's climbs, it says that D has won."),
    "loss_g": ("G's loss", "A loss that is lower is not a picture that is better: read the scores."),
    "loss": ("Loss", "A loss that falls and then levels off has learned what it can at this rate."),
    "real_score": ("D on real pictures", "What D says of real pictures: near 1 it is sure of them."),
    "fake_score": ("D on generated pictures", "What D says of generated ones: near 0 it sees through them."),
    "d_accuracy": ("D's accuracy", "The share of each batch that D puts on the right side."),
}
"""The quantities that are laid over each other: title and how to read it."""
LOSSES = ("loss_d", "loss_g", "loss")
"""Those that are no shares."""


def overlay(records: Sequence[Record], names: Sequence[str]) -> str:
    """The plots as HTML. names: what each run is called, plain text."""
    histories = [record.history() for record in records]
    figures = []
    for key, (title, caption) in PLOTS.items():
        series, lost = [], 0
        for events, name in zip(histories, names, strict=True):
            x, y, undrawable = curve([event for event in events if event.get("event") == "interval"], key)
            lost += undrawable
            series.append(Series(name, x, y))
        figures.append(overlaid(series, title, caption, lost=lost, bounds=None if key in LOSSES else SHARES))
    figures.append(_distance(histories, names))
    drawn = "".join(figure for figure in figures if figure)
    return f'<div class="plots">{drawn}</div>' if drawn else "<p>No run has measurements yet.</p>"


def _distance(histories: Sequence[list[dict[str, object]]], names: Sequence[str]) -> str:
    """The Fréchet distances that can be compared: those of the extractor and n that most runs have."""
    scores = [[event for event in events if event.get("event") == "score"] for events in histories]
    kinds = Counter(kind for events in scores for kind in {taken_with(event) for event in events})
    if not kinds:
        return ""
    kind = max(kinds, key=lambda one: (kinds[one], str(one)))
    series, lost, without = [], 0, []
    for events, name in zip(scores, names, strict=True):
        alike = [event for event in events if taken_with(event) == kind]
        x, y, undrawable = curve(alike, "frechet")
        lost += undrawable
        series.append(Series(name, x, y))
        if events and not len(x):
            without.append(name)
    caption = f"Lower is better. Measured with {named(kind)}."
    if without:
        caption += f" {', '.join(without)}: measured otherwise, so not drawn here."
    return overlaid(series, "Fréchet distance", caption, lost=lost)


def colour(index: int, name: str) -> str:
    """A run's name with the colour of its curves in front, as safe HTML."""
    return f'<i class="key" style="color:var(--series-{index + 1})"></i>{text(name, 64)}'
