"""The learning rate is too high: weights run away, losses jump, D is surely wrong."""

from __future__ import annotations

import numpy as np

from dcgan.analysis.doctor.chart import Chart, Floats
from dcgan.analysis.doctor.diagnosis import STOP, Diagnosis
from dcgan.analysis.doctor.mends import mends, slower

GROWTH = 2.0
"""Growth of the norm of a network's weights from one step to at most 200 later; of healthy runs, up to 1.2."""
WORSE = 2.0
"""D's loss over that of a D that knows nothing: it is sure, and wrong."""
SPIKE = 8.0
"""D's loss over its own median and over that of a D that knows nothing."""


def too_high(chart: Chart) -> Diagnosis | None:
    """Weights grow fast, or the loss jumps or stays above guessing."""
    if chart.step < 30 or len(chart.intervals) < 3:
        return None
    evidence: list[str] = []
    found: list[tuple[int, float]] = []
    for role in ("g", "d"):
        norms = chart.series(f"weights_{role}")
        grown = _grown(chart.steps, norms)
        if grown is not None:
            step, ratio = grown
            evidence.append(f"the norm of {role.upper()}'s weights grew {ratio:.1f}-fold within 200 steps")
            found.append((step, 0.85 if ratio > 2 * GROWTH else 0.7))
    loss = chart.series("loss_d")
    known = np.isfinite(loss) & (chart.steps > 20)
    if known.any():
        usual = max(float(np.median(loss[known])), chart.neutral[0])
        high = np.flatnonzero(known & (loss > SPIKE * usual))
        if len(high):
            evidence.append(
                f"D's loss jumps to {float(np.nanmax(loss[known])):.1f}; it is {usual:.2f} otherwise"
            )
            found.append((int(chart.steps[high[0]]), 0.7))
        since = chart.lasting(np.nan_to_num(loss) > WORSE * chart.neutral[0], 50)
        if since is not None:
            evidence.append(
                f"D's loss stays at {chart.recent('loss_d', 50) or 0:.2f}, worse than guessing ({chart.neutral[0]:.2f})"
            )
            found.append((since, 0.7))
    if not found:
        return None
    since = min(step for step, _ in found)
    sure = min(0.95, max(sure for _, sure in found) + 0.1 * (len(found) - 1))
    mend = mends(chart.recipe, **slower(chart.recipe, 10))
    back = chart.before(since)
    return Diagnosis(
        "learning rate too high",
        sure,
        tuple(evidence),
        since=since,
        pictures=chart.shown(since),
        mend=mend.resumed,
        now=f"roll back to step {back}" if back and back < since else STOP,
    )  # fmt: skip


def _grown(steps: Floats, norms: Floats) -> tuple[int, float] | None:
    """The first step from which a norm grew by `GROWTH` within 200, and how much it did at most."""
    known = np.isfinite(norms) & (norms > 0)
    at, value = steps[known], norms[known]
    if not len(at):
        return None
    ratios = value[np.searchsorted(at, at + 200, side="right") - 1] / value
    first = np.flatnonzero(ratios >= GROWTH)
    return (int(at[first[0]]), float(ratios.max())) if len(first) else None
