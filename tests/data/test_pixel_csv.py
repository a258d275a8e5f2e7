"""CSV files of pixels: every usual shape is read, and the first bad cell is named by line and column."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import picture, tries

from dcgan.data import Dataset, open_dataset
from dcgan.data.formats import pixel_csv
from dcgan.errors import DcganError

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 784))
LABELS = [3, 1, 3, 10, 1]


def lines(pixels: np.ndarray = PIXELS, labels: list[object] | None = None) -> list[str]:
    rows = [",".join(map(str, row)) for row in pixels.tolist()]
    return rows if labels is None else [f"{label},{row}" for label, row in zip(labels, rows, strict=True)]


def opened(tmp_path: Path, text: str | bytes, name: str = "a.csv", **options: object) -> Dataset:
    content = text.encode() if isinstance(text, str) else text
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return open_dataset(tmp_path / name, **options)  # type: ignore[arg-type]


def same(data: Dataset) -> bool:
    return np.array_equal(data.images.reshape(len(data), -1), PIXELS)


HEADER = ",".join(f"pixel{at}" for at in range(784))


@pytest.mark.parametrize("name", ["a.csv", "A.CSV", "a.csv.gz"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("header", ["", f"label,{HEADER}"])
def test_labels_first(tmp_path: Path, name: str, ending: str, header: str) -> None:
    text = ending.join([header, *lines(labels=LABELS)] if header else lines(labels=LABELS))
    data = opened(tmp_path, text + ending, name)
    assert same(data) and data.size == (28, 28) and data.channels == 1
    assert (
        data.classes == ("1", "3", "10")
        and data.labels is not None
        and data.labels.tolist() == [1, 0, 1, 2, 0]
    )
    assert data.origin["kind"] == "a CSV of pixels" and data.origin["notes"] == []


def test_labels_last_when_the_header_says_so(tmp_path: Path) -> None:
    rows = [f"{row},{label}" for row, label in zip(lines(), LABELS, strict=True)]
    data = opened(tmp_path, "\n".join([f"{HEADER},class", *rows]))
    assert same(data) and data.classes == ("1", "3", "10")


@pytest.mark.parametrize("header", ["", HEADER, ",".join(map(str, range(784)))])
def test_without_labels(tmp_path: Path, header: str) -> None:
    data = opened(tmp_path, "\n".join([header, *lines()] if header else lines()))
    assert same(data) and data.labels is None


def test_labels_that_are_names(tmp_path: Path) -> None:
    data = opened(tmp_path, "\n".join(lines(labels=["boot", "Bag", "boot", "coat", "Bag"])))
    assert same(data) and data.classes == ("Bag", "boot", "coat")
    quoted = opened(tmp_path, "\n".join(lines(labels=['"a, b"', "c", "c", "c", '"a, b"'])))
    assert same(quoted) and quoted.classes == ("a, b", "c")


def test_the_slow_way_reads_what_the_fast_one_does_not(tmp_path: Path) -> None:
    text = "\n\n".join(lines(labels=LABELS)).replace(",7,", ", 7.0 ,")
    data = opened(tmp_path, text)
    assert same(data) and data.sha256 == opened(tmp_path, "\n".join(lines(labels=LABELS))).sha256


@pytest.mark.parametrize("block", [1, 100, 5000])
def test_lines_are_whole_however_they_are_read(
    tmp_path: Path, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pixel_csv, "_BLOCK", block)
    assert same(opened(tmp_path, "\n".join(lines(labels=LABELS))))
    with pytest.raises(DcganError, match="line 4, column 8: 'x'"):
        bad = lines(labels=LABELS)
        bad[3] = ",".join([*bad[3].split(",")[:7], "x", *bad[3].split(",")[8:]])
        opened(tmp_path, "\n".join(bad))


@pytest.mark.parametrize("planes", [True, False])
def test_colour_in_either_order(tmp_path: Path, planes: bool) -> None:
    smooth = [picture(4, 4, seed=at).resize((32, 32), 3) for at in range(6)]
    images = np.stack([np.asarray(image) for image in smooth])
    rows = (images.transpose(0, 3, 1, 2) if planes else images).reshape(6, -1)
    data = opened(tmp_path, "\n".join(lines(rows)))
    assert data.channels == 3 and np.array_equal(data.images, images.transpose(0, 3, 1, 2))
    assert ("all reds" if planes else "each pixel in turn") in data.origin["notes"][0]


def test_the_size_says_what_is_no_square(tmp_path: Path) -> None:
    rows = np.random.default_rng(1).integers(0, 256, (3, 24 * 32))
    text = "\n".join(lines(rows, labels=["a", "b", "a"]))
    data = opened(tmp_path, text, size=(24, 32))
    assert data.images.shape == (3, 1, 24, 32) and np.array_equal(data.images.reshape(3, -1), rows)
    assert "24×32" in data.origin["notes"][0]
    assert opened(tmp_path, text).channels == 3  # 3 × 16 × 16
    with pytest.raises(DcganError, match="say its size"):
        opened(tmp_path, "\n".join(lines(rows[:, :700])))


def with_cell(value: str) -> str:
    rows = [row.split(",") for row in lines(labels=LABELS)]
    rows[2][4] = value
    return "\n".join(map(",".join, rows))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (with_cell(""), "line 3, column 5: the value is missing"),
        (with_cell("x"), "line 3, column 5: 'x' is no whole number"),
        (with_cell("256"), "line 3, column 5: '256' is no whole number from 0 to 255"),
        (with_cell("-1"), "line 3, column 5: '-1'"),
        (with_cell("1.5"), "line 3, column 5: '1.5'"),
        (with_cell("nan"), "line 3, column 5: 'nan'"),
        (with_cell("1_0"), "line 3, column 5: '1_0'"),
        (with_cell("1,2"), "line 3 has 786 columns, the lines before it have 785"),
        ("\n".join([*lines(labels=LABELS), "1,2,3"]), "line 6 has 3 columns"),
        (f"label,{HEADER}\n" + with_cell("x"), "line 4, column 5"),
        (f"label,{HEADER},more\n" + with_cell("1"), "line 2 has 785 columns, line 1 has 786"),
        ("\n".join(lines(labels=[1, 2, "", 4, 5])), "line 3, column 1: the label is missing"),
        ("1,2,3,4,5,6,7\n", "7 columns"),
        (f"label,{HEADER}\n", "it holds no lines of pixels"),
        ("", "the file is empty"),
        ("\n\n\n", "it holds no lines of pixels"),
        (b"\xff\xfe1,2\n", "line 1 is not UTF-8"),
        ("1" * 5_000_000, "longer than 4 MB"),
    ],
)
def test_the_first_bad_cell_is_named(tmp_path: Path, text: str | bytes, says: str) -> None:
    with pytest.raises(DcganError) as error:
        opened(tmp_path, text)
    assert says in str(error.value) and "a.csv" in str(error.value)


def test_a_cut_gzip_is_one_line(tmp_path: Path) -> None:
    whole = gzip.compress("\n".join(lines()).encode())
    (tmp_path / "a.csv.gz").write_bytes(whole[:-20])
    with pytest.raises(DcganError, match="cannot be read"):
        open_dataset(tmp_path / "a.csv.gz")


CELLS = st.one_of(
    st.integers(-3, 300).map(str), st.sampled_from(["", " 7", "x", '"1"', '"', "1e2", "é", "\0", "inf"])
)


@tries(200)
@given(st.lists(st.lists(CELLS, min_size=62, max_size=66), min_size=1, max_size=4), st.booleans())
def test_any_cells_are_pictures_or_one_line(rows: list[list[str]], header: bool) -> None:
    checked("\n".join(map(",".join, rows)).encode(), header)


@tries(100)
@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_pictures_or_one_line(content: bytes, header: bool) -> None:
    checked(content, header)


def checked(content: bytes, header: bool) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "any.csv"
        names = b"label," + b",".join(b"p%d" % at for at in range(64)) + b"\n"
        path.write_bytes((names if header else b"") + content)
        try:
            data = open_dataset(path)
        except DcganError as error:
            assert "\n" not in str(error)
        else:
            assert len(data) > 0 and data.images.dtype == np.uint8


@tries(100)
@given(st.lists(st.lists(st.integers(0, 255), min_size=65, max_size=65), min_size=1, max_size=5))
def test_fast_and_slow_agree(rows: list[list[int]]) -> None:
    from dcgan.data.formats.arrays import Source
    from dcgan.data.options import Options

    text = "".join(",".join(map(str, row)) + "\n" for row in rows).encode()
    columns = pixel_csv._Columns(65, 0, (1, 8, 8))
    fast = pixel_csv._fast(text, columns)
    slow = pixel_csv._slow(Source(Path("x"), Options()), text, 1, columns)
    assert fast is not None and np.array_equal(fast[0], slow[0]) and fast[1] == slow[1]
