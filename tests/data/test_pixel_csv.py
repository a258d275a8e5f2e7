"""CSV files of pixels: every usual shape is read, and what cannot be is named by line and column."""

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
from dcgan.data.formats.csv_columns import Columns
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


def skipped(data: Dataset) -> dict[str, str]:
    return {entry["file"]: entry["reason"] for entry in data.origin["skipped"]}


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


def test_the_careful_way_reads_what_the_plain_one_does_not(tmp_path: Path) -> None:
    text = "\n\n".join(lines(labels=LABELS)).replace(",7,", ", 7.0 ,")
    data = opened(tmp_path, text)
    assert same(data) and data.sha256 == opened(tmp_path, "\n".join(lines(labels=LABELS))).sha256


@pytest.mark.parametrize("block", [1, 100, 5000])
def test_lines_are_whole_however_they_are_read(
    tmp_path: Path, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pixel_csv, "_BLOCK", block)
    assert same(opened(tmp_path, "\n".join(lines(labels=LABELS))))
    bad = lines(labels=LABELS)
    bad[3] = ",".join([*bad[3].split(",")[:7], "x", *bad[3].split(",")[8:]])
    data = opened(tmp_path, "\n".join(bad))
    assert skipped(data) == {"line 4": "column 8: 'x' is no whole number from 0 to 255"}
    assert np.array_equal(data.images.reshape(4, -1), PIXELS[[0, 1, 2, 4]])


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
    ("text", "line", "says"),
    [
        (with_cell(""), 3, "column 5: the value is missing"),
        (with_cell("x"), 3, "column 5: 'x' is no whole number from 0 to 255"),
        (with_cell("256"), 3, "column 5: '256' is no whole number from 0 to 255"),
        (with_cell("1000"), 3, "column 5: '1000' is no whole number from 0 to 255"),
        (with_cell("-1"), 3, "column 5: '-1' is no whole number from 0 to 255"),
        (with_cell("1.5"), 3, "column 5: '1.5' is no whole number from 0 to 255"),
        (with_cell("nan"), 3, "column 5: 'nan' is no whole number from 0 to 255"),
        (with_cell("1_0"), 3, "column 5: '1_0' is no whole number from 0 to 255"),
        (with_cell("1,2"), 3, "786 columns instead of 785"),
        (f"label,{HEADER}\n" + with_cell("x"), 4, "column 5: 'x' is no whole number from 0 to 255"),
        ("\n" + with_cell("x"), 4, "column 5: 'x' is no whole number from 0 to 255"),
        (f"\n\nlabel,{HEADER}\n\n" + with_cell("x"), 7, "column 5: 'x' is no whole number from 0 to 255"),
        ("\n".join(lines(labels=[1, 2, "", 4, 5])), 3, "column 1: the label is missing"),
        ("\n".join(lines(labels=[1, 2, "\udcff", 4, 5])), 3, "it is not UTF-8 text"),
        ("\n".join(lines(labels=[1, 2, '"', 4, 5])), 3, "unexpected end of data"),
    ],
)
@pytest.mark.parametrize("careful", [False, True])
def test_a_bad_line_is_skipped_by_name_and_the_rest_is_used(
    tmp_path: Path, text: str, line: int, says: str, careful: bool
) -> None:
    rows = text.split("\n")
    if careful:  # good lines beside it that only the careful way reads
        rows[line] = rows[line].replace(",", ", ", 1)
    data = opened(tmp_path, "\n".join(rows).encode(errors="surrogateescape"))
    assert skipped(data) == {f"line {line}": says} and data.origin["skipped_kinds"] == {"corrupt": 1}
    assert np.array_equal(data.images.reshape(4, -1), PIXELS[[0, 1, 3, 4]])
    assert data.labels is not None and len(data.labels) == 4


def test_a_first_line_of_another_length_does_not_say_what_the_columns_are(tmp_path: Path) -> None:
    data = opened(tmp_path, "\n".join(["1,5,3", *lines(labels=LABELS), "4"]))
    assert same(data) and skipped(data) == {
        f"line {number}": f"{count} columns instead of 785" for number, count in ((1, 3), (7, 1))
    }


def test_a_bad_line_costs_no_careful_look_at_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = []
    careful = pixel_csv._careful
    monkeypatch.setattr(
        pixel_csv, "_careful", lambda line, columns: [looked.append(line), careful(line, columns)][1]
    )
    assert len(opened(tmp_path, with_cell("x"))) == 4 and len(looked) == 1


def test_blank_lines_are_nothing_wherever_they_are(tmp_path: Path) -> None:
    text = "\n\r\n".join([f"\n \n\t\nlabel,{HEADER}", "", *lines(labels=LABELS), "", ""])
    data = opened(tmp_path, text)
    assert same(data) and skipped(data) == {} and data.classes == ("1", "3", "10")


@pytest.mark.parametrize("at", [0, 1, 400, 784])
@pytest.mark.parametrize("name", ["Label", "class", "y"])
def test_the_label_is_where_the_header_says(tmp_path: Path, at: int, name: str) -> None:
    rows = [row.split(",") for row in (HEADER, *lines())]
    for row, label in zip(rows, [name, *LABELS], strict=True):
        row.insert(at, str(label))
    data = opened(tmp_path, "\n".join(map(",".join, rows)))
    assert same(data) and data.classes == ("1", "3", "10") and data.origin["notes"] == []


def test_a_label_called_like_a_header_is_a_label(tmp_path: Path) -> None:
    data = opened(tmp_path, "\n".join(lines(labels=["y", "x", "y", "z", "x"])))
    assert same(data) and data.classes == ("x", "y", "z")


@pytest.mark.parametrize(
    ("before", "values", "after", "left", "labelled"),
    [
        ([""], ["{at}"], [], "column 1 (without a name)", False),
        ([""], ["{more}"], [], "column 1 (without a name)", False),
        (["", "label"], ["{at}", "{label}"], [], "column 1 (without a name)", True),
        (["Unnamed: 0", "label"], ["{at}", "{label}"], [], "unnamed: 0", True),
        (["id"], ["k{at}"], [], "id", False),
        (["id", "label"], ["{at}", "{label}"], [], "id", True),
        (["label"], ["{label}"], ["usage", "fold"], "usage, fold", True),
        (["taken", "label"], ["2020", "{label}"], ["by whom"], "taken, by whom", True),
        (["label"], ["{label}"], [""], "column 786 (without a name)", True),
        (["class", "label"], ["boot", "{label}"], [], "class", True),
    ],
)
def test_columns_that_are_no_pixels_are_left_out(
    tmp_path: Path, before: list[str], values: list[str], after: list[str], left: str, labelled: bool
) -> None:
    rows = [",".join([*before, HEADER, *after])]
    for at, (row, label) in enumerate(zip(lines(), LABELS, strict=True)):
        told = [value.format(at=at, more=7 * at + at * at, label=label) for value in values]
        rows.append(",".join([*told, row, *["0"] * len(after)]))
    data = opened(tmp_path, "\n".join(rows))
    assert same(data) and data.classes == (("1", "3", "10") if labelled else ())
    assert data.origin["notes"] == [f"columns that are no pixels were left out: {left}"]


def test_of_two_labels_one_counts_whatever_the_pixels_are_called(tmp_path: Path) -> None:
    names = ",".join("p" * (at + 1) for at in range(784))
    rows = [f"boot,{row}" for row in lines(labels=LABELS)]
    data = opened(tmp_path, "\n".join([f"class,label,{names}", *rows]))
    assert same(data) and data.classes == ("1", "3", "10")


def test_a_first_column_without_a_name_that_does_not_count_is_the_label(tmp_path: Path) -> None:
    data = opened(tmp_path, "\n".join([f",{HEADER}", *lines(labels=LABELS)]))
    assert same(data) and data.classes == ("1", "3", "10")


@pytest.mark.parametrize("labels", [["0.0", "2.0", "1.0", "10.0", "0"], ["0.", "2.00", "1", "10", "0"]])
def test_labels_written_with_a_point_are_whole_numbers(tmp_path: Path, labels: list[str]) -> None:
    data = opened(tmp_path, "\n".join(lines(labels=labels)))
    assert same(data) and data.classes == ("0", "1", "2", "10")
    halves = opened(tmp_path, "\n".join(lines(labels=["0.5", "0.0", "1", "2", "3"])))
    assert halves.classes == ("0.0", "0.5", "1", "2", "3")


@pytest.mark.parametrize(("separator", "told"), [(";", "';'"), ("\t", "tabs")])
@pytest.mark.parametrize("header", [[], [f"label,{HEADER}"]])
def test_semicolons_and_tabs_separate_too(
    tmp_path: Path, separator: str, told: str, header: list[str]
) -> None:
    text = "\n".join([*header, *lines(labels=LABELS)])
    data = opened(tmp_path, text.replace(",", separator))
    assert same(data) and data.sha256 == opened(tmp_path, text).sha256
    assert skipped(data) == {} and data.origin["notes"] == [f"the columns are separated by {told}"]
    spoiled = opened(tmp_path, with_cell("x").replace(",", separator))
    assert skipped(spoiled) == {"line 3": "column 5: 'x' is no whole number from 0 to 255"}


EXTRA = "\n".join(f"7,{row}" for row in lines(labels=LABELS))


@pytest.mark.parametrize(
    ("text", "size", "says"),
    [
        (
            f"label,{HEADER},more\n" + with_cell("1"),
            None,
            "none of its lines can be used: line 2, 785 columns",
        ),
        ("\n".join(lines(labels=[""] * 5)), None, "can be used: line 1, column 1: the label is missing"),
        ("1,2,3,4,5,6,9\n", None, "7 columns, with or without a label, are neither a square"),
        (EXTRA, None, "786 columns: 784 make 28×28 and 785 with a label; remove the others"),
        (EXTRA, (28, 28), "28×28 needs 784 or 785 columns, not 786"),
        (EXTRA, (16, 16), "16×16 in colour needs 768 or 769 columns, not 786"),
        (
            "\n".join(lines(PIXELS / 255)),
            None,
            "its values go from 0 to 1, and pixels are whole numbers from 0",
        ),
        ("\n".join(lines(PIXELS / 255, labels=LABELS)), None, "multiply them by 255, or save them as NPZ"),
        ("\n".join(lines(PIXELS / 127.5 - 1)), None, "its values go from -1 to 1"),
        ("\n".join(lines()).replace(",", " "), None, "separated by spaces: write commas"),
        (f"label,{HEADER}\n", None, "it holds no lines of pixels"),
        ("", None, "the file is empty"),
        ("\n\n\n", None, "it holds no lines of pixels"),
        (b"\xff\xfe1,2\n", None, "line 1, it is not UTF-8"),
        ("1" * 5_000_000, None, "longer than 4 MB"),
    ],
)
def test_what_holds_no_pictures_is_one_line(
    tmp_path: Path, text: str | bytes, size: tuple[int, int] | None, says: str
) -> None:
    with pytest.raises(DcganError) as error:
        opened(tmp_path, text, size=size)
    assert says in str(error.value) and "a.csv" in str(error.value) and len(str(error.value)) < 400


def test_a_file_of_mostly_bad_lines_is_refused_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixel_csv, "MOST_BAD", 6)
    text = "\n".join([f"label,{HEADER}", *lines(labels=LABELS)])
    assert len(opened(tmp_path, text + "\n1" * 6)) == 5
    with pytest.raises(
        DcganError, match="most of its lines cannot be used: line 7, 1 columns instead of 785"
    ):
        opened(tmp_path, text + "\n1" * 7)


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
def test_the_plain_and_the_careful_way_agree(rows: list[list[int]]) -> None:
    text = "".join(",".join(map(str, row)) + "\n" for row in rows).encode()
    columns = Columns(65, 30, (*range(30), *range(31, 65)), (1, 8, 8))
    letters = np.frombuffer(text, np.uint8)
    at, images, labels = pixel_csv._plain(text, letters, np.flatnonzero(letters == 10), columns)
    slow = [pixel_csv._careful(line, columns) for line in text.splitlines()]
    assert at.tolist() == list(range(len(rows))) and labels == [label for _, label in slow]
    assert np.array_equal(images, np.stack([row for row, _ in slow]))


def test_a_picture_of_one_pixel_is_too_small_without_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("5,1,2\n")
    with pytest.raises(DcganError, match="too small: 1×1"):
        open_dataset(path)
