"""Folders of pictures: layout, size, channels, and that what is left out is told."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from making import encoded, picture, png
from PIL import Image

from dcgan.data import decoding
from dcgan.data.dataset import Dataset
from dcgan.data.formats import folder as folder_module
from dcgan.data.open import open_dataset as read_folder
from dcgan.errors import DcganError

Make = Callable[[dict[str, bytes | Image.Image]], Path]


def notes(data: Dataset) -> str:
    return " | ".join(data.origin["notes"])


def test_forty_pictures_in_the_order_of_their_names(folder: Make) -> None:
    made = {f"{number:02}.png": picture(16, 12, seed=number) for number in range(40)}
    data = read_folder(folder(dict(reversed(made.items()))))
    assert data.images.shape == (40, 3, 16, 12) and data.labels is None and data.classes == ()
    expected = np.stack([np.asarray(image) for image in made.values()]).transpose(0, 3, 1, 2)
    assert np.array_equal(data.images, expected) and data.images.flags.c_contiguous
    assert data.origin["notes"] == [] and data.origin["skipped_count"] == 0 and data.name == "pictures"


def test_subfolders_are_classes(folder: Make) -> None:
    root = folder(
        {
            "cats/b.png": picture(seed=1),
            "cats/deeper/a.png": picture(seed=2),
            "ants/c.png": picture(seed=3),
            "README.txt": b"not a picture, so the top is not a flat set",
            ".hidden/d.png": picture(seed=4),
            "ants/.e.png": picture(seed=5),
        }
    )
    data = read_folder(root)
    assert data.classes == ("ants", "cats") and data.labels is not None and data.labels.tolist() == [0, 1, 1]
    assert [entry["file"] for entry in data.origin["skipped"]] == ["README.txt"]


def test_pictures_at_the_top_make_it_flat_and_that_is_told(folder: Make) -> None:
    data = read_folder(folder({"a.png": picture(), "cats/b.png": picture()}))
    assert len(data) == 1 and data.labels is None
    assert "images lie at the top" in notes(data) and "cats" in notes(data)


def test_classes_that_differ_in_case_stay_apart(folder: Make) -> None:
    data = read_folder(folder({"Cat/a.png": picture(), "cat/b.png": picture(), "dog/c.png": picture()}))
    assert data.classes == ("Cat", "cat", "dog") and "Cat, cat" in notes(data)


def test_a_class_without_a_usable_picture_is_left_out(folder: Make) -> None:
    data = read_folder(folder({"a/x.png": b"no", "b/x.png": picture(), "c/x.png": picture()}))
    assert data.classes == ("b", "c") and data.labels is not None and data.labels.tolist() == [0, 1]
    assert "without a usable image were left out: a" in notes(data)


def test_folders_named_like_splits_are_told(folder: Make) -> None:
    assert "splits" in notes(read_folder(folder({"train/a.png": picture(), "test/b.png": picture()})))


def test_every_bad_file_is_named_with_its_reason(folder: Make) -> None:
    root = folder(
        {
            "good.png": picture(),
            "empty.png": b"",
            "text.png": b"this is text",
            "cut.jpg": encoded(picture(12, 12), "JPEG")[:-40],
            "dot.png": picture(1, 1),
            "huge.png": png(20_000, 20_000),
        }
    )
    (root / "gone.png").symlink_to("nowhere.png")
    os.mkfifo(root / "pipe.png")
    data = read_folder(root)
    told = {entry["file"]: entry["reason"] for entry in data.origin["skipped"]}
    assert len(data) == 1 and data.origin["skipped_count"] == 7 == len(told)
    for name, reason in {
        "empty.png": "empty",
        "text.png": "known format",
        "cut.jpg": "damaged",
        "dot.png": "too small",
        "huge.png": "megapixels",
        "gone.png": "No such file",
        "pipe.png": "regular",
    }.items():
        assert reason in told[name], name


def test_pixels_stay_with_their_labels_when_files_are_skipped(folder: Make) -> None:
    files: dict[str, bytes | Image.Image] = {}
    for number in range(20):
        bad = encoded(picture(8, 8), "JPEG")[:-40]  # a good header: it is found out only when decoded
        files[f"{number % 2}/{number:02}.png"] = (
            bad if number % 3 == 0 else Image.new("L", (8, 8), 10 * number)
        )
    data = read_folder(folder(files))
    assert data.labels is not None and data.origin["skipped_count"] == 7
    values = data.images[:, 0, 0, 0]
    assert (values // 10 % 2).tolist() == data.labels.tolist() and (values // 10 % 3 != 0).all()


def test_many_skipped_files_are_counted_but_not_all_named(folder: Make) -> None:
    root = folder({"good.png": picture(), **{f"{number}.txt": b"text" for number in range(110)}})
    origin = read_folder(root).origin
    assert origin["skipped_count"] == 110 and len(origin["skipped"]) == 100


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([(12, 20)] * 3, (12, 20)),  # the common size
        ([(128, 8)] * 2, (128, 8)),
        ([(5, 5)] * 2, (8, 8)),  # common, but out of bounds
        ([(300, 200)] * 2, (64, 64)),
        ([(100, 70), (90, 200), (64, 80)], (64, 64)),
        ([(63, 70), (40, 50), (64, 80)], (32, 32)),
        ([(28, 28), (28, 30), (20, 20)], (28, 28)),
        ([(3, 3), (2, 9)], (8, 8)),
    ],
)
def test_the_size_is_chosen_and_told(
    folder: Make, sizes: list[tuple[int, int]], expected: tuple[int, int]
) -> None:
    data = read_folder(folder({f"{at}.png": picture(*size, seed=at) for at, size in enumerate(sizes)}))
    assert data.size == expected
    assert ("resized to" in notes(data)) == (set(sizes) != {expected})
    small = sum(size[0] < expected[0] or size[1] < expected[1] for size in sizes)
    word = "image" if small == 1 else "images"
    assert (f"{small} {word} smaller" in notes(data)) == (small > 0)


def test_size_and_fallback(folder: Make) -> None:
    root = folder({"a.png": picture(40, 30), "b.png": picture(50, 60)})
    assert read_folder(root, size=(20, 10)).size == (20, 10)
    assert read_folder(root, fallback=48).size == (48, 48)
    same = read_folder(root.rename(root.with_name("x")), size=(16, 16), fallback=48)
    assert same.size == (16, 16)


def test_channels(folder: Make) -> None:
    grey = picture(12, 12, colour=False)
    root = folder({"a.png": grey, "b.png": grey.convert("RGB"), "c.png": grey.convert("RGBA")})
    data = read_folder(root)
    assert data.channels == 1 and (data.images == np.asarray(grey)).all() and data.images.flags.c_contiguous
    assert read_folder(root, channels=3).channels == 3
    (root / "d.png").write_bytes(encoded(picture(12, 12)))
    assert read_folder(root).channels == 3
    assert np.array_equal(
        read_folder(root, channels=1).images[3, 0], np.asarray(picture(12, 12).convert("L"))
    )


def test_reading_again_as_it_was_read_gives_the_same_pictures(folder: Make) -> None:
    """What a resumed run does: the size and the channels that were chosen are now asked for."""
    grey = {f"{at}.jpg": encoded(picture(90 + at, 70, colour=False), "JPEG") for at in range(3)}
    root = folder({**grey, "x.png": picture(40, 90, colour=False).convert("RGB")})
    first = read_folder(root)
    again = read_folder(root, size=first.size, channels=first.channels)
    assert first.channels == 1 and first.sha256 == again.sha256


def test_the_combined_checksum_follows_names_and_contents(folder: Make) -> None:
    root = folder({"a.png": picture(seed=1), "b.png": picture(seed=2)})

    def combined() -> str:
        return str(read_folder(root).origin["files"]["combined"])

    first = combined()
    (root / "note.txt").write_text("not a picture")
    assert combined() == first
    (root / "b.png").rename(root / "c.png")
    renamed = combined()
    (root / "c.png").write_bytes(encoded(picture(seed=3)))
    assert len({first, renamed, combined()}) == 3


def test_links_to_files_are_followed_and_links_to_folders_are_not(folder: Make, tmp_path: Path) -> None:
    root = folder({"cats/a.png": picture()})
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "b.png").write_bytes(encoded(picture(seed=1)))
    (root / "cats/b.png").symlink_to(elsewhere / "b.png")
    (root / "cats/loop").symlink_to(root)
    (root / "dogs").symlink_to(elsewhere)
    data = read_folder(root)
    assert len(data) == 2 and data.classes == ("cats",)
    assert "links to folders were not followed: cats/loop, dogs" in notes(data)


def test_names_that_are_no_text_are_made_harmless(folder: Make) -> None:
    root = folder({"good.png": picture()})
    Path(os.fsdecode(os.fsencode(root) + b"/\xff\x1b[31m.png")).write_bytes(b"no")
    origin = read_folder(root).origin
    assert origin["skipped"][0]["file"] == "\ufffd\ufffd[31m.png"
    assert json.loads(json.dumps(origin, ensure_ascii=False).encode()) == origin


def test_nothing_usable_is_one_line(folder: Make) -> None:
    root = folder({})
    with pytest.raises(DcganError, match="no images here"):
        read_folder(root)
    (root / "a.txt").write_bytes(b"text")
    with pytest.raises(DcganError, match=r"no usable image among 1 file; the first, a.txt: not an image"):
        read_folder(root)
    (root / "a.jpg").write_bytes(encoded(picture(), "JPEG")[:-40])
    with pytest.raises(DcganError, match=r"no usable image among 2 files; the first, a.jpg: damaged"):
        read_folder(root)


def test_too_large_for_memory_is_one_line(folder: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def empty(shape: tuple[int, ...], kind: type) -> None:
        raise MemoryError

    root = folder({"a.png": picture()})
    monkeypatch.setattr(folder_module.np, "empty", empty)
    with pytest.raises(DcganError, match="GiB of memory"):
        read_folder(root)


def test_progress_and_order_do_not_depend_on_how_many_are_in_flight(
    folder: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = folder({f"{number:02}.png": picture(seed=number) for number in range(23)})
    whole = read_folder(root)
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(decoding, "IN_FLIGHT", 5)
    assert read_folder(root, progress=lambda done, total: told.append((done, total))).sha256 == whole.sha256
    assert told == [(done, 23) for done in range(1, 24)]
