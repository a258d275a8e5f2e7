"""CIFAR's binary batches, and its pickles refused."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from dcgan.data import open_dataset
from dcgan.errors import DcganError

RANDOM = np.random.default_rng(0)
NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def records(labels: list[int], coarse: bool = False) -> np.ndarray:
    pixels = RANDOM.integers(0, 256, (len(labels), 3072), dtype=np.uint8)
    heads = [np.array(labels, np.uint8)[:, None]]
    return np.concatenate([*([np.zeros_like(heads[0])] if coarse else []), *heads, pixels], 1)


def test_a_folder_of_batches(tmp_path: Path) -> None:
    one, two, test = records([3, 9]), records([0, 3, 3]), records([9])
    for name, rows in {"data_batch_1.bin": one, "data_batch_2.bin": two, "test_batch.bin": test}.items():
        (tmp_path / name).write_bytes(rows.tobytes())
    (tmp_path / "batches.meta.txt").write_text("\n".join(NAMES) + "\n\n")
    (tmp_path / "readme.html").write_text("<html>")
    data = open_dataset(tmp_path)
    assert np.array_equal(data.images.reshape(5, -1), np.concatenate([one, two])[:, 1:])
    assert data.classes == ("airplane", "cat", "truck") and data.labels is not None
    assert data.labels.tolist() == [1, 2, 0, 1, 1] and data.origin["kind"] == "CIFAR batches"
    assert len(open_dataset(tmp_path, split="test")) == 1 and len(open_dataset(tmp_path, split="all")) == 6
    single = open_dataset(tmp_path / "data_batch_2.bin")
    assert len(single) == 3 and single.classes == ("airplane", "cat") and single.size == (32, 32)
    (tmp_path / "batches.meta.txt").unlink()
    assert open_dataset(tmp_path).classes == ("0", "3", "9")


def test_cifar_100_takes_the_fine_label(tmp_path: Path) -> None:
    (tmp_path / "train.bin").write_bytes(records([99, 7], coarse=True).tobytes())
    (tmp_path / "test.bin").write_bytes(records([5], coarse=True).tobytes())
    (tmp_path / "fine_label_names.txt").write_text("\n".join(f"n{at:02}" for at in range(100)))
    assert open_dataset(tmp_path).classes == ("n07", "n99")
    assert open_dataset(tmp_path, split="test").classes == ("n05",)


def test_the_pickled_version_is_refused_unread(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "trapped",))

    (tmp_path / "data_batch_1").write_bytes(pickle.dumps(Trap()))
    for path in (tmp_path, tmp_path / "data_batch_1"):
        with pytest.raises(DcganError, match=r"pickled Python version .* take the binary version"):
            open_dataset(path)
    assert not (tmp_path / "trapped").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the file is empty"),
        (bytes(3072), "no whole number of CIFAR records"),
        (records([3, 200]).tobytes(), "record 2 has the label 200"),
    ],
)
def test_what_is_no_batch_is_one_line(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "data_batch_1.bin").write_bytes(content)
    for path in (tmp_path, tmp_path / "data_batch_1.bin"):
        with pytest.raises(DcganError) as error:
            open_dataset(path)
        assert says in str(error.value)
