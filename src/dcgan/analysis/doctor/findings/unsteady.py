"""Oscillation: it was better before."""

from __future__ import annotations

from dcgan.analysis.doctor.chart import Chart
from dcgan.analysis.doctor.diagnosis import Diagnosis
from dcgan.analysis.doctor.mends import mends, penalised, slower

WORSE, TIMES = 1.3, 3
"""The last three scores are all this much worse than the best."""


def oscillation(chart: Chart) -> Diagnosis | None:
    """The score has been far from its best for some time."""
    told = [score for score in chart.scores if isinstance(score.get("frechet"), int | float)]
    if len(told) <= TIMES:
        return None
    distances = [float(score["frechet"]) for score in told]
    best = min(range(len(told)), key=distances.__getitem__)
    # A distance close to what real pictures score against real ones cannot be improved: noise is no decline.
    floor = float(told[best].get("floor", 0.0))
    line = WORSE * distances[best] + floor * (WORSE - 1)
    if best >= len(told) - TIMES or not all(value > line for value in distances[-TIMES:]):
        return None
    step, last = int(told[best]["step"]), distances[-1]
    since = int(told[best + 1]["step"])
    ups = sum(b > a for a, b in zip(distances[best:], distances[best + 1 :], strict=False))
    kind = "rising since" if ups == len(distances) - best - 1 else "up and down since"
    evidence = [
        f"Fréchet distance {last:.4g} now, {distances[best]:.4g} at step {step:,} ({last / distances[best]:.1f} times)",
        f"the last {TIMES} scores are all over {WORSE} times the best: {kind}",
    ]
    if isinstance(drift := told[-1].get("drift"), int | float):
        evidence.append(f"designs of the same z change {drift:.2f} as much between two scores as they differ")
    mend = mends(
        chart.recipe, **slower(chart.recipe, 4), **penalised(chart.recipe), beta1=min(chart.recipe.beta1, 0.5)
    )
    return Diagnosis(
        "oscillation",
        min(0.9, 0.6 + 0.1 * (last / distances[best] - WORSE)),
        tuple(evidence),
        since=since,
        pictures=chart.shown(step),
        mend=mend.resumed,
        now=f"roll back to step {step}",
    )  # fmt: skip
