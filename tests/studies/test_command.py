"""`dcgan study` as a person types it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from dcgan import api
from dcgan.analysis.doctor import exam

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(command: Command, monkeypatch: pytest.MonkeyPatch) -> Command:
    """`dcgan study …`, without reports and long exams."""
    monkeypatch.setattr(api, "write_report", lambda folder: None)
    monkeypatch.setattr(exam, "DESIGNS", 100)
    return partial(command, "study")


def test_without_a_name_it_lists_them(command: Command) -> None:
    status, out, _ = command()
    assert status == 0
    assert [line.split()[0] for line in out.splitlines() if re.match(r"[a-z0-9-]+ +\d", line)] == [
        "gan-vs-dcgan",
        "fashion-2020",
        "failures",
        "linear-probe",
        "few-labels",
        "rdcgan",
        "latent",
        "inside",
    ]
    status, out, _ = command("--json")
    assert {row["name"]: row["runs"] for row in json.loads(out)} == {
        "gan-vs-dcgan": 3,
        "fashion-2020": 1,
        "failures": 7,
        "linear-probe": 5,
        "few-labels": 2,
        "rdcgan": 6,
        "latent": 1,
        "inside": 1,
    }


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["failure"], "did you mean failures"),
        (["failures", "--minutes", "0"], "above 0"),
        (["failures", "--minutes", "nan"], "above 0"),
        (
            ["failures", "--share", "2"],
            "--share is 2: must be above 0 and at most 1, which is all that the paper's run saw",
        ),
        (["failures", "--share", "-1"], "--share is -1: must be above 0"),
        (["failures", "--share", "0.5", "--epochs", "1"], "one budget"),
        (["failures", "--minutes", "1", "--epochs", "1"], "one budget"),
        (["rdcgan", "--seeds", "7"], "rdcgan has no run of seed 7: its seeds are 0, 1, 2"),
        (["rdcgan", "--seeds", "0,one"], "--seeds is '0,one': expected whole numbers"),
        (["failures", "--data", "./nowhere"], "cannot open ./nowhere"),
        (["failures", "--data", "digits", "--extractor", "pixel"], "did you mean pixels"),
        (["failures", "--data", "digits", "-n", "3"], "-n is 3"),
        (["failures", "--data", "digits", "--runs-dir", "/proc/nowhere"], "cannot write /proc/nowhere"),
        (["failures", "--data", "digits", "--out", "/proc/nowhere"], "cannot write /proc/nowhere"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(command: Command, arguments: list[str], says: str) -> None:
    status, out, err = command(*arguments)
    assert status == 2 and out == ""
    assert says in err.splitlines()[-1] and "Traceback" not in err
    assert not Path("results").exists() and not Path("runs").exists()


def test_the_whole_way(command: Command) -> None:
    np.savez("shapes.npz", images=np.random.default_rng(0).integers(0, 256, (80, 28, 28), np.uint8))
    arguments = [
        "fashion-2020",
        "--seeds",
        "0",
        "--data",
        "shapes.npz",
        "--images",
        "256",
        "-n",
        "60",
        "--extractor",
        "fixed",
    ]
    status, out, err = command(*arguments)
    assert status == 0, err
    page = Path("results/fashion-2020.md")
    assert out.split() == ["page", str(page)]
    text = page.read_text()
    assert (
        "dcgan study fashion-2020 --images 256 --data shapes.npz --seeds 0 --extractor fixed -n 60\n" in text
    )
    assert "**Run on other pictures than the paper's: shapes.**" in text
    assert "fashion-2020 1/1" in err and "scoring fashion-2020 at step 1" in err
    status, out, err = command(*arguments, "--json")
    assert json.loads(out) == {"page": str(page)} and "is trained" in err and "scoring" not in err
