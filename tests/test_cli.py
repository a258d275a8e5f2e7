"""The command line as a person meets it: mistakes in one line, help with examples, the whole way once."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dcgan
from dcgan.cli.app import COMMANDS, load
from dcgan.presets import PRESETS

Command = Callable[..., tuple[int, str, str]]
TINY = ["--set", "g_maps=4", "--set", "d_maps=4", "--set", "z_dim=8", "--batch", "16"]


def picture_folder(folder: Path, count: int = 40) -> Path:
    """Pictures as a person has them: two kinds, drawn by hand, of different sizes."""
    draw = np.random.default_rng(0)
    for index in range(count):
        kind = "round" if index % 2 else "square"
        (folder / kind).mkdir(parents=True, exist_ok=True)
        canvas = np.full((40 + index % 5, 40, 3), 240, np.uint8)
        top, left = draw.integers(4, 12, 2)
        canvas[top : top + 20, left : left + 20] = draw.integers(0, 200, 3)
        Image.fromarray(canvas).save(folder / kind / f"{index:02}.png")
    return folder


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["trian"], "Did you mean 'train'"),
        (["train"], "Missing argument"),
        (["train", "digits", "--bogus"], "No such option: --bogus"),
        (["train", "fashion-mnits"], "did you mean fashion-mnist"),
        (["train", "./nowhere"], "cannot open ./nowhere"),
        (["train", "digits", "--preset", "fast28"], "did you mean fast-28"),
        (["train", "digits", "--set", "bacth=3"], "did you mean batch"),
        (["train", "digits", "--set", "network=fats"], "did you mean fast"),
        (["train", "digits", "--set", "objective=hnge"], "did you mean hinge"),
        (["train", "digits", "--set", "method=adversary"], "did you mean adversarial"),
        (["presets", "show", "fashion2020"], "did you mean fashion-2020"),
        (["presets", "show", "fast-28", "--size", "big"], "for example 32 or 48x64"),
        (["presets", "show", "pytorch-64", "--size", "28"], "--size 64x64"),
        (["train", "digits", "--preset", "pytorch-64"], "--size 64x64, or choose --preset"),
        (["train", "svhn", "--preset", "pytorch-64", "--size", "32"], "--size 64x64, or choose --preset"),
        (["presets", "show", "mnist-2018", "--set", "variant=poetry"], "expected one of table, prose"),
        (["train", "digits", "--preset", "fashion-2020", "--labels"], "learns no classes"),
        (
            ["train", "digits", "--preset", "fashion-maxpool", "--set", "head=sigmoid"],
            "objective=bce-probability",
        ),
        (["train", "digits", "--set", "pool=flatten"], "means nothing to the network fast"),
        (["train", "digits", "--epochs", "0"], "above 0"),
        (["train", "digits", "--images", "-5"], "above 0"),
        (["train", "digits", "--minutes", "nan"], "above 0"),
        (["train", "digits", "--minutes", "1", "--epochs", "1"], "one budget"),
        (["train", "digits", "--batch", "0"], "batch is 0: must be from 2"),
        (["train", "digits", "--seed", "-1"], "seed is -1"),
        (["train", "digits", "--size", "big"], "for example 32 or 48x64"),
        (["train", "digits", "--size", "4x4"], "from 8 to 128"),
        (["train", "digits", "--size", "500"], "from 8 to 128"),
        (["train", "digits", "--name", "My Run!"], "for example my-run"),
        (["train", "digits", "--name", "-x"], "for example x"),
        (["train", "digits", "--runs-dir", "/proc/nowhere"], "cannot write /proc/nowhere"),
        (["resume", "nothing"], "unknown run 'nothing'"),
        (["report", "nothing"], "unknown run 'nothing'"),
        (["generate", "fashion-minst"], "did you mean fashion-mnist"),
        (["generate", "fashion-mnist", "-n", "0"], "-n is 0"),
        (["generate", "fashion-mnist", "-n", "many"], "valid integer"),
        (["generate", "fashion-mnist", "--label", "Sneeker"], "did you mean Sneaker"),
        (["generate", "fashion-mnist", "--seed", "-3"], "--seed is -3"),
        (["generate", "missing.safetensors"], "cannot be read"),
        (["export", "fashion-mnist", "model.pt"], "ends in .safetensors"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(command: Command, arguments: list[str], says: str) -> None:
    status, out, err = command(*arguments)
    assert status == 2
    assert says in err
    assert err.count("\n") == 1 and "Traceback" not in err
    assert out == ""
    assert not Path("runs").exists(), "a mistake leaves nothing behind"


def test_a_mistake_in_a_real_process_prints_no_traceback(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dcgan", "train", "nosuch"], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 2
    assert done.stderr.startswith("dcgan: unknown data 'nosuch'") and done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", [[], *([name] for name in COMMANDS)])
def test_help_shows_an_example(command: Command, name: list[str]) -> None:
    status, out, _ = command(*name, "--help")
    assert status == 0
    assert "Example" in out and f"dcgan {' '.join(name)}".strip() in out.split("Example", 1)[1]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_they_say(name: str) -> None:
    assert COMMANDS[name].words == " ".join(load(name).help.split("\n\n")[0].split())


HEAVY = {"torch", "numpy", "matplotlib", "sklearn", "scipy", "PIL", "safetensors", "rich", "pydantic"}


def loaded(code: str, cwd: Path) -> set[str]:
    """What of `HEAVY`, and which of our commands, a new Python has loaded after `code`."""
    whole = (
        f"import sys\ntry:\n    {code}\nexcept SystemExit: pass\nprint(*sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", whole], capture_output=True, text=True, check=True, cwd=cwd)
    modules = set(done.stderr.split())
    assert "dcgan" in modules
    return {name for name in modules if name in HEAVY or name.startswith("dcgan.cli.")}


BASE = {"dcgan.cli.app", "dcgan.cli.command", "dcgan.cli.screen"}


def test_importing_dcgan_loads_nothing_heavy(tmp_path: Path) -> None:
    assert loaded("import dcgan", tmp_path) == set()
    assert loaded("from dcgan.cli import main", tmp_path) == set()


@pytest.mark.parametrize("arguments", [[], ["--help"], ["--version"], ["trian"]])
def test_the_overall_help_loads_no_command(tmp_path: Path, arguments: list[str]) -> None:
    assert loaded(f"from dcgan.cli import main; main({arguments})", tmp_path) == BASE


def test_a_commands_help_loads_nothing_heavy(tmp_path: Path) -> None:
    for arguments in (["train"], ["datasets"], ["study"]):
        found = loaded(f"from dcgan.cli import main; main({[*arguments, '--help']})", tmp_path)
        assert found & HEAVY == set() and f"dcgan.cli.{arguments[0]}" in found
    every = "; ".join(f"load({name!r})" for name in COMMANDS)
    assert loaded(f"from dcgan.cli.app import load; {every}", tmp_path) & HEAVY == set()


def test_lists_load_no_torch(tmp_path: Path, trained: dcgan.Run) -> None:
    runs = str(trained.folder.parent)
    for arguments in (["runs", "--runs-dir", runs], ["runs", "--json", "--runs-dir", runs], ["datasets"]):
        found = loaded(f"from dcgan.cli import main; main({arguments})", tmp_path)
        assert found & HEAVY <= {"rich", "pydantic"}, arguments


def test_lists_as_json(command: Command, trained: dcgan.Run) -> None:
    status, out, _ = command("presets", "--json")
    assert status == 0 and {row["name"] for row in json.loads(out)} == set(PRESETS)
    status, out, _ = command("datasets", "--json")
    rows = {row["name"]: row for row in json.loads(out)}
    assert status == 0 and rows.keys() >= {"digits", "mnist", "fashion-mnist"} and rows["digits"]["present"]
    status, out, _ = command("runs", "--json", "--runs-dir", str(trained.folder.parent))
    assert [row["name"] for row in json.loads(out)] == ["tiny"] and json.loads(out)[0]["state"] == "finished"
    for name in ("presets", "datasets", "runs"):
        assert command(name)[0] == 0


def test_presets_as_json_have_the_published_counts(command: Command) -> None:
    rows = {row["name"]: row for row in json.loads(command("presets", "--json")[1])}
    keys = [
        f"{role}_{kind}" for role in ("generator", "discriminator") for kind in ("parameters", "trainable")
    ]
    assert [rows["fashion-2020"][key] for key in keys] == [2_330_944, 2_305_472, 212_865, 212_865]
    assert [rows["fashion-maxpool"][key] for key in keys] == [1_340_929, 1_340_417, 75_137, 74_881]
    assert [rows["paper-64"][key] for key in keys] == [18_885_760, 18_885_760, 17_232_768, 17_232_768]
    assert [rows["pytorch-64"][key] for key in keys] == [3_576_704, 3_576_704, 2_765_568, 2_765_568]


@pytest.mark.parametrize("name", PRESETS)
def test_presets_show_prints_layers_and_recipe(command: Command, name: str) -> None:
    status, out, err = command("presets", "show", name)
    assert status == 0, err
    assert "output shape" in out and "parameters" in out and "batch" in out
    status, out, _ = command("presets", "show", name, "--json")
    told = json.loads(out)
    assert status == 0 and told["recipe"]["preset"] == name and told["generator"] and told["discriminator"]


def test_presets_show_prints_the_papers_table(command: Command) -> None:
    out = command("presets", "show", "fashion-2020")[1]
    rows = [" ".join(line.split()) for line in out.splitlines()]
    for row in (
        "dense 12544 1,254,400",
        "reshape 7 × 7 × 256 0",
        "transposed conv 5×5, stride 2 14 × 14 × 64 204,800",
        "total 2,330,944",
        "trainable 2,305,472",
        "total 212,865",
    ):
        assert row in rows


def test_a_published_model_trains_and_generates(command: Command) -> None:
    train = [
        "train",
        "digits",
        "--preset",
        "fashion-2020",
        "--images",
        "48",
        "--batch",
        "16",
        "--name",
        "paper",
    ]
    status, _, err = command(*train, "--set", "precision=float32")
    assert status == 0, err
    status, _, err = command("generate", "paper", "-n", "3", "--out", "new")
    assert status == 0, err
    status, _, err = command("generate", "paper", "--label", "3")
    assert status == 2 and "--labels" in err


def test_train_generate_resume_and_export_from_forty_pictures(command: Command, tmp_path: Path) -> None:
    picture_folder(tmp_path / "shoes")
    (tmp_path / "shoes" / "round" / "broken.png").write_bytes(b"not a picture")
    train = ["train", "./shoes", "--labels", "--images", "160", "--size", "16", "--name", "shoes", *TINY]
    status, _, err = command(*train)
    assert status == 0, err
    run = dcgan.load("runs/shoes")
    assert isinstance(run, dcgan.Run)
    assert (run.recipe.height, run.recipe.channels, run.recipe.classes) == (16, 3, 2)
    assert [skipped["file"] for skipped in run.data["skipped"]] == ["round/broken.png"]
    for part in ("recipe.json", "data.json", "journal.jsonl", "report.html", "samples", "checkpoints"):
        assert (run.folder / part).exists()
        assert part in ("samples", "checkpoints") or (run.folder / part).stat().st_size

    status, _, err = command(*train)
    assert status == 2 and "dcgan resume shoes" in err and "--name" in err

    status, _, err = command("resume", "shoes", "--images", "320")
    assert status == 0, err
    assert dcgan.load("runs/shoes").journal()[-1]["images"] == 320  # type: ignore[union-attr]

    status, _, err = command("resume", "shoes")
    assert status == 2 and "spent its budget" in err and "--images 640" in err

    status, _out, err = command(
        "generate", "shoes", "-n", "10", "--label", "round", "--seed", "3", "--out", "new"
    )
    assert status == 0, err
    with (tmp_path / "new" / "manifest.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["file", "seed", "index", "label", "score"]
    assert [row["index"] for row in rows] == [str(i) for i in range(10)]
    assert {row["label"] for row in rows} == {"round"} and {row["seed"] for row in rows} == {"3"}
    assert {path.name for path in (tmp_path / "new").glob("0*.png")} == {row["file"] for row in rows}
    assert all(np.isfinite(float(row["score"])) for row in rows)
    with Image.open(tmp_path / "new" / rows[0]["file"]) as image:
        assert image.size == (16, 16) and image.mode == "RGB"
    assert (tmp_path / "new" / "sheet.png").stat().st_size > 500

    status, _, err = command("generate", "shoes", "-n", "10", "--out", "new")
    assert status == 2 and "--out" in err

    assert command("export", "shoes", "shoes.safetensors")[0] == 0
    assert (
        command(
            "generate", "shoes.safetensors", "-n", "10", "--label", "round", "--seed", "3", "--out", "same"
        )[0]
        == 0
    )
    exported = np.asarray(Image.open(tmp_path / "same" / rows[0]["file"])).astype(int)
    original = np.asarray(Image.open(tmp_path / "new" / rows[0]["file"])).astype(int)
    assert abs(exported - original).max() <= 2, "float16 weights cost at most two grey levels"

    (tmp_path / "shoes" / "round" / "01.png").unlink()
    status, _, err = command("resume", "shoes", "--images", "400")
    assert status == 2 and "other pictures" in err


def test_labels_are_refused_where_there_are_none(command: Command, tmp_path: Path) -> None:
    picture_folder(tmp_path / "shoes")
    flat = tmp_path / "flat"
    flat.mkdir()
    for index, path in enumerate(sorted((tmp_path / "shoes").glob("*/*.png"))):
        path.rename(flat / f"{index}.png")
    status, _, err = command("train", "./flat", "--labels")
    assert status == 2 and "a folder per class" in err
    status, _, err = command("train", "./flat", "--images", "32", "--size", "8", "--name", "plain", *TINY)
    assert status == 0, err
    status, _, err = command("generate", "plain", "--label", "round")
    assert status == 2 and "--labels" in err


def test_a_folder_without_pictures_is_refused(command: Command, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    status, _, err = command("train", "./empty")
    assert status == 2 and err.count("\n") == 1 and "image" in err


def test_a_shipped_model_makes_pictures_before_any_training(command: Command) -> None:
    for name in ("fashion-mnist", "mnist"):
        status, _out, err = command("generate", name, "-n", "20", "--balanced", "--out", name)
        assert status == 0, err
        with (Path(name) / "manifest.csv").open() as file:
            labels = [row["label"] for row in csv.DictReader(file)]
        assert len(set(labels)) == 10 and len(labels) == 20


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_runs_folder_that_cannot_be_written(command: Command, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    status, _, err = command("train", "digits", "--images", "16", "--runs-dir", str(closed / "runs"), *TINY)
    assert status == 2 and "cannot write" in err


def test_the_demo_runs_on_digits_where_fashion_mnist_cannot_be_had(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dcgan.data import open as door

    open_dataset = door.open_dataset

    def no_network(source: str, **options: object) -> object:
        if source == "fashion-mnist":
            raise dcgan.DcganError("fashion-mnist: no network")
        return open_dataset(source)

    monkeypatch.setattr(door, "open_dataset", no_network)
    status, out, err = command("demo", "--minutes", "0.02")
    assert status == 0, err
    assert [line for line in err.splitlines() if "Fashion-MNIST cannot be had" in line]
    designs = Path("runs/demo/designs")
    assert len(list(designs.glob("0*.png"))) == 100
    assert all(str(path) in out for path in (designs, designs / "sheet.png", Path("runs/demo/report.html")))

    before = (designs / "manifest.csv").stat().st_mtime_ns, len(dcgan.load("runs/demo").journal())  # type: ignore[union-attr]
    status, out, err = command("demo", "--minutes", "0.02")
    after = (designs / "manifest.csv").stat().st_mtime_ns, len(dcgan.load("runs/demo").journal())  # type: ignore[union-attr]
    assert status == 0 and before == after and str(designs) in out, "a second demo does no work twice"

    # Killed between its last checkpoint and its end: nothing is left to train, and the designs are still to be made.
    shutil.rmtree(designs)
    journal = Path("runs/demo/journal.jsonl")
    journal.write_text(
        "".join(line for line in journal.read_text().splitlines(True) if '"finish"' not in line)
    )
    status, out, err = command("demo", "--minutes", "0.02")
    assert status == 0, err
    assert len(list(designs.glob("0*.png"))) == 100 and str(designs) in out
