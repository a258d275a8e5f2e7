"""Faces out of photographs: boxes become whole square crops, and the folder of them appears whole or not at all."""

from __future__ import annotations

import csv
import sys
import types
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from making import encoded, picture
from numpy.typing import NDArray
from PIL import Image

from dcgan.cli import main
from dcgan.data import open_dataset
from dcgan.data.faces import COLUMNS, LONGEST_SIDE, Box, crop_faces, haar_detector
from dcgan.errors import DcganError

Make = Callable[[dict[str, bytes | Image.Image]], Path]
Grey = NDArray[np.uint8]


def white_squares(grey: Grey, smallest: int) -> Sequence[Box]:
    """A stand-in for OpenCV's detector: the bounding box of all white pixels is the face."""
    rows, columns = np.nonzero(grey > 250)
    if not len(rows):
        return []
    left, top = int(columns.min()), int(rows.min())
    box = left, top, int(columns.max()) + 1 - left, int(rows.max()) + 1 - top
    return [box] if min(box[2:]) >= smallest else []


def with_square(height: int, width: int, left: int, top: int, side: int, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 200, (height, width, 3), np.uint8)
    pixels[top : top + side, left : left + side] = 255
    return Image.fromarray(pixels)


def rows_of(out: Path) -> list[dict[str, str]]:
    with (out / "manifest.csv").open() as stream:
        return list(csv.DictReader(stream))


def box_of(row: dict[str, str]) -> tuple[int, ...]:
    return tuple(int(row[key]) for key in COLUMNS[2:])


def test_crops_are_square_within_the_picture_and_told_in_the_manifest(folder: Make, tmp_path: Path) -> None:
    files: dict[str, bytes | Image.Image] = {
        "b/middle.png": with_square(200, 300, 100, 50, 80),
        "a/corner.png": with_square(200, 300, 210, 120, 80),
        "whole.png": with_square(90, 90, 5, 5, 80),
        "none.png": picture(50, 50).point(lambda value: min(value, 200)),
        "small.png": with_square(100, 100, 10, 10, 40),
        "text.txt": b"no picture",
        ".hidden.png": with_square(200, 300, 100, 50, 80),
    }
    steps: list[tuple[int, int]] = []
    out = tmp_path / "new" / "faces"
    done = crop_faces(
        folder(files), out, margin=0.25, detector=white_squares, progress=lambda *step: steps.append(step)
    )
    assert (done.pictures, done.without, done.faces, done.copies) == (5, 2, 3, 0)
    assert [name for name, _ in done.skipped] == ["text.txt"] and steps == [(i, 6) for i in range(1, 7)]
    rows = {row["source"]: row for row in rows_of(out)}
    assert list(rows) == ["a/corner.png", "b/middle.png", "whole.png"]
    assert box_of(rows["b/middle.png"]) == (80, 30, 120, 120)
    assert box_of(rows["a/corner.png"]) == (180, 80, 120, 120), "moved into the picture"
    assert box_of(rows["whole.png"]) == (0, 0, 90, 90), "as large as the picture allows"
    for name, row in rows.items():
        source = files[name]
        assert isinstance(source, Image.Image)
        left, top, width, height = box_of(row)
        with Image.open(out / row["file"]) as face:
            assert face.size == (width, height) and face.format == "PNG"
            assert np.array_equal(
                np.asarray(face), np.asarray(source.crop((left, top, left + width, top + height)))
            )
    assert {path.name for path in out.iterdir()} == {"manifest.csv", *(row["file"] for row in rows.values())}
    assert [path.name for path in out.parent.iterdir()] == ["faces"], "nothing temporary is left"
    assert len(open_dataset(out, size=(64, 64))) == 3


def test_turned_grey_and_large_pictures(folder: Make, tmp_path: Path) -> None:
    upright = with_square(200, 300, 100, 50, 80)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = upright.transpose(Image.Transpose.ROTATE_90)
    large = with_square(400, 2 * LONGEST_SIDE, 1000, 100, 200)
    root = folder({
        "turned.png": encoded(turned, exif=exif),
        "grey.png": upright.convert("L"),
        "large.png": large,
    })  # fmt: skip
    crop_faces(root, tmp_path / "faces", margin=0, detector=white_squares)
    rows = {row["source"]: row for row in rows_of(tmp_path / "faces")}
    assert box_of(rows["turned.png"]) == (100, 50, 80, 80), "as it is seen, not as it is stored"
    with Image.open(tmp_path / "faces" / rows["grey.png"]["file"]) as face:
        assert face.mode == "L" and face.size == (80, 80)
    assert all(abs(a - b) <= 4 for a, b in zip(box_of(rows["large.png"]), (1000, 100, 200, 200), strict=True))


def test_copies_are_left_out_when_asked(folder: Make, tmp_path: Path) -> None:
    def drawn(seed: int) -> Image.Image:
        image = with_square(160, 160, 40, 40, 80, seed)
        shade = Image.fromarray(np.random.default_rng(seed).integers(0, 240, (4, 4), np.uint8)).resize(
            (64, 64)
        )
        image.paste(shade.convert("RGB"), (48, 48))
        return image

    one, two = drawn(1), drawn(2)
    root = folder({"a.png": one, "b.jpg": encoded(one, "JPEG", quality=90), "c.png": two, "d.png": one})
    done = crop_faces(root, tmp_path / "all", margin=0, detector=white_squares)
    assert (done.faces, done.copies) == (4, 0)
    done = crop_faces(root, tmp_path / "few", margin=0, detector=white_squares, drop_copies=True)
    assert (done.faces, done.copies) == (2, 2)
    assert [row["source"] for row in rows_of(tmp_path / "few")] == ["a.png", "c.png"]
    assert len(list((tmp_path / "few").glob("*.png"))) == 2


@pytest.mark.parametrize("error", [KeyboardInterrupt, DcganError("full"), MemoryError])
def test_nothing_half_is_left_when_it_is_broken_off(
    folder: Make, tmp_path: Path, error: BaseException | type[BaseException]
) -> None:
    root = folder({f"{index}.png": with_square(100, 100, 10, 10, 80, index) for index in range(5)})

    def progress(done: int, total: int) -> None:
        if done == 3:
            raise error

    with pytest.raises(BaseException) as caught:
        crop_faces(root, tmp_path / "faces", detector=white_squares, progress=progress)
    assert isinstance(caught.value, error if isinstance(error, type) else type(error))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pictures"]


def test_what_a_killed_process_left_is_cleaned_and_a_living_ones_stays(folder: Make, tmp_path: Path) -> None:
    root = folder({"a.png": with_square(100, 100, 10, 10, 80)})
    (tmp_path / ".tmp-999999999-faces").mkdir()
    (tmp_path / ".tmp-1-faces").mkdir()
    crop_faces(root, tmp_path / "faces", detector=white_squares)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".tmp-1-faces", "faces", "pictures"]


def test_mistakes_are_one_line(folder: Make, tmp_path: Path) -> None:
    root = folder({"a.png": with_square(100, 100, 10, 10, 80), "sub/b.png": b""})
    full = tmp_path / "full"
    full.mkdir()
    (full / "x").touch()
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "a.txt").write_text("x")

    def crop(source: Path = root, out: Path = tmp_path / "out", **options: float) -> None:
        crop_faces(source, out, detector=white_squares, **options)  # type: ignore[arg-type]

    for call, says in [
        (lambda: crop(out=full), "exists and is not empty: choose another with --out"),
        (lambda: crop(out=full / "x"), "exists and is not empty"),
        (lambda: crop(out=full / "x" / "y"), "cannot write"),
        (lambda: crop(out=root / "faces"), "lies in the folder that is read"),
        (lambda: crop(tmp_path / "nowhere"), "is not a folder of pictures"),
        (lambda: crop(root / "a.png"), "is not a folder of pictures"),
        (lambda: crop(min_size=10), "min-size is 10: must be from 24"),
        (lambda: crop(margin=-0.1), "margin is -0.1"),
        (lambda: crop(margin=float("nan")), "margin is nan"),
        (lambda: crop(min_size=90), "no face of 90 pixels or more in 1 picture"),
        (lambda: crop(root / "sub"), "no usable picture among 1 file: the first, b.png: the file is empty"),
        (lambda: crop(tmp_path / "text"), "no usable picture among 1 file"),
    ]:
        with pytest.raises(DcganError) as error:
            call()
        assert says in str(error.value) and "\n" not in str(error.value)
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob(".tmp-*"))
    empty = tmp_path / "empty"
    empty.mkdir()
    crop(out=empty)
    assert (empty / "manifest.csv").exists(), "an empty folder may be filled"


def test_without_opencv_one_line_says_what_to_install(
    folder: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    root = folder({"a.png": picture()})
    with pytest.raises(SystemExit) as caught:
        main(["datasets", "faces", str(root), "--out", str(tmp_path / "faces")])
    err = capsys.readouterr().err
    mend = "pip install 'opencv-python-headless>=4.12,<5'"
    assert caught.value.code == 2 and err == f"dcgan: cropping faces needs OpenCV: {mend}\n"


def test_an_opencv_without_the_detector_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opencv = types.ModuleType("cv2")
    opencv.__file__, opencv.__version__ = str(tmp_path / "__init__.py"), "5.0.0"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "cv2", opencv)
    with pytest.raises(DcganError, match=r"OpenCV 5\.0\.0 comes without the detector"):
        haar_detector()


def test_the_command(
    folder: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from dcgan.data import faces

    monkeypatch.setattr(faces, "haar_detector", lambda: white_squares)
    monkeypatch.chdir(tmp_path)
    folder({"a.png": with_square(100, 100, 10, 10, 80), "b.txt": b"x"})
    with pytest.raises(SystemExit) as caught:
        main(["datasets", "faces", "pictures", "--out", "faces", "--drop-copies"])
    output = capsys.readouterr()
    assert not caught.value.code and "faces: 1 from 1 pictures, 0 without, 0 copies left out" in output.out
    assert "faces/manifest.csv" in output.out and "dcgan datasets check ./faces" in output.out
    assert output.err.startswith("skipped b.txt: not an image")
    with pytest.raises(SystemExit) as caught:
        main(["datasets", "faces", "--help"])
    assert "dcgan datasets faces" in capsys.readouterr().out.split("Example", 1)[1]


def test_opencv_finds_no_face_in_noise() -> None:
    """The real detector, where it is installed; that it finds a face was looked at by hand."""
    pytest.importorskip("cv2")
    noise = np.random.default_rng(0).integers(0, 256, (300, 300), np.uint8)
    assert list(haar_detector()(noise, 64)) == []
