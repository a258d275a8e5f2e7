"""A screen, a pipe or a disk that takes no more words costs no run, and no word costs a command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

import dcgan
from child import TINY, dcgan_in_child, forks
from dcgan.cli.screen import say
from dcgan.data.dataset import Dataset

TRAIN = ["train", "digits", "--images", "320", "--name", "kept", *TINY]


def assert_finished(folder: Path) -> None:
    run = dcgan.load(folder / "runs" / "kept")
    assert isinstance(run, dcgan.Run)
    assert run.state == "finished" and run.journal()[-1]["images"] == 320 and run.report.is_file()
    assert list((run.folder / "checkpoints").glob("*.json"))


def broken_pipe() -> int:
    reader, writer = os.pipe()
    os.close(reader)
    return writer


@forks
@pytest.mark.parametrize("streams", ["err", "out", "both"])
def test_a_reader_that_has_gone_does_not_end_a_training(tmp_path: Path, streams: str) -> None:
    pipe = broken_pipe()
    gone = {name: pipe for name in ("out", "err") if streams in (name, "both")}
    assert dcgan_in_child(tmp_path, *TRAIN, **gone).status == 0
    assert_finished(tmp_path)


@forks
@pytest.mark.parametrize("number", [1, 2])
def test_a_stream_that_is_closed_from_the_start_does_not_end_a_training(tmp_path: Path, number: int) -> None:
    def close() -> None:
        setattr(sys, {1: "stdout", 2: "stderr"}[number], None)
        os.close(number)

    dcgan_in_child(tmp_path, *TRAIN, before=close)
    assert_finished(tmp_path)


@forks
def test_no_file_takes_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    from dcgan.cli.screen import prepare_streams

    def close() -> None:
        os.close(2)
        prepare_streams()
        (tmp_path / "number").write_text(str(os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT)))

    dcgan_in_child(tmp_path, "--version", before=close)
    assert int((tmp_path / "number").read_text()) > 2


def test_head_of_a_real_training_does_not_end_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dcgan", *TRAIN]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
    assert process.returncode == 0
    assert_finished(tmp_path)


@forks
def test_a_full_disk_under_the_output_is_one_line(tmp_path: Path) -> None:
    for arguments in (["runs"], ["presets", "--json"], ["--help"], ["--version"]):
        dcgan_in_child(tmp_path, *arguments, out="/dev/full").assert_one_line(2, "No space left on device")
    dcgan_in_child(tmp_path, *TRAIN, err="/dev/full")
    assert_finished(tmp_path)


@forks
def test_a_terminal_that_knows_only_ascii_sees_every_name(tmp_path: Path) -> None:
    for arguments in (["train", "--help"], ["presets"], ["datasets"]):
        assert dcgan_in_child(tmp_path, *arguments, encoding="ascii").status == 0
    done = dcgan_in_child(tmp_path, *TRAIN, "--runs-dir", "бег-\udcff", encoding="ascii")
    assert done.status == 0, done
    assert done.out.isascii() and "\\u0431\\u0435\\u0433-\\ufffd/kept" in done.out


def test_what_looks_like_markup_or_an_emoji_is_neither(capsys: pytest.CaptureFixture[str]) -> None:
    say("[red]:smile:[/nothing] \x1b[2J")
    assert capsys.readouterr().out == "[red]:smile:[/nothing] \N{REPLACEMENT CHARACTER}[2J\n"


def odd_run(runs: Path, name: str, data: str, journal: str) -> None:
    recipe = dcgan.Recipe(images=1).to_dict()
    (runs / name).mkdir(parents=True)
    (runs / name / "recipe.json").write_text(json.dumps(recipe))
    (runs / name / "data.json").write_text(data)
    (runs / name / "journal.jsonl").write_text(journal)


@forks
def test_one_odd_run_does_not_hide_the_others(tmp_path: Path, trained: dcgan.Run) -> None:
    runs = tmp_path / "runs"
    lines = [
        '{"event": "interval", "images": "many", "seconds": null}',
        '{"event": ["interval"], "images": 5}',
        '{"event": "finish", "images": 1e999, "seconds": -1e999}',
        '{"event": "finish", "images": [], "seconds": {}}',
        '{"event": "finish", "images": true, "seconds": 1e308}',
    ]
    for number, line in enumerate(lines):
        odd_run(runs, f"odd-{number}", '{"name": "[/red]:smile:[bold"}', line + "\n")
    odd_run(runs, "[blue]\x1b[2J", '{"name": 5}', "")
    odd_run(runs, "folder", "[]", "")
    (runs / "folder" / "journal.jsonl").unlink()
    (runs / "folder" / "journal.jsonl").mkdir()
    odd_run(runs, "pipe", "{}", "")
    (runs / "pipe" / "recipe.json").unlink()
    os.mkfifo(runs / "pipe" / "recipe.json")
    (runs / "tiny").symlink_to(trained.folder.resolve())
    done = dcgan_in_child(tmp_path, "runs")
    assert (done.status, done.err) == (0, "")
    assert "tiny" in done.out and "640" in done.out and "\x1b" not in done.out
    listed = json.loads(dcgan_in_child(tmp_path, "runs", "--json").out)
    assert len(listed) == 8 and {row["name"]: row["state"] for row in listed}["folder"] == "unreadable"
    assert {row["data"] for row in listed} == {"[/red]:smile:[bold", "?", "digits"}
    assert {row["images"] for row in listed} == {0, 640}


@pytest.mark.parametrize(("signum", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("when", ["reading", "generate"])
def test_a_signal_outside_training_is_told(tmp_path: Path, when: str, signum: int, status: int) -> None:
    """In a real process: typer has its own answer to Ctrl-C."""
    waiting = "import os, time; os.write(1, b'.'); time.sleep(60)"
    patch = {
        "reading": f"import dcgan.data.named.reading as n\nn.fetch = lambda *a: exec({waiting!r})",
        "generate": f"import dcgan.model as m\nm.Model.blocks = lambda *a, **k: exec({waiting!r})",
    }[when]
    arguments = {"reading": ["train", "digits"], "generate": ["generate", "mnist"]}[when]
    code = f"{patch}\nfrom dcgan.cli import main\nmain({arguments!r})"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, **pipes) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.read(1) == b"."
        time.sleep(0.05)
        process.send_signal(signum)
        assert process.stderr.read() == b"dcgan: interrupted.\n"
    assert process.returncode == status
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("command", "where"),
    [
        ("datasets check", "decoding._close_gaps"),
        ("train", "prepared.os.fsync"),
        ("train", "files.memoryview"),  # in the midst of writing the facts
    ],
)
def test_a_terminated_preparation_leaves_no_temporary_file(tmp_path: Path, command: str, where: str) -> None:
    (tmp_path / "here" / "shoes").mkdir(parents=True)
    for index in range(9):
        Image.new("RGB", (16, 16), (index, 0, 0)).save(tmp_path / "here" / "shoes" / f"{index}.png")
    waiting = "import os, time; os.write(1, b'.'); time.sleep(60)"
    patch = "from dcgan import files\nfrom dcgan.data import decoding, prepared\n"
    patch += "from dcgan.data.formats import folder\nfolder.CACHED_FROM_FILES = 1\n"
    patch += f"{where} = lambda *a: exec({waiting!r})"
    code = f"{patch}\nfrom dcgan.cli import main\nmain({[*command.split(), './shoes']!r})"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    env = {**os.environ, "DCGAN_CACHE": str(tmp_path / "cache")}
    with subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path / "here", env=env, **pipes) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.read(1) == b"."
        assert list((tmp_path / "cache" / "prepared").glob(".tmp-*"))
        time.sleep(0.05)
        for _ in range(2):  # as timeout does
            process.send_signal(signal.SIGTERM)
        assert process.stderr.read() == b"dcgan: interrupted.\n"
    assert process.returncode == 143
    assert not list((tmp_path / "cache" / "prepared").glob(".tmp-*"))
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["shoes"]


def test_a_watcher_that_fails_costs_nothing(digits: Dataset, tmp_path: Path) -> None:
    """It ends the run, but what was learned so far is saved."""

    def watch(entry: dict[str, object]) -> None:
        if entry["event"] == "epoch" or entry["images"] == 160:
            raise OSError("the screen is gone")

    settings = {"g_maps": 4, "d_maps": 4}
    straight = dcgan.train(
        digits, images=3200, batch=16, settings=settings, runs_dir=tmp_path, name="straight"
    )
    with pytest.raises(OSError, match="the screen is gone"):
        dcgan.train(
            digits, images=3200, batch=16, settings=settings, runs_dir=tmp_path, name="watched", watch=watch
        )
    run = dcgan.load("watched", runs_dir=tmp_path)
    assert isinstance(run, dcgan.Run)
    saved = run.model().facts["images"]
    assert saved >= 160 and run.journal()[-1]["event"] == "checkpoint"
    dcgan.resume(run, data=digits)
    assert (run.generate(8).images == straight.generate(8).images).all()
