"""A preflight in words, for `dcgan datasets check`."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from dcgan.errors import quoted

if TYPE_CHECKING:
    from dcgan.data.check.preflight import Pair, Preflight

MOST_SHOWN = 10
"""Pairs or sizes shown of a kind; JSON has more."""

MOST_FILES = 40
"""Skipped files shown: each wants to be mended or removed."""


def report(found: Preflight, width: int) -> Iterator[str]:
    """The lines, none of more columns than `width` but for long file names; the verdict last, in one line."""
    for line in _lines(found):
        indent = " " * max(13, len(line) - len(line.lstrip()) + 2)
        yield from textwrap.wrap(
            line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
        )
    yield f"verdict: {found.verdict}"


def _lines(found: Preflight) -> Iterator[str]:
    from dcgan.data.check.preflight import in_words
    from dcgan.data.findings import counted

    height, width = found.size
    of = f" of {found.images + found.skipped_count:,}" if found.skipped_count else ""
    kind = f", from {found.kind}" if found.kind else ""
    yield f"{found.name} ({found.split}{kind})"
    what = "files" if found.skipped_count else "picture" if found.images == 1 else "pictures"
    yield _row("read", f"{found.images:,}{of} {what}, used as {height}×{width} {_colour(found.channels)}")
    if found.sizes:
        sizes = [f"{count:,} of {size.replace('x', '×')}" for size, count in found.sizes.items()]
        yield _row("sizes", _few(sizes))
    if found.modes:
        yield _row("as files", in_words(found.modes))
    if found.classes:
        counts = [f"{quoted(name)} {count:,}" for name, count in found.classes.items()]
        yield _row("classes", f"{len(counts):,}: {_few(counts)}")
    if found.few:
        yield _row("few", _few(f"{quoted(name)} {count}" for name, count in found.few.items()))
    if found.skipped_count:
        yield _row("skipped", f"{found.skipped_count:,}: {in_words(found.skipped_kinds)}")
        files = [f"{item.get('file', '?')}: {item.get('reason', '?')}" for item in found.skipped]
        yield from _named(files, found.skipped_count, MOST_FILES)
    yield _row("copies", _copies(found))
    yield from _named([_pair(pair) for pair in found.pairs], found.pair_count)
    if found.conflict_count:
        yield _row("conflicts", f"{found.conflict_count:,} of one content in two classes")
        yield from _named([_pair(pair) for pair in found.conflicts], found.conflict_count)
    if found.test_images:
        test = counted(found.test_images, "picture", "pictures")
        yield _row("test", f"{test}, {found.leak_count:,} of them in train too, or nearly")
        yield from _named([_pair(pair) for pair in found.leaks], found.leak_count)
    if found.one_colour:
        yield _row("one colour", f"{found.one_colour:,}")
        yield from _named(found.one_colour_names, found.one_colour)
    for note in found.notes:
        yield _row("note", note)


def _copies(found: Preflight) -> str:
    from dcgan.data.findings import counted

    exact = f"{found.exact_copies:,} exact"
    if found.exact_copies:
        exact += f" in {counted(found.exact_groups, 'group', 'groups')}"
    pairs = counted(found.near_pairs, "nearly equal pair", "nearly equal pairs")
    near = {
        "no": "near ones were not looked for",
        "yes": pairs,
        "in part": f"at least {pairs} (too many to look at all)",
    }
    return f"{exact}; {near[found.near_searched]}"


def _pair(pair: Pair) -> str:
    classes = ""
    if pair.labels and pair.labels[0] != pair.labels[1]:
        classes = f" ({quoted(pair.labels[0])} and {quoted(pair.labels[1])})"
    return f"{pair.first} {'=' if pair.exact else '≈'} {pair.second}{classes}"


def _named(items: Iterable[str], count: int, most: int = MOST_SHOWN) -> Iterator[str]:
    shown = list(items)[:most]
    yield from (_row("", f"  {item}") for item in shown)
    if count > len(shown):
        yield _row("", f"  … and {count - len(shown):,} more")


def _few(items: Iterable[str]) -> str:
    every = list(items)
    rest = f", … and {len(every) - MOST_SHOWN:,} more" if len(every) > MOST_SHOWN else ""
    return ", ".join(every[:MOST_SHOWN]) + rest


def _colour(channels: int) -> str:
    return "colour" if channels == 3 else "grey"


def _row(what: str, text: str) -> str:
    return f"  {what:<11}{text}"
