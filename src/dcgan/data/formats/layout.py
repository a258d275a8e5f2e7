"""What the folders of a tree mean: splits, classes, or one flat set; and what a captions file says instead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from dcgan.data.findings import Findings, counted, printable, some
from dcgan.data.formats.captions import NAMES, Line, read_captions
from dcgan.data.formats.tree import Entry, Tree
from dcgan.data.images import UnreadableError, measure
from dcgan.errors import DcganError

SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("test", "testing"), "test"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
}
"""Folders that are parts of a set, not classes. A "val" stands in for a "test" that is not there."""


@dataclass(frozen=True)
class Candidate:
    """A file that may be a picture. label: its class's name, None in a flat set."""

    entry: Entry
    label: str | None = None
    caption: str | None = None


def candidates(tree: Tree, split: str, found: Findings) -> tuple[list[Candidate], tuple[str, ...]]:
    """The files of `split` ("train", "test" or "all") in `tree`, labelled, and the class names (none in a flat set).

    A captions file at the top rules. Else pictures at the top make the set flat, without labels, and folders are
    not read. Else folders named like splits, whose train part holds folders, are splits; else each folder is a class
    with all files anywhere below it. A single folder that holds folders is stepped into, and in an archive any
    single folder. `found` is told of each such decision. Raises `DcganError` for a split that is not there.
    """
    base = _step_in(tree, found)
    here = [entry for entry in tree.entries if entry.name.startswith(base)]
    parts = _splits(tree, here, base)
    if parts and not _captions_file(here, base):
        chosen = [folder for folder, role in parts.items() if split in (role, "all")]
        if not chosen:
            raise DcganError(
                f"{printable(str(tree.path))} has no split '{split}', only {' and '.join(sorted(set(parts.values())))}"
            )
        left = [folder for folder in parts if folder not in chosen]
        found.notes.append(
            f"the folders {some(parts, 6)} are splits; read: {some(chosen, 6)}"
            + (f"; not read: {some(left, 6)}" if left else "")
        )
        items = [item for folder in chosen for item in _classes(tree, here, f"{base}{folder}/", found)]
        return items, _folders(items)
    if split == "test":
        raise DcganError(
            f"{printable(str(tree.path))} has no test split: leave split out, or open another path"
        )
    source = _captions_file(here, base)
    if source is None:
        items = _classes(tree, here, base, found)
        return items, _folders(items)
    try:
        lines = read_captions(tree.read(source), source.name, found)
    except UnreadableError as error:
        raise DcganError(f"{printable(str(tree.path))}: {printable(source.name)}: {error}") from None
    except DcganError as error:
        if source.name[len(base) :].startswith("captions"):
            raise
        # "metadata" is a common name: another program's file of that name is no mistake.
        found.notes.append(f"not taken for captions: {error}")
        items = _classes(tree, [entry for entry in here if entry != source], base, found)
        return items, _folders(items)
    items = _captioned(tree, here, base, lines, source, found)
    labelled = any(line.label for line in lines)
    return items, class_names(item.label for item in items if item.label) if labelled else _folders(items)


def _folders(items: Iterable[Candidate]) -> tuple[str, ...]:
    return tuple(sorted({item.label for item in items if item.label is not None}))


def class_names(labels: Iterable[str]) -> tuple[str, ...]:
    """The different labels in order: by value when all are whole numbers, else by name."""
    names = set(labels)
    if all(map(is_whole, names)):
        return tuple(sorted(names, key=lambda name: (int(name), name)))
    return tuple(sorted(names))


def is_whole(text: str) -> bool:
    """Whether a label is written as a whole number, of at most 17 digits."""
    return text.isascii() and text.removeprefix("-").isdigit() and len(text) < 18


def _top(here: Sequence[Entry], base: str) -> tuple[list[Entry], dict[str, int]]:
    """The files that lie directly in `base`, and its folders with the number of files below each."""
    files, folders = [], Counter[str]()
    for entry in here:
        rest = entry.name[len(base) :]
        if "/" in rest:
            folders[rest.partition("/")[0]] += 1
        else:
            files.append(entry)
    return files, dict(sorted(folders.items()))


def _is_picture(tree: Tree, entry: Entry) -> bool:
    try:
        measure(tree.read(entry))
    except UnreadableError:
        return False
    return True


def _pictures(tree: Tree, files: Iterable[Entry]) -> bool:
    return any(_is_picture(tree, entry) for entry in files)


def _step_in(tree: Tree, found: Findings) -> str:
    """The folder, "" or ending in a slash, where classes, splits or pictures begin."""
    base = ""
    while True:
        here = [entry for entry in tree.entries if entry.name.startswith(base)]
        files, folders = _top(here, base)
        if len(folders) != 1 or _captions_file(here, base) or _pictures(tree, files):
            break
        inside = f"{base}{next(iter(folders))}/"
        below, deeper = _top([entry for entry in here if entry.name.startswith(inside)], inside)
        flat = not deeper or _pictures(tree, below)
        if flat and not tree.wrapped and not _captions_file(below, inside):
            break
        base = inside
        if flat:
            break
    if base:
        found.notes.append(f"everything lies in the folder {printable(base[:-1])}, which was opened instead")
    return base


def _captions_file(here: Sequence[Entry], base: str) -> Entry | None:
    wanted = {f"{base}{name}": rank for rank, name in enumerate(NAMES)}
    present = [entry for entry in here if entry.name in wanted]
    return min(present, key=lambda entry: wanted[entry.name], default=None)


def _splits(tree: Tree, here: Sequence[Entry], base: str) -> dict[str, str]:
    """Folder → "train", "test" or "val", when the folders are splits; else nothing."""
    files, folders = _top(here, base)
    roles = {name: SPLIT_NAMES.get(name.lower(), "") for name in folders}
    if len(folders) < 2 or not all(roles.values()) or "train" not in roles.values():
        return {}
    if _pictures(tree, files):
        return {}
    for name, role in roles.items():
        below, deeper = _top(
            [entry for entry in here if entry.name.startswith(f"{base}{name}/")], f"{base}{name}/"
        )
        if role == "train" and (not deeper or _pictures(tree, below)):
            return {}
    if "test" not in roles.values():
        return {name: "test" if role == "val" else role for name, role in roles.items()}
    return roles


def _classes(tree: Tree, here: Sequence[Entry], base: str, found: Findings) -> list[Candidate]:
    here = [entry for entry in here if entry.name.startswith(base)]
    files, folders = _top(here, base)
    if not folders:
        return [Candidate(entry) for entry in files]
    if _pictures(tree, files):
        one = len(folders) == 1
        left = (
            f"{counted(len(folders), 'subfolder', 'subfolders')} ({some(folders)}) {'was' if one else 'were'}"
        )
        found.notes.append(
            f"images lie at the top, so the {left} not read; to make them classes, move every image into one of them"
        )
        return [Candidate(entry) for entry in files]
    spellings = Counter(name.casefold() for name in folders)
    alike = [name for name in folders if spellings[name.casefold()] > 1]
    if alike:
        found.notes.append(f"classes that differ only in case are kept apart: {some(alike, 20)}")
    if len(folders) > 1 and all(name.lower() in SPLIT_NAMES for name in folders):
        found.notes.append("the classes look like splits: if they are, open one of the folders instead")
    # Files at the top are no pictures: they come along, to be skipped by name.
    folder_of = {entry.name: entry.name[len(base) :].partition("/") for entry in here}
    return [
        Candidate(entry, folder_of[entry.name][0] if folder_of[entry.name][1] else None) for entry in here
    ]


def _captioned(
    tree: Tree, here: Sequence[Entry], base: str, lines: Sequence[Line], source: Entry, found: Findings
) -> list[Candidate]:
    """The files that the captions file names. Where it gives no labels at all, those that the folders give."""
    title = printable(source.name.rpartition("/")[2])
    others = [entry for entry in here if entry.name != source.name]
    present = {entry.name[len(base) :] for entry in others}
    told: dict[str, Line] = {}
    again = []
    for line in lines:
        if line.file not in present:
            found.skip(line.file, f"line {line.number} of {title} names it, and it is not here", "missing")
        elif line.file in told:
            again.append(line.file)
        else:
            told[line.file] = line
    if again:
        found.notes.append(
            f"{counted(len(again), 'file has', 'files have')} more than one line in {title}, "
            f"the first counts: {some(again)}"
        )
    if not any(line.label for line in told.values()):
        items = _classes(tree, others, base, found)
        texts = [told.get(item.entry.name[len(base) :]) for item in items]
        bare = [item.entry.name for item, text in zip(items, texts, strict=True) if text is None]
        if bare:
            found.notes.append(
                f"{counted(len(bare), 'file has', 'files have')} no line in {title} and so no caption: {some(bare)}"
            )
        return [
            replace(item, caption=text.caption if text else "")
            for item, text in zip(items, texts, strict=True)
        ]
    result = []
    for entry in others:
        said = told.get(entry.name[len(base) :])
        if said is None:
            found.skip(entry.name, f"no line of {title} names it", "unlisted")
        elif said.label is None:
            found.skip(entry.name, f"line {said.number} of {title} gives it no label", "unlisted")
        else:
            result.append(Candidate(entry, said.label, said.caption))
    has_text = any(item.caption for item in result)
    return result if has_text else [replace(item, caption=None) for item in result]
