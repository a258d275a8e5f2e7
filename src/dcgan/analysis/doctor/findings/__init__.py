"""The table of findings: one row each, causes before what they cause. A new failure is one function and one row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dcgan.analysis.doctor.chart import Chart
from dcgan.analysis.doctor.diagnosis import Diagnosis
from dcgan.analysis.doctor.findings.broken import not_finite, wrong_loss
from dcgan.analysis.doctor.findings.collapse import mode_collapse, one_class
from dcgan.analysis.doctor.findings.generator import frozen, vanishing
from dcgan.analysis.doctor.findings.looks import checkerboard, memorised
from dcgan.analysis.doctor.findings.rate import too_high
from dcgan.analysis.doctor.findings.stuck import double_sigmoid, stuck
from dcgan.analysis.doctor.findings.unsteady import oscillation
from dcgan.analysis.doctor.findings.winning import d_wins


@dataclass(frozen=True)
class Finding:
    """One failure. needs: "losses", "pictures" or "scores", without which it cannot be looked for.

    hides: failures that follow from this one and are then not told beside it. ends: whether it ends a run under
    --stop-on-collapse when it is sure.
    """

    name: str
    find: Callable[[Chart], Diagnosis | None]
    needs: str
    hides: tuple[str, ...] = ()
    ends: bool = False


_LOOKS = ("one-class collapse", "mode collapse", "checkerboard", "memorisation", "oscillation")
_GAME = ("stuck at ln 2", "vanishing G gradient", "D wins")

FINDINGS = (
    Finding("not finite", not_finite, "losses", ("learning rate too high", *_GAME, *_LOOKS), ends=True),
    Finding("negative D loss", wrong_loss, "losses", ("double sigmoid", *_GAME, *_LOOKS), ends=True),
    Finding("double sigmoid", double_sigmoid, "losses", (*_GAME, *_LOOKS), ends=True),
    Finding("G does not learn", frozen, "losses", (*_GAME, *_LOOKS), ends=True),
    Finding("learning rate too high", too_high, "losses", (*_GAME, *_LOOKS), ends=True),
    Finding("stuck at ln 2", stuck, "losses", ("vanishing G gradient", "D wins", *_LOOKS), ends=True),
    Finding("memorisation", memorised, "pictures", ("D wins", "vanishing G gradient", "mode collapse")),
    Finding("vanishing G gradient", vanishing, "losses", ("D wins", "checkerboard"), ends=True),
    Finding("D wins", d_wins, "losses", ("checkerboard",)),
    Finding("one-class collapse", one_class, "pictures", ("mode collapse",), ends=True),
    Finding("mode collapse", mode_collapse, "pictures", ("checkerboard",), ends=True),
    Finding("checkerboard", checkerboard, "pictures"),
    Finding("oscillation", oscillation, "scores"),
)


def diagnose(chart: Chart) -> tuple[Diagnosis, ...]:
    """Every finding of a chart, causes first, without those that another one explains."""
    found: list[Diagnosis] = []
    hidden: set[str] = set()
    for row in FINDINGS:
        diagnosis = row.find(chart)
        if diagnosis is None or row.name in hidden:
            continue
        found.append(diagnosis)
        hidden.update(row.hides)
    return tuple(found)


def ends(name: str) -> bool:
    """Whether this finding ends a run under --stop-on-collapse."""
    return any(row.ends for row in FINDINGS if row.name == name)
