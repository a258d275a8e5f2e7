"""The curves of a run: which there are, and the sentence under each that says how to read it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dcgan.report.journal import Record, curve, number
from dcgan.report.plots import SERIES, Series, bar_plot, line_plot
from dcgan.report.words import count, duration, quantity, text

SCORES = 8
"""Score curves that are drawn, at most, one plot for each name."""

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
DISTANCE = (
    "A distance between the generated and the real pictures: lower is better, and zero is the best there is."
)
SCORE = "The score over the training; its course says more than any single value."
EPOCHS = "The seconds that each pass over the data took; a sudden rise means the machine was busy elsewhere."


def curves(record: Record) -> str:
    """The HTML of all plots that the journal has numbers for, or a sentence when it has none."""
    history = record.history()
    intervals = [event for event in history if event.get("event") == "interval"]
    keys = list(dict.fromkeys(key for event in intervals for key in event))
    losses = _ordered(keys, "loss")
    figures = [
        _lines(intervals, "Losses", losses, LOSSES if {"loss_d", "loss_g"} <= set(losses) else LOSS),
        _lines(
            intervals, "D's verdicts", _ordered(keys, "real_score") + _ordered(keys, "fake_score"), VERDICTS
        ),
        _lines(intervals, "Gradient norms", _ordered(keys, "grad"), GRADIENTS),
        _lines(intervals, "Weight norms", _ordered(keys, "weights"), WEIGHTS),
    ]
    scores = [event for event in history if event.get("event") == "score"]
    names = list(dict.fromkeys(name for event in scores if isinstance(name := event.get("name"), str)))
    for name in names[:SCORES]:
        distance = name.lower().startswith(("fd", "fid", "kd", "kid", "mmd"))
        figures.append(
            _lines(
                [event for event in scores if event.get("name") == name],
                name,
                ["value"],
                DISTANCE if distance else SCORE,
            )
        )
    figures.append(_epochs(record))
    drawn = [figure for figure in figures if figure]
    if not drawn:
        return "<p>No measurements yet: the curves begin with the first interval.</p>"
    return f'<p class="muted">{READING}</p><div class="plots">{"".join(drawn)}</div>'


def _ordered(keys: Sequence[str], prefix: str) -> list[str]:
    """The keys that are `prefix` or start with it and an underscore, sorted, at most one per colour."""
    mine = [key for key in keys if key == prefix or key.startswith(prefix + "_")]
    return sorted(mine)[:SERIES]


NAMES = {
    "d": "D",
    "g": "G",
    "value": "",
    "real_score": "real",
    "fake_score": "generated",
    "loss": "",
    "grad": "",
}


def _name(key: str) -> str:
    if key in NAMES:
        return NAMES[key]
    rest = key.split("_", 1)[-1]
    return NAMES.get(rest, rest.replace("_", " "))


def _lines(events: list[dict[str, object]], title: str, keys: Sequence[str], caption: str) -> str:
    """One plot of `keys` over the images seen, "" when none has a point."""
    series = []
    lost = 0
    for key in keys:
        x, y, undrawable = curve(events, key)
        lost += undrawable
        if len(x):
            series.append(Series(_name(key), x, y))
    remarks = [caption]
    if lost:
        remarks.append(f"{_values(lost)} NaN, infinite or beyond all bounds, and not drawn.")
    if not series:
        return f'<figure class="plot"><h3>{text(title)}</h3><p>{remarks[-1]}</p></figure>' if lost else ""
    values = np.concatenate([one.y for one in series])
    probabilities = "real_score" in keys and values.min() >= 0 and values.max() <= 1
    svg, outside = line_plot(series, "images seen", bounds=(-0.02, 1.02) if probabilities else None)
    if outside:
        remarks.append(f"{_values(outside)} outside the frame.")
    entries = "".join(
        f'<li style="color:var(--series-{index % SERIES + 1})"><i></i>'
        f"<span>{text(one.name)} {quantity(one.y[-1])}</span></li>"
        for index, one in enumerate(series)
    )
    return (
        f'<figure class="plot"><h3>{text(title)}</h3><ul class="legend">{entries}</ul>{svg}'
        f"<figcaption>{' '.join(remarks)}</figcaption></figure>"
    )


def _values(how_many: int) -> str:
    return "1 value is" if how_many == 1 else f"{count(how_many)} values are"


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
