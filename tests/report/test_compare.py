"""Runs side by side: what differs, on one axis, from the same z, and every mistake in one line."""

import json
import shutil

import numpy as np
import pytest
from stripes_run import DATA, RECIPE, RESULT, interval, journal_line, score, write_evaluation, write_journal
from test_report import HOSTILE, Page

from dcgan import pictures
from dcgan.analysis.same_z import same_z_grids, z_differences
from dcgan.cli import main
from dcgan.recipe import Recipe
from dcgan.report.compare import distinct, read_side, summary, write_comparison
from dcgan.report.differences import data_differences, recipe_differences
from dcgan.report.journal import read
from dcgan.run import Run


def made(folder, loss, recipe=RECIPE, data=DATA, **more):
    folder.mkdir(parents=True)
    (folder / "recipe.json").write_text(json.dumps(recipe))
    (folder / "data.json").write_text(json.dumps(data))
    write_journal(
        folder,
        [journal_line("start", 0), interval(10, loss_d=loss), interval(20, loss_d=loss), score(20, **more)],
    )
    return folder


@pytest.fixture
def two(tmp_path):
    return [
        made(tmp_path / "one", 1.25),
        made(
            tmp_path / "two",
            0.75,
            RECIPE | {"z_dim": 32, "new": True},
            DATA | {"licence": "other"},
            frechet=9.5,
        ),
    ]


def compared(folders, out, latents=""):
    write_comparison(out, [read_side(folder) for folder in folders], latents)
    return Page(out.read_text("utf-8"))


def test_only_what_differs_is_shown(two):
    records = [read(folder) for folder in two]
    assert recipe_differences(records) == {"z_dim": [64, 32], "new": [None, True]}
    assert data_differences(records) == {}  # under whatever licence, the pictures are the same


def test_the_page_has_curves_of_all_and_scores_of_those_that_have_them(two, tmp_path):
    write_evaluation(two[1])
    page = compared(two, tmp_path / "out.html")
    for words in (
        "2 runs side by side", "one 1.25", "two 0.75", "two 9.5", "z_dim", "All learned from the same pictures",
        "mode collapse", "not looked at", "Checkpoint: the best", "extractor domain", "21.3", "–",
    ):  # fmt: skip
        assert words in page.text, words
    assert "objective hinge" not in page.text and len(page.tags("svg")) == 5
    assert "Pictures" not in page.text and not page.tags("img")
    for _, attributes in page.elements:
        for value in attributes.values():
            assert "://" not in (value or "")


def test_what_cannot_be_compared_is_said(tmp_path):
    folders = [
        made(tmp_path / "one", 1.0),
        made(tmp_path / "two", 1.0, RECIPE | {"objective": "bce"}, DATA | {"sha256": "0" * 64}, n=500),
        made(tmp_path / "three", 1.0),
    ]
    for folder in folders:
        write_evaluation(folder, results=[RESULT | {"frechet": float(len(folder.name))}])
    html = (tmp_path / "out.html", compared(folders, tmp_path / "out.html"))[0].read_text()
    assert "different objectives" in html and "two: measured otherwise" in html
    assert "Not all runs learned from the same pictures" in html and "<strong>3</strong>" not in html


def test_two_runs_of_one_name_are_told_apart(tmp_path):
    folders = [tmp_path / "a" / "shoes", tmp_path / "b" / "shoes", tmp_path / "c"]
    assert distinct(folders) == ["a/shoes", "b/shoes", "c"]


def test_hostile_runs_are_inert(tmp_path):
    hostile = made(
        tmp_path / HOSTILE.replace("/", "∕"), 1.0, {HOSTILE: HOSTILE}, {"name": HOSTILE}, extractor=HOSTILE
    )
    write_evaluation(
        hostile, doctor=[{"finding": HOSTILE}], results=[dict.fromkeys(RESULT, HOSTILE) | {"kid": 1}]
    )
    broken = tmp_path / "broken"
    broken.mkdir()
    for name in ("recipe.json", "data.json", "journal.jsonl"):
        (broken / name).write_text('["')
    sides = [read_side(hostile, b"no picture", HOSTILE), read_side(broken)]
    write_comparison(tmp_path / "out.html", sides, HOSTILE)
    page = Page((tmp_path / "out.html").read_text("utf-8"))
    assert HOSTILE in page.text and len(page.scripts) == 2 and not page.tags("img")
    assert "broken: recipe.json is not a JSON object" in page.text
    json.dumps(summary(sides), allow_nan=False)


def test_z_is_the_same_only_where_it_can_be():
    recipe = Recipe(z_dim=64)
    assert "same z in the same place" in z_differences("ab", [recipe, recipe])
    for other in (Recipe(z_dim=32), Recipe(z_dim=64, prior="uniform")):
        assert "can't be the same" in z_differences("ab", [recipe, other])


@pytest.fixture
def runs(trained, tmp_path):
    """Two runs of the same weights, `tiny` and `copy`, and one without checkpoints."""
    for name in ("tiny", "copy", "empty"):
        shutil.copytree(trained.folder, tmp_path / "runs" / name)
    shutil.rmtree(tmp_path / "runs" / "empty" / "checkpoints")
    return tmp_path / "runs"


def test_the_same_weights_draw_the_same_grid(runs):
    one, two, none = same_z_grids([Run(runs / name) for name in ("tiny", "copy", "empty")])
    assert one.png == two.png and one.png != same_z_grids([Run(runs / "tiny")], seed=1)[0].png
    images = Run(runs / "tiny").generate(32, balanced=True).images
    assert one.png == pictures.png(pictures.grid(np.asarray(images), 8, background=128))
    assert none.png is None and "checkpoint" in none.why


def run_command(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main(["compare", *map(str, arguments)])
    output = capsys.readouterr()
    return int(caught.value.code or 0), output.out, output.err


def test_the_command_writes_a_page_and_a_table(runs, capsys, monkeypatch):
    monkeypatch.chdir(runs.parent)
    status, out, err = run_command(capsys, "tiny", "copy", "empty")
    assert (
        status == 0
        and "nothing in the recipes" in out
        and "compare.html" in out
        and "checkpoints are gone" in err
    )
    page = Page((runs.parent / "compare.html").read_text("utf-8"))
    assert len(page.tags("img")) == 2 and "same z in the same place" in page.text
    status, out, err = run_command(capsys, "tiny", "copy", "--json", "--data-free", "--out", "x.html")
    told = json.loads(out)
    assert status == 0 and [row["name"] for row in told["runs"]] == ["tiny", "copy"] and told["recipe"] == {}
    assert not Page((runs.parent / "x.html").read_text("utf-8")).tags("img")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["tiny"], "1 run to compare: give 2 to 8"),
        (["tiny"] * 9, "9 runs to compare: give 2 to 8"),
        (["tiny", "tiny"], "the same run: name each once"),
        (["tiny", "runs/tiny"], "the same run: name each once"),
        (["tiny", "link"], "the same run: name each once"),
        (["tiny", "tny"], "did you mean tiny"),
        (["tiny", "copy", "--out", "page.pdf"], "a page ends in .html"),
        (["tiny", "copy", "--data-free", "--out", "nowhere/x.html"], "cannot write"),
        ([], "Missing argument"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(runs, capsys, monkeypatch, arguments, says):
    monkeypatch.chdir(runs.parent)
    (runs / "link").symlink_to(runs / "tiny")
    status, out, err = run_command(capsys, *arguments)
    assert status == 2 and says in err and err.count("\n") == 1 and not out
    assert not (runs.parent / "compare.html").exists()
