"""IDX files as they lie about: alone, in pairs, in folders, packed; and what is no such thing."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import tries

from dcgan.data import open_dataset
from dcgan.errors import DcganError

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (6, 10, 12), dtype=np.uint8)
LABELS = np.array([2, 0, 2, 1, 0, 2], np.uint8)


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def put(folder: Path, files: dict[str, np.ndarray | bytes]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        raw = content if isinstance(content, bytes) else idx(content)
        (folder / name).write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    return folder


@pytest.mark.parametrize(
    "images", ["train-images-idx3-ubyte", "train-images.idx3-ubyte", "images-idx3-ubyte.gz"]
)
@pytest.mark.parametrize("packed", ["", ".gz"])
def test_labels_are_found_beside(tmp_path: Path, images: str, packed: str) -> None:
    labels = images.replace("images", "labels").replace("idx3", "idx1").removesuffix(".gz") + packed
    root = put(tmp_path / "x", {images: IMAGES, labels: LABELS})
    data = open_dataset(root / images)
    assert np.array_equal(data.images[:, 0], IMAGES) and data.labels is not None
    assert data.labels.tolist() == LABELS.tolist() and data.classes == ("0", "1", "2")
    assert set(data.origin["files"]) == {images, labels} and data.origin["kind"] == "IDX files"


def test_without_labels_and_by_its_first_bytes(tmp_path: Path) -> None:
    root = put(tmp_path / "x", {"images-idx3-ubyte": IMAGES, "anything": IMAGES})
    for name in ("images-idx3-ubyte", "anything"):
        data = open_dataset(root / name)
        assert data.labels is None and np.array_equal(data.images[:, 0], IMAGES)
        assert "no labels were found" in data.origin["notes"][0]


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 3, 1, 2)])
def test_four_dimensions_are_colour(tmp_path: Path, order: tuple[int, ...]) -> None:
    colour = RANDOM.integers(0, 256, (4, 9, 8, 3), dtype=np.uint8)
    root = put(tmp_path / "x", {"images-idx4-ubyte": colour.transpose(order).copy()})
    assert np.array_equal(open_dataset(root / "images-idx4-ubyte").images, colour.transpose(0, 3, 1, 2))


def pairs() -> dict[str, np.ndarray | bytes]:
    return {
        "train-images-idx3-ubyte.gz": IMAGES,
        "train-labels-idx1-ubyte.gz": LABELS,
        "t10k-images-idx3-ubyte": IMAGES[:2],
        "t10k-labels-idx1-ubyte": LABELS[:2],
    }


def test_a_folder_of_pairs_has_splits(tmp_path: Path) -> None:
    root = put(tmp_path / "x", pairs())
    sizes = {split: len(open_dataset(root, split=split)) for split in ("train", "test", "all")}
    assert sizes == {"train": 6, "test": 2, "all": 8}
    everything = open_dataset(root, split="all")
    assert everything.labels is not None and everything.labels.tolist() == [*LABELS, *LABELS[:2]]
    for name in ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
        (root / name).unlink()
    with pytest.raises(DcganError, match="it has no split 'test', only train"):
        open_dataset(root, split="test")
    put(root, {"other-train-images-idx3-ubyte": IMAGES})
    with pytest.raises(DcganError, match="more than one set"):
        open_dataset(root)


@pytest.mark.parametrize(
    ("name", "files", "says"),
    [
        ("labels-idx1-ubyte", {"labels-idx1-ubyte": LABELS}, "it holds labels, not pictures"),
        (
            "images-idx3-ubyte",
            {"images-idx3-ubyte": IMAGES, "labels-idx1-ubyte": LABELS[:4]},
            "6 pictures and 4 labels",
        ),
        ("images-idx3-ubyte", {"images-idx3-ubyte": b""}, "the file is empty"),
        ("images-idx3-ubyte", {"images-idx3-ubyte": b"no"}, "not an IDX file"),
        ("images-idx3-ubyte", {"images-idx3-ubyte": idx(IMAGES)[:-1]}, "must be 736 bytes long, not 735"),
        ("images-idx3-ubyte", {"images-idx3-ubyte": idx(IMAGES) + b"x"}, "must be 736 bytes long, not 737"),
        ("images-idx3-ubyte", {"images-idx3-ubyte": idx(IMAGES[:0])}, "is empty"),
        (
            "images-idx3-ubyte",
            {"images-idx3-ubyte": struct.pack(">HBB3I", 0, 8, 3, 2**31, 2**31, 9)},
            "of this machine",
        ),
        (
            "images-idx3-ubyte.gz",
            {"images-idx3-ubyte": IMAGES, "images-idx3-ubyte.gz": IMAGES[:, :1, :1]},
            "too small: 1×1",
        ),
    ],
)
def test_every_mistake_is_one_line(
    tmp_path: Path, name: str, files: dict[str, np.ndarray | bytes], says: str
) -> None:
    root = put(tmp_path / "x", files)
    with pytest.raises(DcganError) as error:
        open_dataset(root / name)
    assert says in str(error.value) and "-idx" in str(error.value)


def test_a_packed_bomb_is_not_unpacked(tmp_path: Path) -> None:
    content = struct.pack(">HBB3I", 0, 8, 3, 1, 10, 10) + bytes(2**28)  # the header promises 100 bytes
    root = put(tmp_path / "x", {"images-idx3-ubyte.gz": content})
    with pytest.raises(DcganError, match="must be 116 bytes long, not 117"):
        open_dataset(root / "images-idx3-ubyte.gz")


@tries(150)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 255)), max_size=4),
    st.integers(0, 60),
    st.booleans(),
)
def test_no_header_gives_more_than_a_reason(changes: list[tuple[int, int]], cut: int, packed: bool) -> None:
    import tempfile

    content = bytearray(idx(IMAGES[:2, :8, :8]))
    for at, value in changes:
        content[at] = value
    content = content[: len(content) - cut]
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / f"images-idx3-ubyte{'.gz' if packed else ''}"
        path.write_bytes(gzip.compress(bytes(content)) if packed else bytes(content))
        try:
            assert len(open_dataset(path)) > 0
        except DcganError as error:
            assert "\n" not in str(error)
