"""Whether a data set is good to train on: what a preflight found, in one line, with what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FEW = 20
"""A class of fewer pictures is named: its pictures are learned by heart."""

SMALL = 500
"""A set of fewer pictures is told to be small."""

IMBALANCE = 10.0
"""The largest class is told to be that many times the smallest."""

MANY_COPIES = 0.01
"""Part of the pictures that are copies, of others in train exactly or of some in test nearly; with more the
verdict tells."""

FINE, USABLE, UNUSABLE = "fine", "usable but", "not usable"


def judge(facts: Mapping[str, Any]) -> tuple[str, str, tuple[str, ...]]:
    """(state, verdict in one line that begins with it, advice) of the facts of a `Preflight`."""
    images, height = facts["images"], facts["size"][0]
    distinct = images - facts["exact_copies"]
    if distinct < 2:
        why = "there is one picture only" if images == 1 else f"all {images:,} pictures are the same"
        return UNUSABLE, f"{UNUSABLE}: {why}", ("give many different pictures",)
    if facts["one_colour"] == images:
        return (
            UNUSABLE,
            f"{UNUSABLE}: every picture is of one colour",
            ("look at the files: are they masks?",),
        )
    but: list[tuple[str, str]] = []
    if distinct < SMALL:
        but.append(
            (f"only {distinct:,} different pictures", "more pictures: below 500 they are learned by heart")
        )
    read = images + facts["skipped_count"]
    if facts["skipped_count"] > 0.1 * read:
        but.append(
            (
                f"{facts['skipped_count']:,} of {read:,} files cannot be used",
                "mend or remove the skipped files",
            )
        )
    if facts["conflict_count"]:
        count = counted(facts["conflict_count"], "picture is", "pictures are")
        but.append((f"{count} in two classes", "keep each picture in the class it shows"))
    # A few near copies are in the best of sets: Fashion-MNIST has 43 in 10,000.
    if any(leak.exact for leak in facts["leaks"]) or facts["leak_count"] > MANY_COPIES * facts["test_images"]:
        count = counted(facts["leak_count"], "test picture is", "test pictures are")
        but.append((f"{count} in train too", "take them out of one of the two"))
    if facts["exact_copies"] > MANY_COPIES * images:
        but.append((f"{facts['exact_copies']:,} pictures are copies of others", "remove the copies"))
    if facts["one_colour"]:
        count = counted(facts["one_colour"], "picture is", "pictures are")
        but.append((f"{count} of one colour", "remove them"))
    if facts["few"]:
        count = counted(len(facts["few"]), "class has", "classes have")
        but.append((f"{count} fewer than {FEW} pictures", "more pictures there, or train without --labels"))
    elif facts["imbalance"] >= IMBALANCE:
        but.append(
            (
                f"the largest class has {facts['imbalance']:.0f} times the pictures of the smallest",
                "more pictures in the small ones, or train without --labels",
            )
        )
    if smaller := _enlarged(facts["sizes"], facts["size"]):
        what = f"{counted(smaller[0], 'picture is', 'pictures are')} enlarged to {height}×{facts['size'][1]}"
        but.append((what, f"--size {smaller[1]}"))
    if facts["fit"] == "crop" and (cut := _cut(facts["sizes"], facts["size"])):
        but.append(
            (f"{counted(cut, 'picture loses', 'pictures lose')} a third or more by cropping", "--fit pad")
        )
    if not but:
        return FINE, FINE, ()
    advice = tuple(dict.fromkeys(mend for _, mend in but))
    return USABLE, f"{USABLE} {'; '.join(what for what, _ in but)}: {'; '.join(advice)}", advice


def _sides(sizes: dict[str, int]) -> list[tuple[int, int, int]]:
    """(height, width, count) of {"HxW": count}."""
    return [(*(int(side) for side in text.split("x", 1)), count) for text, count in sizes.items()]  # type: ignore[misc]


def _enlarged(sizes: dict[str, int], size: tuple[int, int]) -> tuple[int, int] | None:
    """How many pictures have a side shorter than they are used at, and the side that would suit: told when half."""
    sides = _sides(sizes)
    smaller = sum(count for height, width, count in sides if height < size[0] or width < size[1])
    if 2 * smaller <= sum(sizes.values()):
        return None
    short = sorted((min(height, width), count) for height, width, count in sides)
    middle = next(
        side for side, _ in short if 2 * sum(c for s, c in short if s <= side) >= sum(sizes.values())
    )
    return smaller, next((side for side in (64, 32, 16) if side <= middle), 8)


def _cut(sizes: dict[str, int], size: tuple[int, int]) -> int:
    """How many pictures lose a third or more when the largest centred part of the shape of `size` is taken."""
    asked = size[1] / size[0]
    kept = (
        (min(width / height / asked, asked * height / width), count) for height, width, count in _sides(sizes)
    )
    return sum(count for part, count in kept if part <= 2 / 3)


def counted(count: int, one: str, many: str) -> str:
    """ "1 picture is", "3 pictures are"."""
    return f"{count:,} {one if count == 1 else many}"
