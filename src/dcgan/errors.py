"""The errors a person sees: one line that says what is wrong, where, and what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


def printable(text: str) -> str:
    """`text` as one line that a terminal shows and obeys nothing of: what is not printable becomes U+FFFD."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def quoted(name: str) -> str:
    """A name as it stands in a list: one that holds a comma in quotes, not to be read as two."""
    return f'"{name}"' if "," in name else name


class DcganError(Exception):
    """A mistake or a mishap told in one line; the command line prints it and exits with `status`."""

    status = 2

    def __init__(self, message: str) -> None:
        # Names of files and classes come from strangers: line breaks become spaces, terminal codes visible marks.
        super().__init__(printable(" ".join(message.split())))


NO_MEMORY = (
    "out of memory: choose a smaller --batch, --size or model, fewer pictures, or close other programs"
)


class Diverged(DcganError):
    """A loss or a weight became NaN or infinite; the last good checkpoint is kept."""

    status = 3


class Collapsed(DcganError):
    """The doctor found a failure that does not mend itself, and the run was to stop then; it was saved first."""

    status = 3


class Interrupted(DcganError):
    """SIGINT or SIGTERM came; the run was saved first. The status is the shell's own: 128 + signal."""

    def __init__(self, message: str, signum: int) -> None:
        super().__init__(message)
        self.status = 128 + signum


class Told(DcganError):
    """This process ends because another of its run has ended, which tells why; the command line says nothing."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def one_of(kind: str, name: str, known: Iterable[str], more: str = "") -> DcganError:
    """The error for an unknown name: says which known names are nearest, or lists them all.

    `kind` is the noun ("preset"), `more` a sentence added at the end.
    """
    names, name = sorted(known), str(name)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if near:
        hint = f"did you mean {' or '.join(map(quoted, near))}?"
    elif names:
        shown = ", ".join(map(quoted, names[:20])) + (", …" if len(names) > 20 else "")
        hint = f"known: {shown}."
    else:
        hint = "there are none."
    return DcganError(f"unknown {kind} '{name[:80]}': {hint} {more}")


@contextmanager
def enough_memory() -> Iterator[None]:
    """Raise `DcganError` in place of Python's and torch's ways to say that memory ran out."""
    try:
        yield
    except MemoryError:
        raise DcganError(NO_MEMORY) from None
    except RuntimeError as error:
        # torch has no class of its own for a CPU's memory; for a GPU's it says "CUDA out of memory".
        if not any(words in str(error) for words in ("can't allocate memory", "out of memory")):
            raise
        raise DcganError(NO_MEMORY) from None


def expect(name: str, value: object, kinds: type | tuple[type, ...], words: str) -> None:
    """Raise `DcganError` unless the argument `name` is one of `kinds`, in words `words`; True is not a number."""
    wanted = kinds if isinstance(kinds, tuple) else (kinds,)
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
        raise DcganError(f"{name} is {value!r:.80}: expected {words}")
