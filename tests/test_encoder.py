"""A model with an encoder: kept, read again, and asked for the z of pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import dcgan
from dcgan.analysis.probe.layers import model_features
from dcgan.data import Dataset
from dcgan.errors import DcganError
from dcgan.model import Model, load_model
from dcgan.networks import build_networks
from dcgan.networks.summary import count
from dcgan.presets import preset


@pytest.fixture(scope="module")
def run(digits: Dataset, tmp_path_factory: pytest.TempPathFactory) -> dcgan.Run:
    """A regularized DCGAN that has seen each digit two or three times."""
    settings = {
        "reduction": "mean",
        "reconstruction": 5.0,
        "g_lr": 4e-3,
        "maps": 4,
        "z_dim": 16,
        "evaluate_every": 0,
    }
    return dcgan.train(
        digits,
        preset="rdcgan",
        images=4_800,
        batch=32,
        settings=settings,
        runs_dir=tmp_path_factory.mktemp("runs"),
        labels=False,
    )


def test_the_published_networks_have_512_features() -> None:
    for size in ((28, 28), (32, 32)):
        recipe = preset("rdcgan").recipe.for_data(size, 1, 0)
        networks = build_networks(recipe)
        assert recipe.maps == 8 and set(networks) == {"generator", "discriminator", "encoder"}
        last = {
            role: networks[role][-2 if role == "discriminator" else -3]
            for role in ("discriminator", "encoder")
        }
        assert all(isinstance(layer, torch.nn.Flatten) for layer in last.values())
        features = networks["discriminator"][-1].in_features + networks["encoder"][-2].in_features
        assert features == 512
    # D by hand: 5·5·(1·8 + 8·16 + 16·32 + 32·64) weights, a bias and two of batch norm a map, 256 + 1 of the logit.
    discriminator = count(build_networks(preset("rdcgan").recipe.for_data((28, 28), 1, 0))["discriminator"])
    assert discriminator.trainable == 25 * (8 + 128 + 512 + 2048) + 3 * 120 + 257


def test_reconstructions_are_nearer_than_any_fixed_picture(run: dcgan.Run, digits: Dataset) -> None:
    images = digits.images[:200]
    made = run.reconstruct(images)
    assert made.shape == (200, 8, 8, 1) and made.dtype == np.uint8
    error = np.square(made[..., 0].astype(float) - images[:, 0]).mean()
    mean = np.square(digits.images.mean(0)[0] - images[:, 0].astype(float)).mean()
    assert error < 0.8 * mean
    journal = [entry for entry in run.journal() if entry["event"] == "interval"]
    assert journal[-1]["reconstruction"] < 0.7 * journal[0]["reconstruction"]
    assert {"loss_e", "grad_e", "weights_e"} <= set(journal[-1])


def test_z_of_a_picture_depends_on_it_alone_and_is_within_tanh(run: dcgan.Run, digits: Dataset) -> None:
    z = run.encode(digits.images[:130])
    assert z.shape == (130, 16) and z.dtype == np.float32
    assert np.abs(z).max() <= 1
    assert run.encode(digits.images[100:101]).tobytes() == z[100:101].tobytes()
    assert run.encode(digits.images[:130].transpose(0, 2, 3, 1)).tobytes() == z.tobytes()
    assert (
        run.reconstruct(digits.images[100:101]).tobytes() == run.reconstruct(digits.images)[100:101].tobytes()
    )


def test_encodings_far_from_the_prior_are_drawn_as_in_training(run: dcgan.Run, digits: Dataset) -> None:
    """E's last weights a twentieth: in training G's batch norm would not see it, and neither do reconstructions."""
    model = run.model()
    before = model.reconstruct(digits.images[:200]).astype(float)
    last = [part for part in model.networks["encoder"].modules() if isinstance(part, torch.nn.Linear)][-1]
    with torch.no_grad():
        for parameter in last.parameters():
            parameter *= 0.05
    again = Model("small", model.recipe, _tensors(model))
    z = again.encode(digits.images[:200])
    assert np.abs(z).max() < 0.2
    pictures = digits.images[:200].transpose(0, 2, 3, 1)
    apart = np.abs(again.reconstruct(digits.images[:200]) - before).mean()
    assert apart < 0.5 * np.abs(again.decode(z) - before).mean()
    assert apart < 0.5 * np.abs(pictures - before).mean()


def _tensors(model: Model) -> dict[str, torch.Tensor]:
    return {
        f"{role}.{name}": tensor
        for role, network in model.networks.items()
        for name, tensor in network.state_dict().items()
    }


def test_the_encoder_is_kept_with_the_model(run: dcgan.Run, digits: Dataset, tmp_path: Path) -> None:
    run.model().save(tmp_path / "model.safetensors")
    again = load_model(tmp_path / "model.safetensors")
    assert np.abs(again.encode(digits.images[:9]) - run.encode(digits.images[:9])).max() < 0.05
    names = [layer.name for layer in model_features(again).layers]
    assert names == [*(f"conv{i}" for i in range(1, 5)), *(f"encoder.conv{i}" for i in range(1, 5))]
    last = model_features(again, "last")
    assert [layer.name for layer in last.layers] == ["conv4", "encoder.conv4"]


def test_a_model_without_an_encoder_says_what_has_one(trained: dcgan.Run, digits: Dataset) -> None:
    with pytest.raises(
        DcganError, match="tiny has no encoder: train one with `dcgan train DATA --preset rdcgan`"
    ):
        trained.encode(digits.images[:2])


def test_pictures_of_another_shape(run: dcgan.Run) -> None:
    with pytest.raises(
        DcganError, match=r"pictures are uint8 \(2, 1, 9, 9\): this model takes uint8 \(N, 1, 8, 8\)"
    ):
        run.encode(np.zeros((2, 1, 9, 9), np.uint8))
