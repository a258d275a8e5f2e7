"""Every network's stages, one after the other, are the network."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dcgan.networks import build_networks
from dcgan.networks.stages import grouped, stage_names, through
from dcgan.presets import PRESETS, preset
from dcgan.recipe import Recipe

VARIANTS = [(name, {}) for name in PRESETS] + [
    ("fast-28", {"spectral_norm": True, "paint": "pixels", "g_mix": 0}),
    ("mnist-2018", {"variant": "prose"}),
    ("fashion-maxpool", {"pool": "flatten", "g_layers": 4, "d_layers": 4, "batch_norm": "everywhere"}),
    ("fashion-maxpool", {"output": "sigmoid"}),
]


def built(name: str, changes: dict[str, object]) -> tuple[Recipe, dict[str, nn.Module]]:
    row = preset(name)
    small = {"g_maps": 4, "d_maps": 4} if row.labels else {}
    recipe = row.recipe.with_changes({**small, **changes})
    recipe = recipe.for_data((row.size, row.size), row.channels, 5 if row.labels else 0)
    torch.manual_seed(0)
    return recipe, {role: network.eval() for role, network in build_networks(recipe).items()}


@pytest.mark.parametrize(("name", "changes"), VARIANTS)
@torch.inference_mode()
def test_the_stages_are_the_network(name: str, changes: dict[str, object]) -> None:
    recipe, networks = built(name, changes)
    labels = torch.arange(3) if recipe.conditional else None
    z, images = (
        torch.randn(3, recipe.z_dim),
        torch.rand(3, recipe.channels, recipe.height, recipe.width) * 2 - 1,
    )
    g, d = networks["generator"], networks["discriminator"]
    assert torch.equal(through(g.stages(), g.head(z, labels)), g(z, labels))
    assert torch.equal(d.verdict(through(d.stages(), images), labels), d(images, labels))
    for network in (g, d):
        names = stage_names(network)
        assert len(set(names)) == len(names) >= 1


@pytest.mark.parametrize(
    ("name", "generator", "discriminator"),
    [
        ("fast-28", ["base", "mix1", "up1", "paint"], ["conv1", "conv2", "conv3"]),
        ("fast-64", ["base", "mix1", "up1", "up2", "paint"], ["conv1", "conv2", "conv3", "conv4"]),
        ("fashion-2020", ["up1", "up2", "up3"], ["conv1", "conv2"]),
        ("fashion-maxpool", ["up1", "up2", "conv1"], ["conv1", "conv2"]),
        ("mnist-gan-2018", ["base"], ["dense1", "dense2"]),
        ("pytorch-64", ["up1", "up2", "up3", "up4", "up5"], ["conv1", "conv2", "conv3", "conv4"]),
    ],
)
def test_what_the_stages_are_called(name: str, generator: list[str], discriminator: list[str]) -> None:
    networks = built(name, {})[1]
    assert stage_names(networks["generator"]) == generator
    assert stage_names(networks["discriminator"]) == discriminator


@torch.inference_mode()
def test_a_stage_ends_after_its_activation() -> None:
    networks = built("fast-28", {})[1]
    images = torch.rand(2, 1, 28, 28) * 2 - 1
    first = networks["discriminator"].stages()[0].compute(images)
    linear = networks["discriminator"].convs[0](images)
    assert torch.equal(first, nn.functional.leaky_relu(linear, 0.2))
    assert first.shape == (2, 4, 14, 14)


def test_layers_without_weights_go_with_the_layer_before_them() -> None:
    layers = [nn.Flatten(), nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2), nn.Tanh()]
    assert [stage.name for stage in grouped(layers)] == ["dense1", "dense2"]
    x = torch.rand(2, 2, 2)
    assert torch.equal(through(grouped(layers), x), nn.Sequential(*layers)(x))
    assert [stage.name for stage in grouped([])] == ["base"]
