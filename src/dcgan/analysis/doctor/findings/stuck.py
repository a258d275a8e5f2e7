"""D says the same of everything: stuck at ln 2, or a sigmoid under a loss that has one."""

from __future__ import annotations

import math

import numpy as np

from dcgan.analysis.doctor.chart import EARLY, Chart
from dcgan.analysis.doctor.diagnosis import STOP, Diagnosis
from dcgan.analysis.doctor.mends import mends, slower
from dcgan.objectives import objective

FLAT, NEARLY_FLAT = 1e-3, 2e-2
"""Standard deviation of D's logits below which it says the same of every image; of healthy runs, 0.08 and more."""
NEAR = 0.01
"""Distance of a loss from that of a D that knows nothing."""
CHANCE = 0.07
"""Distance of D's accuracy from ½ that is no better than guessing; of healthy runs, 0.59 and more."""
APART = 0.02
"""Difference of the mean scores of real and fake below which D does not tell them apart."""
CLOSE = 5.0
"""Under a relative objective these two and the scores' gap are so many times smaller: a strong penalty keeps the logits
of a healthy D small, and 0.55 to 0.45 is all it says of a pair (`fast-28`: a loss of 0.68 where ln 2 is 0.69)."""
FLOOR_D, FLOOR_G = math.log(2) + math.log1p(math.exp(-1)), math.log1p(math.exp(-1))
"""1.0064 and 0.3133: no smaller losses exist when BCE with logits is given probabilities."""


def double_sigmoid(chart: Chart) -> Diagnosis | None:
    """BCE with logits that is given probabilities: its losses never leave their narrow band, whatever D says.

    The loss of a true BCE is at least −ln of the mean scores (Jensen): a smaller one is proof. A loss that stays above
    the floor while D is sure of itself is nearly one.
    """
    if chart.recipe.objective != "bce":
        return None
    loss_d, loss_g = chart.series("loss_d"), chart.series("loss_g")
    real, fake = chart.series("real_score"), chart.series("fake_score")
    in_band = (loss_d >= FLOOR_D - 1e-3) & (loss_g >= FLOOR_G - 1e-3) & (loss_g <= math.log(2) + 1e-3)
    least = -np.log(np.clip(real, 1e-9, 1)) - np.log(np.clip(1 - fake, 1e-9, 1))
    impossible = chart.lasting(in_band & (loss_d < least - 0.1), 30)
    confident = chart.lasting(in_band & (real > 0.8) & (fake < 0.2), 30)
    since = impossible if impossible is not None else confident
    if since is None:
        return None
    scores = f"{chart.recent('real_score') or 0:.2f} and {chart.recent('fake_score') or 0:.2f}"
    loss = f"D's loss is {chart.recent('loss_d') or 0:.4f}"
    told = (
        f"{loss}, and with scores of {scores} BCE is at least {_least(chart):.2f}"
        if impossible is not None
        else f"{loss}, though D scores real and fake {scores}"
    )
    return Diagnosis(
        "double sigmoid",
        0.95 if impossible is not None else 0.8,
        (told, "losses never leave D ≥ 1.0064, G 0.3133 … 0.6931: the floors of a sigmoid under BCE with logits"),
        since=since,
        pictures=chart.shown(since),
        now=STOP,
        advice="take one sigmoid away: D must give logits to objective=bce, or probabilities to bce-probability",
    )  # fmt: skip


def _least(chart: Chart) -> float:
    """The least that BCE can be with the newest mean scores."""
    real, fake = chart.recent("real_score") or 0.5, chart.recent("fake_score") or 0.5
    return -math.log(max(real, 1e-9)) - math.log(max(1 - fake, 1e-9))


def stuck(chart: Chart) -> Diagnosis | None:
    """D has stopped: it says the same of every image, or is no better than guessing (ln 2 for each BCE term)."""
    if chart.step < EARLY:
        return None
    spread, real, fake = chart.series("logit_std"), chart.series("real_score"), chart.series("fake_score")
    loss_d, accuracy = chart.series("loss_d"), chart.series("d_accuracy")
    neutral = np.abs(loss_d - chart.neutral[0]) < NEAR * max(1.0, chart.neutral[0])
    flat = neutral & np.where(
        np.isfinite(spread),
        spread < NEARLY_FLAT,
        (np.abs(real - fake) < 0.002) & (np.abs(real - 0.5) < 0.005),
    )
    since = chart.lasting(flat)
    spread_now = chart.recent("logit_std", 50)
    if since is not None:
        sure = 0.95 if spread_now is not None and spread_now < FLAT else 0.8
        evidence = [_losses(chart)]
        if spread_now is not None:
            evidence.append(
                f"the standard deviation of D's logits is {spread_now:.2g}: the same of every image"
            )
    else:
        close = CLOSE if objective(chart.recipe.objective).relative else 1.0
        guesses = (loss_d >= chart.neutral[0] - APART / close) & (np.abs(real - fake) < 0.03 / close)
        guesses &= np.where(
            np.isfinite(accuracy), np.abs(accuracy - 0.5) < CHANCE / close, np.abs(real - 0.5) < APART / close
        )
        since = chart.lasting(guesses)
        if since is None:
            return None
        sure = 0.7
        evidence = [_losses(chart)]
        if (seen := chart.recent("d_accuracy")) is not None:
            evidence.append(f"D is right about {seen:.0%} of the images: no better than guessing")
    evidence.append(f"for {chart.step - since:,} steps")
    jump = chart.confirmed.get("jump")
    if jump is not None:
        told = f"with G frozen, 200 steps of D alone change its accuracy by {jump:+.0%}"
        evidence.append(
            told + (": D can learn, and was stuck" if jump > 0.15 else ": D cannot learn as it is")
        )
        sure = min(0.99, sure + 0.1)
    return _told(chart, since, sure, evidence)


def _told(chart: Chart, since: int, sure: float, evidence: list[str]) -> Diagnosis:
    recipe = chart.recipe
    faster = (
        max(recipe.d_lr, min(1e-3, 4 * recipe.d_lr)) or 4e-4
    )  # a rate that is high already is not the reason
    wishes: dict[str, object] = {"weight_decay": 0.0, "d_lr": faster}
    if recipe.batch_norm == "everywhere":
        # Batch norm on D's output gives every batch the mean 0: real and fake ones in separate batches look alike.
        wishes |= {"d_batches": "joined", "batch_norm": "published"}
    wishes |= slower(recipe, 4, "g_lr")
    mend = mends(recipe, **wishes)
    back = chart.before(since)
    return Diagnosis(
        "stuck at ln 2",
        sure,
        tuple(evidence),
        since=since,
        pictures=chart.shown(since),
        mend=mend.resumed,
        anew=mend.anew,
        now=f"roll back to step {back}" if back and back < since else STOP,
    )


def _losses(chart: Chart) -> str:
    loss_d, loss_g = chart.recent("loss_d", 50), chart.recent("loss_g", 50)
    return (
        f"D's loss {loss_d or 0:.4f} and G's {loss_g or 0:.4f}; a D that knows nothing has {chart.neutral[0]:.4f} and "
        f"{chart.neutral[1]:.4f}"
    )
