"""A known direction is found again, noise is not; a picture of the model's own leads back to a point that makes it."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

import dcgan
from dcgan.analysis.latent import directions as finding
from dcgan.analysis.latent.attributes import (
    Attribute,
    read_table,
    seen_attributes,
    table_attributes,
    table_points,
)
from dcgan.analysis.latent.inversion import Settings, invert, rmse
from dcgan.analysis.latent.kept import read_points, write_points
from dcgan.analysis.latent.photograph import read_picture
from dcgan.analysis.latent.points import Points, decoded, many_designs
from dcgan.analysis.latent.sources import Sources
from dcgan.errors import DcganError
from dcgan.model import Model
from dcgan.networks.stages import Stage

QUICK = Settings(starts=10, steps=60)


@pytest.fixture(scope="module")
def mnist() -> Model:
    model = dcgan.load("mnist")
    assert isinstance(model, Model)
    return model


def cloud(count: int = 1200, dim: int = 8, classes: int = 0) -> Points:
    draw = np.random.default_rng(3)
    z = draw.standard_normal((count, dim)).astype(np.float32)
    mixture = np.eye(classes, dtype=np.float32)[draw.integers(classes, size=count)] if classes else None
    return Points(z, mixture, tuple(map(str, range(count))))


def test_a_planted_attribute_is_found_and_noise_is_not() -> None:
    points = cloud()
    planted = np.zeros(8)
    planted[[1, 4]] = 0.6, -0.8
    found = finding.attribute_direction(points, Attribute("planted", points.z @ planted > 0.3))
    length = np.linalg.norm(found.vector)
    assert length == pytest.approx(float(points.z.std()), rel=1e-5)
    assert found.vector @ planted / length > 0.98
    assert found.facts["accuracy"] > 0.93 and found.facts["chance"] == 0.5
    wide = cloud(240, 64)
    coin = np.random.default_rng(4).random(len(wide)) < 0.4
    noise = finding.attribute_direction(wide, Attribute("coin", coin))
    assert noise.facts["accuracy"] < 0.65, "what is learned by heart is not right on designs held out"
    with pytest.raises(DcganError, match="19 of 1,200 designs are rare"):
        finding.attribute_direction(points, Attribute("rare", np.arange(1200) < 19))


def test_what_the_class_alone_tells_is_chance() -> None:
    points = cloud(classes=2)
    assert points.mixture is not None
    found = finding.attribute_direction(points, Attribute("one", points.mixture[:, 1] > 0))
    assert found.facts["accuracy"] == found.facts["chance"] == 1.0


def stub(matrix: np.ndarray, classes: np.ndarray | None = None) -> Model:
    """A generator whose first maps are z times a matrix, and a class's own vector."""

    def head(z: torch.Tensor, mixture: torch.Tensor | None = None) -> torch.Tensor:
        maps = z @ torch.from_numpy(matrix.astype(np.float32))
        if mixture is not None and classes is not None:
            maps = maps + mixture @ torch.from_numpy(classes.astype(np.float32))
        return maps.reshape(len(z), -1, 1, 1)

    stages = [Stage("base", lambda x: 2 * x), Stage("up1", lambda x: x * float("nan"))]
    return SimpleNamespace(  # type: ignore[return-value]
        generator=SimpleNamespace(head=head, stages=lambda: stages),
        engine=SimpleNamespace(tensor=torch.from_numpy),
        recipe=SimpleNamespace(z_dim=len(matrix), prior="normal"),
    )


@pytest.mark.parametrize("classes", [0, 3])
def test_components_are_the_singular_vectors_of_a_linear_layer(classes: int) -> None:
    draw = np.random.default_rng(5)
    u, v = (np.linalg.qr(draw.standard_normal(shape))[0] for shape in ((8, 8), (20, 8)))
    sizes = np.array([9, 5, 3, 1, 0.5, 0.4, 0.3, 0.2])
    loud = 100 * draw.standard_normal((classes, 20)) if classes else None
    model = stub(u @ np.diag(sizes) @ v.T, loud)
    found = finding.component_directions(model, cloud(4000, classes=classes), 3)
    for at, one in enumerate(found):
        length = np.linalg.norm(one.vector)
        assert abs(one.vector @ u[:, at]) / length > 0.99, one.name
        assert length == pytest.approx(1, abs=0.05)
        assert one.facts["variance"] == pytest.approx(sizes[at] ** 2 / (sizes**2).sum(), abs=0.03)
        assert one.vector[np.abs(one.vector).argmax()] > 0


def test_components_change_pictures_more_than_random_directions(mnist: Model) -> None:
    points = many_designs(mnist, 400)
    found = finding.component_directions(mnist, points, 2)
    assert [one.vector.tolist() for one in found] == [
        one.vector.tolist() for one in finding.component_directions(mnist, points, 2)
    ]
    changed = finding.with_changes(mnist, points, found)
    assert all(one.change > 1.3 * one.random > 0 for one in changed)
    assert finding.picture(mnist, points[[0]], changed).ndim == 3


def test_directions_are_kept_and_read_again(mnist: Model, tmp_path: Path) -> None:
    found = [finding.Direction("Pc One", "component", np.arange(64, dtype=np.float32), {"variance": 0.5})]
    path = tmp_path / "directions.npz"
    finding.write_directions(path, mnist, found)
    before = path.read_bytes()
    vector, name, note = finding.read_direction(f"{path}:pc one", mnist)
    assert np.array_equal(vector, found[0].vector) and (name, note) == ("Pc One", "")
    finding.write_directions(path, mnist, found)
    assert path.read_bytes() == before
    fashion = dcgan.load("fashion-mnist")
    assert isinstance(fashion, Model)
    assert "made with mnist" in finding.read_direction(f"{path}:Pc One", fashion)[2]
    for text, says in (
        (f"{path}:pc2", "unknown direction"),
        (str(path.name), "FILE:NAME"),
        ("no.npz:a", "open"),
    ):
        with pytest.raises(DcganError, match=says):
            finding.read_direction(text, mnist)


def test_tables_of_designs(mnist: Model, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(
        "file,seed,index,label,score,class\na,0,3,7,1.5,round\nb,5,4,,2.5,flat\nc,0,1,1,0.5,round\n"
    )
    table = read_table(path)
    assert table.column == "class" and table.numbers == ((0, 3), (5, 4), (0, 1))
    points = table_points(mnist, table)
    _, drawn = mnist.latents([(5, 4)])
    assert points.mixture is not None and drawn is not None
    assert points.mixture.argmax(1).tolist() == [7, drawn[0], 1], "asked for, or else as drawn"
    found = table_attributes(table, [])
    assert [(one.name, one.yes.tolist()) for one in found] == [
        ("flat", [False, True, False]),
        ("round", [True, False, True]),
    ]
    path.write_text("seed,index,score\n" + "".join(f"0,{i},{i / 7}\n" for i in range(30)))
    (high,) = table_attributes(read_table(path, "score"), [])
    assert high.name == "high score" and high.yes.tolist() == [False] * 15 + [True] * 15
    for content, column, says in (
        ("file,label\na,b\n", None, "no column seed and no column index"),
        ("seed,index\n1,2\n", None, "--column"),
        ("seed,index,style\n", "style", "has no row that says anything in its column style"),
        ("seed,index,label\n1,2,a\n1,3,b\n1,2,a\n", None, "row 4 has the design of row 2 again"),
        ("seed,index,label\n1,x,b\n", None, "row 2 has seed '1' and index 'x'"),
        ("seed,index,label\n1,2,b\n", "lable", "did you mean label"),
    ):
        path.write_text(content)
        with pytest.raises(DcganError, match=says):
            read_table(path, column)
    with pytest.raises(DcganError, match="cannot open"):
        read_table(tmp_path)


def test_measures_need_no_labels() -> None:
    pictures = np.zeros((4, 8, 8, 1), np.uint8)
    pictures[1] += 50
    pictures[2, :4] += 250
    (bright,) = seen_attributes(pictures, ["Bright"], None)
    assert bright.yes.tolist() == [False, True, True, False]
    with pytest.raises(DcganError, match="--labeller"):
        seen_attributes(pictures, ["Coat"], None)


def test_a_picture_of_the_models_own_is_found_again(mnist: Model) -> None:
    """To less than half of what the best of 512 random points is off, with its class, whatever stands beside it."""
    made = mnist.generate(2, seed=77, label=["3", "8"])
    assert made.labels is not None
    found = invert(mnist, made.images, ("a", "b"), settings=QUICK)
    assert (found.rmse < found.start / 2).all() and (found.start < found.mean).all()
    assert found.points.mixture is not None and found.points.mixture.argmax(1).tolist() == [3, 8]
    assert [rmse(found.pictures[at : at + 1], made.images[at])[0] for at in range(2)] == found.rmse.tolist()
    alone = invert(mnist, made.images[1:2], ("b",), settings=QUICK)
    assert alone.points.z[0].tobytes() == found.points.z[1].tobytes()
    forced = invert(mnist, made.images[:1], ("a",), label=7, settings=QUICK)
    assert forced.points.mixture is not None and forced.points.mixture[0, 7] == 1
    assert forced.rmse[0] > found.rmse[0]


def test_the_prior_draws_z_to_where_the_model_is_at_home(mnist: Model) -> None:
    image = mnist.generate(1, seed=9).images
    lengths = [
        np.linalg.norm(invert(mnist, image, ("a",), settings=Settings(4, 40, prior=prior)).points.z)
        for prior in (0.0, 0.5)
    ]
    assert lengths[1] < 0.7 * lengths[0]


def test_an_encoder_is_where_it_starts(mnist: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    points = many_designs(mnist, 1, 123)
    image = decoded(mnist, points)
    seen: list[torch.Tensor] = []

    def encoder(images: torch.Tensor) -> torch.Tensor:
        seen.append(images)
        return torch.from_numpy(points.z)

    monkeypatch.setattr(mnist, "encoder", encoder, raising=False)
    found = invert(mnist, image, ("a",), settings=Settings(12, 0))
    assert found.rmse[0] == 0 and found.encoded is not None and found.encoded[0] == 0
    assert seen[0].shape == (1, 1, 28, 28) and -1 <= float(seen[0].min()) < float(seen[0].max()) <= 1


def test_points_are_kept_and_found_again(mnist: Model, tmp_path: Path) -> None:
    points, path = many_designs(mnist, 3, 4), tmp_path / "inverted.npz"
    write_points(path, mnist, points, np.array([1.0, 2.0, 3.0]))
    read, note = read_points(path, mnist)
    assert decoded(mnist, read).tobytes() == decoded(mnist, points).tobytes() and note == ""
    assert read.names == points.names
    assert Sources(mnist).find(f"{path}:2").z.tobytes() == points.z[2:].tobytes()
    with pytest.raises(DcganError, match="holds 3 points"):
        Sources(mnist).find(f"{path}:3")


def test_files_that_hold_no_points_are_refused_in_one_line(mnist: Model, tmp_path: Path) -> None:
    def saved(**arrays: np.ndarray) -> bytes:
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # type: ignore[arg-type]
        return buffer.getvalue()

    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("z.npy", bytes(2**27))
    one = np.eye(10, dtype=np.float32)[:1]
    z = np.zeros((1, 64), np.float32)
    path = tmp_path / "points.npz"
    for content, says in (
        (b"", "not a whole NPZ"),
        (saved(z=z, mixture=one)[:-40], "not a whole NPZ"),
        (bomb.getvalue(), "more than 64 MB"),
        (saved(z=np.array([{}], object)), "not a whole NPZ"),
        (saved(z=z), "no array called mixture"),
        (saved(z=z[:, :9], mixture=one), r"expected finite numbers \(N, 64\)"),
        (saved(z=z + np.nan, mixture=one), "finite"),
        (saved(z=z[:0], mixture=one[:0]), "holds no points"),
    ):
        path.write_bytes(content)
        with pytest.raises(DcganError, match=says) as refusal:
            read_points(path, mnist)
        assert "\n" not in str(refusal.value)
    with pytest.raises(DcganError, match="cannot open"):
        read_points(tmp_path / "none.npz", mnist)


def test_a_photograph_comes_to_the_models_size_and_channels(mnist: Model, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    Image.new("RGB", (60, 40), (255, 255, 255)).save(path)
    white = read_picture(path, mnist.recipe)
    assert white.shape == (28, 28, 1) and white.dtype == np.uint8 and (white == 255).all()
    assert (read_picture(path, mnist.recipe, negative=True) == 0).all()
    with pytest.raises(DcganError, match="unknown fit"):
        read_picture(path, mnist.recipe, "zoom")
    with pytest.raises(DcganError, match="cannot be read as a picture"):
        read_picture(tmp_path, mnist.recipe)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"starts": 0}, "--starts is 0"),
        ({"steps": -1}, "--steps"),
        ({"prior": float("nan")}, "--prior is nan"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, float], says: str) -> None:
    with pytest.raises(DcganError, match=says):
        Settings(**settings).check()  # type: ignore[arg-type]
