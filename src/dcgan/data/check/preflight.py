"""What a data set is good for, told before anything is trained on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcgan.data.check.duplicates import Duplicates, find_duplicates
from dcgan.data.check.verdict import FEW, FINE, judge
from dcgan.data.dataset import Dataset
from dcgan.data.findings import counted

QUICK = 20_000
"""Pictures up to which near copies are looked for before training too: about a second."""

MOST_NAMED = 50
"""Pictures or pairs told by name; all are counted."""


@dataclass(frozen=True)
class Pair:
    """Two pictures of one content. exact: of the same pixels. labels: their classes, None without labels."""

    first: str
    second: str
    exact: bool
    labels: tuple[str, str] | None = None


@dataclass(frozen=True)
class Preflight:
    """What was found; `as_json` gives the same for programs.

    name, kind, split: of the set. images: how many pictures can be used. size, fit: (height, width) they are used
    at, and how they come to it.
    sizes, modes: the original ones ("HxW": count), empty where the reader keeps none.
    classes: pictures per class. skipped, skipped_kinds, skipped_count: what was left out and why.
    notes: what the reader decided.
    exact_groups, exact_copies: groups of equal pictures, and how many pictures could go.
    near_pairs: pairs of nearly equal ones; near_searched: "yes", "no", or "in part" where it stopped at a bound.
    near_copies: how many pictures nearly equal an earlier one.
    pairs: the first of both within a class, of `pair_count`. conflicts: the first ones in two classes.
    leaks: pairs in train and test.
    one_colour: how many pictures are of one colour, and one_colour_names the first of them.
    few: classes of fewer than 20 pictures. imbalance: largest class to smallest, 1.0 without classes.
    verdict: `state` in one line, each reason with its advice. advice: what to do, one sentence each.
    """

    name: str
    kind: str
    split: str
    images: int
    size: tuple[int, int]
    channels: int
    fit: str
    sizes: dict[str, int]
    modes: dict[str, int]
    classes: dict[str, int]
    skipped: tuple[dict[str, str], ...]
    skipped_kinds: dict[str, int]
    skipped_count: int
    notes: tuple[str, ...]
    exact_groups: int
    exact_copies: int
    near_pairs: int
    near_copies: int
    near_searched: str
    pair_count: int
    pairs: tuple[Pair, ...]
    conflict_count: int
    conflicts: tuple[Pair, ...]
    test_images: int
    leak_count: int
    leaks: tuple[Pair, ...]
    one_colour: int
    one_colour_names: tuple[str, ...]
    few: dict[str, int]
    imbalance: float
    state: str
    verdict: str
    advice: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """JSON-ready: tuples become lists when it is written."""
        return asdict(self)


def preflight(
    data: Dataset, *, test: Dataset | None = None, near: bool | None = None, size_chosen: bool = False
) -> Preflight:
    """Look through `data` before it is trained on.

    test: the test split, to find pictures that are in both; of another shape it is not compared.
    near: whether to look for near copies too; None says yes for at most `QUICK` pictures.
    size_chosen: whether the size is not to be questioned.
    """
    together = data.images
    if test is not None and test.images.shape[1:] == data.images.shape[1:]:
        together = np.concatenate([data.images, test.images])
    searched = near if near is not None else len(together) <= QUICK
    found = find_duplicates(together, near=searched)
    names = [*_names(data), *(f"test {name}" for name in (_names(test) if test else ()))]
    inner, conflicts, leaks = _sorted_out(found, data)
    labels = data.labels
    alike = [pair for pair in inner if labels is None or labels[pair[0]] == labels[pair[1]]]
    flat = _one_colour(data.images)
    counts = dict(zip(data.classes, data.counts.tolist(), strict=True))
    few = {name: count for name, count in counts.items() if count < FEW}
    imbalance = max(counts.values()) / max(1, min(counts.values())) if counts else 1.0
    origin = data.origin
    kinds = origin.get("skipped_kinds") or dict(Counter(s.get("kind", "unreadable") for s in _skipped(data)))
    exact_inner = [[i for i in group if i < len(data)] for group in found.exact]
    copies = sum(max(0, len(group) - 1) for group in exact_inner)

    def told(pairs: Iterable[tuple[int, int, bool]]) -> tuple[Pair, ...]:
        return tuple(
            Pair(names[first], names[second], exact, _classes_of(data, first, second))
            for first, second, exact in list(pairs)[:MOST_NAMED]
        )

    facts: dict[str, Any] = {
        "name": data.name,
        "kind": str(origin.get("kind", "")),
        "split": str(origin.get("split", "train")),
        "images": len(data),
        "size": data.size,
        "channels": data.channels,
        "fit": str(origin.get("fit", "crop")),
        "sizes": dict(origin.get("sizes", {})),
        "modes": dict(origin.get("modes", {})),
        "classes": counts,
        "skipped": tuple(_skipped(data)[:MOST_NAMED]),
        "skipped_kinds": kinds,
        "skipped_count": int(origin.get("skipped_count", len(_skipped(data)))),
        "notes": tuple(origin.get("notes", ())),
        "exact_groups": sum(len(group) > 1 for group in exact_inner),
        "exact_copies": copies,
        "near_pairs": sum(not exact for *_, exact in inner),
        "near_copies": len({second for _, second, exact in inner if not exact}),
        "near_searched": "no" if not searched else "yes" if found.complete else "in part",
        "pair_count": len(alike),
        "pairs": told(alike),
        "conflict_count": len({second for _, second, _ in conflicts}),
        "conflicts": told(conflicts),
        "test_images": len(together) - len(data),
        "leak_count": len({second for _, second, _ in leaks}),
        "leaks": told(leaks),
        "one_colour": len(flat),
        "one_colour_names": tuple(names[index] for index in flat[:MOST_NAMED]),
        "few": few,
        "imbalance": round(imbalance, 1),
    }
    state, verdict, advice = judge(facts, size_chosen)
    return Preflight(**facts, state=state, verdict=verdict, advice=advice)


def summary_lines(found: Preflight) -> list[str]:
    """Two lines for the time before training: what is there, and the verdict."""
    height, width = found.size
    pictures = counted(found.images, "picture", "pictures")
    parts = [f"{pictures} of {height}×{width}, {'colour' if found.channels == 3 else 'grey'}"]
    if found.classes:
        low, high = min(found.classes.values()), max(found.classes.values())
        each = f"{low:,}" if low == high else f"{low:,} to {high:,}"
        parts.append(f"{counted(len(found.classes), 'class', 'classes')} of {each}")
    if found.skipped_count:
        parts.append(f"{found.skipped_count:,} skipped ({in_words(found.skipped_kinds)})")
    if found.near_searched == "no":
        parts.append("near copies not looked for")
    lines = [f"{found.name}: {'; '.join(parts)}"]
    if found.state != FINE:
        lines.append(f"{found.name}: {found.verdict}")
    return lines


def in_words(counts: dict[str, int]) -> str:
    """{"corrupt": 3, "empty": 1} as "3 corrupt, 1 empty"."""
    return ", ".join(f"{count:,} {what}" for what, count in sorted(counts.items(), key=lambda item: -item[1]))


def _sorted_out(
    found: Duplicates, data: Dataset
) -> tuple[list[tuple[int, int, bool]], list[tuple[int, int, bool]], list[tuple[int, int, bool]]]:
    """Pairs (first, second, exact) within `data`, those of them in two classes, and those with the test split."""
    pairs = [(group[0], other, True) for group in found.exact for other in group[1:]]
    pairs += [(first, second, False) for first, second in found.near.tolist()]
    inner = [pair for pair in pairs if pair[1] < len(data)]
    leaks = [pair for pair in pairs if pair[0] < len(data) <= pair[1]]  # exact ones first, as in `pairs`
    # A group whose first picture is in train: every copy in test is paired with it, so no leak is missed.
    labels = data.labels
    conflicts = [] if labels is None else [pair for pair in inner if labels[pair[0]] != labels[pair[1]]]
    return inner, conflicts, leaks


def _classes_of(data: Dataset, first: int, second: int) -> tuple[str, str] | None:
    if data.labels is None or second >= len(data):
        return None
    return data.classes[data.labels[first]], data.classes[data.labels[second]]


def _one_colour(images: NDArray[np.uint8]) -> list[int]:
    flat: list[int] = []
    for start in range(0, len(images), 1024):
        block = images[start : start + 1024]
        flat += (start + np.flatnonzero((block == block[:, :, :1, :1]).all(axis=(1, 2, 3)))).tolist()
    return flat


def _names(data: Dataset) -> Sequence[str]:
    return data.names or [f"number {index}" for index in range(len(data))]


def _skipped(data: Dataset) -> list[dict[str, str]]:
    return list(data.origin.get("skipped", ()))
