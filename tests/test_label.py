"""`dcgan label` and `dcgan.label`: designs and folders, from the command line to the files, and names meant to harm."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dcgan
from dcgan.data import Dataset, open_dataset
from dcgan.designs import LABELLED, class_folders
from dcgan.pictures import png

Command = Callable[..., tuple[int, str, str]]
HOSTILE = ("../../up", "a/b", "A-b", "CON", "", "\N{SNOWMAN}")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dcgan.evaluation.classifier.MOST_PASSES", 12)


@pytest.fixture
def pictures(digits: Dataset, tmp_path: Path) -> Path:
    """60 digits as a person has them, enlarged and in two folders that mean nothing, with the same names in each."""
    for index in range(60):
        place = tmp_path / "pics" / "ab"[index % 2]
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{index // 2}.png").write_bytes(png(digits.images[index].transpose(1, 2, 0), 3))
    return tmp_path / "pics"


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as table:
        return list(csv.DictReader(table))


def test_a_folder_from_the_command_line(command: Command, pictures: Path, digits: Dataset) -> None:
    before = {path: path.read_bytes() for path in pictures.rglob("*.png")}
    status, out, err = command("label", "pics", "--data", "digits", "--folders")
    assert status == 0, err
    assert "of 176 pictures of digits (held out" in out
    assert "below a confidence of 0.5" in out and "as asked" not in out
    assert {path: path.read_bytes() for path in pictures.rglob("*.png")} == before
    table = rows(Path("pics-labels/labels.csv"))
    assert list(table[0]) == ["file", "label", *LABELLED[1:]] and len(table) == 60
    assert digits.labels is not None
    truth = {f"{'ab'[i % 2]}/{i // 2}.png": str(digits.labels[i]) for i in range(60)}
    assert np.mean([row["label"] == truth[row["file"]] for row in table]) > 0.9
    copies = list(Path("pics-labels/classes").rglob("*.png"))
    assert sorted(path.read_bytes() for path in copies) == sorted(before.values())
    for row in table:
        place = Path("pics-labels/classes") / row["label"]
        assert (pictures / row["file"]).read_bytes() in [path.read_bytes() for path in place.iterdir()]
    assert set(open_dataset(Path("pics-labels/classes")).classes) == {row["label"] for row in table}
    with Image.open("pics-labels/sheet.png") as sheet:
        assert sheet.size[0] > 100
    status, out, err = command("label", "pics", "--data", "digits")
    assert (status, out) == (2, "") and err.count("\n") == 1 and "exists and is not empty" in err


def test_a_runs_designs_and_the_columns_of_generate(command: Command, trained: dcgan.Run) -> None:
    runs = ("--runs-dir", str(trained.folder.parent))
    assert command("generate", "tiny", "-n", "3", "--out", "plain", *runs)[0] == 0
    assert list(rows(Path("plain/manifest.csv"))[0]) == ["file", "seed", "index", "label", "score"]
    status, out, err = command("label", "tiny", "-n", "70", "--folders", *runs)
    assert status == 0 and "as asked" in out, err
    table = rows(Path("designs/tiny-1/manifest.csv"))
    assert len(table) == 70
    for row in table:
        assert (
            row["file"].startswith(f"classes/{row['class']}/")
            and Path("designs/tiny-1", row["file"]).is_file()
        )
        assert 0 <= float(row["runner_up_confidence"]) <= float(row["confidence"]) <= 1
        assert row["class"] != row["runner_up"]
    status, out, _ = command("generate", "tiny", "-n", "3", "--out", "labelled", *runs)
    with_columns = rows(Path("labelled/manifest.csv"))
    assert status == 0 and "labeller" in out
    assert list(with_columns[0])[5:] == list(LABELLED)
    assert [{k: row[k] for k in list(row)[:5]} for row in with_columns] == rows(Path("plain/manifest.csv"))
    assert [row["class"] for row in with_columns] == [row["class"] for row in table[:3]]
    status, out, _ = command("label", "labelled", "--data", "digits")
    again = rows(Path("labelled-labels/labels.csv"))
    assert status == 0 and [row["label"] for row in again] == [row["class"] for row in with_columns]
    assert [row["asked"] for row in again] == [row["label"] for row in with_columns]


def test_a_zip_is_read_in_place(pictures: Path, digits: Dataset) -> None:
    with zipfile.ZipFile("p.zip", "w") as archive:
        for path in sorted(pictures.rglob("*.png"))[:20]:
            archive.write(path, path.relative_to(pictures))
    done = dcgan.label("p.zip", "digits", out="out", folders=True)
    assert done.counts.sum() == 20 and len(list(Path("out/classes").rglob("*.png"))) == 20
    assert done.table == Path("out/labels.csv") and done.asked == 0


def test_hostile_class_names_stay_in_the_folder(digits: Dataset, pictures: Path, tmp_path: Path) -> None:
    assert digits.labels is not None
    data = Dataset("odd", digits.images, digits.labels % len(HOSTILE), HOSTILE, {"source": "odd"})
    done = dcgan.label(pictures, data, out="safe", folders=True)
    assert done.counts.sum() == 60
    made = {path.resolve() for path in tmp_path.rglob("*.png")}
    assert all(path.is_relative_to(tmp_path / "safe") or path.is_relative_to(pictures) for path in made)
    assert len(list(Path("safe/classes").rglob("*.png"))) == 60


def test_classes_of_one_word_are_kept_apart() -> None:
    names = class_folders(("a b", "a/b", "A-B", "", "class"))
    assert names == ("a-b", "a-b-2", "A-B-3", "class", "class-2")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nothing"], "unknown run or model 'nothing'"),
        (["pics"], "say with --data"),
        (["pics", "--data", "nosuch"], "unknown data 'nosuch'"),
        (["pics", "--data", "flat"], "has no labels"),
        (["flat", "--data", "digits", "--out", "pics"], "exists and is not empty"),
        (["empty", "--data", "digits"], "no images here"),
        (["pics", "--data", "digits", "--fit", "crip"], "did you mean crop"),
        (["fashion-mnist", "-n", "0", "--data", "digits"], "-n is 0"),
        (["fashion-mnist", "--seed", "-1", "--data", "digits"], "--seed is -1"),
    ],
)
def test_mistakes_are_one_line(
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
    pictures: Path,
    arguments: list[str],
    says: str,
) -> None:
    Path("empty").mkdir()
    Path("flat").mkdir()
    (Path("flat") / "1.png").write_bytes(next(pictures.rglob("*.png")).read_bytes())
    before = sorted(Path().rglob("*"))
    monkeypatch.setattr("dcgan.evaluation.labeller.fit_classifier", None)  # told before anything is learned
    status, out, err = command("label", *arguments)
    last = err.splitlines()[-1]
    assert (status, out) == (2, "") and says in last and last.startswith("dcgan: "), err
    assert "Traceback" not in err
    assert [path for path in sorted(Path().rglob("*")) if "cache" not in path.parts] == before
