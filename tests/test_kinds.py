"""Every kind of input goes the whole way: `dcgan train`, a resume with the same options, and the same bits mapped."""

from __future__ import annotations

import gzip
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import dcgan
from dcgan.cli import main
from dcgan.data import memory, open_dataset
from dcgan.data.formats import folder as folder_module
from dcgan.data.open import KINDS
from dcgan.recipe import Recipe
from dcgan.training.engine import Engine
from dcgan.training.trainer import Trainer

TINY = ["--set", "g_maps=4", "--set", "d_maps=4", "--set", "z_dim=8", "--batch", "8"]
RANDOM = np.random.default_rng(0)
GREY = RANDOM.integers(0, 256, (12, 8, 8), dtype=np.uint8)
LABELS = np.arange(12) % 3


def write_folder(root: Path, stem: str = "{label}/{at}.png") -> None:
    for at in range(12):
        path = root / stem.format(label="abc"[at % 3], at=at)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(RANDOM.integers(0, 256, (12, 10, 3), dtype=np.uint8)).save(path)


def flat(root: Path) -> Path:
    write_folder(root / "flat", "{at}.png")
    return root / "flat"


def classes(root: Path) -> Path:
    write_folder(root / "classes")
    return root / "classes"


def splits(root: Path) -> Path:
    write_folder(root / "splits", "train/{label}/{at}.png")
    write_folder(root / "splits", "test/{label}/{at}.png")
    return root / "splits"


def archive(root: Path) -> Path:
    write_folder(root / "plain")
    with zipfile.ZipFile(root / "all.zip", "w") as file:
        for path in sorted((root / "plain").rglob("*.png")):
            file.write(path, path.relative_to(root))
    return root / "all.zip"


def captions(root: Path) -> Path:
    write_folder(root / "told", "{at}.png")
    rows = "".join(f"{at}.png,{'abc'[at % 3]},number {at}\n" for at in range(12))
    (root / "told" / "captions.csv").write_text("file,label,caption\n" + rows)
    return root / "told"


def pixel_csv(root: Path) -> Path:
    rows = (
        f"{label},{','.join(map(str, row))}\n"
        for label, row in zip(LABELS, GREY.reshape(12, -1).tolist(), strict=True)
    )
    (root / "a.csv.gz").write_bytes(gzip.compress("".join(rows).encode()))
    return root / "a.csv.gz"


def oblong_csv(root: Path) -> Path:
    """Read as 8×16 only because the size says so: a resume must say it too."""
    rows = (",".join(map(str, row)) + "\n" for row in GREY.reshape(6, -1).tolist())
    (root / "b.csv").write_text("".join(rows))
    return root / "b.csv"


def idx(root: Path) -> Path:
    folder = root / "idx"
    folder.mkdir()
    for split in ("train", "t10k"):
        head = struct.pack(">HBB3I", 0, 8, 3, *GREY.shape)
        (folder / f"{split}-images-idx3-ubyte").write_bytes(head + GREY.tobytes())
        head = struct.pack(">HBBI", 0, 8, 1, 12)
        (folder / f"{split}-labels-idx1-ubyte").write_bytes(head + LABELS.astype(np.uint8).tobytes())
    return folder


def npz(root: Path) -> Path:
    np.savez(root / "a.npz", x_train=GREY / 255, y_train=LABELS, x_test=GREY / 255, y_test=LABELS)
    return root / "a.npz"


def npy(root: Path) -> Path:
    np.save(root / "a.npy", GREY)
    return root / "a.npy"


def cifar(root: Path) -> Path:
    rows = RANDOM.integers(0, 256, (12, 3073), dtype=np.uint8)
    rows[:, 0] = LABELS
    (root / "cifar").mkdir()
    (root / "cifar" / "data_batch_1.bin").write_bytes(rows.tobytes())
    return root / "cifar"


EVERY: list[tuple[Callable[[Path], Path], list[str], tuple[str, ...]]] = [
    (flat, [], ()),
    (classes, ["--fit", "pad", "--size", "16x12"], ("a", "b", "c")),
    (splits, ["--split", "test"], ("a", "b", "c")),
    (splits, ["--split", "all", "--channels", "1"], ("a", "b", "c")),
    (archive, ["--fit", "stretch", "--size", "8"], ("a", "b", "c")),
    (captions, [], ("a", "b", "c")),
    (pixel_csv, ["--channels", "3"], ("0", "1", "2")),
    (oblong_csv, ["--size", "8x16"], ()),
    (idx, ["--split", "all"], ("0", "1", "2")),
    (npz, ["--split", "test"], ("0", "1", "2")),
    (npy, ["--size", "12", "--fit", "pad"], ()),
    (cifar, ["--size", "8"], ("0", "1", "2")),
]


def dcgan_(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    return int(caught.value.code or 0)


@pytest.mark.parametrize(("make", "options", "names"), EVERY)
def test_trains_and_resumes(
    make: Callable[[Path], Path], options: list[str], names: tuple[str, ...], tmp_path: Path
) -> None:
    source, runs = make(tmp_path), ["--runs-dir", str(tmp_path / "runs")]
    labels = ["--labels"] if names else []
    assert dcgan_("train", str(source), *options, *labels, *TINY, "--images", "32", "--name", "x", *runs) == 0
    assert (
        dcgan_("resume", "x", "--images", "64", *runs) == 0
    )  # opens with the same options, or it would refuse
    run = dcgan.Run(tmp_path / "runs" / "x")
    assert run.journal()[-1]["images"] == 64 and run.model().classes == names
    facts = json.loads((run.folder / "data.json").read_text())
    assert facts["kind"] in {kind.title for kind in KINDS} and facts["skipped_count"] == 0
    if "--fit" in options:
        assert facts["fit"] == options[options.index("--fit") + 1]


def test_a_resume_of_moved_pictures_asks_where_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, runs = flat(tmp_path), ["--runs-dir", str(tmp_path / "runs")]
    assert dcgan_("train", str(source), *TINY, "--images", "16", "--name", "x", *runs) == 0
    source.rename(tmp_path / "elsewhere")
    capsys.readouterr()
    assert dcgan_("resume", "x", "--images", "32", *runs) == 2
    error = capsys.readouterr().err
    assert f"its pictures were at {source}" in error and "add --data" in error and error.count("\n") == 1
    assert dcgan_("resume", "x", "--images", "32", "--data", str(tmp_path / "elsewhere"), *runs) == 0


def test_every_kind_is_trained_here(tmp_path: Path) -> None:
    titles = set()
    for at, (make, _, _) in enumerate(EVERY):
        (tmp_path / str(at)).mkdir()
        path = make(tmp_path / str(at))
        titles.add(next(kind.title for kind in KINDS if kind.fits(path)))
    assert titles == {kind.title for kind in KINDS}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--fit", "padd"], "did you mean pad"),
        (["--channels", "2"], "channels is 2: must be 1"),
        (["--split", "tets"], "did you mean test"),
        (["--split", "test"], "has no test split"),
        (["--split", "val"], "unknown split 'val': ask for test"),
    ],
)
def test_a_slip_is_one_line(
    options: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dcgan_("train", str(flat(tmp_path)), *options, "--runs-dir", str(tmp_path / "runs")) == 2
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1 and not (tmp_path / "runs").exists()


def test_mapped_pictures_train_to_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = classes(tmp_path)
    monkeypatch.setattr(folder_module, "CACHED_FROM_FILES", 1)
    sums, datas = [], []
    for limit in (2**30, 0):
        monkeypatch.setattr(memory, "MAPPED_FROM", limit)
        data = open_dataset(root)
        datas.append(data)
        recipe = Recipe().with_changes(
            {"g_maps": 4, "d_maps": 4, "z_dim": 8, "batch": 8, "precision": "float32", "flip": True}
        )
        recipe = recipe.for_data(data.size, data.channels, len(data.classes))
        trainer = Trainer(recipe, data, Engine.choose("float32"))
        assert (trainer.pool is None) == data.mapped
        for _ in range(6):
            trainer.advance()
        tensors = [p for network in trainer.method.networks.values() for p in network.state_dict().values()]
        sums.append(torch.cat([tensor.double().flatten() for tensor in tensors]))
    assert [data.mapped for data in datas] == [False, True] and torch.equal(*sums)
    assert datas[0].sha256 == datas[1].sha256


def test_a_read_only_array_is_trained_on(tmp_path: Path) -> None:
    images = GREY[:, None].copy()
    images.flags.writeable = False
    run = dcgan.train(
        dcgan.data.Dataset("mine", images),
        images=16,
        batch=8,
        settings={"g_maps": 4, "d_maps": 4},
        runs_dir=tmp_path,
    )
    assert run.state == "finished"
