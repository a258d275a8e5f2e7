"""What a preflight finds in sets that were spoiled on purpose, and what it advises."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from making import encoded, picture, png
from PIL import Image
from test_duplicates import as_jpeg, changed, photographs

from dcgan.data import open_dataset
from dcgan.data.check import preflight as module
from dcgan.data.check.preflight import preflight, summary_lines
from dcgan.data.check.verdict import FINE, UNUSABLE, USABLE, judge
from dcgan.data.dataset import Dataset
from dcgan.errors import DcganError

Make = Callable[[dict[str, bytes | Image.Image]], Path]


@pytest.fixture(scope="module")
def many() -> np.ndarray[Any, np.dtype[np.uint8]]:
    return photographs(600, side=16)


def labelled(images: np.ndarray[Any, Any], *counts: int, **origin: Any) -> Dataset:
    labels = np.repeat(np.arange(len(counts)), counts)
    names = tuple(f"c{label}/{index}.png" for index, label in enumerate(labels))
    classes = tuple(f"c{label}" for label in range(len(counts)))
    return Dataset("toy", images[: sum(counts)], labels.astype(np.int64), classes, origin, names=names)


def test_a_good_set_is_fine(many: Any) -> None:
    found = preflight(labelled(many, 300, 300))
    assert (found.state, found.verdict, found.advice) == (FINE, "fine", ())
    assert found.classes == {"c0": 300, "c1": 300} and found.imbalance == 1.0 and found.pairs == ()
    assert summary_lines(found) == ["toy: 600 pictures of 16×16, colour; 2 classes of 300"]


def test_copies_conflicts_and_leaks_are_named_by_file(many: Any) -> None:
    images = many.copy()
    images[1] = images[0]  # the same class
    images[599] = images[2]  # another class
    images[3:4] = changed(images[4:5], as_jpeg(90))
    test = Dataset(
        "toy",
        np.concatenate([photographs(5, side=16, seed=9), images[7:8], images[7:8]]),
        names=tuple("abcdefg"),
    )
    found = preflight(labelled(images, 500, 100), test=test)
    assert (found.exact_groups, found.exact_copies, found.near_pairs, found.near_searched) == (2, 2, 1, "yes")
    told = [(pair.first, pair.second, pair.exact) for pair in found.pairs]
    assert told == [
        ("c0/0.png", "c0/1.png", True),
        ("c0/3.png", "c0/4.png", False),
    ], "the conflict is told as one"
    assert found.pair_count == 2 and found.near_copies == 1
    assert [(pair.first, pair.second) for pair in found.conflicts] == [("c0/2.png", "c1/599.png")]
    assert found.conflict_count == 1 and found.conflicts[0].labels == ("c0", "c1")
    assert found.leak_count == 2 and [leak.second for leak in found.leaks] == ["test f", "test g"]
    assert found.state == USABLE
    assert (
        "1 picture is in two classes" in found.verdict and "2 test pictures are in train too" in found.verdict
    )
    assert "\n" not in found.verdict and found.verdict.startswith("usable, but: ")
    json.dumps(found.as_json(), allow_nan=False)


def test_near_copies_are_looked_for_by_itself_only_where_that_is_quick(
    many: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "QUICK", 500)
    found = preflight(labelled(many, 300, 300))
    assert found.near_searched == "no" and "near copies not looked for" in summary_lines(found)[0]
    assert preflight(labelled(many, 250, 250)).near_searched == "yes"
    assert preflight(labelled(many, 300, 300), near=True).near_searched == "yes"


def test_few_and_unequal_classes(many: Any) -> None:
    found = preflight(labelled(many, 550, 30, 12))
    assert found.few == {"c2": 12} and "1 class has fewer than 20 pictures" in found.verdict
    found = preflight(labelled(many, 550, 30))
    assert found.few == {} and found.imbalance == 18.3 and "18 times" in found.verdict
    assert "--labels" in found.verdict


def test_pictures_of_one_colour(many: Any) -> None:
    images = many.copy()
    images[5] = 0
    images[6] = np.array([10, 20, 30], np.uint8)[:, None, None]
    found = preflight(labelled(images, 300, 300))
    assert found.one_colour == 2 and found.one_colour_names == ("c0/5.png", "c0/6.png")
    assert "2 pictures are of one colour" in found.verdict


@pytest.mark.parametrize(
    ("images", "why"),
    [
        (np.full((9, 3, 8, 8), 7, np.uint8), "all 9 pictures are the same"),
        (np.zeros((1, 1, 8, 8), np.uint8), "there is one picture only"),
        (
            np.arange(9, dtype=np.uint8).reshape(9, 1, 1, 1).repeat(8, 2).repeat(8, 3),
            "every picture is of one colour",
        ),
    ],
)
def test_sets_that_are_not_usable(images: Any, why: str) -> None:
    found = preflight(Dataset("toy", np.ascontiguousarray(images)))
    assert found.state == UNUSABLE and found.verdict == f"not usable: {why}" and found.advice
    assert len(summary_lines(found)) == 2


def test_a_small_set_is_told_to_be_small(many: Any) -> None:
    found = preflight(Dataset("toy", many[:40]))
    assert found.state == USABLE and "only 40 different pictures" in found.verdict
    assert found.pairs == () and found.classes == {}


@pytest.mark.parametrize(
    ("sizes", "size", "says"),
    [
        ({"20x20": 400, "100x100": 200}, (64, 64), "400 pictures are enlarged to 64×64 (try --size 16)"),
        ({"40x50": 600}, (64, 64), "600 pictures are enlarged to 64×64 (try --size 40x50)"),
        ({"28x28": 600}, (64, 64), "600 pictures are enlarged to 64×64 (try --size 28)"),
        ({"300x40": 600}, (64, 64), "600 pictures are enlarged to 64×64 (try --size 32)"),
        ({"4x4": 600}, (8, 8), None),
        ({"300x900": 600}, (64, 64), "600 pictures lose a third or more by cropping (try --fit pad)"),
        (
            {"900x300": 100, "80x80": 500},
            (64, 64),
            "100 pictures lose a third or more by cropping (try --fit pad)",
        ),
        ({"70x100": 600}, (64, 64), None),
        ({"300x300": 301, "20x20": 299}, (64, 64), None),
    ],
)
def test_original_sizes_lead_to_advice(
    many: Any, sizes: dict[str, int], size: tuple[int, int], says: str | None
) -> None:
    facts = preflight(Dataset("toy", many)).as_json() | {"sizes": sizes, "size": size}
    state, verdict, _advice = judge(facts)
    assert (verdict == FINE) if says is None else (says in verdict and state == USABLE)
    if says and "--fit" in says:
        assert judge({**facts, "fit": "pad"})[1] == FINE
    if says and "--size" in says:
        assert judge({**facts, "fit": "pad"}, size_chosen=True)[1] == FINE


def test_many_near_copies_are_in_the_verdict(many: Any) -> None:
    images = many.copy()
    images[:25] = changed(images[300:325], as_jpeg(90))
    assert preflight(Dataset("toy", images)).state == FINE, "a few are in the best of sets"
    images[:60] = changed(images[300:360], as_jpeg(90))
    found = preflight(Dataset("toy", images))
    assert found.near_copies > 40 and found.state == USABLE
    assert f"{found.near_copies} pictures nearly equal others (keep one of each" in found.verdict


def test_each_reason_has_its_own_advice_in_one_sentence(many: Any) -> None:
    images = many[:40].copy()
    images[1], images[2] = images[0], 9
    skipped = {"skipped": [{"file": "a", "reason": "x", "kind": "corrupt"}] * 8, "skipped_count": 8}
    found = preflight(Dataset("toy", images, origin=skipped))
    assert found.verdict == (
        "usable, but: only 39 different pictures (below 500 they are learned by heart: find more pictures; the fast "
        "presets augment them); "
        "8 of 48 files cannot be used (mend or remove the skipped files); "
        "1 picture is a copy of another (remove the copies); 1 picture is of one colour (remove blank pictures)"
    )


@pytest.mark.parametrize(
    "origin",
    [
        {},
        {"skipped": [{"file": "a", "reason": "empty"}], "skipped_count": 1},
        {"skipped": [{"file": "a", "reason": "x", "kind": "corrupt"}] * 3, "skipped_count": 900}
        | {
            "skipped_kinds": {"corrupt": 890, "empty": 10},
            "notes": ["note"],
            "kind": "a zip",
            "sizes": {"9x9": 3},
        },
    ],
)
def test_readers_may_keep_few_facts_or_many(many: Any, origin: dict[str, Any]) -> None:
    found = preflight(Dataset("toy", many, origin=origin))
    assert found.skipped_count == origin.get("skipped_count", 0)
    assert sum(found.skipped_kinds.values()) >= min(found.skipped_count, 1)
    if found.skipped_count == 900:
        assert "900 of 1,500 files cannot be used" in found.verdict
        assert "900 skipped (890 corrupt, 10 empty)" in summary_lines(found)[0]


def test_a_folder_with_every_kind_of_trouble(folder: Make) -> None:
    good = {f"{kind}/{index}.png": picture(20, 20, seed=index) for index, kind in enumerate("ab" * 20)}
    bad: dict[str, bytes | Image.Image] = {
        "a/empty.png": b"",
        "a/text.png": b"no picture",
        "b/cut.jpg": encoded(picture(20, 20), "JPEG")[:200],
        "b/huge.png": png(100_000, 100_000),
        "b/same.png": picture(20, 20, seed=0),
        "b/white.png": Image.new("RGB", (20, 20), "white"),
    }
    found = preflight(open_dataset(folder(good | bad)))
    assert found.images == 42 and found.skipped_count == 4 and sum(found.skipped_kinds.values()) == 4
    assert {item["file"] for item in found.skipped} == {
        "a/empty.png",
        "a/text.png",
        "b/cut.jpg",
        "b/huge.png",
    }
    assert [(pair.first, pair.second) for pair in found.conflicts] == [("a/0.png", "b/same.png")]
    assert found.one_colour_names == ("b/white.png",)


def test_a_folder_of_empty_files_is_one_line(folder: Make) -> None:
    with pytest.raises(DcganError, match="no usable image among 3 files"):
        open_dataset(folder({f"{index}.png": b"" for index in range(3)}))
