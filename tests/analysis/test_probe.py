"""The linear classifier against scikit-learn's, features against a sum done by hand, and the protocols."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.svm import LinearSVC

import dcgan
from dcgan.analysis.probe import controls, kmeans, supervised
from dcgan.analysis.probe.layers import LayerFeatures, model_features
from dcgan.analysis.probe.probe import (
    GRID,
    Split,
    choose_c,
    draw,
    held_out,
    neighbour,
    of_share,
    probe_all,
    probe_few,
)
from dcgan.analysis.probe.svm import Scale, fit, path
from dcgan.analysis.probe.views import VIEWS, copies
from dcgan.data import Dataset
from dcgan.errors import DcganError
from dcgan.model import Model
from dcgan.networks.stages import through
from dcgan.presets import PRESETS, preset
from dcgan.training.engine import Engine

Arrays = tuple[NDArray[np.float32], NDArray[np.int64]]


@pytest.fixture(scope="module")
def clouds() -> Arrays:
    """Five overlapping clouds, features of very different size."""
    draws = np.random.default_rng(0)
    labels = draws.integers(0, 5, 900)
    centres = draws.normal(size=(5, 120)) * 0.3
    x = draws.normal(size=(900, 120)) * draws.uniform(0.1, 3, 120) + centres[labels] + 5
    return x.astype(np.float32), labels.astype(np.int64)


@pytest.fixture(scope="module")
def model(trained: dcgan.Run) -> Model:
    return trained.model()


# The classifier.


@pytest.mark.parametrize("c", [1e-4, 1e-2, 0.1])
def test_the_svm_is_liblinears(clouds: Arrays, c: float) -> None:
    x, y = Scale.of(clouds[0])(clouds[0]), clouds[1]
    ours = fit(x, y, 5, c)
    theirs = LinearSVC(C=c, dual=False, tol=1e-8, max_iter=100_000).fit(x.astype(np.float64), y)
    margins = x @ ours.weights[:, :-1].T + ours.weights[:, -1]
    expected = theirs.decision_function(x)
    assert np.abs(margins - expected).max() < 0.05 * np.abs(expected).max()
    assert (ours.predict(x) == theirs.predict(x)).mean() > 0.998
    assert _loss(ours.weights, x, y, c) < 1.0001 * _loss(
        np.hstack([theirs.coef_, theirs.intercept_[:, None]]), x, y, c
    )


def _loss(weights: NDArray[np.float64], x: NDArray[np.float32], y: NDArray[np.int64], c: float) -> float:
    signs = np.where(np.arange(5) == y[:, None], 1, -1)
    slack = np.maximum(0, 1 - signs * (x.astype(np.float64) @ weights[:, :-1].T + weights[:, -1]))
    return float(0.5 * (weights**2).sum() + c * (slack**2).sum())


def test_a_path_of_c_comes_to_the_same_as_each_by_itself(clouds: Arrays) -> None:
    x, y = Scale.of(clouds[0])(clouds[0]), clouds[1]
    cs = (1e-3, 1e-2, 1e-1)
    for c, machine in zip(cs, path(x, y, 5, cs), strict=True):
        assert _loss(machine.weights, x, y, c) == pytest.approx(
            _loss(fit(x, y, 5, c).weights, x, y, c), rel=1e-3
        )


def test_more_features_than_pictures(clouds: Arrays) -> None:
    x, y = Scale.of(clouds[0])(clouds[0])[:40], clouds[1][:40]
    assert fit(x, y, 5, 1.0).accuracy(x, y) == 1.0


def test_the_scale_is_that_of_float64(clouds: Arrays) -> None:
    x = np.hstack([clouds[0], np.full((900, 1), 7, np.float32), clouds[0][:, :1] + 1000])
    scaled = Scale.of(x)(x)
    assert np.abs(scaled.mean(0)).max() < 1e-3
    assert np.abs(scaled[:, :-2].std(0) - 1).max() < 1e-4
    assert np.abs(scaled[:, -1].std() - 1) < 1e-2
    assert (scaled[:, -2] == 0).all()
    assert Scale.of(x).in_place(x.copy()).tobytes() == scaled.tobytes()


# Features of layers.


@pytest.mark.parametrize("name", PRESETS)
def test_features_of_every_preset(name: str) -> None:
    row = preset(name)
    changes = {"g_maps": 4, "d_maps": 4} if row.labels else {}
    recipe = row.recipe.with_changes(changes).for_data(
        (row.size, row.size), row.channels, 3 if row.labels else 0
    )
    torch.manual_seed(0)
    from dcgan.networks import build_networks

    network = build_networks(recipe)["discriminator"].eval()
    shape = (row.channels, row.size, row.size)
    features = LayerFeatures({"": network}, Engine.choose("float32", "cpu"), shape, pool=2)
    images = np.random.default_rng(0).integers(0, 256, (3, *shape), dtype=np.uint8)
    rows = features(images)
    assert rows.shape == (3, features.width) and rows.dtype == np.float32
    assert len(features.names) == len(set(features.names)) == features.width
    x = torch.from_numpy(images).float() / 127.5 - 1
    with torch.inference_mode():
        last = through(network.stages(), x)
    pooled = torch.nn.functional.adaptive_max_pool2d(last, 2) if last.ndim == 4 else last
    expected = pooled.flatten(1).numpy()
    assert np.abs(rows[:, -expected.shape[1] :] - expected).max() < 1e-4


def test_a_row_depends_on_its_picture_alone(model: Model, digits: Dataset) -> None:
    features = model_features(model)
    whole = features(digits.images[:200])
    assert features(digits.images[70:71]).tobytes() == whole[70:71].tobytes()
    parts = np.concatenate([rows for _, rows in features.blocks(digits.images[:200])])
    assert parts.tobytes() == whole.tobytes()


def test_layers_by_name_and_their_pools(model: Model, digits: Dataset) -> None:
    everything = model_features(model)
    assert [layer.name for layer in everything.layers] == ["conv1", "conv2"]
    assert model_features(model, "last").layers == everything.layers[-1:]
    one = model_features(model, "conv1", pool=2)
    assert (one.layers[0].height, one.width) == (2, 4 * 2 * 2)
    assert one.names[:4] == ["conv1.0@0,0", "conv1.0@0,1", "conv1.0@1,0", "conv1.0@1,1"]
    whole = model_features(model, ["conv1"], pool=0)(digits.images[:3]).reshape(3, 4, 4, 4)
    grid = whole.reshape(3, 4, 2, 2, 2, 2).max((3, 5)).reshape(3, -1)
    assert np.array_equal(one(digits.images[:3]), grid)


@pytest.mark.parametrize(
    ("layers", "pool", "words"),
    [
        ("conv9", 4, "unknown layer 'conv9': the layers are conv1, conv2, or all, or last"),
        ([], 4, "no layer is asked for"),
        ("all", -1, "pool is -1"),
    ],
)
def test_layers_that_there_are_not(model: Model, layers: str, pool: int, words: str) -> None:
    with pytest.raises(DcganError, match=words):
        model_features(model, layers, pool)


# Protocols.


def test_c_is_the_best_and_goes_on_beyond_the_edge() -> None:
    def peak(at: float) -> float:
        return choose_c(lambda cs: [-abs(np.log10(c / at)) for c in cs])[0]

    assert peak(1e-3) == 1e-3
    assert peak(0.2) == 0.2
    assert peak(2e-6) == 2e-6
    assert peak(1e9) == 1.0 and peak(1e-12) == 1e-7
    assert (
        choose_c(lambda cs: [0.5 for _ in cs])[0] == 5e-5
    )  # of equals the smallest; nothing gained, so no further
    assert max(choose_c(lambda cs: [0.9 + 1e-5 * np.log10(c) for c in cs])[1]) == 0.02
    assert [neighbour(c, up=True) for c in (1e-2, 0.2, 5)] == [0.02, 0.5, 10]
    assert [neighbour(c, up=False) for c in (1e-4, 0.2, 5)] == [5e-5, 0.1, 2]
    assert list(GRID) == sorted(GRID)


def test_held_out_pictures_and_draws_never_meet(digits: Dataset) -> None:
    choose, pool = held_out(len(digits), 3)
    assert len(choose) == len(digits) // 6
    assert sorted([*choose, *pool]) == list(range(len(digits)))
    assert digits.labels is not None
    labels = digits.labels[pool]
    one, again, other = (draw(labels, 7, 10, 3, number) for number in (0, 0, 1))
    assert np.array_equal(one, again) and not np.array_equal(one, other)
    assert len(set(one)) == 70
    assert np.bincount(labels[one]).tolist() == [7] * 10


def _split(digits: Dataset) -> Split:
    assert digits.labels is not None
    x = controls.pixels(digits.images)
    return Split(x[:1200].copy(), digits.labels[:1200], x[1200:].copy(), digits.labels[1200:], 10).scaled()


def test_probes_of_real_digits(digits: Dataset) -> None:
    split = _split(digits)
    everything = probe_all("pixels", split)
    assert 0.85 < everything.accuracy < 0.97  # LinearSVC's own: 0.90
    assert everything.labels == 1200 and everything.tested == 597 and everything.numbers == 64
    few = probe_few("pixels", split, 5, 12)
    assert 0.6 < few.accuracy < everything.accuracy
    assert len(few.draws) == 12 and len(set(few.draws)) > 3
    assert few.accuracy == pytest.approx(np.mean(few.draws))
    assert few.interval == pytest.approx(1.96 * np.std(few.draws, ddof=1) / 12**0.5)
    assert probe_few("pixels", split, 5, 12).draws == few.draws
    assert probe_few("pixels", split, 5, 12, seed=1).draws != few.draws


def test_labels_that_say_nothing_are_worth_chance(digits: Dataset) -> None:
    split = _split(digits)
    draws = np.random.default_rng(0)
    shuffled = Split(
        split.train,
        draws.permutation(split.train_labels),
        split.test,
        draws.permutation(split.test_labels),
        10,
    )
    assert probe_all("pixels", shuffled).accuracy < 0.2


def test_more_labels_than_there_are(digits: Dataset) -> None:
    with pytest.raises(DcganError, match=r"--labels-per-class is 200: must be from 1 to \d+"):
        probe_few("pixels", _split(digits), 200, 2)


# Controls.


def test_kmeans_features_are_the_triangle_code_of_whitened_patches(digits: Dataset) -> None:
    images = digits.images[:300]
    found = kmeans.fit_kmeans(images, 12, seed=1)
    rows = found(images[:5])
    assert rows.shape == (5, 48) and rows.dtype == np.float32
    picture = images[4, 0].astype(np.float64)
    code = np.zeros((3, 3, 12))
    for top in range(3):
        for left in range(3):
            patch = picture[top : top + 6, left : left + 6].ravel()
            patch = (patch - patch.mean()) / np.sqrt(patch.var() + 10)
            white = (patch - found.centre.numpy()) @ found.whitening.numpy()
            distance = np.sqrt(((white - found.means.numpy()) ** 2).sum(1))
            code[top, left] = np.maximum(0, distance.mean() - distance)
    quarters = [code[:1, :1], code[:1, 1:], code[1:, :1], code[1:, 1:]]
    expected = np.concatenate([part.sum((0, 1)) for part in quarters])
    assert np.abs(rows[4] - expected).max() < 1e-3
    assert np.array_equal(rows, kmeans.fit_kmeans(images, 12, seed=1)(images[:5]))


@pytest.mark.parametrize("views", [("shifted",), ("mirrored",), VIEWS])
def test_kmeans_features_of_copies_are_the_mean_of_each_copys(
    digits: Dataset, views: tuple[str, ...]
) -> None:
    """Moved copies are not coded anew: their patches are summed into other quarters. Edges that are not black too."""
    images = np.concatenate([digits.images[:20], 255 - digits.images[20:40]])
    plain = kmeans.fit_kmeans(images, 12)
    each = np.stack([plain(np.ascontiguousarray(copy(images))) for copy in copies(views)])
    assert each.std(0).max() > 0.1, "copies differ"
    told: list[tuple[int, int]] = []
    found = kmeans.fit_kmeans(images, 12, views=views)(images, lambda *done: told.append(done))
    assert found.dtype == np.float32 and np.abs(found - each.mean(0)).max() < 1e-3
    assert told[-1] == (40, 40) and told == sorted(set(told))


def test_a_round_of_kmeans_is_lloyds() -> None:
    draws = np.random.default_rng(0)
    points = draws.normal(size=(400, 6)).astype(np.float32)
    start = points[:8].copy()
    means = torch.from_numpy(start.copy())
    for _ in range(30):
        means = kmeans._moved(torch.from_numpy(points), means)
    known = KMeans(8, init=start, n_init=1, max_iter=30, tol=0, algorithm="lloyd").fit(points)
    assert np.abs(means.numpy() - known.cluster_centers_).max() < 1e-4


def test_whitened_patches_are_white(digits: Dataset) -> None:
    found = kmeans.fit_kmeans(digits.images, 4)
    patches = torch.nn.functional.unfold(torch.from_numpy(digits.images[:500]).float(), 6)
    rows = kmeans._normalised(patches.transpose(1, 2).reshape(-1, 36)) - found.centre
    spread = np.linalg.eigvalsh(np.cov((rows @ found.whitening).numpy().T))
    assert spread.max() < 1.2 and np.median(spread) > 0.3


@pytest.mark.parametrize(
    ("units", "side", "words"), [(9999, 7, "--kmeans-units is 9999"), (2, 6, "more than 6")]
)
def test_what_kmeans_cannot_do(units: int, side: int, words: str) -> None:
    with pytest.raises(DcganError, match=words):
        kmeans.fit_kmeans(np.zeros((5, 1, side, side), np.uint8), units)


def test_the_untrained_control_is_the_same_network_before_training(model: Model, digits: Dataset) -> None:
    features = controls.untrained(model, digits.images, 5, "all", 4)
    assert features.layers == model_features(model).layers
    rows = features(digits.images[:20])
    assert np.array_equal(rows, controls.untrained(model, digits.images, 5, "all", 4)(digits.images[:20]))
    assert not np.allclose(rows, controls.untrained(model, digits.images, 6, "all", 4)(digits.images[:20]))
    assert not np.allclose(rows, model_features(model)(digits.images[:20]))


def test_untrained_batch_norm_has_the_pictures_statistics() -> None:
    from dcgan.networks import build_networks

    recipe = preset("mnist-2018").recipe.for_data((8, 8), 1, 0)
    torch.manual_seed(0)
    built = build_networks(recipe)
    tensors = {
        f"{role}.{key}": tensor
        for role, network in (("ema", built["generator"]), ("discriminator", built["discriminator"]))
        for key, tensor in network.state_dict().items()
    }
    images = np.random.default_rng(0).integers(0, 256, (512, 1, 8, 8), dtype=np.uint8)
    features = controls.untrained(Model("m", recipe, tensors), images, 0, "all", 0)
    norm = next(part for part in features.networks[""].modules() if isinstance(part, torch.nn.BatchNorm2d))  # type: ignore[attr-defined]
    x = torch.from_numpy(images).float() / 127.5 - 1
    first = features.networks[""][0](x)  # type: ignore[index]
    assert torch.allclose(norm.running_mean, first.mean((0, 2, 3)), atol=1e-4)
    assert not norm.training


def test_principal_components_are_sklearns(digits: Dataset) -> None:
    features = controls.principal_components(digits.images, 0)
    rows = features(digits.images)
    assert rows.shape == (len(digits), 64) and rows.dtype == np.float32
    spread = rows.var(0)
    assert (np.diff(spread[:30]) <= 1e-6).all()
    pixels = controls.pixels(digits.images)
    assert spread.sum() == pytest.approx(pixels.var(0).sum(), rel=1e-3)


def test_the_supervised_control_learns(
    model: Model, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervised, "SEEN", 4_000)
    assert digits.labels is not None
    train, test = slice(0, 1000), slice(1000, 1400)
    chosen = supervised.Settings(5e-3, 1e-3, 0.1, 0, 32)
    engine = Engine.choose("float32", "cpu")
    arguments = model.recipe, digits.images[train], digits.labels[train], 10, chosen, engine
    network = supervised.train_supervised(*arguments, seed=2)
    reached = supervised.accuracy(network, digits.images[test], digits.labels[test], engine)
    assert reached > 0.7
    again = supervised.train_supervised(*arguments, seed=2)
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), again.parameters(), strict=True))


def test_random_search_keeps_the_best_trial() -> None:
    tried = [supervised.settings(7, trial) for trial in range(20)]
    assert len({one.rate for one in tried}) == 20
    assert all(
        10**-3.5 <= one.rate <= 1e-2 and 0 <= one.shift <= 2 and one.batch in (32, 64, 128) for one in tried
    )
    assert supervised.search(lambda one: -one.rate, 20, 7) == min(tried, key=lambda one: one.rate)


@pytest.mark.parametrize(("share", "count"), [(0.9, 10_000), (0.5, 40), (1.0, 12), (0.0, 1)])
def test_the_interval_of_a_share_is_wilsons(share: float, count: int) -> None:
    from scipy.stats import binomtest

    low, high = binomtest(round(share * count), count).proportion_ci(0.95, "wilson")
    assert of_share(share, count) == pytest.approx((high - low) / 2, rel=1e-4)
