"""A frozen network computes each convolution and its batch norm as one layer: the same function."""

from __future__ import annotations

import copy
from typing import cast

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from dcgan.networks import build_networks, folding, take_statistics
from dcgan.networks.convolution import Conv2d, ConvTranspose2d, Maps, freeze
from dcgan.networks.layers import TwoParts
from dcgan.presets import preset
from dcgan.recipe import Recipe
from dcgan.training.engine import Engine
from test_stages import VARIANTS, built


@pytest.fixture
def folds(monkeypatch: pytest.MonkeyPatch) -> list[nn.Module]:
    """The layers that were folded, one after the other."""
    folded: list[nn.Module] = []
    made = folding._with

    def noted(layer: nn.Module, weight: Tensor, bias: Tensor) -> nn.Module:
        folded.append(layer)
        return made(layer, weight, bias)

    monkeypatch.setattr(folding, "_with", noted)
    return folded


def used(network: nn.Module) -> nn.Module:
    """The network with batch norms and biases as training leaves them, not the nothing that they begin as."""
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
            assert norm.running_mean is not None and norm.running_var is not None
            norm.running_mean.normal_(0, 0.3)
            norm.running_var.uniform_(0.2, 2)
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.normal_(norm.bias, 0, 0.3)
    for layer in network.modules():
        if isinstance(layer, Conv2d | ConvTranspose2d | nn.Linear) and layer.bias is not None:
            nn.init.normal_(layer.bias, 0, 0.3)
    return Engine.choose("float32").place(network).eval()


def inputs(recipe: Recipe, role: str) -> tuple[Tensor, Tensor | None]:
    labels = torch.arange(4) if recipe.conditional else None
    if role == "generator":
        return torch.randn(4, recipe.z_dim), labels
    return torch.rand(4, recipe.channels, recipe.height, recipe.width) * 2 - 1, labels


@pytest.mark.parametrize(("name", "changes"), VARIANTS)
def test_a_frozen_network_is_the_same_function(
    name: str, changes: dict[str, object], folds: list[nn.Module]
) -> None:
    recipe, networks = built(name, changes)
    for role, network in networks.items():
        x, labels = inputs(recipe, role)
        norms = [part for part in used(network).modules() if isinstance(part, nn.BatchNorm2d)]
        folds.clear()
        with torch.no_grad():
            plain = network(x, labels)
        assert not folds, "what is still trained is not folded"
        freeze(network)
        network(x, labels)
        assert not folds, "what may be derived is not folded"
        with torch.inference_mode():
            found = network(x, labels)
        assert len(folds) == len(norms)
        assert (found - plain).abs().max() < 2e-5 * max(1, float(plain.abs().max()))
        folds.clear()
        with torch.no_grad():
            assert torch.equal(network(x, labels), found)
        assert not folds, "kept from call to call"


def test_other_numbers_are_folded_anew() -> None:
    recipe, networks = built("fast-28", {})
    network = used(networks["generator"])
    freeze(network)
    x, labels = inputs(recipe, "generator")
    with torch.no_grad():
        first = network(x, labels)
        other = copy.deepcopy(network)
        take_statistics(other, [x], lambda z: other(z, labels))
        second = other(x, labels)
        assert not torch.allclose(first, second, atol=1e-3)
        assert torch.equal(network(x, labels), first), "a copy's statistics are its own"
        network.load_state_dict(other.state_dict())
        assert torch.allclose(network(x, labels), second, atol=1e-6)


@pytest.mark.parametrize("classes", [3, 300])
def test_what_a_class_adds_is_computed_once_where_that_is_less_to_keep(classes: int) -> None:
    recipe = preset("fast-28").recipe.with_changes({"g_maps": 4, "d_maps": 4}).for_data((28, 28), 1, classes)
    network = used(build_networks(recipe)["generator"])
    z, labels = torch.randn(4, recipe.z_dim), torch.tensor([0, 2, 1, classes - 1])
    mixtures = torch.rand(4, classes) / classes
    with torch.no_grad():
        plain = [network(z, kind) for kind in (labels, mixtures)]
    freeze(network)
    with torch.inference_mode():
        for kind, before in zip((labels, mixtures), plain, strict=True):
            assert (network(z, kind) - before).abs().max() < 2e-5
        (one,) = [part.folded[1] for part in network.modules() if isinstance(part, Maps) and part.folded]
        assert isinstance(one, folding._ByPlace) and (one.added is not None) == (classes == 3)
        cast(nn.Embedding, network.classes).weight[2] += 1
        assert not torch.allclose(network(z, labels)[1], plain[0][1], atol=1e-3), "a changed class is seen"


def test_first_maps_lie_channels_last_and_need_no_copy() -> None:
    recipe, networks = built("fast-28", {})
    network = used(networks["generator"])
    freeze(network)
    with torch.inference_mode():
        maps = cast(TwoParts, network).head(*inputs(recipe, "generator"))
    assert maps.is_contiguous(memory_format=torch.channels_last)
    assert any(isinstance(part, Maps) and part.frozen for part in network.modules())


@torch.no_grad()
def test_a_weight_that_is_computed_is_not_folded(folds: list[nn.Module]) -> None:
    layer, norm = spectral_norm(Conv2d(3, 4, 3)).eval(), nn.BatchNorm2d(4)
    both = used(nn.Sequential(layer, norm))
    freeze(both)
    assert cast(Conv2d, layer).frozen
    x = torch.randn(2, 3, 8, 8)
    assert torch.equal(folding.normed(layer, norm, x), both(x))
    assert not folds
