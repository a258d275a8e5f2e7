"""G does not learn: its weights stand still, or no gradient reaches it."""

from __future__ import annotations

import numpy as np

from dcgan.analysis.doctor.chart import EARLY, LASTING, Chart
from dcgan.analysis.doctor.diagnosis import STOP, Diagnosis
from dcgan.analysis.doctor.mends import mends, penalised, slower

STILL = 1e-6
"""Relative change of the norm of G's weights over 100 steps; of healthy runs, 1e-4 and more."""
VANISHED = 0.02
"""G's gradient as a part of what it was in the first tenth of the run; of healthy runs, 0.1 and more."""


def frozen(chart: Chart) -> Diagnosis | None:
    """G's weights do not change."""
    recipe = chart.recipe
    norms = chart.series("weights_g")
    evidence, sure = [], 0.0
    if recipe.g_lr == 0 and chart.step >= 20:
        evidence, sure = ["its learning rate is 0: g_lr=0"], 1.0
    inside = (chart.steps > chart.step - 2 * LASTING) & np.isfinite(norms)
    covered = float(chart.weights[inside].sum())
    if chart.step >= EARLY and covered >= LASTING and inside.sum() > 1:
        moved = float(np.ptp(norms[inside]) / max(abs(norms[inside][-1]), 1e-12))
        if moved < STILL:
            evidence.append(
                f"the norm of G's weights stays at {norms[inside][-1]:.6g} over {covered:,.0f} steps"
            )
            sure = max(sure, 0.9)
    if not evidence:
        return None
    if (gradient := chart.recent("grad_g")) is not None:
        evidence.append(f"its gradient's norm is {gradient:.2g}")
    mend = mends(recipe, g_lr=recipe.d_lr or 4e-4)
    return Diagnosis(
        "G does not learn",
        sure,
        tuple(evidence),
        since=0 if recipe.g_lr == 0 else max(0, chart.step - int(covered)),
        pictures=chart.shown(0),
        mend=mend.resumed,
        now=STOP,
        advice="" if mend.resumed else "its gradient does not arrive: train anew",
    )  # fmt: skip


def vanishing(chart: Chart) -> Diagnosis | None:
    """Hardly any gradient reaches G any more."""
    if chart.step < 2 * EARLY:
        return None
    gradients = chart.series("grad_g")
    known = np.isfinite(gradients) & (gradients > 0)
    first = known & (chart.steps <= max(chart.step / 10, chart.steps[0] if len(chart.steps) else 0))
    now = chart.recent("grad_g")
    if now is None or not first.any():
        return None
    before = float(np.median(gradients[first]))
    since = chart.lasting(np.nan_to_num(gradients, nan=np.inf) < VANISHED * before)
    if since is None or now >= VANISHED * before:
        return None
    mend = mends(chart.recipe, **slower(chart.recipe, 4, "d_lr"), **penalised(chart.recipe))
    anew = mends(chart.recipe, batch_norm="published", spectral_norm=True).anew
    back = chart.before(since)
    return Diagnosis(
        "vanishing G gradient",
        0.9 if now < 1e-3 * before else 0.7,
        (
            f"the norm of G's gradient fell from {before:.2g} to {now:.2g}",
            f"D's loss is {chart.recent('loss_d') or 0:.3f}",
        ),
        since=since,
        pictures=chart.shown(since),
        mend=mend.resumed,
        anew=anew,
        now=f"roll back to step {back}" if back and back < since else STOP,
    )
