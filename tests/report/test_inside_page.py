"""The page that looks inside a model: what it says of every kind of network, and that it is read on a phone."""

from __future__ import annotations

import re
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import dcgan
from dcgan import explain as explaining
from dcgan.analysis.inside.ablation import Body
from dcgan.analysis.inside.fields import Box
from dcgan.errors import DcganError
from dcgan.explain import explain
from dcgan.explain.drawing import BETWEEN, GAP, amount, cell_side, framed, shown, signed, tiled
from dcgan.presets import PRESETS
from dcgan.report.inside import Figure, Section, Table, write_inside
from inside_models import Brightness, pictures, untrained

HEADS = [
    "What D looks for",
    "The filters that touch the picture",
    "Activation maps",
    "Which of G's maps draw what",
    "Designs without an object",
]


def heads(page: Path) -> list[str]:
    text = page.read_text("utf-8").replace("&#x27;", "'")
    return re.findall(r"<h2>(.*?)</h2>", text)


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "paper-64"])
def test_every_preset_can_be_looked_into(name: str, tmp_path: Path) -> None:
    """paper-64 is pytorch-64's kind of network with six times the weights, and takes as many times longer."""
    classes = 3 if PRESETS[name].labels else 0
    model = untrained(name, classes, channels=3 if name == "fast-32" else None)
    found = explain(model, pictures(model, 8, labels=bool(classes)), n=2, out=tmp_path)
    text = found.page.read_text("utf-8")
    assert found.page == tmp_path / "inside.html" and heads(found.page) == HEADS
    if name == "mnist-gan-2018":
        assert text.count("fully connected") == 6 and text.count("<img") == 2
    else:
        assert text.count("<img") > 12 and "fully connected" not in text
    assert "No labeller" in text or name == "mnist-gan-2018"


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    model = untrained("fast-28", 3)
    data = pictures(model, 20, labels=True)
    one, two, other = (
        explain(model, data, n=6, seed=seed, out=tmp_path / name).page.read_bytes()
        for seed, name in ((0, "a"), (0, "b"), (1, "c"))
    )
    assert one == two != other


def test_what_a_labeller_adds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explaining, "known_labeller", lambda found: Brightness())
    model = untrained("fast-28", 3)
    found = explain(model, pictures(model, 20, labels=True), n=12, layers=["mix1"], out=tmp_path)
    text = found.page.read_text("utf-8")
    assert Brightness.accuracy in text and "log-odds, off" in text and "Layer up1" not in text
    assert any("share of one class" in line for line in found.lines)


def test_names_are_inert(tmp_path: Path) -> None:
    bad = "<script>alert(1)</script>"
    cell = np.zeros((4, 4, 3), np.uint8)
    parts = (bad, (Figure(bad, cell, bad, bad),), Table((bad,), ((bad, bad),), bad))
    write_inside(tmp_path / "p.html", bad, [(bad, bad)], [bad], [Section(bad, (bad,), parts)])
    assert "<script>alert" not in (tmp_path / "p.html").read_text("utf-8")


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    model = untrained("fast-28")
    data = pictures(model)
    for arguments, says in {
        "n": ({"n": 1}, "-n is 1: must be from 2"),
        "seed": ({"seed": -1}, "seed is -1"),
        "layer": ({"layers": ["up7"]}, "unknown layer 'up7': did you mean up1"),
        "boxes": ({"boxes": tmp_path / "none.csv"}, "cannot open"),
    }.values():
        with pytest.raises(DcganError, match=says):
            explain(model, data, out=tmp_path, **arguments)
    with pytest.raises(DcganError, match="--data"):
        explain(model, out=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def command(command):
    """`dcgan explain …`."""
    return partial(command, "explain")


def test_the_command_explains_a_run_from_boxes(command, trained: dcgan.Run, tmp_path: Path) -> None:
    rows = [f"3,{index},0,{index % 5},3,3" for index in range(6)]
    (tmp_path / "boxes.csv").write_text("seed,index,top,left,height,width\n" + "\n".join(rows))
    arguments = (str(trained.folder), "-n", "4", "--out", "new", "--data", "digits")
    status, out, err = command(*arguments, "--boxes", "boxes.csv")
    assert status == 0, err
    assert out.splitlines()[-1] == "page  new/inside.html" and "of the box it changes" in out
    text = Path("new/inside.html").read_text("utf-8")
    assert "6 boxes on designs, given by a person" in text and "Inside tiny" in text and "step 40" in text
    for text, words in (("", "0 marked designs"), ("0,0,0,0,3,3\n" * 6, "1 marked design: mark 5")):
        (tmp_path / "boxes.csv").write_text("seed,index,top,left,height,width\n" + text)
        status, out, err = command(*arguments, "--boxes", "boxes.csv")
        assert status == 2 and words in err and len(err.splitlines()) == 1
    (tmp_path / "boxes.csv").write_text("seed,index,top,left,height,width\n0,0,0,0,9,3\n")
    status, out, err = command(*arguments, "--boxes", "boxes.csv")
    assert status == 2 and out == "" and err.count("\n") == 1 and "line 2: the box ends before row 9" in err


def test_boxes_lie_on_designs_of_the_class_that_was_asked_for(
    trained: dcgan.Run, monkeypatch, tmp_path
) -> None:
    bodies: list[Body] = []

    def caught(body: Body, *rest: object, **more: object) -> None:
        bodies.append(body)
        raise DcganError("seen enough")

    monkeypatch.setattr("dcgan.explain.drop_object", caught)
    (tmp_path / "boxes.csv").write_text(
        "seed,index,top,left,height,width\n" + "\n".join(f"0,{index},1,1,3,3" for index in range(6))
    )
    model = trained.model()
    for label in ("3", None):
        with pytest.raises(DcganError, match="seen enough"):
            explain(trained, boxes=tmp_path / "boxes.csv", label=label, out=tmp_path)
        expected, _ = model.generate(6, label=label)
        assert np.array_equal(bodies.pop().images, expected)
    with pytest.raises(DcganError, match="unknown label 'x'"):
        explain(trained, boxes=tmp_path / "boxes.csv", label="x", out=tmp_path)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["fashion-minst"], "did you mean fashion-mnist"),
        (["digits", "--from", "best"], "unknown"),
        (["fashion-mnist", "--layer", "up9"], "unknown layer"),
        (["fashion-mnist", "-n", "0"], "-n is 0"),
    ],
)
def test_a_slip_on_the_command_line_is_one_line(command, arguments: list[str], says: str) -> None:
    status, out, err = command(*arguments)
    assert status == 2 and says in err and err.count("\n") == 1 and out == ""


def test_pictures_are_drawn_to_scale() -> None:
    assert (
        cell_side((28, 20)) == (56, 40)
        and cell_side((64, 64)) == (64, 64)
        and cell_side((4, 4), 32) == (32, 32)
    )
    values = np.array([[[-1.0, 0.0], [0.5, 1.0]]], np.float32)
    drawn = signed(values, (4, 4))
    assert drawn.shape == (4, 4, 3)
    assert drawn[0, 2].tolist() == [255] * 3, "nothing is white"
    assert drawn[0, 0, 2] > drawn[0, 0, 0] and drawn[3, 3, 0] > drawn[3, 3, 2], "blue below, red above"
    assert signed(values.repeat(3, 0), (4, 4))[0, 2].tolist() == [128] * 3
    assert signed(values * 0, (4, 4)).min() == 255 and amount(values[0] * 0, (4, 4)).max() == 0
    picture = shown(np.zeros((4, 4, 1), np.uint8), (8, 8))
    marked = framed(picture, Box(1, 0, 2, 3), (4, 4))
    assert np.argwhere(marked.any(2)).min(0).tolist() == [2, 0]
    assert np.argwhere(marked.any(2)).max(0).tolist() == [5, 5] and not marked[3:5, 1:5].any()
    assert tiled([[picture, None], [picture]]).shape == (22, 22, 3)


@pytest.mark.skipif(
    shutil.which("chromium") is None, reason="needs chromium (Debian: apt-get install chromium)"
)
def test_the_page_fits_a_phone_and_asks_for_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="needs playwright (pip install playwright)"
    )
    monkeypatch.setattr(explaining, "known_labeller", lambda found: Brightness())
    model = untrained("fast-64", 3, channels=3)
    model.name = "unbreakable" * 20
    page_file = explain(model, pictures(model, 8, labels=True), n=12, out=tmp_path).page
    asked: list[str] = []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page()
        page.on("console", lambda message: asked.append(message.text))
        page.on("request", lambda request: asked.append(request.url[:80]))
        for width in (390, 1280):
            page.set_viewport_size({"width": width, "height": 800})
            page.goto(page_file.as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            sizes = page.evaluate(
                "[...document.images].map((one) => [one.naturalWidth, one.getBoundingClientRect().width])"
            )
            assert len(sizes) > 15
            assert all(natural > 0 and 150 < laid <= width - 20 for natural, laid in sizes)
        browser.close()
    assert [url for url in asked if not url.startswith(("data:", page_file.as_uri()[:80]))] == []


def test_cells_in_rows_with_an_empty_one_between_grey_lines() -> None:
    cell = np.full((3, 4, 3), 7, np.uint8)
    picture = tiled([[cell, None], [cell]])
    assert picture.shape == (2 * 3 + 3 * GAP, 2 * 4 + 3 * GAP, 3)
    assert (picture[GAP : GAP + 3, GAP : GAP + 4] == 7).all()
    assert (picture == 7).sum() == 2 * cell.size and set(np.unique(picture)) == {7, BETWEEN}
