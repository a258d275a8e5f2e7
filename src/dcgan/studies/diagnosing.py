"""What the doctor finds in the runs of a study."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dcgan.analysis.doctor.see import see
from dcgan.data import Dataset
from dcgan.run import Run


def diagnosed(run: Run, data: Dataset, tell: Callable[[str], None]) -> Mapping[str, Any]:
    """The doctor's verdict on a run, as it is kept in its folder; anew each time, since doctors learn."""
    tell(f"the doctor looks at {run.name}")
    verdict: Mapping[str, Any] = see(run, data=data, confirmed=False).to_dict()
    return verdict


def in_words(verdict: Mapping[str, Any]) -> str:
    """A verdict in one sentence: the findings, surest first, or that nothing was found."""
    found = sorted(verdict.get("diagnoses", ()), key=lambda one: -one["sure"])
    told = "; ".join(f"**{one['finding']}** ({100 * one['sure']:.0f} % sure)" for one in found)
    early = verdict.get("early", "")
    return (told or "nothing found") + (f" ({early})" if early else "")
