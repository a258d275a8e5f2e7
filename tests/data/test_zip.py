"""Zip archives: read in place, as the folder they were made of; every trap is skipped by name, every bomb refused."""

from __future__ import annotations

import io
import resource
import stat
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import encoded, picture, tries
from PIL import Image

from dcgan.data import Dataset, open_dataset
from dcgan.data.formats import zipped
from dcgan.errors import DcganError

Make = Callable[[dict[str, bytes | Image.Image]], Path]


def zip_of(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def pictures(*names: str) -> dict[str, bytes]:
    return {name: encoded(picture(seed=at)) for at, name in enumerate(names)}


def skipped(data: Dataset) -> dict[str, str]:
    return {entry["file"]: entry["reason"] for entry in data.origin["skipped"]}


@pytest.mark.parametrize(
    "names",
    [
        ("a.png", "b.png"),
        ("cats/a.png", "dogs/b.png", "cats/deep/er/c.png"),
        ("train/cats/a.png", "train/dogs/b.png", "test/cats/c.png", "test/dogs/d.png"),
    ],
)
@pytest.mark.parametrize("inside", ["", "wrapped/"])
def test_a_zip_is_the_folder_it_was_made_of(
    folder: Make, tmp_path: Path, names: tuple[str, ...], inside: str
) -> None:
    root = folder(dict(pictures(*names)))
    archive = zip_of(tmp_path / "pictures.zip", {inside + name: c for name, c in pictures(*names).items()})
    splits = ("train", "test", "all") if names[0].startswith("train") else ("train",)
    for split in splits:
        one, other = open_dataset(root, split=split), open_dataset(archive, split=split)
        assert one.sha256 == other.sha256 and one.classes == other.classes and len(one) > 0
    assert ("wrapped" in " ".join(other.origin["notes"])) == bool(inside)
    assert other.origin["kind"] == "a zip of images" and other.name == "pictures"
    assert sorted(item.name for item in tmp_path.iterdir()) == [
        "pictures",
        "pictures.zip",
    ]  # nothing was unpacked


def test_what_systems_put_into_archives_is_ignored(tmp_path: Path) -> None:
    files = pictures("a/x.png", "b/y.png")
    junk = {
        "__MACOSX/a/._x.png": b"junk",
        "a/.DS_Store": b"junk",
        "a/Thumbs.db": b"junk",
        "desktop.ini": b"junk",
        ".git/z.png": b"junk",
    }
    data = open_dataset(zip_of(tmp_path / "a.zip", files | junk))
    assert len(data) == 2 and data.classes == ("a", "b") and data.origin["skipped_count"] == 0


def test_hostile_members_are_skipped_by_name_and_the_rest_is_used(tmp_path: Path) -> None:
    good = encoded(picture())
    path = tmp_path / "a.zip"
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
        warnings.simplefilter("ignore")  # zipfile says itself that a name comes twice
        archive.writestr("good.png", good)
        for name in (
            "../up.png",
            "/etc/abs.png",
            "a/../../b.png",
            "a\\b.png",
            "C:/x.png",
            "a//b.png",
            "./dot.png",
        ):
            archive.writestr(zipfile.ZipInfo(name), good)
        archive.writestr("twice.png", good)
        archive.writestr("twice.png", encoded(picture(seed=9)))
        link = zipfile.ZipInfo("link.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        pipe = zipfile.ZipInfo("pipe.png")
        pipe.external_attr = (stat.S_IFIFO | 0o666) << 16
        archive.writestr(pipe, good)
        archive.writestr("zeros.bin", bytes(2**22), zipfile.ZIP_DEFLATED)
    data = open_dataset(path)
    told = skipped(data)
    assert len(data) == 1 and data.origin["skipped_kinds"]["unsafe"] == data.origin["skipped_count"]
    for name, why in {
        "../up.png": "'..'",
        "/etc/abs.png": "absolute",
        "a/../../b.png": "'..'",
        "a\\b.png": "backslash",
        "C:/x.png": "absolute",
        "a//b.png": "empty part",
        "./dot.png": "'.'",
        "twice.png": "2 members",
        "link.png": "a link",
        "pipe.png": "not a regular file",
        "zeros.bin": "times its size",
    }.items():
        assert why in told[name], name


def test_an_encrypted_member_is_skipped(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", pictures("a.png", "b.png"), zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    content[6] |= 1  # the flags of the first member, in its own header and in the list of members
    content[content.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(content)
    data = open_dataset(path)
    assert len(data) == 1 and skipped(data) == {"a.png": "it is encrypted"}


def test_a_damaged_member_is_skipped(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", pictures("a.png", "b.png"), zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    content[100] ^= 0xFF
    path.write_bytes(content)
    data = open_dataset(path)
    assert len(data) == 1 and "cannot be unpacked" in skipped(data)["a.png"]
    assert data.origin["skipped_kinds"] == {"corrupt": 1}


def bomb(path: Path, members: int = 300, each: int = 2**24) -> Path:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("0.png", bytes(each))
    whole = buffer.getvalue()
    start = whole.index(b"PK\1\2")
    entry = whole[start : whole.index(b"PK\5\6")]
    # Every member is the same bytes: the archive does not grow with what it promises.
    entries = b"".join(entry.replace(b"0.png", b"%05d" % at) for at in range(members))
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, members, members, len(entries), start, 0)
    path.write_bytes(whole[:start] + entries + end)
    return path


def test_a_bomb_is_refused_in_one_line_without_its_memory(tmp_path: Path) -> None:
    path = bomb(tmp_path / "bomb.zip")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DcganError, match="a zip bomb, not read"):
        open_dataset(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024  # kB


def test_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zip_of(tmp_path / "a.zip", pictures("a.png", "b.png", "c.png"))
    monkeypatch.setattr(zipped, "MOST_MEMBERS", 2)
    with pytest.raises(DcganError, match="holds 3 files, more than 2"):
        open_dataset(path)
    monkeypatch.setattr(zipped, "LARGEST_DIRECTORY", 20)
    with pytest.raises(DcganError, match="its list of members is"):
        open_dataset(path)


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"PK\5\6", b"no zip at all", b"PK\5\6" + b"\xff" * 18])
def test_what_is_no_zip_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(DcganError, match=r"a\.zip"):
        open_dataset(tmp_path / "a.zip")


def test_a_zip_of_no_pictures_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DcganError, match="no images here"):
        open_dataset(zip_of(tmp_path / "a.zip", {}))
    with pytest.raises(DcganError, match=r"no usable image among 1 file; the first, a\.txt: not an image"):
        open_dataset(zip_of(tmp_path / "b.zip", {"a.txt": b"text"}))


PARTS = [
    "a",
    "/",
    "\\",
    ".",
    "..",
    "\0",
    "C:",
    "~",
    "\x1b",
    "é",
    "__MACOSX",
    ".png",
    "\n",
    "captions.csv",
    "train/",
]
NAMES = st.lists(st.sampled_from(PARTS), min_size=1, max_size=8).map("".join)


@tries(120)
@given(st.lists(NAMES, max_size=5))
def test_whatever_the_names_it_is_pictures_or_one_line(names: list[str]) -> None:
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as archive:
        warnings.simplefilter("ignore")
        for name in names:
            info = zipfile.ZipInfo("x")
            info.filename = name.encode(
                "utf-8", "replace"
            ).decode()  # what a tool without scruples would write
            archive.writestr(info, CONTENT)
    opened(buffer.getvalue())


CONTENT = encoded(picture(8, 8))


@tries(150)
@given(st.data())
def test_whatever_bytes_change_it_is_pictures_or_one_line(data: st.DataObject) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", data.draw(st.sampled_from([0, 8]))) as archive:
        archive.writestr("a/x.png", CONTENT)
        archive.writestr("b/y.png", CONTENT)
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    opened(bytes(content))


def opened(content: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "any.zip"
        path.write_bytes(content)
        try:
            data = open_dataset(path)
        except DcganError as error:
            assert "\n" not in str(error)
        else:
            assert len(data) > 0 and all(entry["kind"] for entry in data.origin["skipped"])
