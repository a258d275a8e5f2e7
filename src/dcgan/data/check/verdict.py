"""Whether a data set is good to train on: what a preflight found, in one line, with what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dcgan.data.findings import counted
from dcgan.data.options import LARGEST, SMALLEST

FEW = 20
"""A class of fewer pictures is named: its pictures are learned by heart."""

SMALL = 500
"""A set of fewer pictures is told to be small."""

IMBALANCE = 10.0
"""The largest class is told to be that many times the smallest."""

MANY_COPIES = 0.01
"""Part of the pictures that are copies, of others in train exactly or of some in test nearly; with more the
verdict tells."""

MANY_NEAR = 0.05
"""Part of the pictures that nearly equal another one of the set."""

FINE, USABLE, UNUSABLE = "fine", "usable but", "not usable"


def judge(facts: Mapping[str, Any], size_chosen: bool = False) -> tuple[str, str, tuple[str, ...]]:
    """(state, verdict in one line, advice) of the facts of a `Preflight`; each reason has its advice behind it.

    size_chosen: whether the size is what the user wants, and no word is to be lost on it.
    """
    images = facts["images"]
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
    but = [*_content(facts, distinct), *_classes(facts), *_sizes(facts, size_chosen)]
    if not but:
        return FINE, FINE, ()
    told = "; ".join(f"{what} ({mend})" for what, mend in but)
    return USABLE, f"usable, but: {told}", tuple(dict.fromkeys(mend for _, mend in but))


def _content(facts: Mapping[str, Any], distinct: int) -> Iterator[tuple[str, str]]:
    """(reason, advice) for what the pictures are, and how often."""
    images, skipped = facts["images"], facts["skipped_count"]
    if distinct < SMALL:
        yield (
            f"only {distinct:,} different pictures",
            f"below {SMALL} they are learned by heart: find more pictures; the fast presets augment them",
        )
    if skipped > 0.1 * (images + skipped):
        yield f"{skipped:,} of {images + skipped:,} files cannot be used", "mend or remove the skipped files"
    if facts["conflict_count"]:
        count = counted(facts["conflict_count"], "picture is", "pictures are")
        yield f"{count} in two classes", "keep each picture in the class it shows"
    # A few near copies are in the best of sets: Fashion-MNIST has 43 in 10,000.
    if any(leak.exact for leak in facts["leaks"]) or facts["leak_count"] > MANY_COPIES * facts["test_images"]:
        count = counted(facts["leak_count"], "test picture is", "test pictures are")
        yield f"{count} in train too", "take them out of train or out of test"
    if facts["exact_copies"] > MANY_COPIES * images:
        count = counted(
            facts["exact_copies"], "picture is a copy of another", "pictures are copies of others"
        )
        yield count, "remove the copies"
    if facts["near_copies"] > MANY_NEAR * images:
        count = counted(facts["near_copies"], "picture nearly equals another", "pictures nearly equal others")
        least = "at least " if facts["near_searched"] == "in part" else ""
        yield f"{least}{count}", "keep one of each, or find more that differ"
    if facts["one_colour"]:
        count = counted(facts["one_colour"], "picture is", "pictures are")
        yield f"{count} of one colour", "remove blank pictures"


def _classes(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if facts["few"]:
        count = counted(len(facts["few"]), "class has", "classes have")
        yield f"{count} fewer than {FEW} pictures", "add to the small classes, or train without --labels"
    elif facts["imbalance"] >= IMBALANCE:
        yield (
            f"the largest class has {facts['imbalance']:.0f} times the pictures of the smallest",
            "add to the small classes, or train without --labels",
        )


def _sizes(facts: Mapping[str, Any], size_chosen: bool) -> Iterator[tuple[str, str]]:
    height, width = facts["size"]
    smaller = None if size_chosen else _enlarged(facts["sizes"], facts["size"])
    if smaller:
        yield (
            f"{counted(smaller[0], 'picture is', 'pictures are')} enlarged to {height}×{width}",
            f"try --size {smaller[1]}",
        )
    if facts["fit"] == "crop" and (cut := _cut(facts["sizes"], facts["size"])):
        yield f"{counted(cut, 'picture loses', 'pictures lose')} a third or more by cropping", "try --fit pad"


def _sides(sizes: dict[str, int]) -> list[tuple[int, int, int]]:
    """(height, width, count) of {"HxW": count}."""
    return [(*(int(side) for side in text.split("x", 1)), count) for text, count in sizes.items()]  # type: ignore[misc]


def _enlarged(sizes: dict[str, int], size: tuple[int, int]) -> tuple[int, str] | None:
    """How many pictures have a side shorter than they are used at, and the size that would suit: told when half."""
    sides = _sides(sizes)
    smaller = sum(count for height, width, count in sides if height < size[0] or width < size[1])
    if 2 * smaller <= sum(sizes.values()):
        return None
    height, width, _ = sides[0]
    if len(sides) == 1 and min(height, width) >= SMALLEST and max(height, width) <= LARGEST:
        return smaller, f"{height}" if height == width else f"{height}x{width}"
    short = sorted((min(height, width), count) for height, width, count in sides)
    middle = next(
        side for side, _ in short if 2 * sum(c for s, c in short if s <= side) >= sum(sizes.values())
    )
    better = next((side for side in (64, 32, 16) if side <= middle), SMALLEST)
    return (smaller, str(better)) if size != (better, better) else None


def _cut(sizes: dict[str, int], size: tuple[int, int]) -> int:
    """How many pictures lose a third or more when the largest centred part of the shape of `size` is taken."""
    asked = size[1] / size[0]
    kept = (
        (min(width / height / asked, asked * height / width), count) for height, width, count in _sides(sizes)
    )
    return sum(count for part, count in kept if part <= 2 / 3)
