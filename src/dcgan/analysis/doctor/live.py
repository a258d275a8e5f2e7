"""The doctor while a run goes on: fed with journal entries, says something when a finding appears."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from dcgan.analysis.doctor.chart import Chart, interval, mishap
from dcgan.analysis.doctor.diagnosis import Diagnosis
from dcgan.analysis.doctor.findings import diagnose, ends
from dcgan.recipe import Recipe
from dcgan.training.journal import number

KEPT, SCORES = 400, 64
"""Newest intervals and scores that are looked at: what an entry costs does not grow with the run."""
APPEARS, CLEARS = 3, 6
"""Looks in a row that a finding must be there, or gone, to be told."""
SURE = 0.75
"""How sure a finding must be to end a run."""


class LiveDoctor:
    """Looks at every interval and score of one run. Costs well under a millisecond or two an entry."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.began = 0
        self.intervals: deque[dict[str, float]] = deque(maxlen=KEPT)
        self.scores: deque[dict[str, Any]] = deque(maxlen=SCORES)
        self.checkpoints: deque[int] = deque(maxlen=KEPT)
        self.first: tuple[int, str] | None = None
        self.sample: tuple[int, str] | None = None
        self.mishaps: tuple[str, ...] = ()
        self.present: dict[str, Diagnosis] = {}
        self.cleared: tuple[str, ...] = ()
        self._seen: dict[str, int] = {}
        self._gone: dict[str, int] = {}

    def see(self, entry: Mapping[str, Any]) -> tuple[Diagnosis, ...]:
        """Take in a journal entry. Returns the findings that appear with it; `cleared` names those that went away.

        `present` holds all that are there now, by name.
        """
        self.cleared = ()
        event, step = entry.get("event"), number(entry.get("step"))
        said = mishap(entry)
        if said is not None:
            self.mishaps = (said,)
        elif event == "interval" and (row := interval(entry)) is not None:
            self.intervals.append(row)
        elif event == "score" and step is not None:
            self.scores.append({**entry, "step": step})
        else:
            self._note(entry, event, step)
            return ()
        return self._look(at_once=said is not None)

    def _note(self, entry: Mapping[str, Any], event: object, step: float | None) -> None:
        if step is None:
            return
        if event == "resume":
            self.began = int(step)
        elif event == "checkpoint":
            self.checkpoints.append(int(step))
        elif event == "sample" and isinstance(entry.get("file"), str):
            self.sample = (int(step), entry["file"])
            self.first = self.first or self.sample

    def _look(self, *, at_once: bool) -> tuple[Diagnosis, ...]:
        samples = tuple(dict.fromkeys(one for one in (self.first, self.sample) if one is not None))
        intervals = list(self.intervals)
        # Once the oldest are dropped, the run of those that are left begins where the first of them ends.
        began = int(intervals[0]["step"]) if len(intervals) == KEPT else self.began
        chart = Chart(
            self.recipe, intervals, list(self.scores), mishaps=self.mishaps, samples=samples,
            checkpoints=tuple(self.checkpoints), began=began,
        )  # fmt: skip
        found = {diagnosis.finding: diagnosis for diagnosis in diagnose(chart)}
        new = []
        for name, diagnosis in found.items():
            self._gone[name] = 0
            self._seen[name] = self._seen.get(name, 0) + 1
            if name in self.present:
                self.present[name] = diagnosis
            elif at_once or diagnosis.sure >= 1 or self._seen[name] >= APPEARS:
                self.present[name] = diagnosis
                new.append(diagnosis)
        for name in list(self._seen):
            if name not in found:
                self._seen[name] = 0
                self._gone[name] = self._gone.get(name, 0) + 1
                if name in self.present and self._gone[name] >= CLEARS:
                    del self.present[name]
                    self.cleared += (name,)
        return tuple(new)


def is_collapse(diagnosis: Diagnosis) -> bool:
    """Whether this finding ends a run under --stop-on-collapse: a failure that does not mend itself, and is sure."""
    return ends(diagnosis.finding) and diagnosis.sure >= SURE
