"""The curves of a run: which there are, and the sentence under each that says how to read it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dcgan.report.figures import Mark, lines
from dcgan.report.journal import Record
from dcgan.report.plots import SERIES, Series, bar_plot
from dcgan.report.words import duration
from dcgan.training.journal import number

SHARES = (-0.02, 1.02)
"""Limits of an axis of shares and probabilities."""
READING = (
    "The number beside a name is its newest value. Where a line is double, the faint one is as measured and "
    "the strong one its running mean."
)
LOSSES = (
    "Both losses hovering is normal; D's loss falling to zero while G's climbs means D has won, and G learns "
    "little from then on."
)
LOSS = "A loss that falls and then levels off has learned what it can at this rate."
VERDICTS = (
    "What D says of real pictures and of generated ones: the nearer the two lines, the less it can tell them "
    "apart; lines that stay far apart mean D has won."
)
GRADIENTS = (
    "How hard each network is pulled at every step: steady is healthy, a norm that shoots up or dies away to "
    "zero announces trouble."
)
WEIGHTS = (
    "How large each network's weights are: slow growth is normal, a sudden climb comes before divergence."
)
ACCURACY = (
    "The share of each batch that D puts on the right side: about 0.7 leaves G something to learn from; 0.5 is a "
    "coin's toss, and near 1 D has won."
)
SPREAD = (
    "How far apart D's logits lie over real and generated pictures: at zero, D says the same of everything."
)
EPOCHS = "The seconds that each pass over the data took; a sudden rise means the machine was busy elsewhere."


def curves(record: Record, marked: Sequence[Mark] = ()) -> str:
    """The HTML of all plots of the training that the journal has numbers for, or a sentence when it has none.

    marked: the doctor's findings, drawn on each of them.
    """
    intervals = [event for event in record.history() if event.get("event") == "interval"]
    keys = list(dict.fromkeys(key for event in intervals for key in event))
    losses = _ordered(keys, "loss")
    verdicts = _ordered(keys, "real_score") | _ordered(keys, "fake_score")

    def draw(
        title: str, names: dict[str, str], caption: str, bounds: tuple[float, float] | None = None
    ) -> str:
        return lines(intervals, title, names, caption, bounds=bounds, marked=marked)

    figures = [
        draw("Losses", losses, LOSSES if {"loss_d", "loss_g"} <= losses.keys() else LOSS),
        draw("D's verdicts", verdicts, VERDICTS, SHARES),
        draw("D's accuracy", _ordered(keys, "d_accuracy"), ACCURACY, SHARES),
        draw("Spread of D's logits", _ordered(keys, "logit_std"), SPREAD),
        draw("Gradient norms", _ordered(keys, "grad"), GRADIENTS),
        draw("Weight norms", _ordered(keys, "weights"), WEIGHTS),
        _epochs(record),
    ]
    drawn = [figure for figure in figures if figure]
    if not drawn:
        return "<p>No measurements yet: the curves begin with the first interval.</p>"
    return f'<p class="muted">{READING}</p><div class="plots">{"".join(drawn)}</div>'


def _ordered(keys: Sequence[str], prefix: str) -> dict[str, str]:
    """What the keys are called that are `prefix` or start with it and an underscore: sorted, one per colour."""
    mine = [key for key in keys if key == prefix or key.startswith(prefix + "_")]
    return {key: _name(key) for key in sorted(mine)[:SERIES]}


NAMES = {
    "d": "D",
    "g": "G",
    "real_score": "real",
    "fake_score": "generated",
    "loss": "",
    "grad": "",
    "d_accuracy": "",
    "logit_std": "",
}


def _name(key: str) -> str:
    if key in NAMES:
        return NAMES[key]
    rest = key.split("_", 1)[-1]
    return NAMES.get(rest, rest.replace("_", " "))


def _epochs(record: Record) -> str:
    points = [
        (epoch, seconds)
        for event in record.history()
        if event.get("event") == "epoch"
        and (epoch := number(event.get("epoch"))) is not None
        and (seconds := number(event.get("epoch_seconds"))) is not None
        and 0 <= seconds < 1e9
        and 0 <= epoch < 1e9
    ]
    if not points:
        return ""
    array = np.array(sorted(points), np.float64)
    typical = duration(float(np.median(array[:, 1])))
    return (
        '<figure class="plot"><h3>Seconds per epoch</h3>'
        f'<ul class="legend"><li style="color:var(--series-1)"><i></i><span>median {typical}</span></li></ul>'
        f"{bar_plot(Series('', array[:, 0], array[:, 1]), 'epoch')}<figcaption>{EPOCHS}</figcaption></figure>"
    )
