"""What folders mean: wrapped, split, or classes; and the facts that every reader tells."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from making import picture, png
from PIL import Image

from dcgan.data import Dataset, open_dataset
from dcgan.data.findings import KINDS, Findings
from dcgan.errors import DcganError

Make = Callable[[dict[str, bytes | Image.Image]], Path]


def files(*names: str) -> dict[str, bytes | Image.Image]:
    return {name: picture(seed=at) for at, name in enumerate(names)}


def notes(data: Dataset) -> str:
    return " | ".join(data.origin["notes"])


@pytest.mark.parametrize("base", ["", "set/", "set/images/"])
def test_a_folder_that_holds_only_the_class_folders_is_stepped_into(folder: Make, base: str) -> None:
    data = open_dataset(folder(files(*(base + name for name in ("a/x.png", "b/y.png", "b/deep/er/z.png")))))
    assert data.classes == ("a", "b") and data.labels is not None and data.labels.tolist() == [0, 1, 1]
    assert (f"the folder {base[:-1]}, which was opened" in notes(data)) == bool(base)


def test_a_single_class_folder_is_a_class(folder: Make) -> None:
    assert open_dataset(folder(files("cats/x.png", "cats/more/y.png"))).classes == ("cats",)


@pytest.mark.parametrize(
    "names", [("train", "test"), ("Training", "Testing"), ("train", "val"), ("train", "validation")]
)
def test_folders_with_class_folders_are_splits(folder: Make, names: tuple[str, str]) -> None:
    one, two = names
    root = folder(files(f"{one}/a/x.png", f"{one}/b/y.png", f"{two}/a/z.png"))
    train, test, both = (open_dataset(root, split=split) for split in ("train", "test", "all"))
    assert (len(train), len(test), len(both)) == (2, 1, 3) and train.classes == both.classes == ("a", "b")
    assert test.classes == ("a",) and f"read: {one}; not read: {two}" in notes(train)
    assert "are splits" in notes(both) and "not read" not in notes(both)
    assert test.origin["split"] == "test"


def test_val_beside_test_is_neither(folder: Make) -> None:
    root = folder(files("train/a/x.png", "val/a/y.png", "test/a/z.png", "test/b/w.png"))
    assert [len(open_dataset(root, split=split)) for split in ("train", "test", "all")] == [1, 2, 4]


def test_a_set_without_the_split_says_what_it_has(folder: Make) -> None:
    root = folder(files("train/a/x.png", "training/a/y.png"))
    with pytest.raises(DcganError, match="has no split 'test', only train"):
        open_dataset(root, split="test")


def test_splits_of_flat_pictures_stay_classes(folder: Make) -> None:
    data = open_dataset(folder(files("train/x.png", "test/y.png")))
    assert data.classes == ("test", "train") and "look like splits" in notes(data)


def test_other_folders_beside_make_it_no_splits(folder: Make) -> None:
    root = folder(files("train/a/x.png", "test/a/y.png", "more/z.png"))
    assert open_dataset(root).classes == ("more", "test", "train")


def test_classes_that_differ_in_case_go_all_the_way(folder: Make, tmp_path: Path) -> None:
    import dcgan

    root = folder(files(*(f"{name}/{at}.png" for name in ("Cat", "cat", "CAT") for at in range(4))))
    run = dcgan.train(
        root, images=16, batch=8, settings={"g_maps": 4, "d_maps": 4}, runs_dir=tmp_path / "runs"
    )
    assert run.model().classes == ("CAT", "Cat", "cat")
    for label, name in enumerate(("CAT", "Cat", "cat")):
        labels = run.generate(2, label=name).labels
        assert labels is not None and labels.tolist() == [label] * 2
    assert any("CAT, Cat, cat" in note for note in run.data["notes"])


def test_the_facts_of_a_folder(folder: Make) -> None:
    made = files("a/1.png", "b/2.png")
    made |= {
        "a/grey.png": picture(20, 10, colour=False),
        "a/clear.png": picture(20, 10).convert("RGBA"),
        "b/empty.png": b"",
        "b/text.png": b"text",
        "b/huge.png": png(20_000, 20_000),
        "b/dot.png": picture(1, 1),
        "top.txt": b"text",
    }
    root = folder(made)
    (root / "b" / "gone.png").symlink_to("nowhere")
    (root / "nothing").mkdir()
    origin = open_dataset(root, size=(16, 16), fit="pad").origin
    assert origin["sizes"] == {"12x12": 2, "20x10": 2} and origin["sizes_count"] == 2
    assert origin["modes"] == {"colour": 2, "grey": 1, "transparent": 1}
    assert origin["skipped_kinds"] == {
        "empty": 1,
        "too large": 1,
        "too small": 1,
        "unreadable": 1,
        "wrong type": 2,
    }
    assert origin["skipped_count"] == 6 == len(origin["skipped"]) and set(origin["skipped_kinds"]) <= set(
        KINDS
    )
    assert origin["skipped"][0] == {"file": "b/dot.png", "reason": "too small: 1×1", "kind": "too small"}
    assert origin["kind"] == "a folder of images" and origin["fit"] == "pad" and origin["split"] == "train"
    told = " | ".join(origin["notes"])
    assert "without a file were left out: nothing" in told and "2 images of another shape" in told
    json.dumps(origin, allow_nan=False)


def test_every_source_tells_the_same_facts() -> None:
    keys = {
        "skipped",
        "skipped_count",
        "skipped_kinds",
        "sizes",
        "sizes_count",
        "modes",
        "notes",
        "kind",
        "split",
        "fit",
    }
    assert keys <= open_dataset("digits", fit="stretch", size=(8, 16)).origin.keys()


def test_files_of_no_bytes_are_one_line(folder: Make) -> None:
    with pytest.raises(DcganError) as error:
        open_dataset(folder({f"{at}.png": b"" for at in range(5)}))
    assert "no usable image among 5 files; the first, 0.png: the file is empty" in str(error.value)


def test_a_folder_that_may_not_be_read_is_named(folder: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    real = os.scandir
    root = folder(files("a/x.png", "b/y.png"))

    def refusing(path: Path) -> object:
        if Path(path).name == "b":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", refusing)
    data = open_dataset(root)
    assert data.classes == ("a",) and data.origin["skipped"] == [
        {"file": "b/", "reason": "cannot read the folder: Permission denied", "kind": "unreadable"}
    ]


def test_skipped_files_are_told_in_the_order_of_their_numbers() -> None:
    findings = Findings()
    for name in ("line 101", "line 11", "b/2.png", "b/10.png", "a", "10", "9", "²"):
        findings.skip(name, "bad", "corrupt")
    told = [item["file"] for item in findings.facts()["skipped"]]
    assert told.index("line 11") < told.index("line 101") and told.index("9") < told.index("10")
    assert told.index("b/2.png") < told.index("b/10.png") and len(told) == 8
