"""SVHN and CelebA, which are had by hand: small files made in the same formats, and what is said without them."""

from __future__ import annotations

import dataclasses
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import encoded, file_of, picture, tries
from scipy.io import savemat

from dcgan.data import open_dataset, present
from dcgan.data.images import decode, fit
from dcgan.data.named import fetch as fetch_module
from dcgan.data.named import sources
from dcgan.data.named.bounded import UnavailableError
from dcgan.data.named.catalog import SETS
from dcgan.data.named.fetch import cache_folder
from dcgan.data.named.mat import read_mat
from dcgan.errors import DcganError

Give = Callable[..., None]
DIGITS = np.random.default_rng(0).integers(0, 256, (5, 3, 32, 32), np.uint8)


@pytest.fixture
def give(monkeypatch: pytest.MonkeyPatch) -> Give:
    """Put files into the cache of a set and pin the catalog's row to them."""

    def put(name: str, contents: dict[str, bytes], **changes: Any) -> None:
        row = SETS[name]
        folder = cache_folder(name)
        folder.mkdir(parents=True, exist_ok=True)
        files = []
        for file in row.files:
            if file.name in contents:
                (folder / file.name).write_bytes(contents[file.name])
                made = file_of(contents[file.name], file.name, file.split)
                files.append(dataclasses.replace(made, optional=file.optional))
            else:
                files.append(file)
        monkeypatch.setitem(SETS, name, dataclasses.replace(row, files=tuple(files), **changes))  # type: ignore[arg-type]

    return put


def mat(compressed: bool = True, **arrays: Any) -> bytes:
    buffer = io.BytesIO()
    savemat(buffer, arrays, do_compression=compressed)
    return buffer.getvalue()


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("type_", [np.uint8, np.float64])
def test_svhn(give: Give, compressed: bool, type_: type) -> None:
    labels = np.array([[1], [10], [3], [9], [10]], type_)
    train = mat(compressed, X=DIGITS.transpose(2, 3, 1, 0), y=labels)
    test = mat(compressed, X=DIGITS[:2].transpose(2, 3, 1, 0), y=labels[:2])
    give("svhn", {"train_32x32.mat": train, "test_32x32.mat": test}, images={"train": 5, "test": 2})
    data = open_dataset("svhn")
    assert data.labels is not None and data.labels.tolist() == [1, 0, 3, 9, 0], "10 stands for the digit 0"
    assert (
        np.array_equal(data.images, DIGITS) and data.images.flags.c_contiguous and data.images.flags.writeable
    )
    assert len(open_dataset("svhn", split="test")) == 2 and len(open_dataset("svhn", split="all")) == 7
    assert present(SETS["svhn"], "all")


def test_svhn_of_another_content_is_one_line(give: Give) -> None:
    for content, reason in [
        (mat(X=DIGITS.transpose(2, 3, 1, 0)), "no pictures X and labels y"),
        (mat(X=DIGITS.astype(float).transpose(2, 3, 1, 0), y=np.ones((5, 1))), "larger than the"),
        (mat(X=DIGITS[0], y=np.ones((5, 1), np.uint8)), "no pictures X"),
        (mat(X=DIGITS[:2].transpose(2, 3, 1, 0), y=np.ones((5, 1), np.uint8)), "not as the catalog says"),
        (b"no mat file", "not a MATLAB 5 file"),
    ]:
        give("svhn", {"train_32x32.mat": content}, images={"train": 5, "test": 2})
        with pytest.raises(DcganError, match=reason):
            open_dataset("svhn")


@pytest.mark.parametrize(
    "value",
    [
        np.zeros((3, 0)),
        np.arange(6, dtype=np.int16).reshape(1, 2, 3),
        np.array([[7]], np.uint8),
        np.float32([[1.5, -2]]),
        np.arange(300, dtype=np.uint32).reshape(20, 15),
    ],
)
@pytest.mark.parametrize("compressed", [True, False])
def test_mat_files_read_as_scipy_wrote_them(value: np.ndarray[Any, Any], compressed: bool) -> None:
    read = read_mat(mat(compressed, a=value, a_longer_name=value.T), "x", 10_000)
    assert list(read) == ["a", "a_longer_name"]
    assert np.array_equal(read["a"], value) and np.array_equal(read["a_longer_name"], value.T)


@pytest.mark.parametrize("value", [{"x": 1}, "letters", np.array([[1j]]), np.array([["a", 1]], object)])
def test_mat_files_of_anything_but_numbers_are_refused(value: object) -> None:
    with pytest.raises(DcganError, match="not an array of real numbers"):
        read_mat(mat(a=value), "x", 10_000)


def test_mat_bombs_stop_at_the_cap() -> None:
    bomb = zlib.compress(bytes(50_000_000))
    content = mat(a=1)[:128] + struct.pack("<II", 15, len(bomb)) + bomb
    with pytest.raises(DcganError, match="larger than the 1,000 bytes left"):
        read_mat(content, "x", 1_000)
    with pytest.raises(DcganError, match="too large"):
        read_mat(mat(False, a=np.zeros(1000)), "x", 1_000)


@tries(300)
@given(st.data())
def test_mutated_mat_files_raise_one_kind_of_error(data: st.DataObject) -> None:
    content = bytearray(
        mat(data.draw(st.booleans()), X=np.arange(24, dtype=np.uint8).reshape(2, 3, 4), y=1.5)
    )
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(124, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    for mutant in (bytes(content), bytes(content[:cut])):
        try:
            read_mat(mutant, "x", 10_000)
        except DcganError as error:
            assert "\n" not in str(error)


PARTITION = b"000001.jpg 0\n000002.jpg 0\n000003.jpg 1\n000004.jpg 2\n"
ATTRIBUTES = (
    b"4\nArched_Eyebrows Smiling Young \n000001.jpg -1  1  1\n000002.jpg  1 -1 -1\n"
    b"000003.jpg -1 -1 -1\n000004.jpg  1  1  1\n"
)


def faces(**changes: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for index in range(1, 5):
            name = f"00000{index}.jpg"
            content = encoded(picture(218, 178, seed=index), "JPEG")
            archive.writestr(f"img_align_celeba/{name}", changes.get(f"face_{index}", content))
    return buffer.getvalue()


def celeba(packed: bytes, **more: bytes) -> dict[str, bytes]:
    return {"img_align_celeba.zip": packed, "list_eval_partition.txt": PARTITION, **more}


COUNTS = {"images": {"train": 2, "val": 1, "test": 1}}


def test_celeba_is_decoded_straight_to_the_size(give: Give, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_module, "IN_MEMORY", 2_000)  # the zip stays where it is
    give("celeba", celeba(faces()), **COUNTS)
    steps: list[tuple[int, int]] = []
    data = open_dataset("celeba", progress=lambda done, total: steps.append((done, total)))
    assert data.images.shape == (2, 3, 64, 64) and data.labels is None and data.classes == ()
    assert data.names == ("000001.jpg", "000002.jpg") and data.captions is None
    assert steps[-1] == (2, 2) and set(data.origin["files"]) == set(celeba(b""))
    image = fit(decode(encoded(picture(218, 178, seed=2), "JPEG")), (64, 64))
    assert np.array_equal(data.images[1], np.asarray(image).transpose(2, 0, 1))
    assert open_dataset("celeba", size=(32, 48)).images.shape == (2, 3, 32, 48)
    assert open_dataset("celeba", split="test", channels=1).images.shape == (1, 1, 64, 64)
    padded = open_dataset("celeba", fit="pad")
    assert (padded.images[:, :, :, 0] == 255).all(), "higher than wide: white at the sides"
    steps.clear()
    again = open_dataset("celeba", progress=lambda done, total: steps.append((done, total)))
    assert np.array_equal(again.images, data.images) and steps == [], "kept prepared"
    whole = open_dataset("celeba", split="all")
    assert whole.names == tuple(f"00000{index}.jpg" for index in range(1, 5)) and len(whole) == 4
    assert present(SETS["celeba"])


def test_celebas_attributes_are_captions_where_they_are_there(
    give: Give, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch_module, "IN_MEMORY", 2_000)
    give("celeba", celeba(faces(), **{"list_attr_celeba.txt": ATTRIBUTES}), **COUNTS)
    data = open_dataset("celeba")
    assert data.captions == ("smiling, young", "arched eyebrows")
    assert "list_attr_celeba.txt" in data.origin["files"]


@pytest.mark.parametrize("content", [b"no jpeg", b"", encoded(picture(218, 178), "JPEG")[:2_000]])
def test_a_broken_face_in_a_verified_archive_is_one_line(
    give: Give, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    monkeypatch.setattr(fetch_module, "IN_MEMORY", 2_000)
    give("celeba", celeba(faces(face_2=content)), **COUNTS)
    with pytest.raises(DcganError, match="cannot be read"):
        open_dataset("celeba")


def test_a_large_file_is_verified_where_it_lies(give: Give, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_module, "IN_MEMORY", 2_000)
    packed = faces()
    give("celeba", celeba(packed), **COUNTS)
    path = cache_folder("celeba") / "img_align_celeba.zip"
    for content in (packed + b"x", packed[:-1], packed[:500] + bytes([packed[500] ^ 1]) + packed[501:]):
        path.write_bytes(content)
        with pytest.raises(DcganError) as error:
            open_dataset("celeba")
        assert f"{path} is damaged" in str(error.value)


@pytest.mark.parametrize("name", [name for name, row in SETS.items() if row.files])
def test_a_set_that_cannot_be_had_is_one_line_that_says_what_to_place(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: object) -> Any:
        raise UnavailableError("no network")

    for way in ("_run", "_answer"):
        monkeypatch.setattr(sources, way, unreachable)
    row = dataclasses.replace(SETS[name], folders=())
    monkeypatch.setitem(SETS, name, row)  # type: ignore[arg-type]
    with pytest.raises(DcganError) as error:
        open_dataset(name, split="all")
    told = str(error.value)
    assert "\n" not in told and str(cache_folder(name)) in told
    assert all(file.name in told for file in row.files if not file.optional)
    assert row.home in told and told.count("no network") == sum(
        not _by_hand(source) for source in row.sources
    )
    assert not cache_folder(name).exists() and error.value.status == 2


def _by_hand(source: object) -> bool:
    return getattr(source, "url", None) == ""


def test_facts_of_all_three_are_json(give: Give) -> None:
    give("celeba", celeba(faces()), **COUNTS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fetch_module, "IN_MEMORY", 2_000)
        json.dumps(open_dataset("celeba").describe(), allow_nan=False)
