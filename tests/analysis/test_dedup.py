"""Planted near-duplicates are counted, other pictures stay, and files are copied as they are."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dcgan.analysis import dedup, hashing
from dcgan.analysis.dedup import find_near_duplicates
from dcgan.errors import DcganError

Pixels = np.ndarray
Command = Callable[..., tuple[int, str, str]]
PLANTED = 20


def photographs(channels: int) -> Pixels:
    """200 pictures of random colours, smoothly enlarged to 48×48: uint8 NCHW."""
    draw = np.random.default_rng(0)
    cells = draw.integers(0, 256, (200, 6, 6, 3), np.uint8)
    images = [np.asarray(Image.fromarray(c).resize((48, 48), Image.Resampling.BICUBIC)) for c in cells]
    stacked = np.stack(images).transpose(0, 3, 1, 2)
    return stacked.copy() if channels == 3 else stacked[:, 1:2].copy()


def jpeg(image: Pixels) -> bytes:
    buffer = io.BytesIO()
    picture = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
    Image.fromarray(picture).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def planted(images: Pixels) -> Pixels:
    """The first 20 once more, saved as JPEG."""
    copies = [np.asarray(Image.open(io.BytesIO(jpeg(image)))) for image in images[:PLANTED]]
    stacked = np.stack(copies).reshape(PLANTED, 48, 48, -1).transpose(0, 3, 1, 2)
    return np.concatenate([images, stacked])


@pytest.fixture(autouse=True)
def short_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "STEPS", 100)
    monkeypatch.setattr(hashing, "BATCH", 32)


@pytest.mark.parametrize("channels", [1, 3])
def test_planted_copies_are_found_and_little_else(channels: int) -> None:
    images = planted(photographs(channels))
    count = len(images) - PLANTED
    found = find_near_duplicates(images, 6)
    rows = found.rows.tolist()
    true = [(kept, other) for kept, other, _ in rows if other == count + kept]
    assert len(true) >= 18, f"{len(true)} of {PLANTED}"
    assert len(rows) - len(true) <= 3, "different pictures are called one"
    assert all(0 <= distance <= 6 for *_, distance in rows)
    assert len(found.kept) == len(images) - len(rows) and not set(found.kept) & {row[1] for row in rows}
    again = find_near_duplicates(images, 6)
    assert np.array_equal(found.rows, again.rows)


def test_equal_pictures_collide_at_0_bits_and_the_first_is_kept() -> None:
    images = photographs(3)[:60]
    found = find_near_duplicates(np.concatenate([images, images[:10], images[:10]]), 0)
    expected = [[i % 10, 60 + i, 0] for i in range(20)]
    assert found.rows.tolist() == expected
    assert found.kept.tolist() == list(range(60))


def test_no_chain_leads_away_from_what_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    bits = np.zeros((5, 128), np.bool_)
    for index in range(1, 4):
        bits[index, : 2 * index] = True  # 0, 2, 4 and 6 bits from the first, 2 from the one before
    bits[4, 100:] = True
    monkeypatch.setattr(dedup, "codes", lambda *_, **__: bits)
    images = np.zeros((5, 1, 32, 32), np.uint8)
    assert find_near_duplicates(images, 2).rows.tolist() == [[0, 1, 2], [2, 3, 2]]
    assert find_near_duplicates(images, 4).rows.tolist() == [[0, 1, 2], [0, 2, 4]]
    assert find_near_duplicates(images, 0).rows.tolist() == []


def test_a_threshold_out_of_range_or_too_wide_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    images = photographs(1)[:30]
    for within in (-1, 17):
        with pytest.raises(DcganError, match="from 0 to 16 bits"):
            find_near_duplicates(images, within)
    with pytest.raises(DcganError, match="2 or more"):
        find_near_duplicates(images[:1])
    monkeypatch.setattr(dedup, "MOST_PAIRS", 3)
    with pytest.raises(DcganError, match="smaller --threshold"):
        find_near_duplicates(np.concatenate([images, images]), 1)


@pytest.fixture
def command(command: Command) -> Command:
    return partial(command, "datasets", "dedup")


def test_a_folder_is_copied_without_its_duplicates_file_by_file(command: Command, tmp_path: Path) -> None:
    folder = tmp_path / "shoes"
    images = photographs(3)[:60]
    for kind in ("flat", "high"):
        (folder / kind).mkdir(parents=True)
    for index, image in enumerate(images):
        (folder / ("flat" if index < 30 else "high") / f"{index:02}.jpg").write_bytes(jpeg(image))
    for index in range(5):
        (folder / "high" / f"again-{index}.jpg").write_bytes(
            (folder / "flat" / f"{index:02}.jpg").read_bytes()
        )
    (folder / "flat" / "broken.jpg").write_bytes(b"no picture")
    status, out, err = command("shoes", "--out", "once", "--threshold", "0")
    assert (status, err) == (0, "") and "65 pictures of shoes: 5 near-duplicates, 60 stay" in out
    rows = list(csv.DictReader((tmp_path / "once" / "duplicates.csv").read_text().splitlines()))
    assert rows == [
        {"kept": f"flat/{i:02}.jpg", "duplicate": f"high/again-{i}.jpg", "distance": "0"} for i in range(5)
    ]
    copied = {
        path.relative_to(tmp_path / "once/images") for path in (tmp_path / "once/images").rglob("*.jpg")
    }
    assert len(copied) == 60 and not any("again" in path.name or "broken" in path.name for path in copied)
    assert all((folder / p).read_bytes() == (tmp_path / "once/images" / p).read_bytes() for p in copied)
    with Image.open(tmp_path / "once" / "sheet.png") as sheet:
        assert sheet.width > 200
    assert {path.name for path in (tmp_path / "once").iterdir()} == {"duplicates.csv", "sheet.png", "images"}
    status, out, err = command("shoes", "--out", "once")
    assert (status, out) == (2, "") and err == "dcgan: once exists: choose another name\n"


def test_an_array_gets_a_list_by_index(command: Command, tmp_path: Path) -> None:
    images = photographs(1)[:40]
    np.savez(tmp_path / "set.npz", images=np.concatenate([images, images[3:4]])[:, 0])
    assert command("set.npz", "--threshold", "0")[0] == 0
    assert (tmp_path / "set-duplicates.csv").read_text() == "kept,duplicate,distance\n#3,#40,0\n"
    assert (tmp_path / "set-duplicates-sheet.png").is_file()
    status, _, err = command("set.npz", "--out", "once", "--threshold", "0")
    assert status == 0 and "nothing was copied" in err and not (tmp_path / "once" / "images").exists()
    for arguments, says in {
        ("--list", "copies.txt"): "ends in .csv",
        ("--list", "a.csv", "--out", "b"): "give it or --list",
        ("--threshold", "40"): "from 0 to 16 bits",
        (): "set-duplicates.csv exists",
    }.items():
        status, out, err = command("set.npz", *arguments)
        assert (status, out) == (2, "") and says in err and err.count("\n") == 1
