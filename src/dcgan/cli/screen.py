"""What goes to the terminal: rich where a person watches, plain lines where a file or a pipe does."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import IO, TYPE_CHECKING, Any, cast

from dcgan.errors import DcganError, printable

if TYPE_CHECKING:
    from rich.console import Console


class _Standard:
    """Standard output or error as rich writes to it, whatever has become of the other end.

    A reader that has gone (`dcgan runs | head`) is not missed. News that cannot be written are dropped: they must
    never cost the work that they tell of. A result that cannot be written is a `DcganError`.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def stream(self) -> IO[str] | None:
        """The stream as it is now, below whatever rich has put over it; None when it was closed from the start."""
        stream = getattr(sys, self.name)
        return cast("IO[str] | None", getattr(stream, "rich_proxied_file", stream))

    @property
    def encoding(self) -> str:
        return getattr(self.stream, "encoding", None) or "utf-8"

    def write(self, text: str) -> int:
        self._try("write", text)
        return len(text)

    def flush(self) -> None:
        self._try("flush")

    def isatty(self) -> bool:
        return bool(self.stream and not self.stream.closed and self.stream.isatty())

    def fileno(self) -> int:
        return self.stream.fileno() if self.stream else -1

    def _try(self, what: str, *text: str) -> None:
        stream = self.stream
        try:
            if stream is not None:
                getattr(stream, what)(*text)
        except (OSError, ValueError) as error:
            silence(stream)
            if self.name == "stdout" and not isinstance(error, BrokenPipeError):
                reason = getattr(error, "strerror", None) or error
                raise DcganError(f"cannot write to standard output: {reason}") from None


def out() -> Console:
    """Standard output, for results."""
    return _console("stdout")


def err() -> Console:
    """Standard error, for news."""
    return _console("stderr")


@cache
def _console(name: str) -> Console:
    from rich.console import Console

    # Names come from strangers: what looks like rich's markup or an emoji's code is neither.
    stream = cast("IO[str]", _Standard(name))
    return Console(file=stream, highlight=False, soft_wrap=True, markup=False, emoji=False)


def say(line: str) -> None:
    """One line of result, on standard output, or several."""
    out().print("\n".join(printable(part) for part in line.split("\n")))


def tell(line: str) -> None:
    """One line of news, on standard error."""
    err().print(printable(line))


def columns() -> int:
    """Columns to wrap lists at: the terminal's, from 60 to 120; 100 where nobody watches."""
    return min(max(out().width, 60), 120) if out().is_terminal else 100


def complain(line: str) -> None:
    """The one line of an error."""
    stream = _Standard("stderr")
    stream.write(f"dcgan: {printable(' '.join(line.split()))}\n")
    stream.flush()


def prepare_streams() -> None:
    """Make the standard streams such that no word and no reader can end a command.

    A character that a stream's encoding lacks is written as \\uXXXX. A stream that was closed before the start is held
    open on nothing: a file would otherwise take its number, and get what the libraries below us print.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):
            cast("Any", stream).reconfigure(errors="backslashreplace")


def silence(stream: Any) -> None:
    """Let what a stream still holds, and all that follows, go nowhere."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar for work whose length is known; yields a function of (done, total). Silent in a pipe."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=err(), transient=True, disable=not err().is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def clock(seconds: float) -> str:
    """3:05, 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
