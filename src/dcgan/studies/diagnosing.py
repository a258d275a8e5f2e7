"""What the doctor finds in the runs of a study."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dcgan.analysis.doctor.see import see
from dcgan.data import Dataset
from dcgan.run import Run
from dcgan.studies.page import table

if TYPE_CHECKING:
    from dcgan.studies.done import Done


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


def doctor(done: list[Done]) -> str:
    """What `dcgan doctor` says of each run."""
    return "\n\n".join(
        part
        for one in done
        for part in (f"`{one.plan.name}`: {in_words(one.verdict)}.", *findings(one.verdict))
    )


def findings(verdict: Mapping[str, Any]) -> list[str]:
    """The findings as a Markdown table, and a sentence on what was not looked for; empty when there is neither."""
    rows = [
        [
            str(found["finding"]),
            f"{100 * found['sure']:.0f} %",
            str(found.get("evidence", "")),
            str(found.get("since", "–")),
            _mend(found),
            str(found.get("now", "–")),
        ]
        for found in verdict.get("diagnoses", ())
    ]
    parts = []
    if rows:
        parts.append(table(("finding", "sure", "evidence", "since step", "usually mends it", "now"), rows))
    if verdict.get("unchecked"):
        parts.append(f"Not looked for: {'; '.join(verdict['unchecked'])}.")
    return parts


def _mend(found: Mapping[str, Any]) -> str:
    told = [f"`--set {setting}`" for setting in found.get("mend", ())]
    told += [f"`--set {setting}` in a new run" for setting in found.get("anew", ())]
    return "; ".join(filter(None, (", ".join(told), str(found.get("advice", ""))))) or "–"
