"""Expressions are read as a person means them, and a slip is pointed at."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dcgan
from dcgan.analysis.latent.arithmetic import calculate, picture
from dcgan.analysis.latent.expression import parse
from dcgan.analysis.latent.points import design, many_designs
from dcgan.analysis.latent.sources import Sources
from dcgan.errors import DcganError
from dcgan.model import Model


@pytest.fixture(scope="module")
def fashion() -> Model:
    model = dcgan.load("fashion-mnist")
    assert isinstance(model, Model)
    return model


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("Bag", [(1, ["Bag"])]),
        (
            "[3,17, 5:4] - Sneaker + Ankle boot",
            [(1, ["3", "17", "5:4"]), (-1, ["Sneaker"]), (1, ["Ankle boot"])],
        ),
        ("T-shirt/top -Bag", [(1, ["T-shirt/top"]), (-1, ["Bag"])]),
        ("'Ankle boot'+[1]-[2]", [(1, ["Ankle boot"]), (1, ["1"]), (-1, ["2"])]),
        ("- a.png − “b”", [(-1, ["a.png"]), (-1, ["“b”"])]),
        ('+["a - b.png", 3@Ankle boot]', [(1, ["a - b.png", "3@Ankle boot"])]),
    ],
)
def test_reading(text: str, terms: list[tuple[int, list[str]]]) -> None:
    assert [(term.sign, [item.text for item in term.items]) for term in parse(text)] == terms


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[3] * [4]", "at character 5 ('*'): expected + or -"),
        ("Sneaker * Bag", "at character 9 ('*'): expected + or -"),
        ("[3] [4]", "at character 5 ('['): expected + or -"),
        ("[3] - ", "at its end: expected a class"),
        ("", "at its end: expected a class"),
        ("[3, ]", "at character 5 (']'): expected a design"),
        ("[3, 4", "at its end: expected , or ]"),
        ("[]", "at character 2 (']'): expected a design"),
        ("Bag]", "at character 4 (']'): expected + or -"),
        ("Bag + 'boot", "at character 7 ('''): this quote does not end"),
        ("Bag + + Bag", "at character 7 ('+'): expected a class"),
        ("(Bag)", "at character 1 ('('): expected a class"),
    ],
)
def test_a_slip_is_pointed_at(text: str, says: str) -> None:
    with pytest.raises(DcganError) as refusal:
        parse(text)
    assert says in str(refusal.value) and "\n" not in str(refusal.value)


@given(st.text(alphabet="ab 3:,[]+-*'\"()−é\n", max_size=30))
def test_no_text_does_more_than_be_refused(text: str) -> None:
    try:
        terms = parse(text)
    except DcganError:
        return
    assert terms and all(term.items and term.sign in (1, -1) for term in terms)


def test_a_class_term_changes_the_class_and_keeps_z(fashion: Model) -> None:
    sources = Sources(fashion)
    start = design(fashion, "0@Sneaker")
    assert start is not None
    answer = calculate("[0@Sneaker] - Sneaker + Bag", sources)
    assert np.array_equal(answer.points.z[0], start.z[0])
    asked = fashion.decode(start.z, np.array([fashion.classes.index("Bag")]))
    assert answer.pictures[0].tobytes() == asked[0].tobytes()
    assert answer.as_json(fashion.classes)["class"] == "Bag"
    off = answer.points.z[1:] - answer.points.z[0]
    assert len(off) == 8 and 0.24 < np.abs(off).max() <= 0.2501
    assert picture(answer, fashion).ndim == 3


def test_a_set_counts_as_its_mean_in_z_and_in_pixels(fashion: Model) -> None:
    answer = calculate("[0, 1, 2] - [3] + [4]", Sources(fashion))
    z, images = many_designs(fashion, 5).z, fashion.generate(5).images.astype(float)
    assert np.allclose(answer.points.z[0], z[:3].mean(0) - z[3] + z[4], atol=1e-6)
    pixels = (images[:3].mean(0) - images[3] + images[4]).clip(0, 255)
    assert np.abs(answer.pixels - pixels).max() <= 0.5001
    again = calculate("[0, 1, 2] - [3] + [4]", Sources(fashion))
    assert again.pictures.tobytes() == answer.pictures.tobytes()
    other = calculate("[0, 1, 2] - [3] + [4]", Sources(fashion), seed=1)
    assert other.pictures[1:].tobytes() != answer.pictures[1:].tobytes()
    short = calculate("[0, 1, 2] - [3] + [4]", Sources(fashion), rescale=True)
    assert np.linalg.norm(short.points.z[0]) == pytest.approx(8, rel=1e-5) and short.length == answer.length


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "[3] - Sneeker",
            "at character 7 ('Sneeker'): unknown class or file 'Sneeker': did you mean Sneaker",
        ),
        ("3 + Bag", "the design is [3], in brackets"),
        ("[3@Bug] + Bag", "unknown label 'Bug'"),
        ("nothing.npz", "at character 1"),
        ("broken.png - Bag", "broken.png cannot be read as a picture"),
    ],
)
def test_what_is_not_there_is_told(
    fashion: Model, text: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("broken.png").write_bytes(b"no picture")
    with pytest.raises(DcganError) as refusal:
        calculate(text, Sources(fashion))
    assert says in str(refusal.value) and "\n" not in str(refusal.value)


def test_of_a_model_without_classes_a_class_is_the_mean_of_what_a_labeller_sees(
    fashion: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A labeller that sees the sign of the first number of z, through a decoder that paints it."""

    class Plain:
        name, classes, seed = "plain", (), 0
        recipe = dataclasses.replace(fashion.recipe, classes=0, z_dim=4)

        def decode(self, z: np.ndarray, labels: object = None) -> np.ndarray:
            return np.repeat(np.where(z[:, 0] > 0, 255, 0), 784).reshape(-1, 28, 28, 1).astype(np.uint8)

    class Seer:
        classes = ("dark", "light")

        def probabilities(self, images: np.ndarray) -> np.ndarray:
            light = images.mean((1, 2, 3)) / 255
            return np.stack([1 - light, light], 1)

    answer = calculate("light - dark", Sources(Plain()), Seer())  # type: ignore[arg-type]
    # The mean of a half of a normal distribution is ±√(2/π); the other numbers tell nothing.
    assert answer.points.z[0, 0] == pytest.approx(2 * np.sqrt(2 / np.pi), abs=0.1)
    assert np.abs(answer.points.z[0, 1:]).max() < 0.2 and answer.points.mixture is None
    with pytest.raises(DcganError, match="--labeller"):
        calculate("light - dark", Sources(Plain()))  # type: ignore[arg-type]
