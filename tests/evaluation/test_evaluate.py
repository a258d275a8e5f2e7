"""All scores at once: real pictures score as the floor does, spoilt ones worse, and each score says what it is of."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.training.tiny import digits

from dcgan.data.dataset import Dataset
from dcgan.errors import DcganError
from dcgan.evaluation import classifier
from dcgan.evaluation import scores as kept
from dcgan.evaluation.choosing import choose
from dcgan.evaluation.evaluate import Judged, Made, evaluate
from dcgan.evaluation.extractors import extractor


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DCGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(classifier, "MOST_PASSES", 8)  # enough for digits of 8×8


def halves() -> tuple[Dataset, Dataset]:
    """Digits to be judged by, and others like them."""
    data = digits()
    order = np.random.default_rng(0).permutation(len(data))
    assert data.labels is not None
    parts = [
        Dataset("digits", data.images[index], data.labels[index], data.classes, {"split": "train"})
        for index in (order[:900], order[900:])
    ]
    return parts[0], parts[1]


def judged(images: np.ndarray, asked: np.ndarray | None = None, **options: object) -> Judged:
    real, _ = halves()
    return evaluate(Made("made", images, asked), real, extractor("fixed"), **options)  # type: ignore[arg-type]


def test_real_pictures_score_as_the_floor_and_spoilt_ones_worse() -> None:
    _, others = halves()
    images = others.images[:400]
    draw = np.random.default_rng(1)
    noisy = np.clip(images + draw.normal(0, 60, images.shape), 0, 255).astype(np.uint8)
    real, noise, one = (judged(made).scores for made in (images, noisy, images[[0] * 400]))
    assert real.frechet < 2 * real.floor["frechet"] + 0.5
    assert noise.frechet > 2.5 * real.frechet and one.frechet > 2.5 * real.frechet
    assert noise.kid > real.kid + 3 * real.kid_spread
    assert real.coverage > 0.8 > one.coverage and one.recall < 0.1 < real.recall
    assert real.floor_n == 400 and real.floor_of == "the same split"
    assert one.ms_ssim == pytest.approx(1.0) and real.ms_ssim is not None and real.ms_ssim < 0.9


def test_a_labeller_says_which_classes_are_missing_and_which_are_not_what_was_asked_for() -> None:
    real, others = halves()
    found, labeller = choose("domain", real, None)
    assert labeller is not None and found.name == "domain"
    assert others.labels is not None
    images, labels = others.images, others.labels
    whole = evaluate(Made("all", images[:400], labels[:400]), real, found, labeller=labeller).scores
    swapped = evaluate(Made("swapped", images[:400], (labels[:400] + 1) % 10), real, found, labeller=labeller)
    some = evaluate(Made("some", images[labels < 5][:400]), real, found, labeller=labeller).scores
    assert whole.fidelity is not None and whole.fidelity > 0.8
    assert swapped.scores.fidelity is not None and swapped.scores.fidelity < 0.1
    assert some.fidelity is None and some.balance is not None and whole.balance is not None
    assert some.balance < 0.8 < whole.balance
    assert some.class_distance is not None and some.class_distance > 0.4
    assert whole.extractor_facts["test_accuracy"] > 0.8


def test_what_a_classifier_learns_from_designs_alone() -> None:
    real, others = halves()
    assert others.labels is not None
    good = judged(others.images, others.labels, unseen=real, accuracy=True).scores
    assert good.accuracy_score is not None and good.accuracy_score > 0.8
    assert good.accuracy_score_real is not None and good.accuracy_score_real > 0.8
    none = judged(others.images, None, accuracy=True).scores
    assert none.accuracy_score is None and "trained with labels" in none.notes[-1]


def test_too_few_pictures_other_sizes_and_pictures_all_alike_are_refused_in_a_line() -> None:
    real, others = halves()
    with pytest.raises(DcganError, match=r"49 designs: scores need at least 50"):
        judged(others.images[:49])
    with pytest.raises(DcganError, match="only pictures of one size"):
        judged(np.zeros((60, 1, 9, 8), np.uint8))
    flat = Dataset("flat", np.full((80, 1, 8, 8), 7, np.uint8))
    with pytest.raises(DcganError, match="do not vary"):
        evaluate(Made("made", others.images[:100]), flat, extractor("fixed"))
    with pytest.raises(DcganError, match="did you mean pixels"):
        choose("pixel", real, None)


def test_no_number_that_is_not_one_is_ever_kept(tmp_path: Path) -> None:
    _, others = halves()
    black = judged(np.zeros_like(others.images[:100])).scores
    path = kept.keep(tmp_path, black)
    kept.keep(tmp_path, black)
    assert len(json.loads(path.read_text())) == 2
    assert "NaN" not in path.read_text() and "Infinity" not in path.read_text()
    path.write_text('[{"frechet": 1}, 7, "x"]')
    assert kept.read(tmp_path) == [{"frechet": 1}]
    path.write_text('[{"frechet"')
    assert kept.read(tmp_path) == []


def test_the_same_pictures_get_the_same_scores() -> None:
    _, others = halves()
    first, second = (judged(others.images[:300]).scores.to_dict() for _ in range(2))
    assert {**first, "made_with": 0} == {**second, "made_with": 0}


def test_without_other_real_pictures_there_is_no_floor_and_it_says_so() -> None:
    real, others = halves()
    few = Dataset("few", real.images[:100])
    scores = evaluate(Made("made", others.images[:100]), few, extractor("fixed")).scores
    assert scores.floor == {} and "no floor" in scores.notes[0]
