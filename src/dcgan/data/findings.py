"""What was left out of a data set and why, and what it looked like: the facts every reader keeps in `origin`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from dcgan.errors import quoted

MOST_NAMED = 100
"""Skipped files told by name; all are counted."""

MOST_SIZES = 20
"""Sizes told, the most frequent ones; all are counted."""

KINDS = (
    "corrupt",  # a picture that cannot be decoded, an archive member that cannot be unpacked
    "too large",
    "too small",
    "wrong type",  # no picture, or of a format or mode that is not read
    "empty",
    "unreadable",  # the system refuses to give it, or it is no regular file
    "missing",  # named by a captions file and not there
    "unlisted",  # there, and without a line or a label in the captions file
    "unsafe",  # a member of an archive whose name or kind is a trap
)
"""Why a file is skipped: the keys of `skipped_kinds`."""


@dataclass
class Findings:
    """Collected while a data set is read.

    notes: decisions that the user should know, one sentence each. skipped: (name, reason, kind).
    sizes: original (height, width) of the pictures used. modes: "grey", "colour", "transparent".
    """

    notes: list[str] = field(default_factory=list)
    skipped: list[tuple[str, str, str]] = field(default_factory=list)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)

    def skip(self, name: str, reason: str, kind: str) -> None:
        """Leave out the file called `name`; `kind` is one of `KINDS`."""
        self.skipped.append((printable(name), printable(reason), kind))

    def facts(self) -> dict[str, Any]:
        """JSON-ready: `skipped` (at most 100, by name), `skipped_count`, `skipped_kinds`, `notes`, `sizes`
        (the 20 most frequent, "HxW"), `sizes_count` and `modes`.
        """
        return {
            "skipped": [
                {"file": name, "reason": reason, "kind": kind}
                for name, reason, kind in sorted(self.skipped, key=_place)[:MOST_NAMED]
            ],
            "skipped_count": len(self.skipped),
            "skipped_kinds": dict(sorted(Counter(kind for _, _, kind in self.skipped).items())),
            "sizes": {f"{h}x{w}": n for (h, w), n in frequent(self.sizes)[:MOST_SIZES]},
            "sizes_count": len(self.sizes),
            "modes": dict(sorted(self.modes.items())),
            "notes": self.notes,
        }


def _place(skipped: tuple[str, str, str]) -> tuple[list[tuple[int, str]], str]:
    """By name, numbers in it by their value: line 11 before line 101."""
    parts = re.split(r"([0-9]{1,18})", skipped[0])
    return [(int(part), "") if at % 2 else (-1, part) for at, part in enumerate(parts)], skipped[0]


def frequent(sizes: Counter[tuple[int, int]]) -> list[tuple[tuple[int, int], int]]:
    """(size, count), the most frequent first; of equals the smaller size."""
    return sorted(sizes.items(), key=lambda item: (-item[1], item[0]))


def printable(name: str) -> str:
    """`name` fit for JSON and terminals: undecodable bytes and control characters become U+FFFD."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in name)


def counted(count: int, one: str, many: str) -> str:
    """ "1 picture is", "3 pictures are"."""
    return f"{count:,} {one if count == 1 else many}"


def some(names: Iterable[str], most: int = 3) -> str:
    """The first few names, for a sentence."""
    every = [quoted(printable(name)) for name in names]
    return ", ".join(every[:most]) + (", …" if len(every) > most else "")
