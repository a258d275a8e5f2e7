"""Features and probes as people use them: in a scikit-learn pipeline, as a file, from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import validate_data

import dcgan
from dcgan.data import Dataset
from dcgan.errors import DcganError
from dcgan.features import DiscriminatorFeatures, WrongPictures, pictures_for
from dcgan.pictures import png
from dcgan.probes import Asked

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dcgan.analysis.probe.supervised.SEEN", 2_000)


# The transformer.


class Rows(DiscriminatorFeatures):
    """Any table of numbers as pictures, so that scikit-learn's checks can be run: they know no pictures."""

    def _widened(self, x: Any, *, reset: bool) -> Any:
        table = validate_data(self, x, reset=reset, dtype=np.float64)
        squashed = 255 / (1 + np.exp(-np.clip(table, -50, 50)))
        return np.tile(squashed, (1, -(-784 // squashed.shape[1])))[:, :784]

    def fit(self, X: Any, y: Any = None) -> Rows:  # noqa: N803
        x = self._widened(X, reset=True)
        columns = self.n_features_in_
        super().fit(x)
        self.n_features_in_ = columns
        return self

    def transform(self, X: Any) -> Any:  # noqa: N803
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(self)
        return super().transform(self._widened(X, reset=False))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        tags.input_tags.positive_only = False
        return tags


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([Rows("mnist", layers="conv3")])
def test_scikit_learns_estimator_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def test_the_transformer_itself_passes_those_that_need_no_table() -> None:
    from sklearn.utils.estimator_checks import check_estimator

    with pytest.warns(UserWarning, match="two_d_array"):
        found = check_estimator(DiscriminatorFeatures("mnist"))
    assert found and all(one["status"] == "passed" for one in found)


def test_in_a_pipeline_and_a_grid_search(trained: dcgan.Run, digits: Dataset) -> None:
    assert digits.labels is not None
    pipeline = make_pipeline(DiscriminatorFeatures(trained), StandardScaler(), LinearSVC(C=1e-2))
    pipeline.fit(digits.images[:800], digits.labels[:800])
    assert pipeline.score(digits.images[800:1200], digits.labels[800:1200]) > 0.6
    grid = GridSearchCV(
        pipeline,
        {"discriminatorfeatures__layers": ["all", "last"], "discriminatorfeatures__pool": [1, 4]},
        cv=2,
    )
    grid.fit(digits.images[:300], digits.labels[:300])
    assert grid.best_params_["discriminatorfeatures__pool"] == 4  # one number a map says little of a digit
    copied = clone(pipeline)
    assert copied.get_params()["discriminatorfeatures__layers"] == "all"


def test_every_form_of_picture_is_the_same_picture(digits: Dataset, trained: dcgan.Run) -> None:
    features = DiscriminatorFeatures(str(trained.folder)).fit(digits.images[:5])
    expected = features.transform(digits.images[:5])
    assert expected.dtype == np.float32
    for form in (
        digits.images[:5].transpose(0, 2, 3, 1),
        digits.images[:5, 0],
        digits.images[:5].reshape(5, -1),
        digits.images[:5].reshape(5, -1).astype(np.float64),
        digits.images[:5].reshape(5, -1).tolist(),
    ):
        assert np.array_equal(features.transform(form), expected)
    assert len(features.get_feature_names_out()) == expected.shape[1]
    assert features.n_features_in_ == 64


@pytest.mark.parametrize(
    ("pictures", "words"),
    [
        (np.zeros((3, 1, 9, 8), np.uint8), r"pictures are \(3, 1, 9, 8\): expected \(N, 1, 8, 8\)"),
        (np.zeros((0, 1, 8, 8), np.uint8), "at least one"),
        (np.full((2, 64), np.nan), "NaN"),
        (np.full((2, 64), 256.0), "outside 0 to 255"),
        (np.full((2, 64), 1j), "complex128"),
        (np.full((2, 64), "a"), "expected numbers"),
    ],
)
def test_what_is_no_picture(trained: dcgan.Run, pictures: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        DiscriminatorFeatures(trained).fit(pictures)
    assert isinstance(caught.value, WrongPictures)


@pytest.mark.parametrize(
    ("asked", "words"), [({"layers": None}, "layers is None"), ({"pool": "4"}, "pool is '4'")]
)
def test_what_no_layers_can_be(trained: dcgan.Run, asked: dict[str, Any], words: str) -> None:
    with pytest.raises(DcganError, match=words):
        DiscriminatorFeatures(trained, **asked).fit(np.zeros((1, 64)))


def test_before_it_is_fitted(trained: dcgan.Run) -> None:
    with pytest.raises(NotFittedError):
        DiscriminatorFeatures(trained).transform(np.zeros((1, 64)))


def test_data_of_another_shape(trained: dcgan.Run) -> None:
    other = Dataset("wide", np.zeros((3, 3, 8, 16), np.uint8))
    with pytest.raises(DcganError, match="wide is 8x16 colour, and tiny takes 8x8 grey: add --resize"):
        pictures_for(trained.model(), other)


# The commands.


def test_features_to_a_file(trained: dcgan.Run, digits: Dataset, command: Command) -> None:
    code, said, _ = command("features", str(trained.folder), "digits", "--out", "f.npz", "--split", "all")
    assert code == 0 and "conv2" in said and "f.npz" in said
    with np.load("f.npz", allow_pickle=False) as file:
        features, names, labels = file["features"], file["names"], file["labels"]
        assert [json.loads(layer)["name"] for layer in file["layers"]] == ["conv1", "conv2"]
        assert file["classes"].tolist() == list("0123456789")
    transformer = DiscriminatorFeatures(trained)
    assert np.array_equal(features, transformer.fit_transform(digits.images)[: len(features)])
    assert names.tolist() == transformer.get_feature_names_out().tolist()
    assert labels.tolist() == (digits.labels if digits.labels is not None else labels).tolist()
    assert sorted(Path().iterdir()) == [Path("f.npz")]


def test_probe_from_the_command_line(trained: dcgan.Run, command: Command) -> None:
    arguments = (
        "probe",
        str(trained.folder),
        "digits",
        "--labels-per-class",
        "5",
        "--draws",
        "4",
        "--neighbours",
        "3",
        "--student",
        "2",
        "--views",
        "shifted",
        "--out",
        "probe",
    )
    code, said, told = command(*arguments, "--controls", "pixels,kmeans,untrained", "--kmeans-units", "20")
    assert code == 0
    lines = said.splitlines()
    assert lines[0].startswith("features") and "50 labels" in lines[0]
    assert [line.split()[0] for line in lines[1:7]] == [
        "tiny",
        *["with"] * 2,
        "pixels",
        "untrained",
        "kmeans",
    ]
    assert "trained with labels" in told
    found = json.loads(Path("probe/probe.json").read_text())
    kinds = ["tiny", "with 3 neighbours", "with a student", "pixels", "untrained", "kmeans"]
    assert [row["features"] for row in found["rows"]] == kinds
    assert all(len(row["draws"]) == 4 for row in found["rows"])
    assert found["rows"][5]["numbers"] == 80
    assert found["rows"][0]["draws"] != found["rows"][1]["draws"]
    assert Path("probe/probe.png").read_bytes().startswith(b"\x89PNG")


def test_probe_of_a_folder_with_all_controls(trained: dcgan.Run, digits: Dataset, command: Command) -> None:
    assert digits.labels is not None
    for index in range(240):
        folder = Path("pictures") / digits.classes[digits.labels[index]]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{index}.png").write_bytes(png(digits.images[index].transpose(1, 2, 0)))
    code, said, told = command(
        "probe", str(trained.folder), "./pictures", "--controls", "cnn", "--trials", "2", "--json"
    )
    assert code == 0, told
    assert "no test split" in told and "48 of its 240" in told
    rows = json.loads(said)
    assert [row["features"] for row in rows] == ["tiny", "cnn"]
    assert rows[1]["facts"]["trials"] == 2 and 0 <= rows[1]["accuracy"] <= 1


def test_a_test_split_with_a_class_more(trained: dcgan.Run, digits: Dataset, command: Command) -> None:
    assert digits.labels is not None
    for index in range(200):
        label = int(digits.labels[index])
        split = "test" if index % 4 == 0 else "train"
        if split == "test" or label != 1:
            folder = Path("pictures") / split / str(label)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{index}.png").write_bytes(png(digits.images[index].transpose(1, 2, 0)))
    code, said, told = command("probe", str(trained.folder), "./pictures", "--controls", "none", "--json")
    assert code == 0, told
    ones = int((digits.labels[:200:4] == 1).sum())
    assert f"{ones} pictures of the test split are left out: the training split has no class 1" in told
    (row,) = json.loads(said)
    assert row["tested"] == 50 - ones and row["accuracy"] > 0.5, "its labels are those of the training split"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("probe", "RUN", "fashion"), "unknown data 'fashion'"),
        (
            ("probe", "RUN", "digits", "--labels-per-class", "9999"),
            "--labels-per-class is 9999: must be from 1 to",
        ),
        (("probe", "RUN", "digits", "--controls", "pixel"), "unknown control 'pixel'"),
        (
            ("probe", "RUN", "digits", "--layers", "conv7"),
            "unknown layer 'conv7': the layers are conv1, conv2",
        ),
        (("probe", "RUN", "digits", "--controls", "pixels,none"), "none stands alone, without other names"),
        (("probe", "RUN", "digits", "--layers", "all,conv1"), "all stands alone, without other names"),
        (("probe", "RUN", "digits", "--draws", "0"), "--draws is 0"),
        (("probe", "RUN", "digits", "--draws", "2"), "say of how many, with --labels-per-class"),
        (("features", "RUN", "digits", "--views", "sideways"), "unknown view 'sideways'"),
        (
            ("probe", "RUN", "digits", "--views", "shifted,"),
            "--views is 'shifted,': expected parts with commas",
        ),
        (("probe", "RUN", "digits", "--neighbours", "5"), "say how few, with --labels-per-class"),
        (
            ("probe", "RUN", "digits", "--labels-per-class", "5", "--neighbours", "101"),
            "--neighbours is 101: must be from 0 to 100",
        ),
        (
            ("features", "RUN", "digits", "--out", "notes.txt"),
            "--out is notes.txt: features are written as .npz",
        ),
        (("features", "RUN", "digits", "--pool", "999"), "pool is 999"),
        (("features", "RUN", "digits", "--out", "nowhere/f.npz"), "cannot write nowhere/f.npz"),
        (("features", "mnist", "digits"), "digits is 8x8 grey, and mnist takes 28x28 grey: add --resize"),
        (("features", "no-run", "digits"), "unknown run or model 'no-run'"),
    ],
)
def test_what_is_asked_wrongly_is_one_line(
    trained: dcgan.Run, command: Command, arguments: tuple[str, ...], words: str
) -> None:
    code, said, told = command(*(str(trained.folder) if word == "RUN" else word for word in arguments))
    assert code == 2 and not said
    assert words in told.splitlines()[-1]
    assert not list(Path().iterdir())


def test_data_without_labels(trained: dcgan.Run, digits: Dataset) -> None:
    with pytest.raises(DcganError, match="plain has no labels to probe by"):
        list(dcgan.probe(trained, Dataset("plain", digits.images)))


def test_more_neighbours_than_pictures(trained: dcgan.Run, digits: Dataset) -> None:
    assert digits.labels is not None
    few = Dataset("few", digits.images[:100], digits.labels[:100], digits.classes)
    with pytest.raises(
        DcganError, match="--neighbours is 90: few has 80 pictures to learn from, each with 79"
    ):
        list(dcgan.probe(trained, few, Asked(per_class=1, neighbours=90)))


def test_resized_pictures_are_taken(command: Command) -> None:
    code, said, _ = command("features", "mnist", "digits", "--resize", "--layers", "conv3")
    assert code == 0 and "1,152 numbers a picture" in said
