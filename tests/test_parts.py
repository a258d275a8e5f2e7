"""A generator as the engine places it is the same function, with the same weights by the same names."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from dcgan.networks import build_networks
from dcgan.networks.convolution import convolution_weights
from dcgan.presets import PRESETS, preset
from dcgan.recipe import Recipe
from dcgan.training.engine import Engine


def small(name: str, channels: int, classes: int) -> Recipe:
    row = preset(name)
    changes = {"g_maps": 4, "d_maps": 4} if row.labels else {}
    return row.recipe.with_changes(changes).for_data((row.size, row.size), channels, classes)


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_presets_generator_makes_the_same_images_in_parts(name: str, channels: int) -> None:
    classes = 5 if preset(name).labels else 0
    recipe = small(name, channels, classes)
    torch.manual_seed(0)
    plain = build_networks(recipe)["generator"].eval()
    for norm in plain.modules():
        if isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(norm.running_mean)
            nn.init.uniform_(norm.running_var, 0.5, 2)
    quick = Engine.choose("float32", "cpu").place(copy.deepcopy(plain))
    z, labels = torch.randn(6, recipe.z_dim), torch.arange(6) % 5 if classes else None
    with torch.inference_mode():
        whole = plain(z, labels)
        maps = quick.head(z, labels)
        parts = torch.cat([quick.body(part) for part in maps.split(2)])
    assert parts.shape == whole.shape
    assert (parts - whole).abs().max() < 1e-5
    now, before = quick.state_dict(), plain.state_dict()
    assert list(now) == list(before)
    assert all(torch.equal(now[key], before[key]) for key in before)
    assert not any(module.training for module in quick.modules())
    assert 0 <= convolution_weights(quick) == convolution_weights(plain) < sum(map(torch.numel, now.values()))
