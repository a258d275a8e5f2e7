"""`dcgan walk`, `arithmetic`, `directions` and `invert` as a person meets them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dcgan

Command = Callable[..., tuple[int, str, str]]


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["walk", "mnits"], "did you mean mnist"),
        (["walk", "mnist", "--between", "3,,4"], "none empty"),
        (["walk", "mnist", "--between", "3"], "2 points at least"),
        (["walk", "mnist", "--between", "3,shoe.png"], "'shoe.png' is nothing that can be found"),
        (["walk", "mnist", "--between", "3,bad.png"], "bad.png cannot be read as a picture"),
        (["walk", "mnist", "--between", "3,4@nine"], "unknown label 'nine'"),
        (["walk", "mnist", "--classes", "3"], "needs 2 of them"),
        (["walk", "mnist", "--classes", "3,nine"], "unknown label 'nine'"),
        (["walk", "mnist", "--classes", "3,4", "--direction", "a:b"], "give one of them"),
        (["walk", "mnist", "--direction", "pc1"], "FILE:NAME"),
        (["walk", "mnist", "--direction", "none.npz:pc1"], "cannot open none.npz"),
        (["walk", "mnist", "--format", "gfi"], "did you mean gif"),
        (["walk", "mnist", "--fps", "nan"], "--fps is nan"),
        (["walk", "mnist", "--steps", "0"], "--steps is 0"),
        (["walk", "mnist", "--extractor", "fixd"], "did you mean fixed"),
        (["walk", "mnist", "--from", "last"], "mnist is a model and no run: it has no checkpoints"),
        (["walk", "mnist", "--out", "bad.png"], "bad.png is a file: choose a folder"),
        (["arithmetic", "mnist", "[3] - shoe.jpg"], "('shoe.jpg'): no file is called that"),
        (["arithmetic", "mnist", "[3] - [3]", "--rescale"], "the answer's z is 0"),
        (["arithmetic", "mnist", "[3] * [4]"], "at character 5 ('*'): expected + or -"),
        (["arithmetic", "mnist", "[3] - nine"], "at character 7 ('nine')"),
        (["arithmetic", "mnist", "[3] - bad.png"], "bad.png cannot be read"),
        (["directions", "mnist", "-n", "10"], "-n is 10"),
        (["directions", "mnist", "--components", "0"], "nothing to look for"),
        (["directions", "mnist", "--column", "style"], "--labels"),
        (["directions", "mnist", "--labels", "none.csv"], "cannot open none.csv"),
        (["directions", "mnist", "--attribute", "brigth", "-n", "100"], "did you mean bright"),
        (["directions", "mnist", "--label", "nine"], "unknown label 'nine'"),
        (["invert", "mnist"], "Missing argument"),
        (["invert", "mnist", "none.png"], "none.png cannot be read as a picture"),
        (["invert", "mnist", "bad.png"], "bad.png cannot be read as a picture"),
        (["invert", "mnist", "bad.png", "--label", "nine"], "unknown label 'nine'"),
        (["invert", "mnist", "bad.png", "--steps", "-1"], "--steps is -1"),
        (["invert", "mnist", "bad.png", "--out", "."], "--out"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(command: Command, arguments: list[str], says: str) -> None:
    Path("bad.png").write_bytes(b"not a picture")
    status, out, err = command(*arguments)
    assert (status, out) == (2, ""), err
    assert says in err and err.count("\n") == 1 and "Traceback" not in err
    assert [path.name for path in Path().iterdir()] == ["bad.png"], "a mistake leaves nothing behind"


def test_a_picture_of_ones_own_is_walked_and_edited(command: Command) -> None:
    model = dcgan.load("mnist")
    own = 255 - model.generate(1, label="8", seed=5).images[0, :, :, 0]  # type: ignore[union-attr]
    Image.fromarray(own).resize((56, 56), Image.Resampling.BICUBIC).convert("RGB").save("eight.jpg")
    quick = ("--steps", "45", "--starts", "10", "--negative")
    status, out, err = command("invert", "mnist", "eight.jpg", *quick, "--out", "own", "--json")
    assert status == 0, err
    (row,) = json.loads(out)["images"]
    assert row["class"] == "8" and row["rmse"] < 0.6 * row["rmse_best_start"] < row["rmse_mean_design"]
    assert set(files(Path("own"))) == {"inverted.png", "inverted.npz"}
    assert command("invert", "mnist", "eight.jpg", *quick, "--out", "again")[0] == 0
    assert files(Path("own")) == files(Path("again"))

    status, out, err = command(
        "directions", "mnist", "--attribute", "bright", "--components", "1", "-n", "300"
    )
    assert status == 0, err
    assert "held out, without z" in out and "of the variance" in out and "random" in out
    found = Path("latent/mnist-directions-1")
    assert set(files(found)) == {"directions.png", "directions.npz", "directions.json"}

    walked = (
        "--between",
        "own/inverted.npz,3",
        "--direction",
        f"{found}/directions.npz:bright",
        "--steps",
        "4",
    )
    status, out, err = command("walk", "mnist", *walked, "--out", "edited", "--json")
    assert status == 0, err
    legs = json.loads(out)["legs"]
    assert legs[0]["leg"] == "eight.jpg along bright" and len(legs) == 2
    status, _, err = command("arithmetic", "mnist", "own/inverted.npz - 8 + 3", "--out", "three")
    assert status == 0, err
    with np.load("three/answer.npz", allow_pickle=False) as answer, np.load("own/inverted.npz") as start:
        assert answer["z"][0].tobytes() == start["z"][0].tobytes() and answer["label"].tolist() == [3] * 9
    status, _, err = command("walk", "fashion-mnist", "--between", "own/inverted.npz,3", "--out", "other")
    assert status == 0 and "was made with mnist" in err


@pytest.mark.parametrize("more", [["--loop"], ["--between", "3", "--classes", "1,7"], ["--format", "webp"]])
def test_the_same_walk_has_the_same_bytes(command: Command, more: list[str]) -> None:
    for out in ("one", "two"):
        status, told, err = command("walk", "mnist", "--steps", "3", *more, "--out", out)
        assert status == 0, err
        assert "a cross-fade of the same ends" in told and f"{out}/walk.png" in told
    assert files(Path("one")) == files(Path("two")) and len(files(Path("one"))) == 3
    facts = json.loads(Path("one/walk.json").read_text())
    assert facts["way"] == ("line" if "--classes" in more else "arc") and facts["extractor"] == "fixed"
    assert all(leg["sharpness"] >= 1 for leg in facts["legs"])
    status, _, err = command("walk", "mnist", "--out", "one")
    assert status == 2 and "--out" in err


def test_a_design_of_a_manifest_is_the_design_that_is_walked(command: Command) -> None:
    assert command("generate", "mnist", "-n", "4", "--seed", "9", "--out", "new")[0] == 0
    assert command("walk", "mnist", "--between", "9:2,9:3", "--steps", "1", "--out", "w")[0] == 0
    name = next(path for path in Path("new").glob("000002-*.png"))
    with Image.open(name) as design, Image.open("w/walk.png") as grid:
        small, large = np.asarray(design), np.asarray(grid)
    big = small.repeat(2, 0).repeat(2, 1)
    places = [
        (y, x)
        for y in range(len(large) - 56)
        for x in range(large.shape[1] - 56)
        if large[y, x] == big[0, 0] and np.array_equal(large[y : y + 56, x : x + 56], big)
    ]
    assert len(places) == 1


def test_a_table_of_ones_own_gives_directions(command: Command, trained: dcgan.Run) -> None:
    z = trained.model().latents([(0, index) for index in range(200)])[0]
    rows = "".join(f"0,{index},{'yes' if z[index, 2] > 0 else 'no'}\n" for index in range(200))
    Path("mine.csv").write_text(f"seed,index,liked\n{rows}")
    runs = ("--runs-dir", str(trained.folder.parent))
    asked = ("--labels", "mine.csv", "--column", "liked", "--attribute", "yes", "--components", "0", "--json")
    status, out, err = command("directions", "tiny", *asked, *runs, "--out", "found")
    assert status == 0, err
    (found,) = json.loads(out)["directions"]
    assert found["name"] == "yes" and found["accuracy"] > 0.8
    with np.load("found/directions.npz", allow_pickle=False) as kept:
        vector = kept["vectors"][0]
    assert vector[2] / np.linalg.norm(vector) > 0.85


def test_a_rare_value_of_a_table_is_left_out_and_told(command: Command, trained: dcgan.Run) -> None:
    values = ["rare" if index < 5 else ("yes", "no")[index % 2] for index in range(120)]
    rows = "".join(f"0,{index},{value}\n" for index, value in enumerate(values))
    Path("mine.csv").write_text(f"seed,index,liked\n{rows}")
    asked = (
        "directions",
        str(trained.folder),
        "--labels",
        "mine.csv",
        "--column",
        "liked",
        "--components",
        "0",
    )
    status, out, err = command(*asked, "--json", "--out", "found")
    assert status == 0, err
    assert [one["name"] for one in json.loads(out)["directions"]] == ["no", "yes"]
    assert "left out: rare" in err
    status, _, err = command(*asked, "--attribute", "rare")
    assert status == 2 and "5 of 120 designs are rare" in err, "asked for by name it is an error"
