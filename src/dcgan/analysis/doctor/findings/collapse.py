"""Collapse: G makes few kinds of pictures, or one."""

from __future__ import annotations

from dcgan.analysis.doctor.chart import Chart
from dcgan.analysis.doctor.diagnosis import STOP, Diagnosis
from dcgan.analysis.doctor.mends import Mends, mends, penalised, slower

TRAINED = 200
"""Steps before which a G has not yet learned variety."""
COVERAGE, DIVERSITY, ALIKE = 0.3, 0.6, 0.35
"""Share of real pictures that have a generated one near; mean distance of two designs over that of two real ones."""
RECURRING = 0.3
"""Distance of a design to its nearest other over that of a real picture (`metrics.diversity.spacing`), below which the
same few come again and again. Seen: .14 to .18 in a DCGAN that had collapsed to some ten digits; .6 to 1.5 in runs that
had not, from 200 steps on. Only where any two designs differ enough: those of a G that has just begun are alike, and
near to each other for it (`fashion-2020` at 200 and 300 steps: .23 and .46, differing .52 and .58)."""
ONE_CLASS, MANY = 0.7, 3.0
"""Share of the largest class; how often its share in the data."""
GOOD, KINDS = 0.1, 0.05
"""Precision and coverage of pictures whose class can be read off: noise looks like some class, too."""


def one_class(chart: Chart) -> Diagnosis | None:
    """Nearly all designs are of one class, and can be recognised as such."""
    share, usual = chart.looks("top_share"), chart.looks("top_usual")
    if share is None or usual is None or chart.step < TRAINED or not _readable(chart):
        return None
    if share < ONE_CLASS or share < MANY * usual:
        return None
    name = chart.exam.get("top_class", "one")
    evidence = [f"{share:.0%} of the designs look like '{name}', which is {usual:.0%} of the data"]
    if (balance := chart.looks("class_balance")) is not None:
        evidence.append(f"the classes' entropy is {balance:.2f} of an even spread")
    return _told(chart, "one-class collapse", min(0.95, 0.5 + share / 2), evidence)


def _readable(chart: Chart) -> bool:
    return (chart.looks("precision") or 0.0) >= GOOD and (chart.looks("coverage") or 0.0) >= KINDS


def mode_collapse(chart: Chart) -> Diagnosis | None:
    """The designs resemble one another, or are a few that recur, and leave most of the data out."""
    coverage, diversity = chart.looks("coverage"), chart.looks("diversity")
    if coverage is None or diversity is None or chart.step < TRAINED:
        return None
    share, usual = chart.looks("top_share"), chart.looks("top_usual")
    spacing = chart.looks("spacing")
    few = coverage < COVERAGE and diversity < DIVERSITY
    recurring = spacing is not None and coverage < COVERAGE and spacing < RECURRING and not few
    uneven = (
        share is not None
        and usual is not None
        and share > max(0.3, MANY * usual)
        and (_readable(chart) or (share > ONE_CLASS and coverage < KINDS))
    )
    if not few and not uneven and not recurring:
        return None
    floor = chart.looks("floor_coverage")
    real = f" (real pictures {floor:.2f})" if floor is not None else ""
    evidence = [
        f"coverage is {coverage:.2f}{real}",
        f"two designs differ {diversity:.2f} as much as two real pictures",
    ]
    if recurring:
        evidence.append(f"a design's nearest other is {spacing:.2f} as far as a real picture's: a few recur")
    if (recall := chart.looks("recall")) is not None:
        evidence.append(f"recall is {recall:.2f}")
    if share is not None and usual is not None and uneven:
        evidence.append(
            f"{share:.0%} look like '{chart.exam.get('top_class', 'one')}', {usual:.0%} of the data"
        )
    sure = (
        0.6
        + 0.2 * (diversity < ALIKE or recurring)
        + 0.1 * (few and coverage < COVERAGE / 3)
        + 0.1 * bool(few and uneven)
    )
    return _told(chart, "mode collapse", min(0.95, sure), evidence)


def _told(chart: Chart, finding: str, sure: float, evidence: list[str]) -> Diagnosis:
    recipe = chart.recipe
    rates: dict[str, object] = (
        dict(slower(recipe, 4, "g_lr")) if recipe.g_lr > recipe.d_lr else dict(slower(recipe, 2))
    )
    found = mends(recipe, **rates, **penalised(recipe), beta1=min(recipe.beta1, 0.5))
    # The pairing loss asks of each fake to beat a real image of its own: it holds on to all kinds (Huang et al. 2024).
    paired = mends(recipe, objective="relativistic") if recipe.head == "logits" else Mends((), ())
    since = next(
        (int(score["step"]) for score in chart.scores if score.get("coverage", 1.0) < COVERAGE
         and score["step"] >= TRAINED), None,
    )  # fmt: skip
    back = chart.before(since)
    stale = since is None or back is None or back >= since
    return Diagnosis(
        finding,
        sure,
        tuple(evidence),
        since=since,
        pictures=chart.shown(since),
        mend=found.resumed + paired.resumed,
        anew=mends(recipe, spectral_norm=True).anew,
        now=STOP if stale else f"roll back to step {back}",
    )
