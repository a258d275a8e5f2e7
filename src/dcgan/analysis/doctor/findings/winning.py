"""D wins: it tells real from fake without an error, and G learns from ever stranger gradients."""

from __future__ import annotations

import numpy as np

from dcgan.analysis.doctor.chart import EARLY, Chart
from dcgan.analysis.doctor.diagnosis import GO_ON, Diagnosis
from dcgan.analysis.doctor.mends import mends, penalised, slower

LOSS = 0.1
"""D's loss that wins, by any objective: a margin of 2.3 in logits (BCE, relativistic), or nearly no image inside the
hinge's."""
ACCURACY = 0.97
"""Of images, or of pairs for a relative objective. The literature starts from 0.95; healthy runs here touch that."""
EXPLODING = 100.0


def d_wins(chart: Chart) -> Diagnosis | None:
    """D's loss is next to 0 or its accuracy next to 1, and stays there."""
    if chart.step < 2 * EARLY:
        return None
    loss, accuracy = chart.series("loss_d"), chart.series("d_accuracy")
    real, fake = chart.series("real_score"), chart.series("fake_score")
    certain = np.where(np.isfinite(accuracy), accuracy > ACCURACY, (real > 0.95) & (fake < 0.05))
    # A D that gives nearly the same logit to all can still be right about their order.
    since = chart.lasting((loss < LOSS) | (certain & (loss < 0.6 * chart.neutral[0])), 150)
    if since is None:
        return None
    mean_loss, right = chart.recent("loss_d") or 0.0, chart.recent("d_accuracy")
    gradient = chart.recent("grad_g")
    evidence = [f"D's loss is {mean_loss:.3g} (below {LOSS} is winning), for {chart.step - since:,} steps"]
    sure = 0.6 + 0.15 * (mean_loss < LOSS) + 0.15 * (mean_loss < LOSS / 3)
    if right is not None:
        kind = "pairs" if chart.relative else "images"
        evidence.append(f"D is right about {right:.1%} of the {kind}")
        sure += 0.05 * (right > 0.99)
    if gradient is not None and gradient > EXPLODING:
        evidence.append(f"the norm of G's gradient is {gradient:.0f}")
        sure += 0.05
    gap = chart.looks("gap")
    if gap is not None and gap > 1:
        evidence.append(
            f"D likes pictures that it trains on better than unseen ones by {gap:.1f} standard deviations"
        )
    recipe = chart.recipe
    mend = mends(
        recipe, **slower(recipe, 4, "d_lr"), **penalised(recipe), **_faster(recipe.g_lr, recipe.d_lr)
    )
    back = chart.before(since)
    serious = mean_loss < LOSS / 3
    return Diagnosis(
        "D wins",
        min(sure, 0.95),
        tuple(evidence),
        since=since,
        pictures=chart.shown(since),
        mend=mend.resumed,
        anew=mends(recipe, spectral_norm=True).anew,
        now=f"roll back to step {back}" if serious and back and back < since else GO_ON,
    )  # fmt: skip


def _faster(g_lr: float, d_lr: float) -> dict[str, float]:
    """G's learning rate raised to D's, where it is far below."""
    return {"g_lr": d_lr / 2} if g_lr < d_lr / 4 else {}
