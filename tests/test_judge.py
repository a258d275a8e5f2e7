"""`dcgan evaluate` and `dcgan resume --from best` from end to end, and every way to ask for what cannot be had."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import dcgan
from dcgan.data import Dataset, open_dataset
from dcgan.pictures import png
from dcgan.subject import subject
from dcgan.training.scoring import Scoring

Command = Callable[..., tuple[int, str, str]]
TINY = {"g_maps": 4, "d_maps": 4, "z_dim": 8}


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return open_dataset("digits")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tiny runs on digits, with labels and without; scored twice each, whatever it costs."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        seen: list[int] = []

        def every_sixth(self: Scoring, sitting: float, images: int, *, last: bool = False) -> bool:
            return last or (images % (6 * 16) == 0 and not seen.append(images))  # type: ignore[func-returns-value]

        patch.setattr(Scoring, "affords", every_sixth)
        for name, labels in (("named", True), ("plain", False)):
            dcgan.train(
                "digits",
                name=name,
                labels=labels,
                batch=16,
                images=16 * 12,
                runs_dir=folder,
                settings={**TINY, "evaluate_every": 0.001},
            )
    return folder


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dcgan.evaluation.classifier.MOST_PASSES", 6)


def test_a_run_is_scored_while_it_trains_and_its_best_checkpoint_is_kept(runs: Path) -> None:
    run = dcgan.load(runs / "plain")
    assert isinstance(run, dcgan.Run)
    scores = [entry for entry in run.journal() if entry["event"] == "score"]
    assert len(scores) >= 2 and all(np.isfinite(score["frechet"]) for score in scores)
    best = min(scores, key=lambda score: score["frechet"])
    assert run.model().facts["step"] == best["step"]


def test_evaluate_prints_scores_with_all_they_depend_on_and_keeps_them_for_the_report(
    runs: Path, command: Command
) -> None:
    status, out, err = command("evaluate", "named", "-n", "300", "--runs-dir", str(runs))
    assert status == 0, err
    for words in (
        "Fréchet (domain)",
        "floor",
        "KID",
        "coverage",
        "label fidelity",
        "test accuracy",
        "seed 0",
        "300 designs",
    ):
        assert words in out, out
    assert "nan" not in out.lower() and "inf" not in out.lower()
    kept = runs / "named" / "evaluation"
    (scores,) = json.loads((kept / "scores.json").read_text())
    assert scores["n"] == scores["n_real"] == scores["floor_n"] == 300
    assert {"fidelity", "balance", "ms_ssim", "ms_ssim_data"} <= scores.keys() and len(
        scores["extractor_sha256"]
    ) == 64
    for name in ("real.png", "generated.png", "classes.png", "closest.png", "histogram.json"):
        assert (kept / name).stat().st_size > 100, name
    status, out, _ = command("report", "named", "--runs-dir", str(runs))
    page = Path(out.strip()).read_text()
    assert "domain" in page and "Closest" in page


def test_a_run_without_labels_is_judged_without_what_needs_them(runs: Path, command: Command) -> None:
    arguments = [
        "evaluate",
        "plain",
        "-n",
        "200",
        "--extractor",
        "fixed",
        "--runs-dir",
        str(runs),
        "--accuracy-score",
    ]
    status, out, _ = command(*arguments, "--json")
    scores = json.loads(out)
    assert status == 0 and "fidelity" not in scores and "balance" in scores
    assert any("trained with labels" in note for note in scores["notes"])
    assert scores["extractor"] == "fixed" and scores["checkpoint"] == "best"


def test_a_folder_of_pictures_is_judged_by_a_set(digits: Dataset, tmp_path: Path, command: Command) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    for index in range(120):
        (folder / f"{index}.png").write_bytes(png(digits.images[index].transpose(1, 2, 0)))
    scores = dcgan.evaluate(folder, data="digits", extractor="pixels", n=120)
    assert scores.of == "made" and scores.n == 120 and scores.frechet < 3 * scores.floor["frechet"] + 1
    for file in list(folder.iterdir())[40:]:
        file.unlink()
    status, out, err = command("evaluate", str(folder), "--data", "digits")
    assert (status, out) == (2, "") and "40 designs: scores need at least 50" in err.splitlines()[-1]


def test_more_designs_than_there_are_real_pictures_for_are_not_compared_with_them(runs: Path) -> None:
    told: list[str] = []
    scores = dcgan.evaluate(runs / "plain", extractor="fixed", n=5000, tell=told.append)
    assert scores.n == scores.floor_n == 1797 // 2
    assert any("n is 898" in line for line in told)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["evaluate"], "Missing argument"),
        (["evaluate", "nowhere"], "unknown run or model"),
        (["evaluate", "plain", "--extractor", "inceptoin"], "did you mean inception?"),
        (["evaluate", "plain", "-n", "10"], "must be from 50"),
        (["evaluate", "plain", "--data", "nothing-there"], "unknown data"),
        (["evaluate", "plain", "--from", "7"], "no checkpoint '7'"),
        (["evaluate", "plain", "--split", "half"], "half"),
        (["resume", "plain", "--from", "worst"], "expected best, last or one of"),
        (["resume", "plain", "--from", "best", "--set", "g_maps=8", "--images", "999"], "cannot become 8"),
        (["generate", "plain", "--from", "99"], "no checkpoint '99'"),
    ],
)
def test_a_mistake_is_one_line(runs: Path, command: Command, arguments: list[str], says: str) -> None:
    before = sorted((path, path.stat().st_mtime) for path in (runs / "plain").rglob("*"))
    more = ["--runs-dir", str(runs)] if len(arguments) > 1 else []
    status, out, err = command(*arguments, *more)
    assert (status, out) == (2, "") and says in err and err.count("\n") == 1, err
    assert sorted((path, path.stat().st_mtime) for path in (runs / "plain").rglob("*")) == before


def test_pictures_that_are_brought_to_the_models_shape_are_told_of(digits: Dataset, runs: Path) -> None:
    told: list[str] = []
    larger = open_dataset("digits", size=(16, 16), channels=3)
    assert larger.origin["notes"] == ["pictures of 8×8 grey were brought to 16×16 colour"]
    assert digits.origin["notes"] == []
    Path("few").mkdir()
    for index in range(4):
        small = np.ascontiguousarray(digits.images[index, :, ::2, ::2].transpose(1, 2, 0))
        (Path("few") / f"{index}.png").write_bytes(png(small))
    found = subject("plain", "last", runs).real("few", "train", told.append)
    assert found.size == (8, 8)
    assert "note: few: 4 images smaller than 8×8 were enlarged" in told


def test_back_to_the_best_with_another_rate(runs: Path, command: Command) -> None:
    run = dcgan.load(runs / "plain")
    assert isinstance(run, dcgan.Run)
    best = run.model().facts["step"]
    status, _, err = command(
        "resume",
        "plain",
        "--from",
        "best",
        "--set",
        "g_lr=1e-5",
        "--images",
        "320",
        "--runs-dir",
        str(runs),
    )
    assert status == 0, err
    assert run.recipe.g_lr == 1e-5 and f"from step {best}" in err
    assert [entry for entry in run.journal() if entry["event"] == "finish"][-1]["images"] == 320


def test_nearest_looks_for_copies_of_a_run_and_of_a_folder(
    runs: Path, digits: Dataset, tmp_path: Path, command: Command
) -> None:
    status, out, err = command("nearest", "plain", "-n", "200", "--out", "found", "--runs-dir", str(runs))
    assert status == 0 and "verdict" in out and "birthday" in out, err
    assert (tmp_path / "found" / "closest.png").stat().st_size > 1000
    assert "nan" not in (tmp_path / "found" / "copies.json").read_text().lower()
    copied = tmp_path / "copied"
    copied.mkdir()
    for index in range(120):
        (copied / f"{index}.png").write_bytes(png(digits.images[index].transpose(1, 2, 0)))
    status, out, _ = command("nearest", str(copied), "--data", "digits", "--extractor", "fixed")
    assert status == 0 and "0.000" in out, out
    for index in range(120):
        (copied / f"{index}.png").write_bytes(png(digits.images[index % 4].transpose(1, 2, 0)))
    status, out, _ = command("nearest", str(copied), "--data", "digits")
    assert status == 0 and "it repeats itself: about" in out, out
    status, out, err = command("nearest", str(copied))
    assert (status, out) == (2, "") and "--data" in err
