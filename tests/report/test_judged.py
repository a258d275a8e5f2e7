"""What evaluation and doctor left in the folder: shown where it is sound, left out with a note where it is not."""

import json
import os
import re
from pathlib import Path

import pytest
from stripes_run import DIAGNOSIS, PICTURES, RESULT, journal_line, score, write_evaluation, write_journal
from test_report import HOSTILE, page_of

from dcgan.report import write_report
from dcgan.report.journal import read
from dcgan.report.judged import read_judged


@pytest.fixture
def bare(tmp_path):
    """The folder of a run that has only begun: its page has nothing to draw, and is there at once."""
    folder = tmp_path / "bare"
    folder.mkdir()
    write_journal(folder, [journal_line("start", 0)])
    return folder


def judged_of(run):
    return read_judged(read(run))


def test_the_whole_evaluation_is_on_the_page(run):
    write_evaluation(run)
    page = page_of(run)
    for words in (
        "mode collapse", "90 % sure", "since step 300 (19,200 images)", "coverage 0.04 of 0.92, recall 0.01",
        "roll back",
        f"dcgan resume stripes-run --runs-dir {run.parent} --from best --set g_lr=1e-4",
        "extractor domain", "n = 10,000",
        "against the test split", "test accuracy 0.921", "best, step 700",
        "21.3 floor 1.8", "0.71 floor 0.93", "0.0123 ± 0.0011",
        "extractor “fixed” on n = 1,000 pictures", "66.7 %", "90 %",
        "Closest training images", "Samples of each class",
    ):  # fmt: skip
        assert words in page.text, words
    assert {image.get("id") for image in page.tags("img")} == {*PICTURES, "newest", "film"}
    assert not re.search(r"\bFID\b(?! of)", page.text)


def test_nothing_of_it_is_shown_where_there_is_nothing(run):
    page = page_of(run)
    assert (
        f"dcgan doctor stripes-run --runs-dir {run.parent}" in page.text
        and "No doctor has looked" in page.text
    )
    for words in ("Real beside generated", "How often each class comes", "Measured with extractor"):
        assert words not in page.text
    write_journal(run, [journal_line("start", 0)])
    assert "Scores over time" not in page_of(run).text


def test_a_clean_bill_of_health(run):
    place = write_evaluation(run, doctor=())
    text = page_of(run).text
    assert "Nothing wrong found" in text and "The newest check-up at 19,200 images" in text
    (place / "doctor.json").write_text(json.dumps({"diagnoses": [], "checked": ["mode collapse", HOSTILE]}))
    assert "Checked: mode collapse, </script>" in page_of(run).text
    told = {"diagnoses": [], "checked": ["D wins"], "unchecked": ["no scores"], "early": "only 3 steps"}
    (place / "doctor.json").write_text(json.dumps(told))
    text = page_of(run).text
    assert "No verdict yet only 3 steps" in text and "no scores" in text
    assert "Nothing wrong found" not in text


def test_findings_of_the_training_stand_beside_the_doctor_s(run):
    seen = journal_line("doctor", 100, **DIAGNOSIS)
    write_journal(run, [journal_line("start", 0), seen, seen])
    page = page_of(run)
    assert page.text.count("90 % sure") == 1 and "dcgan doctor" in page.text
    place = write_evaluation(run, doctor=())
    page = page_of(run)
    assert "Nothing wrong found" in page.text and "Said during the training, and no longer" in page.text
    (place / "doctor.json").write_text(json.dumps([DIAGNOSIS]))
    assert page_of(run).text.count("90 % sure") == 1
    # What a resume went back behind was never a finding of this run.
    write_journal(run, [journal_line("start", 0), seen, journal_line("resume", 50)])
    assert judged_of(run).during == []


@pytest.mark.parametrize(
    "mend", ["g_lr=1; rm -rf ~", "g_lr=$(id)", "nonsense=1", "g_lr=1e-4 --data /etc", HOSTILE, "train longer"]
)
def test_only_settings_of_ours_stand_in_a_command(bare, mend):
    write_evaluation(bare, doctor=[DIAGNOSIS | {"mend": [mend, "d_lr=2e-4"]}])
    page = page_of(bare)
    assert "--from last --set d_lr=2e-4" in page.text and " ".join(mend.split()) in page.text
    assert f"--set {mend}" not in page.text


def test_a_mend_that_changes_the_networks_is_a_new_run(run):
    write_evaluation(run, doctor=[DIAGNOSIS | {"anew": ["batch_norm=none"], "advice": "Or more pictures."}])
    assert "--from best --set g_lr=1e-4" in page_of(run).text and "Or more pictures." in page_of(run).text
    assert (
        "dcgan train https://example.org/stripes --preset fast-28 --set batch_norm=none" in page_of(run).text
    )


NOT_NUMBERS = ["1", None, True, float("nan"), float("inf"), 10**400, [], {}, HOSTILE]
TRASH = [None, 1, "x", [], {}, [1], [[]], [{}], {"a": 1}, [None, "x"], HOSTILE, [HOSTILE], {HOSTILE: HOSTILE}]


@pytest.mark.parametrize("name", ["doctor.json", "scores.json", "histogram.json"])
def test_files_of_any_shape(bare, name):
    place = write_evaluation(bare)
    for value in TRASH:
        (place / name).write_text(json.dumps(value))
        assert len(page_of(bare).scripts) == 2
    for content in (b"", b"\xff\xfe", b"[" * 100_000, b'{"a":', b"1" * 10_000, b'[{"finding": "x"', b"NaN"):
        (place / name).write_bytes(content)
        page = page_of(bare)
        assert (
            f"{name} is not" in page.text or f"{name} holds" in page.text or "is no histogram" in page.text
        ) == bool(content), content


@pytest.mark.parametrize("value", NOT_NUMBERS)
def test_fields_of_any_type(bare, value):
    place = write_evaluation(
        bare,
        doctor=[dict.fromkeys(DIAGNOSIS, value), DIAGNOSIS | {"sure": value, "since": value, "mend": value}],
        results=[
            dict.fromkeys(RESULT, value),
            RESULT | {"frechet": value, "kid_spread": value, "step": value},
        ],
        histogram={"classes": value, "data": [value], "generated": [value]},
    )
    events = [score(10, **dict.fromkeys(("frechet", "n", "extractor", "precision", "best"), value))]
    events += [journal_line("doctor", 15, **dict.fromkeys(DIAGNOSIS, value)), score(20)]
    events += [score(30) | {"step": value, "images": value}]
    write_journal(bare, [journal_line("start", 0), *events])
    page = page_of(bare)
    assert "mode collapse" in page.text and len(page.scripts) == 2
    for word in ("nan", "inf", "NaN", "Infinity"):
        assert not re.search(rf"(?<![\w ]){word}\b", page.text)
    assert "nan" not in " ".join(attributes.get("d", "") for attributes in page.tags("path"))
    assert place.exists()


def test_what_would_flood_the_page(bare):
    long = "x" * 10_000
    place = write_evaluation(
        bare,
        doctor=[
            {**DIAGNOSIS, "finding": long, "evidence": long, "now": long, "mend": [long] * 9, "since": 1e300}
        ]
        * 20,
        results=[RESULT | {"frechet": 1e300, "step": number, "split": long} for number in range(300)],
        histogram={"classes": [long] * 300, "data": [1.0] * 300, "generated": [0.0] * 300},
    )
    assert len(write_report(bare).read_text("utf-8")) < 2_000_000
    (place / "histogram.json").write_text(json.dumps([long] * 500))
    assert "histogram.json is longer than 4 MB and was left out." in page_of(bare).text


def test_hostile_words_are_inert(bare):
    write_evaluation(
        bare,
        doctor=[
            {
                "finding": HOSTILE,
                "evidence": {HOSTILE: HOSTILE},
                "mend": [HOSTILE],
                "now": HOSTILE,
                "since": 100,
            }
        ],
        results=[dict.fromkeys(RESULT, HOSTILE) | {"frechet": 1.0, "extractor_facts": {HOSTILE: HOSTILE}}],
        histogram={"classes": [HOSTILE, "$\\alpha$"], "data": [0.5, 0.5], "generated": [1, 0]},
    )
    page = page_of(bare)
    assert HOSTILE in page.text and len(page.scripts) == 2 and len(page.tags("img")) == 4
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_that_is_none_is_told(bare, name):
    place = write_evaluation(bare)
    file, content = place / f"{name}.png", (place / "real.png").read_bytes()
    giant = content[:16] + (60_000).to_bytes(4, "big") * 2 + content[24:]
    for broken in (b"", content[:60], b"GIF89a" + content, giant, HOSTILE.encode()):
        file.write_bytes(broken)
        page = page_of(bare)
        assert f"evaluation/{name}.png is not a readable picture" in page.text
        assert name not in {image.get("id") for image in page.tags("img")}


@pytest.mark.parametrize("name", ["real.png", "doctor.json", "scores.json", "histogram.json"])
def test_pipes_folders_and_links_are_not_waited_for(bare, name):
    file = write_evaluation(bare) / name
    makers = {
        "pipe": os.mkfifo,
        "folder": Path.mkdir,
        "endless": lambda path: path.symlink_to("/dev/zero"),
        "loop": lambda path: path.symlink_to(path),
    }
    for make in makers.values():
        file.unlink()
        make(file)
        assert name in page_of(bare).text
        file.rmdir() if file.is_dir() else file.unlink()
        file.touch()


def test_an_evaluation_that_is_a_file(bare):
    (bare / "evaluation").write_text("x")
    assert "No doctor has looked" in page_of(bare).text
