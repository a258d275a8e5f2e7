"""NumPy files: every usual name, shape and range; headers that lie; and never a pickle."""

from __future__ import annotations

import io
import pickle
import resource
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import tries

from dcgan.data import open_dataset
from dcgan.errors import DcganError

RANDOM = np.random.default_rng(0)
GREY = RANDOM.integers(0, 256, (6, 9, 10), dtype=np.uint8)
COLOUR = RANDOM.integers(0, 256, (6, 9, 10, 3), dtype=np.uint8)
LABELS = np.array([2, 0, 2, 1, 0, 2])


def saved(path: Path, **arrays: np.ndarray) -> Path:
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("images", "labels"),
        ("x", "y"),
        ("X", "Y"),
        ("arr_0", "arr_1"),
        ("data", "target"),
        ("x_train", "y_train"),
    ],
)
def test_the_usual_names(tmp_path: Path, images: str, labels: str) -> None:
    data = open_dataset(saved(tmp_path / "a.npz", **{images: GREY, labels: LABELS}))
    assert np.array_equal(data.images[:, 0], GREY) and data.labels is not None
    assert data.labels.tolist() == LABELS.tolist() and data.classes == ("0", "1", "2")
    assert data.images.flags.writeable and data.origin["kind"] == "a NumPy file"


@pytest.mark.parametrize("names", ["x_{}", "{}_images"])
def test_splits(tmp_path: Path, names: str) -> None:
    labels = names.replace("x", "y").replace("images", "labels")
    arrays = {names.format("train"): GREY, names.format("test"): GREY[:2]}
    arrays |= {labels.format("train"): LABELS[:, None], labels.format("test"): LABELS[:2, None]}
    path = saved(tmp_path / "a.npz", **arrays)
    assert [len(open_dataset(path, split=split)) for split in ("train", "test", "all")] == [6, 2, 8]
    only = saved(tmp_path / "b.npz", **{names.format("train"): GREY, names.format("val"): GREY[:1]})
    assert len(open_dataset(only, split="test")) == 1
    with pytest.raises(DcganError, match="no split 'test', only train"):
        open_dataset(saved(tmp_path / "c.npz", x=GREY), split="test")


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (COLOUR, COLOUR.transpose(0, 3, 1, 2)),
        (COLOUR.transpose(0, 3, 1, 2), COLOUR.transpose(0, 3, 1, 2)),
        (np.asfortranarray(COLOUR), COLOUR.transpose(0, 3, 1, 2)),
        (GREY[..., None], GREY[:, None]),
        (GREY[:, :9, :9].reshape(6, 81), GREY[:, None, :9, :9]),
        (GREY.astype(np.int64), GREY[:, None]),
        (GREY.astype(">u2"), GREY[:, None]),
        (GREY.astype(np.float64), GREY[:, None]),
        ((GREY / 255).astype(np.float32), GREY[:, None]),
        (GREY / 127.5 - 1, GREY[:, None]),
        (GREY > 99, (GREY[:, None] > 99) * np.uint8(255)),
        ((GREY > 99).astype(np.uint8), (GREY[:, None] > 99) * np.uint8(255)),
    ],
)
def test_shapes_and_ranges(tmp_path: Path, array: np.ndarray, expected: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", array)
    for path in (tmp_path / "a.npy", saved(tmp_path / "a.npz", images=array)):
        data = open_dataset(path)
        assert np.array_equal(data.images, expected) and data.images.flags.c_contiguous
        plain = array.dtype.kind in "ui" and array.max() > 1
        assert bool(data.origin["notes"]) != plain


def test_a_single_array_of_that_shape_will_do(tmp_path: Path) -> None:
    data = open_dataset(saved(tmp_path / "a.npz", faces=GREY, age=LABELS))
    assert len(data) == 6 and "the only one" in data.origin["notes"][0] and "age" in data.origin["notes"][1]


def test_labels_that_are_names(tmp_path: Path) -> None:
    for names in (np.array(list("cbcaab")), np.array(list("cbcaab"), "S3")):
        data = open_dataset(saved(tmp_path / "a.npz", x=GREY, y=names))
        assert data.classes == ("a", "b", "c") and data.labels is not None and data.labels[0] == 2


def header(text: bytes, body: bytes = b"") -> bytes:
    return b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text + body


def member(content: bytes, name: str = "x.npy") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


HUGE = header(b"{'descr': '|u1', 'fortran_order': False, 'shape': (99999999, 999, 999)}\n")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the file is empty"),
        (b"no zip", "not a whole NPZ file"),
        (member(npy(GREY))[:-60], "not a whole NPZ file"),
        (member(b"no array"), "the header of x is damaged"),
        (member(HUGE), "its header promises"),
        (member(npy(GREY)[:-9]), "its header promises 540 bytes"),
        (member(npy(GREY) + b"more"), "its header promises 540 bytes"),
        (member(header(b"(" * 9000)), "the header of x is damaged"),
        (
            member(header(b"{'descr': '|V9', 'fortran_order': False, 'shape': (1,)}\n", bytes(9))),
            "neither numbers nor names",
        ),
        (member(npy(np.zeros((3, 4, 5), complex))), "neither numbers nor names"),
        (member(npy(np.zeros(()))), "no array of pictures"),
        (member(npy(GREY), "what.txt"), "no arrays"),
        (member(npy(GREY[:0])), "holds no pictures"),
        (member(npy(np.zeros((2, 9, 9, 4), np.uint8))), "neither 1 nor 3 channels"),
        (member(npy(np.full((2, 9, 9), np.nan))), "NaN"),
        (member(npy(np.full((2, 9, 9), 300))), "from 300 to 300"),
        (member(npy(np.full((2, 9, 9), -5.0))), "from -5 to -5"),
        (member(npy(np.zeros((2, 50), np.uint8))), "say its size"),
        (member(npy(np.zeros((900, 500, 500), np.uint8))), "a bomb, not read"),
    ],
)
def test_every_mistake_is_one_line(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DcganError) as error:
        open_dataset(tmp_path / "a.npz")
    assert says in str(error.value) and "a.npz" in str(error.value)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024  # kB


def test_objects_are_refused_unread(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "trapped",))

    body = pickle.dumps(Trap())
    content = header(b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n", body)
    (tmp_path / "a.npz").write_bytes(member(content))
    (tmp_path / "b.npy").write_bytes(content)
    for name in ("a.npz", "b.npy"):
        with pytest.raises(DcganError, match="an array of objects, which only a pickle can read"):
            open_dataset(tmp_path / name)
    assert not (tmp_path / "trapped").exists()


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (LABELS[:3], "6 pictures and 3 labels"),
        (LABELS + 0.5, "whole numbers or names"),
        (np.eye(6), "one a picture"),
        (np.full(6, np.nan), "whole numbers or names"),
    ],
)
def test_labels_that_do_not_fit(tmp_path: Path, labels: np.ndarray, says: str) -> None:
    with pytest.raises(DcganError, match=says):
        open_dataset(saved(tmp_path / "a.npz", x=GREY, y=labels))


WHOLE = npy(GREY[:2, :8, :8])
DESCRS = ["|u1", "<f8", "|O", "<U9", "|V4", "<i8", "|b1", "<c16", "<M8[s]", "[('a','<i4')]", "x" * 50]


@pytest.mark.parametrize("fortran", [True, False])
def test_an_empty_array_of_impossible_sides_is_one_line(fortran: bool) -> None:
    shape = (0, 17453, 144259, 3_663_335_722)  # once found by the search below
    text = repr({"descr": "|u1", "fortran_order": fortran, "shape": shape}).encode()
    checked(header(text + b"\n", b""), packed=False)


@tries(200)
@given(
    st.sampled_from(DESCRS),
    st.lists(st.integers(-2, 2**40) | st.integers(0, 9), max_size=5),
    st.booleans(),
    st.binary(max_size=40),
    st.booleans(),
)
def test_no_header_gives_more_than_a_reason(
    descr: str, shape: list[int], fortran: bool, body: bytes, packed: bool
) -> None:
    text = repr({"descr": descr, "fortran_order": fortran, "shape": tuple(shape)}).encode()
    checked(header(text + b"\n", body), packed)


@tries(200)
@given(
    st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), max_size=4),
    st.integers(0, 150),
    st.booleans(),
)
def test_no_changed_byte_gives_more_than_a_reason(
    changes: list[tuple[int, int]], cut: int, packed: bool
) -> None:
    content = bytearray(WHOLE)
    for at, value in changes:
        content[at] = value
    checked(bytes(content[: len(content) - cut]), packed)


def checked(content: bytes, packed: bool) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / ("a.npz" if packed else "a.npy")
        path.write_bytes(member(content) if packed else content)
        try:
            assert len(open_dataset(path)) > 0
        except DcganError as error:
            assert "\n" not in str(error)
