"""What the doctor says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

GO_ON, STOP = "go on", "stop"


@dataclass(frozen=True)
class Diagnosis:
    """One failure, recognised.

    finding: its name in the field's words. sure: 0 … 1. evidence: sentences with numbers. since: the step from which it
    shows, None where that cannot be told. pictures: sample files that show it, relative to the run's folder.
    mend: what usually mends it, as `key=value` for `dcgan resume RUN --from best --set …`, valid for this run.
    anew: the same for `dcgan train`: changes of the networks, which no checkpoint survives.
    now: "go on", "roll back to step k" or "stop". advice: a sentence where no setting is the answer.
    """

    finding: str
    sure: float
    evidence: tuple[str, ...]
    since: int | None = None
    pictures: tuple[str, ...] = ()
    mend: tuple[str, ...] = ()
    anew: tuple[str, ...] = ()
    now: str = GO_ON
    advice: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, as in the journal's "doctor" event."""
        told: dict[str, Any] = {
            "finding": self.finding,
            "sure": round(self.sure, 2),
            "evidence": "; ".join(self.evidence),
            "since": self.since,
            "pictures": list(self.pictures),
            "mend": list(self.mend),
            "anew": list(self.anew),
            "now": self.now,
            "advice": self.advice,
        }
        return {key: value for key, value in told.items() if value not in (None, "", [])}


@dataclass(frozen=True)
class Verdict:
    """All that the doctor says of a run.

    checked: failures that were looked for. unchecked: one sentence for each that could not be, with the reason.
    early: why it is too early for a verdict, "" when it is not. step: the newest step that is known.
    """

    step: int
    diagnoses: tuple[Diagnosis, ...]
    checked: tuple[str, ...]
    unchecked: tuple[str, ...] = ()
    early: str = ""

    @property
    def healthy(self) -> bool:
        """Whether nothing was found. Not the same as well: see `unchecked` and `early`."""
        return not self.diagnoses

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, as in `RUN/evaluation/doctor.json`."""
        return {
            "step": self.step,
            "diagnoses": [{**found.to_dict(), "step": self.step} for found in self.diagnoses],
            "checked": list(self.checked),
            "unchecked": list(self.unchecked),
            "early": self.early,
        }
