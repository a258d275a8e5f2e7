"""The live display of training: images seen, images per second, both losses, both scores, time left."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

from dcgan.cli.screen import clock, err, tell

if TYPE_CHECKING:
    from rich.table import Table

PLAIN_SECONDS = 5.0
"""Where nobody watches, a line this often."""


class TrainingDisplay:
    """Fed with journal entries. One table that is redrawn on a terminal; plain lines elsewhere."""

    def __init__(self, shown: bool = True) -> None:
        """shown: False for a rank of a run that another one tells about."""
        self.last: dict[str, Any] = {}
        self.score = ""
        self.said = 0.0
        from rich.live import Live

        console = err()
        self.live = Live(console=console, refresh_per_second=4) if shown and console.is_terminal else None

    def __enter__(self) -> TrainingDisplay:
        if self.live:
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live:
            self.live.stop()

    def reading(self, done: int, total: int) -> None:
        """Say how many pictures of how many are read, before training begins."""
        if self.live:
            whole = _bar(done, total)
            whole.add_row(f"reading pictures  {done:,} of {total:,}")
            self.live.update(whole)

    def __call__(self, entry: dict[str, Any]) -> None:
        """Take in one journal entry."""
        event = entry["event"]
        if event in ("start", "resume"):
            threads = f"{entry['threads']} thread{'s' * (entry['threads'] != 1)}"
            where = f"{entry['hardware']}, {threads}, {entry['precision']}"
            ranks = entry.get("ranks", 1)
            where += f", in each of {ranks} processes" if ranks > 1 else ""
            what = "training" if event == "start" else f"going on from step {entry['step']:,}"
            tell(f"{what} on {where}")
        elif event == "warning":
            tell(f"warning: {entry['message']}")
        elif event == "score":
            self.score = _score(entry)
            if not self.live:
                tell(self.score)
        elif event == "doctor":
            tell(finding(entry))
        elif event == "interval":
            self.last = entry
            if self.live:
                self.live.update(_table(entry, self.score))
            elif time.monotonic() - self.said >= PLAIN_SECONDS or entry["done"] >= 1:
                self.said = time.monotonic()
                tell(_line(entry))


def _numbers(entry: dict[str, Any]) -> list[tuple[str, str]]:
    left = entry.get("left")
    return [
        ("images seen", f"{entry['images']:,}"),
        ("epoch", f"{entry['epoch']:.2f}"),
        ("images/s", f"{entry['rate']:,.0f}"),
        ("loss D", f"{entry['loss_d']:.3f}"),
        ("loss G", f"{entry['loss_g']:.3f}"),
        ("real score", f"{entry['real_score']:.2f}"),
        ("fake score", f"{entry['fake_score']:.2f}"),
        ("time left", "–" if left is None else clock(left)),
    ]


def _line(entry: dict[str, Any]) -> str:
    return f"{entry['done']:4.0%}  " + "  ".join(f"{name} {value}" for name, value in _numbers(entry))


def _score(entry: dict[str, Any]) -> str:
    """The check-up in a line: never a distance without the extractor and the floor."""
    told = [f"Fréchet {entry['frechet']:.4g} ({entry['extractor']})"] if "frechet" in entry else []
    told += [f"floor {entry['floor']:.2g}"] if "floor" in entry else []
    told += [f"{name} {entry[name]:.2f}" for name in ("precision", "recall", "coverage") if name in entry]
    return "score  " + "  ".join(told) + ("  best so far" if entry.get("best") else "")


def finding(entry: dict[str, Any]) -> str:
    """The doctor's finding in a line, with what usually mends it."""
    mends = " ".join(f"--set {mend}" for mend in entry.get("mend", ()))
    told = f"doctor: {entry['finding']} ({entry.get('sure', 0.0):.0%} sure): {entry.get('evidence', '')}"
    told += f"; usually mends it: {mends}" if mends else ""
    return told + (f"; now: {entry['now']}" if entry.get("now") else "")


def _bar(done: float, total: float) -> Table:
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    whole = Table.grid()
    whole.add_row(ProgressBar(total=total, completed=done, width=84))
    return whole


def _table(entry: dict[str, Any], score: str) -> Table:
    from rich.table import Table

    numbers = _numbers(entry)
    table = Table(box=None, pad_edge=False, show_header=True, header_style="dim", expand=False)
    for name, _ in numbers:
        table.add_column(name, justify="right")
    table.add_row(*(value for _, value in numbers))
    whole = _bar(entry["done"], 1.0)
    whole.add_row(table)
    if score:
        whole.add_row(score)
    return whole
