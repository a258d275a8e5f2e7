"""A tree of files, in a folder or in an archive: what is there, and the bytes of each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from dcgan.data.findings import Findings, printable, some
from dcgan.data.images import read_file
from dcgan.errors import DcganError


class Entry(NamedTuple):
    """A file of a tree. name: relative, with slashes. stamp: changes whenever the content may have changed."""

    name: str
    size: int
    stamp: tuple[int, ...]


@dataclass
class Tree:
    """Files in the order in which they are read: at each level the files by name, then the folders by name.

    read: the bytes of one entry, bounded and not empty; raises `UnreadableError`. Safe to call from threads.
    wrapped: whether all usually lies in one folder that means nothing, as in most archives.
    """

    path: Path
    entries: list[Entry]
    read: Callable[[Entry], bytes]
    wrapped: bool = False
    findings: Findings = field(default_factory=Findings)


def in_order(entries: Iterable[Entry]) -> list[Entry]:
    """The entries as `Tree` wants them."""

    def place(entry: Entry) -> list[tuple[bool, str]]:
        *folders, name = entry.name.split("/")
        return [*((True, folder) for folder in folders), (False, name)]

    return sorted(entries, key=place)


RUN = frozenset({"recipe.json", "data.json", "checkpoints"})
"""What the folder of a run holds: `dcgan train .` must not learn from its own samples, nor change its data."""


def hidden(part: str) -> bool:
    """Whether a file or folder of this name is ignored: dot files, and what macOS and Windows leave."""
    return part.startswith(".") or part == "__MACOSX" or part.lower() in ("thumbs.db", "desktop.ini")


def folder_tree(folder: Path) -> Tree:
    """All files below a folder. Links to files are followed, links to folders are not, hidden ones are ignored.

    Raises `DcganError` when the folder itself cannot be read; a folder below it that cannot be is skipped by name.
    """
    findings = Findings()
    entries: list[Entry] = []
    linked: list[str] = []
    empty: list[str] = []
    runs: list[str] = []
    waiting = [""]
    while waiting:
        here = waiting.pop()
        try:
            with os.scandir(folder / here) as found:
                items = sorted((item for item in found if not hidden(item.name)), key=lambda item: item.name)
        except OSError as error:
            reason = error.strerror or "cannot be read"
            if not here:
                raise DcganError(f"cannot read the folder {printable(str(folder))}: {reason}") from error
            findings.skip(here, f"cannot read the folder: {reason}", "unreadable")
            continue
        if here and not items:
            empty.append(here[:-1])
        if here and {item.name for item in items} >= RUN:
            runs.append(here[:-1])
            continue
        folders = []
        for item in items:
            name = f"{here}{item.name}"
            if item.is_dir(follow_symlinks=False):
                folders.append(f"{name}/")
            elif _leads_to_folder(item):
                linked.append(name)
            else:
                entries.append(_entry(name, item))
        waiting += reversed(folders)
    if linked:
        findings.notes.append(f"links to folders were not followed: {some(sorted(linked))}")
    if runs:
        findings.notes.append(f"runs of dcgan were left out, they are not data: {some(sorted(runs))}")
    if empty:
        findings.notes.append(f"folders without a file were left out: {some(sorted(empty))}")
    return Tree(
        folder,
        in_order(entries),
        lambda entry: read_file(folder / entry.name),
        wrapped=False,
        findings=findings,
    )


def _leads_to_folder(item: os.DirEntry[str]) -> bool:
    try:
        return item.is_dir()
    except OSError:  # a link to itself: reading it will tell
        return False


def _entry(name: str, item: os.DirEntry[str]) -> Entry:
    try:
        facts = item.stat()
    except OSError:  # a link to nowhere: reading it will tell
        return Entry(name, 0, ())
    # The time of the change of the inode too: programs that copy files set the other one back.
    return Entry(name, facts.st_size, (facts.st_mtime_ns, facts.st_ctime_ns))
