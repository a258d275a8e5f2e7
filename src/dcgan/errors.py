"""The errors a person sees: one line that says what is wrong, where, and what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class DcganError(Exception):
    """A mistake or a mishap told in one line; the command line prints it and exits with `status`."""

    status = 2

    def __init__(self, message: str) -> None:
        # Names of files and classes come from strangers: line breaks become spaces, terminal codes visible marks.
        line = " ".join(message.split())
        super().__init__("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line))


class Diverged(DcganError):
    """A loss or a weight became NaN or infinite; the last good checkpoint is kept."""

    status = 3


class Interrupted(DcganError):
    """SIGINT or SIGTERM came; the run was saved first. The status is the shell's own: 128 + signal."""

    def __init__(self, message: str, signum: int) -> None:
        super().__init__(message)
        self.status = 128 + signum


def one_of(kind: str, name: str, known: Iterable[str], more: str = "") -> DcganError:
    """The error for an unknown name: says which known names are nearest, or lists them all.

    `kind` is the noun ("preset"), `more` a sentence added at the end.
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if near:
        hint = f"did you mean {' or '.join(near)}?"
    elif names:
        shown = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
        hint = f"known: {shown}."
    else:
        hint = "there are none."
    return DcganError(f"unknown {kind} '{name[:80]}': {hint} {more}")
