"""What was measured, as Markdown for docs/results and as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from speed.agreement import Deviation
from speed.contest import Times

UNRECORDED = "dcgan, not recorded"
"""On a GPU: the same steps, each kernel called by itself."""


@dataclass
class Row:
    """One contest. times: by contestant, the one that all are compared with first and dcgan last.

    operations: by contestant, of a step of the plain maths for each image. deviation: in float32. bf16: of dcgan's
    bf16 from the reference's float32, where bf16 is timed. note: why it was not timed, or what is to be known.
    """

    name: str
    batch: int
    precision: str
    times: dict[str, Times] = field(default_factory=dict)
    operations: dict[str, float] = field(default_factory=dict)
    deviation: Deviation | None = None
    bf16: Deviation | None = None
    note: str = ""

    @property
    def ratio(self) -> float:
        """dcgan's median rate over that of the one it is compared with."""
        rates = [times.rates[1] for times in self.times.values()]
        return rates[-1] / rates[0]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: every turn's seconds, and what follows from them."""
        rates = {name: times.rates for name, times in self.times.items()}
        return {**asdict(self), "images_per_second": rates, "ratio": self.ratio if self.times else None}


def contest_table(rows: list[Row]) -> str:
    """Each preset's two rates and their ratio, and how far the two deviate: loss, gradient, weights."""
    between = [UNRECORDED] if any(UNRECORDED in row.times for row in rows) else []
    columns = ("preset", "batch", "eager, images/s", *(f"{name}, images/s" for name in between))
    columns += ("dcgan, images/s", "in", "ratio", "deviation")
    lines = [f"| {' | '.join(columns)} |", f"|---|{'---:|' * (len(columns) - 4)}---|---:|---|"]
    for row in rows:
        cells = [f"`{row.name}`", f"{row.batch}"]
        if row.times:
            first, *_, last = row.times.values()
            unrecorded = [_rate(row.times[name]) for name in between]
            cells += [_rate(first), *unrecorded, _rate(last), row.precision, f"**{row.ratio:.2f}**"]
        else:
            cells += [row.note, *("" for _ in between), "", row.precision, ""]
        gone = row.deviation
        cells.append(f"{gone.loss:.0e}, {gone.gradient:.0e}, {gone.weights:.0e}" if gone else "")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def versus_table(row: Row, first: str) -> str:
    """All contestants of one contest, each against the first, by name `first` in the heading."""
    lines = [f"| {row.name}, batch {row.batch} | images/s | to {first} |", "|---|---:|---:|"]
    base = next(iter(row.times.values())).rates[1]
    for name, times in row.times.items():
        lines.append(f"| {name} | {_rate(times)} | {times.rates[1] / base:.2f} |")
    return "\n".join(lines)


def roofline_table(rows: list[Row], ceilings: dict[str, float]) -> str:
    """What each step costs, and what share of the matrix product's rate in its precision it reaches."""
    lines = [
        "| preset | GFLOP an image and step | eager, GFLOP/s | share | dcgan, GFLOP/s | share |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        if not row.times:
            continue
        (plain, *_, ours), cells = row.times, [f"`{row.name}`"]
        cells.append(" / ".join(dict.fromkeys(f"{row.operations[name] / 1e9:.3g}" for name in (plain, ours))))
        for name, precision in ((plain, "float32"), (ours, row.precision)):
            achieved = row.times[name].rates[1] * row.operations[name]
            share = achieved / ceilings[f"matrix product, {precision}"]
            cells += [f"{achieved / 1e9:.0f}", f"{share:.0%}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def ceilings_text(ceilings: dict[str, float]) -> str:
    """One line: the machine's rates."""
    rates = [f"{name} {rate / 1e9:.0f} GFLOP/s" for name, rate in ceilings.items() if name != "copy"]
    return f"{'; '.join(rates)}; copy {ceilings['copy'] / 1e9:.1f} GB/s (read and written)."


def _rate(times: Times) -> str:
    low, middle, high = times.rates
    digits = 0 if middle >= 100 else 1
    return f"{middle:,.{digits}f} ({low:,.{digits}f}–{high:,.{digits}f})"
