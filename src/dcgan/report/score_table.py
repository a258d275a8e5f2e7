"""The final scores as tables: one for each way of measuring, a column for each checkpoint, never a bare "FID"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dcgan.report.differences import side_by_side
from dcgan.report.words import count, quantity, text
from dcgan.training.journal import number

COLUMNS = 3
"""Checkpoints in one table, at most: a phone shows no more."""
TABLES = 12
METRICS = {
    "frechet": ("Fréchet distance", -1),
    "kid": ("KID, unbiased", -1),
    "precision": ("Precision", 1),
    "recall": ("Recall", 1),
    "density": ("Density", 1),
    "coverage": ("Coverage", 1),
    "balance": ("Balance of the classes, 1 is even", 0),
    "balance_data": ("the data's own", 0),
    "class_distance": ("Designs off the data's classes", -1),
    "fidelity": ("Label fidelity", 1),
    "labeller_accuracy": ("the labeller's on real pictures", 0),
    "accuracy_score": ("Classification accuracy score", 1),
    "accuracy_score_real": ("of as many real pictures", 0),
    "ms_ssim": ("MS-SSIM within a class", 0),
    "ms_ssim_data": ("the data's own", 0),
}
"""What each score is called, and whether more of it is better (1), less (−1) or neither."""
FACTS = ("trained_on", "labels", "test_accuracy")

Result = dict[str, Any]


def score_tables(results: Sequence[Result]) -> str:
    """All results as HTML, "" where none has a number; of one checkpoint scored twice alike, the newer."""
    latest = {(*measured(one), str(one.get("checkpoint")), number(one.get("step"))): one for one in results}
    groups: dict[tuple[str, ...], list[Result]] = {}
    for one in latest.values():
        if any(number(one.get(key)) is not None for key in METRICS):
            groups.setdefault(measured(one), []).append(one)
    tables = []
    for group in list(groups.values())[-TABLES:]:
        for start in range(0, len(group), COLUMNS):
            shown = group[start : start + COLUMNS]
            tables.append(f'<div class="scores">{score_table(shown, [_column(one) for one in shown])}</div>')
    return "".join(tables)


def measured(result: Result) -> tuple[str, ...]:
    """How a result was measured, as texts: results that differ in it can't be compared."""
    keys = ("data_sha256", "extractor", "extractor_sha256", "n", "split", "seed")
    return tuple(str(result.get(key)) for key in keys)


def score_table(results: Sequence[Result | None], heads: Sequence[str], comparable: bool = True) -> str:
    """One table: a row a metric, a column a result, the best of each row bold. heads: HTML that is already safe.

    None is a column without numbers. comparable: whether a best may be named at all.
    """
    known = [one for one in results if one is not None]
    rows = []
    for key, (name, sense) in METRICS.items():
        values = [number(one.get(key)) if one else None for one in results]
        values = [value if value is not None and abs(value) < 1e15 else None for value in values]
        real = [sense * value for value in values if value is not None]
        if not real:
            continue
        best = max(real) if comparable and sense and len(real) > 1 and min(real) < max(real) else None
        cells = "".join(
            f'<td data-of="{_plain(head)}">{_cell(key, value, one or {}, sense * (value or 0.0) == best)}</td>'
            for value, one, head in zip(values, results, heads, strict=True)
        )
        arrow = {1: " ↑", -1: " ↓"}.get(sense, "")
        rows.append(f'<tr><th scope="row">{name}{arrow}</th>{cells}</tr>')
    return side_by_side(heads, "".join(rows), _how(known[0] if known else {}))


def _plain(head: str) -> str:
    """A column's head without its tags, for a phone, where it stands beside each value."""
    return head.rpartition("</i>")[2]


def _cell(key: str, value: float | None, result: Result, best: bool) -> str:
    if value is None:
        return "–"
    spread = number(result.get("kid_spread")) if key == "kid" else None
    told = quantity(value) + (f" ± {quantity(spread)}" if spread is not None and abs(spread) < 1e15 else "")
    floors = result.get("floor")
    floor = number(floors.get(key)) if isinstance(floors, dict) else None
    beside = (
        f' <span class="muted">floor {quantity(floor)}</span>'
        if floor is not None and abs(floor) < 1e15
        else ""
    )
    return (f"<strong>{told}</strong>" if best else told) + beside


def _column(result: Result) -> str:
    """'best, step 12,000', as safe HTML."""
    step = number(result.get("step"))
    told = [
        text(result["checkpoint"], 40) if isinstance(result.get("checkpoint"), str) else "",
        f"step {count(step)}" if step is not None and abs(step) < 1e15 else "",
    ]
    return ", ".join(part for part in told if part) or "model"


def _how(result: Result) -> str:
    """What the numbers were measured with, as safe HTML."""
    extractor, digest = result.get("extractor"), result.get("extractor_sha256")
    told = [
        f"extractor <strong>{text(extractor if isinstance(extractor, str) else 'not named', 60)}</strong>"
    ]
    if isinstance(digest, str) and digest:
        told.append(f'<code title="{text(digest)}">{text(digest[:12])}</code>')
    n, seed = number(result.get("n")), number(result.get("seed"))
    if n is not None and abs(n) < 1e15:
        told.append(f"n = {count(n)}")
    if isinstance(result.get("split"), str):
        of = f" of {text(result['data'], 60)}" if isinstance(result.get("data"), str) else ""
        told.append(f"against the {text(result['split'], 40)} split{of}")
    if seed is not None and abs(seed) < 1e19:
        told.append(f"seed {seed:.0f}")
    facts = result.get("extractor_facts")
    for name in FACTS:
        value = facts.get(name) if isinstance(facts, dict) else None
        known = number(value)
        if isinstance(value, str) or known is not None:
            shown = value if known is None else quantity(known)
            told.append(f"{text(name.replace('_', ' '), 60)} {text(shown, 60)}")
    return "Measured with " + ", ".join(told)
