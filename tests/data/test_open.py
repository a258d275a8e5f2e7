"""The one door: real sets, paths, options, and every mistake in one line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from making import picture
from PIL import Image

from dcgan.data import open_dataset, present
from dcgan.data.dataset import Dataset
from dcgan.data.named.catalog import SETS
from dcgan.errors import DcganError

Make = Callable[[dict[str, bytes | Image.Image]], Path]


def real(name: str, split: str = "train", **options: object) -> Dataset:
    try:
        return open_dataset(name, split=split, **options)  # type: ignore[arg-type]
    except DcganError as error:
        pytest.skip(str(error)[:200])


def as_the_catalog_says(data: Dataset, split: str) -> None:
    row = SETS[data.name]
    count = sum(row.images[part] for part in row.splits(split))
    assert data.images.shape == (count, row.channels, *row.size) and data.classes == row.classes
    assert data.images.flags.c_contiguous and data.images.flags.writeable
    assert data.images.max() == 255 and (data.counts > 0).all()
    assert data.origin["source"] == row.name and data.origin["split"] == split
    assert set(data.origin["files"]) == {
        file.name for part in row.splits(split) for file in row.files_of(part)
    }
    json.dumps(data.describe(), allow_nan=False)


def test_digits() -> None:
    data = open_dataset("digits")
    as_the_catalog_says(data, "train")
    assert data.counts.sum() == 1797 and present(SETS["digits"])
    assert data.images[0, 0, 0].tolist() == [0, 0, 80, 207, 143, 16, 0, 0]  # 0 0 5 13 9 1 0 0 sixteenths
    assert data.labels is not None and data.labels[:10].tolist() == list(range(10))


@pytest.mark.usefixtures("outside")
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_idx_sets_on_this_machine(name: str) -> None:
    if not present(SETS[name], "all"):
        pytest.skip(f"{name} is neither in the cache nor in $DCGAN_DATA")
    train, test, both = (open_dataset(name, split=split) for split in ("train", "test", "all"))
    for data, split in ((train, "train"), (test, "test"), (both, "all")):
        as_the_catalog_says(data, split)
    assert np.array_equal(both.images[60_000:], test.images)
    if name == "mnist":
        assert train.counts.tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    else:
        assert train.counts.tolist() == [6000] * 10


def test_fashion_mnist_from_its_package() -> None:
    """The real thing: 31 MB through apt-get, skipped where there is neither that nor a network."""
    data = real("fashion-mnist", split="test")
    as_the_catalog_says(data, "test")
    assert present(SETS["fashion-mnist"], "test") and not present(SETS["fashion-mnist"], "train")


def test_mnist_5k_from_its_package() -> None:
    data = real("mnist-5k")
    as_the_catalog_says(data, "train")
    assert data.counts.tolist() == [500] * 10 and present(SETS["mnist-5k"])


def test_size_and_channels_of_a_named_set() -> None:
    data = open_dataset("digits", size=(16, 12), channels=3)
    assert data.images.shape == (1797, 3, 16, 12) and data.images.flags.c_contiguous
    assert (data.images[:, 0] == data.images[:, 2]).all()
    assert open_dataset("digits", size=(8, 8)).sha256 == open_dataset("digits").sha256


def test_a_path_and_a_name(folder: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    root = folder({"digits/a.png": picture(), "x/b.png": picture()})
    monkeypatch.chdir(root)
    assert len(open_dataset("digits")) == 1797  # the catalog's
    for path in ("./digits", Path("digits"), str(root / "digits")):
        assert len(open_dataset(path)) == 1
    data = open_dataset("x", split="all", size=(9, 10), channels=1)
    assert data.images.shape == (1, 1, 9, 10) and data.origin["split"] == "all"
    assert Path(data.origin["path"]) == root / "x" and data.origin["source"] == "x"


@pytest.mark.parametrize(
    ("source", "options", "says"),
    [
        ("mnits", {}, "did you mean mnist"),
        ("mnits", {}, "A path to a folder of images works too"),
        ("", {}, "known: celeba, "),
        ("a\0b", {}, "unknown data"),
        ("x" * 5000, {}, "unknown data"),
        ("nowhere/at/all", {}, "cannot open nowhere/at/all: No such file"),
        (Path("nowhere"), {}, "cannot open nowhere"),
        (__file__, {}, "not a kind of data that is read, which is: "),
        ("digits", {"split": "test"}, "digits has no split 'test', only train"),
        ("digits", {"split": "tset"}, "did you mean test"),
        ("digits", {"size": (7, 8)}, "from 8 to 128"),
        ("digits", {"size": (8, 129)}, "size is 8×129"),
        ("digits", {"channels": 4}, "1 (grey) or 3 (colour)"),
        (Path(__file__).parent, {"split": "test"}, "has no test split"),
    ],
)
def test_every_mistake_is_one_line(source: str | Path, options: dict[str, object], says: str) -> None:
    with pytest.raises(DcganError) as error:
        open_dataset(source, **options)  # type: ignore[arg-type]
    assert says in str(error.value) and "\n" not in str(error.value) and len(str(error.value)) < 300


def test_the_package_and_the_catalog_load_nothing_heavy() -> None:
    look = "import sys, dcgan.data, dcgan.data.named.catalog as c; c.SETS; print(*sorted(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", look], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"numpy", "PIL", "sklearn", "torch"} & set(loaded)


def test_reading_pictures_loads_neither_torch_nor_scikit_learn(folder: Make) -> None:
    look = f"import sys, dcgan.data as d; d.open_dataset({str(folder({'a.png': picture()}))!r}); print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", look], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"sklearn", "torch"} & set(loaded) and "numpy" in loaded
