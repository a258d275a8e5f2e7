"""Captions files: labels become classes, sentences are kept, and lines and files without each other are told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import encoded, picture, tries
from PIL import Image

from dcgan.data import open_dataset
from dcgan.data.dataset import Dataset
from dcgan.data.findings import Findings
from dcgan.data.formats.captions import read_captions
from dcgan.errors import DcganError

Make = Callable[[dict[str, bytes | Image.Image]], Path]


BEFORE = (
    "82dd0248b979a6d1a3406c1167b2cf9b3d8fc1e78041d16b6df958411fe59945"  # as it was before there were captions
)


def three() -> dict[str, bytes | Image.Image]:
    return {f"{name}.png": picture(seed=at) for at, name in enumerate("abc")}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("captions.csv", 'file,label,caption\na.png,cat,"one, two"\nb.png,dog,\nc.png,cat,three\n'),
        (
            "captions.csv",
            '\ufeffFile_Name , Text,Class\r\na.png,"one, two",cat\r\n./b.png,,dog\r\n\r\nc.png,three,cat\r\n',
        ),
        (
            "captions.jsonl",
            '{"file": "a.png", "label": "cat", "caption": "one, two"}\n\n{"file": "b.png", "label": "dog"}\n'
            '{"file": "c.png", "label": "cat", "caption": "three"}',
        ),
        ("metadata.csv", 'file_name,label,text\na.png,cat,"one, two"\nb.png,dog,\nc.png,cat,three\n'),
    ],
)
def test_labels_and_sentences(folder: Make, name: str, text: str) -> None:
    data = open_dataset(folder({**three(), name: text.encode()}))
    assert data.classes == ("cat", "dog") and data.labels is not None and data.labels.tolist() == [0, 1, 0]
    assert data.captions == ("one, two", "", "three") and data.origin["skipped_count"] == 0
    assert data.names == ("a.png", "b.png", "c.png")


def test_labels_that_are_numbers_are_in_their_order(folder: Make) -> None:
    data = open_dataset(folder({**three(), "captions.csv": b"file,label\na.png,10\nb.png,9\nc.png,10\n"}))
    assert data.classes == ("9", "10") and data.captions is None


def test_sentences_alone_leave_the_labels_to_the_folders(folder: Make) -> None:
    root = folder(
        {"x/a.png": picture(), "y/b.png": picture(), "captions.csv": b"file,caption\nx/a.png,hello\n"}
    )
    data = open_dataset(root)
    assert data.classes == ("x", "y") and data.captions == ("hello", "")
    assert any("1 file has no line" in note and "y/b.png" in note for note in data.origin["notes"])


def test_lines_without_files_and_files_without_lines_are_named(folder: Make) -> None:
    text = b"file,label\na.png,cat\ngone.png,cat\n../../etc/passwd,cat\nb.png,\na.png,dog\n"
    data = open_dataset(folder({**three(), "captions.csv": text}))
    told = {entry["file"]: (entry["reason"], entry["kind"]) for entry in data.origin["skipped"]}
    assert len(data) == 1 and data.origin["skipped_kinds"] == {"missing": 2, "unlisted": 2}
    assert told["gone.png"] == ("line 3 of captions.csv names it, and it is not here", "missing")
    assert told["c.png"] == ("no line of captions.csv names it", "unlisted")
    assert told["b.png"] == ("line 5 of captions.csv gives it no label", "unlisted")
    assert any("more than one line" in note for note in data.origin["notes"])


def test_captions_count_in_the_hash_only_where_there_are_any() -> None:
    images = np.zeros((2, 1, 8, 8), np.uint8)
    plain, told = Dataset("x", images), Dataset("x", images, captions=("a", "b"))
    assert plain.sha256 == BEFORE != told.sha256
    assert told.sha256 != Dataset("x", images, captions=("a", "c")).sha256
    with pytest.raises(ValueError, match="one per image"):
        Dataset("x", images, captions=("a",))


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("captions.csv", b"name,label\na.png,cat\n", "line 1 must name the columns"),
        ("captions.csv", b"\n\nname,label\na.png,cat\n", "line 3 must name the columns"),
        (
            "captions.csv",
            b"File;Label\na.png;cat\n",
            "'file;label': separate them with a comma, not with ';'",
        ),
        ("captions.csv", b"file\tlabel\na.png\tcat\n", "separate them with a comma, not with a tab"),
        ("captions.csv", b"\xff\xfef\0i\0l\0e\0", "line 1: it is not UTF-8"),
        ("captions.csv", b"file,label\na.png,cat,dog\n", "line 2: 3 columns, the first line has 2"),
        ("captions.csv", b'file,label\na.png,"cat\n', "captions.csv: line 2: unexpected end"),
        ("captions.csv", b"file,label\n,cat\n", "line 2: it names no file"),
        ("captions.csv", b"file,label\n\xff\xfe,cat\n", "line 2: it is not UTF-8"),
        ("captions.jsonl", b'\n[1]\n{"file": 1.5}', "line 2: it is not a JSON object"),
        ("captions.jsonl", b"[" * 5000, "line 1: it is not a JSON object"),
        ("captions.jsonl", b'{"file": ["a.png"]}\n', "line 1: file must be text"),
    ],
)
def test_a_file_without_a_line_that_can_be_understood_is_refused(
    folder: Make, name: str, text: bytes, says: str
) -> None:
    with pytest.raises(DcganError) as error:
        open_dataset(folder({**three(), name: text}))
    assert says in str(error.value) and name in str(error.value)


BAD_CSV = b"""
file,label,caption
a.png,cat,one, two
b.png,dog,"a quote, left open
c.png,cat,"fine, and
of two lines"
\xff.png,cat,
,dog,nameless
  \t

,,
c.png,dog,again
"""
BAD_JSONL = b"""{"file": "c.png", "label": "cat"}
{"file": "a.png", "label": ["cat"]}
{"file": "b.png", "label": "dog"
{"file": "b.png", "label": "\xe9"}

{"label": "dog"}"""


@pytest.mark.parametrize(
    ("name", "text", "bad"),
    [
        (
            "captions.csv",
            BAD_CSV,
            {
                3: "4 columns, the first line has 3",
                4: "',' expected after",
                7: "it is not UTF-8",
                8: "it names no file",
            },
        ),
        (
            "captions.jsonl",
            BAD_JSONL,
            {2: "label must be text", 3: "not a JSON object", 4: "it is not UTF-8", 6: "it names no file"},
        ),
    ],
)
def test_a_bad_line_is_skipped_by_name_and_the_rest_is_used(
    folder: Make, name: str, text: bytes, bad: dict[int, str]
) -> None:
    root = folder({**three(), name: text})
    for data in (open_dataset(root), open_dataset(root)):
        assert data.names == ("c.png",) and data.classes == ("cat",)
        told = {
            entry["file"]: entry["reason"] for entry in data.origin["skipped"] if entry["kind"] == "corrupt"
        }
        assert list(told) == [f"line {number} of {name}" for number in bad]
        assert all(why in told[f"line {number} of {name}"] for number, why in bad.items())
        assert data.origin["skipped_kinds"] == {
            "corrupt": 4,
            "unlisted": 2,
        }  # a.png and b.png have no line now
    if name == "captions.csv":
        assert data.captions == ("fine, and\nof two lines",)


def test_an_open_quote_takes_no_other_line_with_it(folder: Make) -> None:
    text = b'file,label,caption\na.png,"cat\nb.png,dog,"\nof two lines"\nc.png,cat,\n'
    data = open_dataset(folder({**three(), "captions.csv": text}))
    assert data.names == ("b.png", "c.png") and data.captions == ("of two lines", "")
    assert data.origin["skipped_kinds"] == {"corrupt": 1, "unlisted": 1}


def test_another_programs_metadata_is_no_mistake(folder: Make) -> None:
    data = open_dataset(folder({**three(), "metadata.csv": b"id,size\n1,2\n"}))
    assert len(data) == 3 and any("not taken for captions" in note for note in data.origin["notes"])


@tries(150)
@given(st.sampled_from(["captions.csv", "captions.jsonl"]), st.binary(max_size=60), st.booleans())
def test_any_bytes_are_lines_or_one_line_of_error(name: str, content: bytes, header: bool) -> None:
    try:
        lines = read_captions((b"file,label,caption\n" if header else b"") + content, name, Findings())
    except DcganError as error:
        assert "\n" not in str(error)
    else:
        assert all(line.file for line in lines) and json.dumps([line.caption for line in lines])


def test_a_captions_file_works_in_a_zip(tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("set/a.png", encoded(picture()))
        archive.writestr("set/captions.csv", "file,label\na.png,cat\n")
    assert open_dataset(tmp_path / "a.zip").classes == ("cat",)
