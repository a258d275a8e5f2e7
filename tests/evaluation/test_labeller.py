"""The labeller: right on digits it has not seen, the same every time, kept, and never believed when damaged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dcgan.data import Dataset
from dcgan.errors import DcganError
from dcgan.evaluation import labeller as training
from dcgan.evaluation.classifier import Classifier, shifted
from dcgan.evaluation.extractors.domain import clustered, domain_extractor
from dcgan.evaluation.kept import keep_labeller, load_labeller
from dcgan.evaluation.labeller import (
    Labeller,
    find_labeller,
    find_named_labeller,
    split,
    train_labeller,
)
from dcgan.evaluation.labelling import guesses


@pytest.fixture(scope="module")
def trained(digits: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Labeller]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DCGAN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield train_labeller(digits)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """One pass over the pictures, where what is learned does not matter."""
    monkeypatch.setattr("dcgan.evaluation.classifier.MOST_PASSES", 1)


@pytest.fixture
def kept(trained: Labeller, tmp_path: Path) -> Path:
    keep_labeller(trained)
    (file,) = (tmp_path / "cache" / "labellers").iterdir()
    return file


def some(digits: Dataset, count: int = 100) -> Dataset:
    assert digits.labels is not None
    return replace(digits, images=digits.images[:count], labels=digits.labels[:count])


def test_it_is_right_on_digits_that_it_has_not_seen(trained: Labeller, digits: Dataset) -> None:
    assert trained.facts["test_accuracy"] > 0.9
    assert trained.facts["images"] + trained.facts["test_images"] == len(digits)
    assert digits.labels is not None
    learned, held_out = split(digits.labels, 0)
    seen = trained.probabilities(digits.images[held_out]).argmax(1)
    assert np.mean(seen == digits.labels[held_out]) == trained.facts["test_accuracy"]
    assert set(digits.labels[held_out]) == set(range(10)) and not set(learned) & set(held_out)
    assert f"{trained.facts['test_accuracy']:.1%} of 176 pictures of digits (held out" in trained.accuracy


def test_features_have_mean_0_and_variance_1_and_probabilities_sum_to_1(
    trained: Labeller, digits: Dataset
) -> None:
    features = trained.features(digits.images)
    assert features.shape == (len(digits), 128) and features.dtype == np.float32
    np.testing.assert_allclose(features.mean(0), 0, atol=0.05)
    np.testing.assert_allclose(features.std(0), 1, atol=0.05)
    rows = trained.probabilities(digits.images[:50])
    assert rows.shape == (50, 10) and rows.dtype == np.float32
    np.testing.assert_allclose(rows.sum(1), 1, atol=1e-5)


def test_the_same_whatever_the_batch(trained: Labeller, digits: Dataset) -> None:
    whole = trained.features(digits.images[:130])
    for count in (1, 63, 64, 65):
        assert trained.features(digits.images[:count]).tobytes() == whole[:count].tobytes()
    assert trained.features(digits.images[:0]).shape == (0, 128)


def test_other_sizes_and_channels_are_brought_to_its_own(trained: Labeller, digits: Dataset) -> None:
    large = digits.images[:200].repeat(4, 2).repeat(4, 3).repeat(3, 1)
    agree = trained.probabilities(large).argmax(1) == trained.probabilities(digits.images[:200]).argmax(1)
    assert agree.mean() > 0.9
    with pytest.raises(DcganError, match=r"takes uint8 \(N, 1, 8, 8\)"):
        trained.features(np.zeros((2, 8, 8), np.uint8))


def test_it_is_a_function_of_data_and_seed(
    digits: Dataset, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DCGAN_CACHE_LIMIT", "0")
    first = train_labeller(some(digits))
    torch.manual_seed(5)
    assert train_labeller(some(digits)).sha256 == first.sha256
    assert train_labeller(some(digits), seed=1).sha256 != first.sha256
    assert find_labeller(some(digits).sha256) is None, "a limit of 0 keeps nothing"


def test_it_is_trained_once_and_kept(digits: Dataset, quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    data = some(digits)
    assert find_labeller(data.sha256) is None
    first = train_labeller(data)
    monkeypatch.setattr(training, "fit_classifier", None)
    again = train_labeller(data)
    assert (again.sha256, dict(again.facts)) == (first.sha256, dict(first.facts))
    assert again.features(data.images).tobytes() == first.features(data.images).tobytes()


def test_a_test_split_is_tested_on_and_trains_anew(digits: Dataset, quick: None) -> None:
    data = some(digits)
    assert digits.labels is not None
    test = replace(digits, images=digits.images[-90:], labels=digits.labels[-90:])
    assert "held out" in train_labeller(data).facts["tested_on"]
    tested = train_labeller(data, test)
    assert (tested.facts["tested_on"], tested.facts["test_images"]) == ("the test split", 90)
    assert tested.facts["images"] == 100
    assert train_labeller(data).facts["tested_on"] == "the test split"


@pytest.mark.parametrize("place", [0, 100, 3000, -1])
def test_a_flipped_bit_is_found(kept: Path, trained: Labeller, place: int) -> None:
    content = bytearray(kept.read_bytes())
    content[place] ^= 1
    kept.write_bytes(content)
    with pytest.raises(DcganError) as caught:
        load_labeller(kept)
    assert str(kept) in str(caught.value)
    said: list[str] = []
    assert find_labeller(trained.facts["data_sha256"], tell=said.append) is None
    assert len(said) == 1 and "cannot be used" in said[0]


def test_a_cut_file_and_another_datas_file_are_not_believed(kept: Path, trained: Labeller) -> None:
    other = kept.with_name(kept.name.replace(trained.facts["data_sha256"], "0" * 64))
    other.write_bytes(kept.read_bytes())
    assert find_labeller("0" * 64) is None
    kept.write_bytes(kept.read_bytes()[:-100])
    assert find_labeller(trained.facts["data_sha256"]) is None
    assert find_labeller("../../etc/passwd") is None


def test_a_damaged_one_is_trained_anew_with_a_word(digits: Dataset, quick: None, tmp_path: Path) -> None:
    first = train_labeller(some(digits))
    (file,) = (tmp_path / "cache" / "labellers").iterdir()
    file.write_bytes(b"\xff" * 100)
    said: list[str] = []
    assert train_labeller(some(digits), tell=said.append).sha256 == first.sha256
    assert len(said) == 1 and load_labeller(file).sha256 == first.sha256


def test_interrupted_it_leaves_nothing(digits: Dataset, quick: None, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_labeller(some(digits), progress=stop)
    assert not (tmp_path / "cache" / "labellers").exists()


def test_found_by_the_name_of_a_set_and_its_classes(kept: Path, trained: Labeller) -> None:
    assert find_named_labeller("digits", trained.classes) is None, "a data set of one's own may have any name"
    keep_labeller(replace(trained, facts={**trained.facts, "kind": "a named set"}))
    found = find_named_labeller("digits", trained.classes)
    assert found is not None and found.sha256 == trained.sha256
    assert find_named_labeller("digits", trained.classes[:9]) is None
    assert find_named_labeller("mnist", trained.classes) is None


def test_too_little_is_refused_in_one_line(digits: Dataset) -> None:
    data = some(digits, 30)
    lone = replace(data, labels=np.array([0] * 29 + [1], np.int64), classes=("a", "b, c"))
    for bad, says in (
        (replace(data, labels=None, classes=()), "has no labels"),
        (replace(data, labels=np.zeros(30, np.int64)), "of one class only"),
        (lone, 'has 1 picture of "b, c": a labeller needs 2 of each class'),
    ):
        with pytest.raises(DcganError, match=says):
            train_labeller(bad)
    with pytest.raises(DcganError, match="another size or other classes"):
        train_labeller(digits, replace(digits, classes=tuple("abcdefghij")))


@pytest.mark.parametrize(("channels", "size"), [(1, (8, 8)), (3, (128, 128)), (1, (8, 128)), (3, (33, 64))])
def test_every_size_has_a_network(channels: int, size: tuple[int, int]) -> None:
    network = Classifier(channels, size, 3).eval()
    features = network.features(torch.zeros(2, channels, *size, dtype=torch.uint8))
    assert features.shape == (2, 128) and network.classes(features).shape == (2, 3)


def test_shifts_move_whole_pictures_a_little(digits: Dataset) -> None:
    moved = shifted(digits.images[:50], 0, 3)
    padded = np.pad(digits.images[:50], ((0, 0), (0, 0), (1, 1), (1, 1)), "edge")
    at = [
        [np.array_equal(m, p[:, i : i + 8, j : j + 8]) for i in range(3) for j in range(3)]
        for m, p in zip(moved, padded, strict=True)
    ]
    assert all(any(found) for found in at) and not np.array_equal(moved, digits.images[:50])
    assert np.array_equal(moved, shifted(digits.images[:50], 0, 3))


def test_guesses_are_the_two_likeliest() -> None:
    found = guesses(np.array([[0.1, 0.7, 0.2], [0.5, 0.0, 0.5]], np.float32))
    assert found.label.tolist() == [1, 0] and found.runner_up.tolist() == [2, 2]
    np.testing.assert_allclose(found.confidence, [0.7, 0.5])
    np.testing.assert_allclose(found.runner_up_confidence, [0.2, 0.5])


def test_without_labels_domain_learns_clusters(digits: Dataset, quick: None) -> None:
    unlabelled = replace(some(digits, 300), labels=None, classes=())
    pseudo = clustered(unlabelled)
    assert len(pseudo.classes) == 15 and pseudo.counts.min() >= 2
    again = clustered(unlabelled).labels
    assert pseudo.labels is not None and again is not None and np.array_equal(pseudo.labels, again)
    extract = domain_extractor(unlabelled)
    assert extract.facts["labels"] == "clusters of pixels" and extract.name == "domain"
    assert extract(digits.images[:3]).shape == (3, 128)
    assert domain_extractor(unlabelled).sha256 == extract.sha256
    assert domain_extractor(some(digits)).facts["labels"] == "the data's own"
    with pytest.raises(DcganError, match="40 at least"):
        clustered(replace(some(digits, 39), labels=None, classes=()))
