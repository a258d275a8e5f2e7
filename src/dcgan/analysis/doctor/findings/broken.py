"""Numbers that cannot be: NaN and infinity, and losses below what their formula allows."""

from __future__ import annotations

import numpy as np

from dcgan.analysis.doctor.chart import Chart
from dcgan.analysis.doctor.diagnosis import STOP, Diagnosis
from dcgan.analysis.doctor.mends import mends, slower

BELOW = -1e-3
"""All our D losses are sums of terms that are 0 or more: below this it is no rounding."""


def not_finite(chart: Chart) -> Diagnosis | None:
    """A loss, a gradient or a weight is NaN or infinite."""
    if not chart.mishaps:
        return None
    wishes: dict[str, object] = dict(slower(chart.recipe))
    if chart.recipe.adam_eps < 1e-8:
        wishes["adam_eps"] = 1e-8
    mend = mends(chart.recipe, **wishes, precision="float32")
    kept = max(chart.checkpoints, default=0)
    return Diagnosis(
        "not finite",
        1.0,
        chart.mishaps[:3],
        since=chart.step,
        mend=mend.resumed,
        now=f"roll back to step {kept}" if kept else STOP,
        advice="" if kept else "no checkpoint was made before it: train anew with the same settings",
    )


def wrong_loss(chart: Chart) -> Diagnosis | None:
    """D's loss is negative: its head and its loss do not match."""
    loss = chart.series("loss_d")
    bad = np.flatnonzero(loss < BELOW)
    if not len(bad):
        return None
    least, step = float(np.nanmin(loss)), int(chart.steps[bad[0]])
    return Diagnosis(
        "negative D loss",
        1.0,
        (f"D's loss is {least:.3f} at its lowest, first below 0 at step {step:,}; {chart.recipe.objective} cannot be",),
        since=step,
        now=STOP,
        advice="the head and the loss of D do not match: train anew with head=logits and objective=bce, or with "
        "head=sigmoid and objective=bce-probability",
    )  # fmt: skip
