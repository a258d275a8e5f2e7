"""What goes to the terminal: rich where a person watches, plain lines where a file or a pipe does."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def say(line: str) -> None:
    """One line of result, on standard output."""
    out.print(line, markup=False)


def tell(line: str) -> None:
    """One line of news, on standard error."""
    err.print(line, markup=False)


def complain(line: str) -> None:
    """The one line of an error."""
    print(f"dcgan: {line}", file=sys.stderr)  # noqa: T201


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar for work whose length is known; yields a function of (done, total). Silent in a pipe."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def clock(seconds: float) -> str:
    """3:05, 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
