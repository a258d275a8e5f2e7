"""Names and paths as people and other programs make them: too long, undecodable, forbidden, or taken."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import dcgan
from child import TINY, dcgan_in_child, forks
from dcgan.data.dataset import Dataset
from dcgan.designs import file_word, write_designs
from dcgan.run import list_runs
from dcgan.training.folder import command

LONG = "a" * 300
NOBODY = 65534


def pictures(folder: Path, count: int = 20) -> Path:
    folder.mkdir(parents=True)
    for index in range(count):
        pixels = np.random.default_rng(index).integers(0, 256, (8, 8), np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.png")
    return folder


@forks
@pytest.mark.parametrize(
    "arguments",
    [
        ["train", LONG],
        ["train", f"./{LONG}"],
        ["train", "digits", "--name", LONG],
        ["train", "digits", "--runs-dir", LONG],
        ["train", "digits", "--preset", LONG],
        ["resume", LONG],
        ["resume", "any", "--runs-dir", LONG],
        ["generate", LONG],
        ["generate", f"{LONG}.safetensors"],
        ["generate", "mnist", "-n", "1", "--out", LONG],
        ["export", "mnist", f"{LONG}.safetensors"],
        ["report", LONG],
    ],
)
def test_a_name_too_long_for_any_file_is_one_line(tmp_path: Path, arguments: list[str]) -> None:
    dcgan_in_child(tmp_path, *arguments).assert_one_line(2)
    assert not any(tmp_path.iterdir())


@forks
@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "no\udcffwhere"],
        ["train", "./no\udcffwhere"],
        ["train", "digits", "--name", "\udcff"],
        ["train", "digits", "--preset", "\udcff"],
        ["train", "digits", "--set", "\udcff=1"],
        ["train", "digits", "--set", "network=\udcff"],
        ["train", "digits", "--size", "\udcff"],
        ["train", "digits", "--\udcff"],
        ["train", "two\nlines"],
        ["two\nlines"],
        ["train", "digits", "--two\nlines"],
        ["resume", "\udcff"],
        ["generate", "\udcff"],
        ["generate", "mnist", "--label", "\udcff"],
    ],
)
def test_a_word_that_is_no_text_is_one_line(tmp_path: Path, arguments: list[str]) -> None:
    dcgan_in_child(tmp_path, *arguments).assert_one_line(2)
    assert not any(tmp_path.iterdir())


@forks
def test_a_setting_that_is_no_text_leaves_a_whole_run(tmp_path: Path) -> None:
    done = dcgan_in_child(
        tmp_path, "train", "digits", "--set", "preset=\udcff", "--images", "32", "--name", "odd", *TINY
    )
    assert done.status == 0, done
    run = dcgan.load(tmp_path / "runs" / "odd")
    assert isinstance(run, dcgan.Run) and run.recipe.preset == "\udcff" and run.state == "finished"


@forks
@pytest.mark.parametrize(
    "name", ["bell\x07", "two\nlines", "unde\udcffcodable", "пальто", "sp ace", "[/red]:smile:"]
)
def test_a_folder_of_any_name_can_be_learned_from_and_resumed(tmp_path: Path, name: str) -> None:
    pictures(tmp_path / name)
    done = dcgan_in_child(tmp_path, "train", f"./{name}", "--images", "32", "--name", "run", *TINY)
    assert done.status == 0, done
    assert json.loads((tmp_path / "runs/run/data.json").read_bytes())["path"] == str(tmp_path / name)
    done = dcgan_in_child(tmp_path, "resume", "run", "--images", "64")
    assert done.status == 0, done
    assert dcgan_in_child(tmp_path, "report", "run").status == 0
    (run,) = json.loads(dcgan_in_child(tmp_path, "runs", "--json").out)
    assert run["images"] == 64 and dcgan_in_child(tmp_path, "runs").status == 0


@forks
def test_a_folder_of_pictures_does_not_hide_a_model_of_its_name(tmp_path: Path) -> None:
    for name in ("fashion-mnist", "mnist"):
        pictures(tmp_path / name)
        assert dcgan_in_child(tmp_path, "generate", name, "-n", "2").status == 0
        dcgan_in_child(tmp_path, "generate", f"./{name}").assert_one_line(2, "is not a run")
    with pytest.raises(dcgan.DcganError, match="unknown run or model"):
        dcgan.load(Path("fashion-mnist"))


@forks
def test_a_folder_that_was_removed_under_ones_feet_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    done = dcgan_in_child(tmp_path / "gone", "runs", before=(tmp_path / "gone").rmdir)
    done.assert_one_line(2, "has been removed")


@forks
def test_a_file_where_runs_are_kept_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    dcgan_in_child(tmp_path, "runs", "--runs-dir", "file").assert_one_line(
        2, "folder file", "Not a directory"
    )
    assert dcgan_in_child(tmp_path, "runs", "--runs-dir", "not-yet").status == 0


@forks
@pytest.mark.parametrize("out", [".", "..", "/", "./", "../.."])
def test_designs_do_not_replace_the_folder_one_is_in(tmp_path: Path, out: str) -> None:
    done = dcgan_in_child(tmp_path, "generate", "mnist", "-n", "1", "--out", out)
    done.assert_one_line(2, "--out", "name a new one")
    assert not any(tmp_path.iterdir())


def test_designs_go_into_an_empty_folder(trained: dcgan.Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    write_designs(trained.model(), tmp_path / "empty", 2)
    assert (tmp_path / "empty" / "manifest.csv").is_file()


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("Ankle boot", "Ankle-boot"),
        ("Cat", "Cat"),
        ("cat", "cat"),  # may be another class
        ("кроссовки", "кроссовки"),
        ("靴", "靴"),
        ("कमीज़", "कमीज़"),
        ("Ma\u0301s", "Más"),
        ("../../etc/passwd", "etc-passwd"),
        ("a\udcff\x00/b", "a-b"),
        ("!!!", "class"),
        ("", "class"),
        ("靴" * 100, "靴" * 40),
        ("b" * 100, "b" * 64),
        ("👟 shoe", "shoe"),
    ],
)
def test_a_class_in_a_files_name(name: str, word: str) -> None:
    assert file_word(name) == word
    assert len(os.fsencode(f"{10**8}-{file_word(name)}.png")) < 255


def test_designs_of_a_class_in_any_alphabet(tmp_path: Path, digits: Dataset) -> None:
    classes = ("кроссовки", "靴", "a\udcff", *digits.classes[3:])
    data = Dataset("shoes", digits.images, digits.labels, classes)
    settings = {"g_maps": 4, "d_maps": 4}
    run = dcgan.train(data, images=16, batch=16, settings=settings, runs_dir=tmp_path, name="shoes")
    write_designs(run.model(), tmp_path / "new", 3, balanced=True)
    names = sorted(path.name for path in (tmp_path / "new").glob("0*.png"))
    assert names == ["000000-кроссовки.png", "000001-靴.png", "000002-a.png"]


@pytest.mark.parametrize(
    ("folder", "line"),
    [
        ("runs/shoes", "dcgan resume shoes"),
        ("other/shoes", "dcgan resume shoes --runs-dir other"),
        ("/a b/shoes", "dcgan resume shoes --runs-dir '/a b'"),
        ("shoes", "dcgan resume shoes --runs-dir ."),
        ("runs/My Run", "dcgan resume 'My Run'"),
    ],
)
def test_hints_name_the_place_of_the_runs(folder: str, line: str) -> None:
    assert command("resume", Path(folder)) == line


@forks
def test_every_hint_names_the_place_of_the_runs(tmp_path: Path) -> None:
    train = ["train", "digits", "--images", "32", "--name", "mine", "--runs-dir", "my runs", *TINY]
    where = "--runs-dir 'my runs'"
    assert where in dcgan_in_child(tmp_path, *train).out
    dcgan_in_child(tmp_path, *train).assert_one_line(2, f"dcgan resume mine {where}")
    shutil.rmtree(tmp_path / "my runs" / "mine" / "checkpoints")
    (tmp_path / "my runs" / "mine" / "journal.jsonl").unlink()  # as if none had been made yet
    said = dcgan_in_child(tmp_path, "generate", "mine", "--runs-dir", "my runs")
    said.assert_one_line(2, f"dcgan resume mine {where}")
    said = dcgan_in_child(tmp_path, "generate", "nothing", "--runs-dir", "my runs")
    said.assert_one_line(2, "--runs-dir 'my runs'")


@forks
@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("height=32", "--size"),
        ("width=32", "--size"),
        ("classes=3", "--labels"),
        ("channels=3", "follows"),
    ],
)
def test_what_the_data_decides_is_not_set_by_name(tmp_path: Path, setting: str, says: str) -> None:
    dcgan_in_child(tmp_path, "train", "digits", "--set", setting).assert_one_line(2, says)


@forks
@pytest.mark.parametrize("setting", ["epochs=0.1", "minutes=0.01", "images=64"])
def test_a_budget_that_is_set_takes_the_place_of_the_presets(tmp_path: Path, setting: str) -> None:
    done = dcgan_in_child(tmp_path, "train", "digits", "--set", setting, "--name", "run", *TINY)
    assert done.status == 0, done
    recipe = dcgan.load(tmp_path / "runs" / "run").recipe
    name, _, value = setting.partition("=")
    assert getattr(recipe, name) == float(value)
    assert sum(bool(budget) for budget in (recipe.epochs, recipe.minutes, recipe.images)) == 1


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that every user can reach, and nobody can write."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "public"
        folder.mkdir()
        Path(name).chmod(0o755)
        yield folder


def become_nobody() -> None:
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


@forks
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_user_who_may_not_is_told_so(public: Path, trained: dcgan.Run) -> None:
    """Permissions mean nothing to root, so a child becomes nobody."""
    runs = public / "runs"
    shutil.copytree(trained.folder, runs / "read-only")
    shutil.copytree(trained.folder, runs / "closed")
    (runs / "closed").chmod(0o700)
    pictures(public / "secret").chmod(0o700)
    pictures(public / "half").joinpath("3.png").chmod(0o600)
    (public / "own").mkdir()
    os.chown(public / "own", NOBODY, NOBODY)
    own = ["--runs-dir", "own"]

    def as_nobody(*arguments: str):  # type: ignore[no-untyped-def]
        return dcgan_in_child(public, *arguments, before=become_nobody)

    # An environment inside a private folder hides even the packages' own data from another user.
    probe = as_nobody("datasets", "check", "digits")
    if probe.status:
        pytest.skip(f"this machine lets nobody run nothing: {probe.err}")
    train = ["--images", "32", "--name", "new", *TINY]
    as_nobody("train", "digits", *train).assert_one_line(2, "cannot write runs", "Permission denied")
    as_nobody("train", "./secret", *train, *own).assert_one_line(2, "secret", "Permission denied")
    as_nobody("resume", "closed", "--images", "9000").assert_one_line(2, "closed", "Permission denied")
    as_nobody("resume", "read-only", "--images", "9000", "--data", "digits").assert_one_line(
        2, "cannot write"
    )
    as_nobody("report", "read-only").assert_one_line(2, "cannot write", "Permission denied")
    as_nobody("generate", "closed").assert_one_line(2, "closed", "Permission denied")
    as_nobody("generate", "read-only", "-n", "1").assert_one_line(
        2, "cannot write designs", "Permission denied"
    )
    as_nobody("export", "read-only", "m.safetensors").assert_one_line(2, "cannot write m.safetensors")
    as_nobody("runs", "--runs-dir", "secret").assert_one_line(2, "secret", "not readable")
    listed = as_nobody("runs")
    assert listed.status == 0 and "read-only" in listed.out
    assert sorted(path.name for path in runs.iterdir()) == ["closed", "read-only"]
    assert as_nobody("generate", "read-only", "-n", "1", "--out", "own/designs").status == 0
    assert as_nobody("train", "./half", *train, *own).status == 0
    assert dcgan.Run(public / "own" / "new").data["skipped"][0]["file"] == "3.png"


@forks
def test_memory_that_runs_out_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dcgan.model import Model
    from dcgan.training.trainer import Trainer

    def python(*arguments: object, **options: object) -> None:
        raise MemoryError

    def cpu(*arguments: object, **options: object) -> None:
        torch.empty(1 << 60, dtype=torch.uint8)

    for out_of_memory in (python, cpu):
        with monkeypatch.context() as patch:
            patch.setattr(Trainer, "draws", out_of_memory)
            patch.setattr(Model, "_compute", out_of_memory)
            name = out_of_memory.__name__
            done = dcgan_in_child(tmp_path, "train", "digits", "--name", name, *TINY)
            assert done.status == 2 and done.err.splitlines()[-1].startswith("dcgan: out of memory: ")
            assert "Traceback" not in done.err
            dcgan_in_child(tmp_path, "generate", "mnist").assert_one_line(2, "out of memory")
            with pytest.raises(dcgan.DcganError, match="out of memory"):
                dcgan.load("mnist").generate(3)
    assert not (tmp_path / "designs" / "mnist-1").exists()


def two_classes(folder: Path, count: int = 6) -> Path:
    """Two classes of small pictures."""
    draw = np.random.default_rng(0)
    for index in range(count):
        (folder / "ab"[index % 2]).mkdir(parents=True, exist_ok=True)
        pixels = draw.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "ab"[index % 2] / f"{index}.png")
    return folder


@forks
def test_a_run_kept_among_its_own_pictures_is_no_data(tmp_path: Path) -> None:
    """`dcgan train .` writes ./runs; resuming must find the same pictures, and the next training no samples."""
    folder = two_classes(tmp_path / "shoes")
    train = ["train", ".", "--labels", "--images", "32", "--name", "one", *TINY]
    assert dcgan_in_child(folder, *train).status == 0
    done = dcgan_in_child(folder, "resume", "one", "--images", "64")
    assert done.status == 0, done
    data = dcgan.open_dataset(folder)
    assert data.classes == ("a", "b") and len(data) == 6
    assert any("runs of dcgan were left out" in note and "runs/one" in note for note in data.origin["notes"])


def test_links_that_lead_to_themselves(tmp_path: Path, trained: dcgan.Run) -> None:
    """Among pictures: skipped by name. Among runs: passed over."""
    folder = two_classes(tmp_path / "shoes")
    (folder / "a" / "loop").symlink_to("loop")
    data = dcgan.open_dataset(folder)
    assert len(data) == 6 and [item["file"] for item in data.origin["skipped"]] == ["a/loop"]
    runs = tmp_path / "runs"
    runs.mkdir()
    (runs / "loop").symlink_to("loop")
    (runs / "mine").symlink_to(trained.folder)
    assert [run.name for run in list_runs(runs)] == ["mine"]
    with pytest.raises(dcgan.DcganError, match="unknown run or model 'your'"):
        dcgan.load("your", runs_dir=runs)


@forks
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--images", "32", "--set", "images=64"], "two budgets"),
        (["--minutes", "1", "--set", "images=64"], "two budgets"),
        (["--batch", "16", "--set", "batch=32"], "batch is given by --batch and by --set"),
        (["--seed", "9223372036854775808"], "from 0 to 9223372036854775807"),
    ],
)
def test_what_is_said_twice_or_too_large_is_refused(tmp_path: Path, arguments: list[str], says: str) -> None:
    dcgan_in_child(tmp_path, "train", "digits", *arguments).assert_one_line(2, says)
    assert not (tmp_path / "runs").exists()


@forks
def test_a_demo_with_a_wrong_budget_fetches_nothing(tmp_path: Path) -> None:
    dcgan_in_child(tmp_path, "demo", "--minutes", "-1").assert_one_line(2, "--minutes is -1.0")


def test_checkpoints_that_are_gone_are_told_by_generate_too(tmp_path: Path, digits: Dataset) -> None:
    run = dcgan.train(
        digits, images=32, settings={"g_maps": 4, "d_maps": 4, "precision": "float32"}, runs_dir=tmp_path
    )
    shutil.rmtree(run.folder / "checkpoints")
    with pytest.raises(dcgan.DcganError, match="its checkpoints are gone: put them back"):
        dcgan.load(run.folder).generate(1)


def test_a_label_and_balanced_exclude_each_other(trained: dcgan.Run) -> None:
    with pytest.raises(dcgan.DcganError, match="give one of them"):
        trained.generate(4, label="3", balanced=True)
