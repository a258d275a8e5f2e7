"""What the pictures show: a checkerboard, or copies of the training data."""

from __future__ import annotations

from dcgan.analysis.doctor.chart import Chart
from dcgan.analysis.doctor.diagnosis import GO_ON, STOP, Diagnosis
from dcgan.analysis.doctor.mends import mends, penalised, slower
from dcgan.evaluation.metrics.spectrum import CHECKERBOARD

TRAINED = 200
UNEVEN = 0.07
"""How much more unevenly than in real pictures detail lies over even and odd pixels; healthy runs stay below 0.04."""
CLOSE, ISOLATED = 0.9, 0.25
"""Median distance to the nearest training picture over that of unseen ones; share of designs near to one alone."""
KNOWN_BY_HEART = 1.0
"""D's mean logit on training pictures minus that on unseen ones, in standard deviations; of healthy runs up to 0.2."""
FEW, PASSES = 200, 100


def checkerboard(chart: Chart) -> Diagnosis | None:
    """More energy at the highest frequencies than real pictures have (Odena et al. 2016)."""
    ratio = chart.looks("nyquist")
    uneven, usual = chart.looks("imbalance"), chart.looks("imbalance_real")
    if ratio is None or uneven is None or chart.step < TRAINED:
        return None
    # Noise has as much energy there, and lies evenly.
    if ratio <= CHECKERBOARD or uneven - (usual or 0.0) <= UNEVEN:
        return None
    return Diagnosis(
        "checkerboard",
        min(0.9, 0.55 + 0.1 * (ratio / CHECKERBOARD - 1)),
        (
            f"energy at a period of two pixels is {ratio:.2f} of that of real pictures (above {CHECKERBOARD} is "
            "too much)",
            f"detail lies unevenly over even and odd pixels: {uneven:.2f}, in real pictures {usual or 0:.2f}",
        ),
        pictures=chart.shown(None),
        mend=mends(chart.recipe, **slower(chart.recipe, 2, "g_lr")).resumed,
        now=GO_ON,
        advice="a kernel that the stride does not divide (k3s2, k5s2) draws it: take a network of k4s2, as fast-28",
    )  # fmt: skip


def memorised(chart: Chart) -> Diagnosis | None:
    """Designs lie nearer to single training pictures than unseen pictures do."""
    ratio, isolated = chart.looks("memorised"), chart.looks("isolated")
    if ratio is None or chart.step < TRAINED:
        return None
    gap = chart.looks("gap")
    passes = chart.step * chart.recipe.batch / chart.images if chart.images else 0.0
    few = 0 < chart.images < FEW
    copied = ratio < CLOSE and (isolated or 0.0) > ISOLATED
    by_heart = ratio < 1.0 and gap is not None and gap > KNOWN_BY_HEART
    if not copied and not by_heart and not (few and passes > PASSES and ratio < CLOSE):
        return None
    evidence = [f"the nearest training picture is {ratio:.2f} as far from a design as from an unseen picture"]
    if isolated is not None:
        evidence.append(
            f"{isolated:.0%} of the designs are near to one training picture alone (5 % by chance)"
        )
    if chart.images:
        evidence.append(f"{chart.images:,} training pictures, each seen {passes:,.0f} times")
    if gap is not None and gap > 0.5:
        evidence.append(f"D likes pictures that it trains on better by {gap:.1f} standard deviations")
    mend = mends(
        chart.recipe,
        augment="translation,cutout",
        **slower(chart.recipe, 4, "d_lr"),
        **penalised(chart.recipe),
    )
    return Diagnosis(
        "memorisation",
        min(0.95, 0.6 + 0.15 * (copied + by_heart - 1) + 0.1 * (ratio < CLOSE / 2) + 0.15 * few),
        tuple(evidence),
        pictures=chart.shown(None),
        mend=mend.resumed,
        now=STOP,
        advice="more pictures; mirrored ones too (flip=true) where left and right mean nothing; an earlier checkpoint",
    )  # fmt: skip
