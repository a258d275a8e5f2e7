"""The studies of features, from their runs to their pages, on tiny runs of digits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dcgan import api
from dcgan.analysis.doctor import exam
from dcgan.data import Dataset, open_dataset
from dcgan.probes import Asked
from dcgan.studies import few_labels, find_study, inside, latent, linear_probe, probing, rdcgan
from dcgan.studies.running import Asked as Plan
from dcgan.studies.running import carry_out
from dcgan.studies.study import Study

SMALL = {"z_dim": 8, "batch": 16, "precision": "float32", "evaluate_every": 0.0}


@pytest.fixture
def pictures() -> Dataset:
    return open_dataset("digits")


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither reports nor long exams, and controls of seconds."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(api, "write_report", lambda folder: None)
    monkeypatch.setattr(exam, "DESIGNS", 100)
    monkeypatch.setattr("dcgan.evaluation.classifier.MOST_PASSES", 2)
    monkeypatch.setattr("dcgan.analysis.probe.supervised.SEEN", 1_000)
    monkeypatch.setattr(linear_probe, "ASKED", Asked(controls=("pixels", "kmeans"), units=10))
    few = Asked(per_class=5, draws=3, controls=("pixels", "cnn"), trials=2, trained_draws=2)
    monkeypatch.setattr(few_labels, "CONTROLS", few)
    monkeypatch.setattr(few_labels, "FEWER", Asked(per_class=2, draws=3, controls=("pixels",)))


def page_of(study: Study, pictures: Dataset, count: int, **settings: object) -> str:
    """The page of the study's first runs, made smaller."""
    runs = tuple(
        replace(plan, settings={**plan.settings, **SMALL, **settings}) for plan in study.runs[:count]
    )
    path = carry_out(
        replace(study, runs=runs),
        Plan({"images": 48}, pictures, n=300),
        Path("runs"),
        Path("out"),
        "command",
    )
    return path.read_text()


def test_linear_probe(pictures: Dataset) -> None:
    page = page_of(linear_probe.STUDY, pictures, 2, g_maps=4, d_maps=4)
    assert "| DCGAN + L2-SVM | 82.8 | 73.8 ± 0.4 | 512 |" in page
    assert "Run on other pictures than the paper's: digits" in page
    assert "| raw pixels | 64 |" in page and "| single-layer k-means, 4 K features | 40 |" in page
    assert "2 seeds)" in page
    assert (Path("out") / "linear-probe" / "bars-fashion-mnist.png").is_file()


def test_few_labels(pictures: Dataset) -> None:
    page = page_of(few_labels.STUDY, pictures, 1, g_maps=4, d_maps=4)
    assert "| DCGAN + L2-SVM | 22.48 |" in page and "50 labels" in page
    assert "best of 2 trials" in page and "points against raw pixels" in page


def test_rdcgan(pictures: Dataset) -> None:
    page = page_of(rdcgan.STUDY, pictures, 2, maps=4)
    assert "| 25 | fake below real | not reached |" in page
    assert "| RDCGAN, last layers of D and E | 64 |" in page
    assert "| DCGAN, last layer of D | 32 |" in page
    assert "of 1 for RDCGAN" in page and "Root mean square error on" in page
    assert (Path("out") / "rdcgan" / "reconstructions.png").is_file()


def test_latent(pictures: Dataset) -> None:
    page = page_of(latent.STUDY, pictures, 1, g_maps=4, d_maps=4)
    assert page.count(" → ") >= 8 and "cross-fade" in page
    assert "too few are seen" in page or "| 3 | [" in page
    assert (Path("out") / "latent" / "walk.png").is_file()


def test_inside(pictures: Dataset) -> None:
    page = page_of(inside.STUDY, pictures, 1, g_maps=4, d_maps=4)
    assert "| trained |" in page and "| random weights |" in page
    assert "| as many at random, five draws |" in page
    assert (Path("out") / "inside" / "dropped.png").is_file()


def test_a_probe_is_not_done_twice(pictures: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    run = api.train(
        "digits",
        name="one",
        images=160,
        batch=16,
        runs_dir="runs",
        settings={"g_maps": 4, "d_maps": 4, "evaluate_every": 0},
    )
    asked = Asked(controls=("pixels",))
    first = probing.probed(run, asked)
    monkeypatch.setattr(probing, "probe", lambda *a, **k: pytest.fail("computed again"))
    assert probing.probed(run, asked) == first
    with pytest.raises(pytest.fail.Exception):
        probing.probed(run, Asked(controls=("pca",)))


def test_they_are_in_the_table() -> None:
    for name in ("linear-probe", "few-labels", "rdcgan", "latent", "inside"):
        assert find_study(name).name == name
