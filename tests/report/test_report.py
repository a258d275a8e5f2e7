"""The report is one inert, self-contained page, whatever state the run folder is in."""

import base64
import hashlib
import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from stripes_run import DATA, RECIPE, interval, journal_line, write_journal, write_samples

from dcgan import pictures
from dcgan.errors import DcganError
from dcgan.report import tables, write_report
from dcgan.report.journal import curve, read, state
from dcgan.report.judged import read_judged
from dcgan.report.page import _script_json, render
from dcgan.report.snapshots import collect
from dcgan.training.journal import number

HOSTILE = "</script><script>alert('x')</script><img src=x onerror=alert(1)>\"'&"


class Page(HTMLParser):
    """What a browser would see: elements, their attributes, and the text outside script and style."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.words, self.scripts, self.inside = [], [], [], ""
        self.feed(html)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self.inside = tag

    def handle_endtag(self, tag):
        self.inside = ""

    def handle_data(self, data):
        if self.inside == "script":
            self.scripts.append(data)
        elif self.inside != "style":
            self.words.append(data)

    def tags(self, name):
        return [attributes for tag, attributes in self.elements if tag == name]

    @property
    def frames(self):
        return json.loads(self.scripts[0])


def page_of(folder):
    return Page(write_report(folder).read_text("utf-8"))


def test_the_whole_story_is_on_the_page(run):
    page = page_of(run)
    for words in (
        "stripes-run", "finished", "51,200", "40.0 s", "1,280", "stripes", "fast-28", "Fréchet distance",
        "Losses", "D's verdicts", "Gradient norms", "Seconds per epoch", "left", "4,000", "MIT",
        "3f9a3f9a3f9a…", "broken.png", "not a whole PNG", "Nothing was resized.", "00000100.safetensors",
        f"dcgan generate stripes-run --runs-dir {run.parent} -n 100", "dcgan resume stripes-run", "2.13.0", "https://example.org/stripes",
    ):  # fmt: skip
        assert words in page.text, words
    assert len(page.tags("svg")) == 7
    assert len(page.frames) == 12
    assert page.frames[0][1] == "epoch 0.1 · 640 images seen · 0.5 s"
    assert any(attributes.get("title") == DATA["sha256"] for attributes in page.tags("code"))


def test_the_page_asks_for_nothing(run):
    html = write_report(run).read_text("utf-8")
    for tag, attributes in Page(html).elements:
        assert tag not in ("iframe", "object", "embed", "base", "audio", "video", "a", "form")
        for name, value in attributes.items():
            if name in ("src", "href", "xlink:href", "srcset", "action", "data", "poster"):
                assert value.startswith(("data:", "#")), (tag, name, value[:60])
            assert not re.search(r"url\((?!#)", value or "") and "://" not in (value or "")
    style = re.search(r"<style>(.*?)</style>", html, re.S)[1]
    assert "url(" not in style and "@import" not in style and "://" not in style
    assert "fetch" not in Page(html).scripts[1] and "://" not in Page(html).scripts[1]


def test_the_policy_allows_exactly_the_page_s_script(run):
    page = page_of(run)
    policy = next(tag["content"] for tag in page.tags("meta") if tag.get("http-equiv"))
    digest = base64.b64encode(hashlib.sha256(page.scripts[1].encode()).digest()).decode()
    assert policy.startswith("default-src 'none'") and f"script-src 'sha256-{digest}'" in policy


def test_hostile_names_are_inert(run):
    # A folder's name can hold all of it but the slash.
    folder = run.rename(run.with_name(HOSTILE.replace("/", "∕")))
    names = [HOSTILE, "evil\u202egnp.exe", "half \ud800 pair", "nul \x00 here"]
    (folder / "data.json").write_text(
        json.dumps(
            DATA
            | {
                "name": HOSTILE,
                "classes": names,
                "counts": [1, 2, 3, 4],
                "licence": HOSTILE,
                "sha256": HOSTILE,
            }
            | {"files": {HOSTILE: HOSTILE}, "notes": [HOSTILE], "source": HOSTILE}
            | {"skipped": [{"file": HOSTILE, "reason": HOSTILE}]}
        )
    )
    (folder / "recipe.json").write_text(json.dumps({HOSTILE: HOSTILE, "preset": HOSTILE}))
    events = [
        journal_line("start", 0, **{HOSTILE: HOSTILE}),
        journal_line("score", 1, extractor=HOSTILE, n=5, frechet=1.0),
    ]
    events += [interval(1, **{f"loss_{HOSTILE}": 1.0}), journal_line("checkpoint", 1, file=HOSTILE)]
    events += [journal_line("sample", 10, file="samples/00000640.png", epoch=HOSTILE)]
    events += [journal_line("warning", 1, message="a checkpoint is damaged; going on from step 0")]
    write_journal(folder, [*events, journal_line("error", 1, message=HOSTILE)])
    page = page_of(folder)
    assert HOSTILE in page.text and "a checkpoint is damaged" in page.text
    assert len(page.scripts) == 2 and len(page.frames) == 12
    assert (folder / "report.html").read_text("utf-8").count("</script") == 2
    assert len(page.tags("img")) == 2
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    assert not re.search("[\u202e\x00]", page.text)


def test_frames_cannot_end_their_script():
    content = _script_json([["data:", HOSTILE + "<!--"]])
    assert "<" not in content and ">" not in content
    assert json.loads(content) == [["data:", HOSTILE + "<!--"]]


def test_a_run_that_has_just_begun(tmp_path):
    folder = tmp_path / "begun"
    folder.mkdir()
    page = page_of(folder)
    assert (
        "not started" in page.text
        and "No sample grids yet" in page.text
        and "No measurements yet" in page.text
    )
    assert not page.tags("input") and not page.tags("svg")
    write_journal(folder, [journal_line("start", 0, version="0.1.0")])
    assert "dcgan 0.1.0" in page_of(folder).text


def test_one_interval_and_one_grid_are_enough(tmp_path):
    folder = tmp_path / "short"
    folder.mkdir()
    events = write_samples(folder, 1, channels=3)
    write_journal(folder, [journal_line("start", 0), interval(10), *events])
    page = page_of(folder)
    assert len(page.tags("svg")) == 3 and len(page.tags("img")) == 1 and not page.tags("input")


@pytest.mark.parametrize("tail", ['{"event": "inter', '{"event": "finish"', "\x00\x00", "[1]\n", "\udcff"])
def test_a_torn_last_line_is_left_out_and_told(run, tail):
    path = run / "journal.jsonl"
    path.write_bytes(path.read_bytes() + tail.encode("utf-8", "surrogateescape"))
    record = read(run)
    assert record.notes == [
        "1 journal line could not be read and was left out; a kill can tear the line being written."
    ]
    assert record.notes[0] in Page(tables.events(record, broken=0)).text
    assert state(record, datetime.now(UTC)).word == "finished" and len(record.of("interval")) == 80


def test_missing_and_broken_files_are_told(run):
    (run / "recipe.json").unlink()
    (run / "data.json").write_text('{"name": ')
    (run / "journal.jsonl").unlink()
    page = page_of(run)
    assert "no readable recipe.json" in page.text and "data.json is not a JSON object" in page.text


@pytest.mark.parametrize(
    "data",
    [
        {"classes": [], "counts": []},
        {"classes": None, "counts": None, "skipped": None, "files": None, "notes": None},
        {"classes": ["a", "b"], "counts": [1]},
        {"classes": [1, None], "counts": ["x", {}], "skipped": ["y"], "skipped_count": "z", "height": "tall"},
        {"classes": [f"class {n}" for n in range(200)], "counts": list(range(200))},
    ],
)
def test_data_of_any_shape(run, data):
    (run / "data.json").write_text(json.dumps(data))
    page = Page(tables.data(read(run)))
    assert ("no labels" in page.text) == (not data["classes"])
    for name in data["classes"] or []:
        assert str(name) in page.text


def test_numbers_that_are_none(run):
    assert [number(value) for value in (1, 2.5, "NaN", float("nan"), True, None, 10**400, "3")] == [
        1.0, 2.5, None, None, None, None, None, None,
    ]  # fmt: skip
    events = [
        interval(1),
        interval(2, loss_d="NaN"),
        interval(3, loss_d="Infinity"),
        interval(4, loss_d=1e300),
    ]
    x, y, lost = curve(events, "loss_d")
    assert x.tolist() == [64.0] and len(y) == 1 and lost == 3
    assert curve([interval(2), interval(1), interval(3)], "loss_g")[0].tolist() == [64.0, 128.0, 192.0]
    raw = '{"event": "interval", "images": 5, "loss_d": NaN, "loss_g": -Infinity}\n'
    write_journal(run, [journal_line("start", 0), *events], raw)
    page = page_of(run)
    assert "5 values are NaN, infinite" in page.text
    assert "nan" not in " ".join(attributes.get("d", "") for attributes in page.tags("path"))


def test_after_a_resume_the_curves_do_not_run_backwards(run):
    events = [journal_line("start", 0), *(interval(step, loss_d=9.0) for step in range(10, 60, 10))]
    events += [journal_line("resume", 20), *(interval(step, loss_d=1.0) for step in range(30, 50, 10))]
    write_journal(run, events)
    record = read(run)
    x, y, _ = curve([event for event in record.history() if event["event"] == "interval"], "loss_d")
    assert x.tolist() == [640, 1280, 1920, 2560] and y.tolist() == [9, 9, 1, 1]
    assert "2,560" in page_of(run).text


@pytest.mark.parametrize(
    ("last", "word"),
    [
        (journal_line("finish", 5), "finished"),
        (journal_line("stop", 5, reason="SIGINT"), "stopped"),
        (journal_line("error", 5, message="loss_d became NaN"), "failed"),
        (interval(5), "running"),
    ],
)
def test_the_state_is_what_the_journal_last_said(run, last, word):
    write_journal(run, [journal_line("start", 0), last, journal_line("checkpoint", 5, file="x")])
    record = read(run)
    heard = datetime(2026, 5, 6, 10, 0, tzinfo=UTC)
    now = state(record, heard + timedelta(seconds=30))
    assert now.word == word
    assert {"stopped": "SIGINT", "failed": "loss_d became NaN"}.get(word, "") in now.detail
    later = state(record, heard + timedelta(hours=3))
    assert later.word == ("silent" if word == "running" else word)


def test_the_same_run_gives_the_same_page(run):
    record, now = read(run), datetime(2026, 5, 6, tzinfo=UTC)
    film = collect(run, record)
    judged = read_judged(record)
    assert render(record, film, judged, now) == render(
        read(run), collect(run, record), read_judged(record), now
    )


def test_no_folder_is_one_line(tmp_path):
    with pytest.raises(DcganError, match="no run at"):
        write_report(tmp_path / "nowhere")


def test_a_report_that_cannot_be_written_is_one_line(run):
    (run / "report.html").mkdir()
    with pytest.raises(DcganError, match="cannot write"):
        write_report(run)


def test_only_the_report_is_written(run):
    before = {file: file.stat().st_mtime_ns for file in run.rglob("*") if file.is_file()}
    assert write_report(run) == run.resolve() / "report.html"
    after = {file: file.stat().st_mtime_ns for file in run.rglob("*") if file.is_file()}
    assert after.keys() - before.keys() == {run / "report.html"}
    assert all(after[file] == time for file, time in before.items())


def test_neither_torch_nor_pyplot_is_loaded():
    code = "import sys, dcgan.report, dcgan.pictures; print({'torch', 'matplotlib.pyplot'} & {*sys.modules})"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


def test_the_recipe_is_shown_as_it_is(run):
    page = page_of(run)
    for field, value in RECIPE.items():
        assert f"{field} {value}" in page.text


@pytest.mark.parametrize(("height", "width"), [(128, 8), (8, 128), (8, 8), (128, 128)])
def test_a_grid_of_any_shape_is_no_tower(run, height, width):
    for file in (run / "samples").glob("*.png"):
        file.write_bytes(pictures.png(pictures.grid(np.full((64, height, width, 1), 99, np.uint8), 8)))
    for image in page_of(run).tags("img"):
        shown = int(re.search(r"max-width:(\d+)px", image["style"])[1])
        assert shown * int(image["height"]) / int(image["width"]) < 1100
        assert shown >= int(image["width"])


def test_the_way_to_go_on_is_short_where_runs_are_kept_as_usual(run, monkeypatch):
    monkeypatch.chdir(run.parent)
    Path("runs").mkdir()
    run.rename("runs/shoes")
    text = page_of(Path("runs/shoes")).text
    assert "dcgan generate shoes -n 100" in text and "dcgan resume shoes " in text and "runs-dir" not in text
