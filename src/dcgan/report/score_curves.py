"""The scores that were taken during training, as curves: always named with their extractor and number of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dcgan.report.curves import SHARES
from dcgan.report.figures import Mark, lines
from dcgan.report.journal import DRAWABLE, Record
from dcgan.report.words import count, quantity, text
from dcgan.training.journal import number

DISTANCE = (
    "How far the generated pictures lie from the real ones: lower is better, and the floor is what real pictures score "
    "against other real ones. "
)
MANIFOLD = (
    "Precision and density fall when pictures look wrong; recall and coverage fall when kinds of pictures are missing "
    "(k = 5). The nearer to 1, the better. "
)
LIKENESS = (
    "Generated over real, so 1 is as it should be: diversity far below 1 is collapse, energy at the finest "
    "pattern above 1.5 a checkerboard, distance to the training pictures below 0.9 copying. "
)
GAP = (
    "D's mean logit on training pictures minus that on held-out ones, in its logits' own spread: growing, D learns the "
    "training pictures by heart. "
)
DRIFT = (
    "How much the pictures of the same latent vectors changed since the check-up before, over how much they differ "
    "among themselves: it should fall; staying high is oscillation. "
)


def score_curves(record: Record, marked: Sequence[Mark] = ()) -> str:
    """The plots of the journal's "score" events as HTML, "" without any.

    Scores of another extractor or another number of pictures are other numbers, so only those are drawn that
    were taken like the newest; how many that leaves out is said.
    """
    everything = [event for event in record.history() if event.get("event") == "score"]
    if not everything:
        return ""
    kind = taken_with(everything[-1])
    events = [event for event in everything if taken_with(event) == kind]
    how = f"Measured with {named(kind)}."
    best = _best(events)
    told = DISTANCE + (f"The ring is the best so far, {quantity(best[1])}. " if best else "") + how
    figures = [
        lines(
            events, "Fréchet distance", {"frechet": "generated", "floor": "floor"}, told,
            marked=marked, dashed=("floor",), best=best,
        ),
        lines(
            events, "Precision, recall, density, coverage",
            {key: key for key in ("precision", "recall", "density", "coverage")}, MANIFOLD + how,
            marked=marked, bounds=SHARES,
        ),
        lines(
            events, "Beside the data",
            {"diversity": "diversity", "nyquist": "finest pattern", "memorised": "distance to training"},
            LIKENESS + how, marked=marked,
        ),
        lines(events, "D on training minus held-out", {"gap": ""}, GAP, marked=marked),
        lines(events, "Drift of the fixed grid", {"drift": ""}, DRIFT, marked=marked),
    ]  # fmt: skip
    drawn = "".join(figure for figure in figures if figure)
    left_out = len(everything) - len(events)
    remark = (
        f'<p class="muted">{count(left_out)} check-ups with another extractor or another number of pictures are left '
        "out: their numbers are not comparable.</p>"
        if left_out
        else ""
    )
    return f'{remark}<div class="plots">{drawn}</div>' if drawn else ""


def taken_with(event: dict[str, Any]) -> tuple[str, float | None]:
    """(extractor, number of pictures) of a score: only scores that agree in both can be compared."""
    extractor = event.get("extractor")
    return extractor if isinstance(extractor, str) else "", number(event.get("n"))


def named(kind: tuple[str, float | None]) -> str:
    """'the extractor “fixed” on n = 1,000 pictures'; not yet safe for HTML."""
    extractor, n = kind
    told = f"the extractor “{extractor[:60]}”" if extractor else "an extractor that is not named"
    return told + (f" on n = {count(n)} pictures" if n is not None and abs(n) < 1e15 else "")


def _best(events: list[dict[str, Any]]) -> tuple[float, float] | None:
    """(images seen, distance) of the last check-up that was the best so far, or of the lowest if none says so."""
    points = [
        (images, distance, event.get("best") is True)
        for event in events
        if (images := number(event.get("images"))) is not None
        and (distance := number(event.get("frechet"))) is not None
        and max(abs(images), abs(distance)) < DRAWABLE
    ]
    if not points:
        return None
    told = [point for point in points if point[2]]
    images, distance, _ = told[-1] if told else min(points, key=lambda point: point[1])
    return images, distance


def newest(record: Record) -> str:
    """The newest check-up in one sentence of safe HTML, "" without any."""
    events = [event for event in record.history() if event.get("event") == "score"]
    if not events:
        return ""
    last = events[-1]
    names = {"frechet": "Fréchet distance", "floor": "floor", "recall": "recall", "coverage": "coverage"}
    told = [
        f"{name} {quantity(value)}"
        for key, name in names.items()
        if (value := number(last.get(key))) is not None
    ]
    images = number(last.get("images"))
    where = f" at {count(images)} images" if images is not None and abs(images) < 1e15 else ""
    return (
        f"The newest check-up{where}: {', '.join(told)}, with {text(named(taken_with(last)))}."
        if told
        else ""
    )


TRUSTED = ("inception", "domain", "fixed")
"""Extractors, the one that says most first; any other comes after them."""


def newest_score(record: Record, results: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """A Fréchet distance with what it was measured with: of the evaluation if there is one, else of the last check-up.

    Of several extractors the one that says most, and of its distances the newest.
    """
    events = [event for event in record.history() if event.get("event") == "score"]
    for source in (results, events[-1:]):
        known = []
        for one in reversed(source):
            distance, (extractor, n) = number(one.get("frechet")), taken_with(one)
            if distance is not None and extractor and n is not None and max(abs(distance), abs(n)) < 1e15:
                rank = TRUSTED.index(extractor) if extractor in TRUSTED else len(TRUSTED)
                told = {"frechet": distance, "extractor": extractor[:60], "n": int(n)}
                floor = one.get("floor")  # of a check-up a number, of an evaluation one for each score
                known.append(
                    (
                        rank,
                        told | {"floor": number(floor.get("frechet") if isinstance(floor, dict) else floor)},
                    )
                )
        if known:
            return min(known, key=lambda pair: pair[0])[1]
    return None
