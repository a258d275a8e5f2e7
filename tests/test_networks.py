"""Every preset, by being in the table: shapes, ranges, gradients, determinism."""

from __future__ import annotations

import pytest
import torch

from dcgan.errors import DcganError
from dcgan.networks import build_networks
from dcgan.networks.fast import halvings
from dcgan.presets import PRESETS, preset
from dcgan.recipe import Recipe

SIZES = [(8, 8), (28, 28), (32, 32), (13, 17), (8, 128), (48, 64), (127, 9)]


def networks(recipe: Recipe) -> tuple[torch.nn.Module, torch.nn.Module]:
    torch.manual_seed(0)
    built = build_networks(recipe)
    return built["generator"], built["discriminator"]


def inputs(recipe: Recipe, count: int = 3) -> tuple[torch.Tensor, torch.Tensor | None]:
    labels = torch.arange(count) % recipe.classes if recipe.conditional else None
    return torch.randn(count, recipe.z_dim), labels


@pytest.mark.parametrize("classes", [0, 5])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", PRESETS)
def test_shapes_range_and_gradients(name: str, size: tuple[int, int], channels: int, classes: int) -> None:
    recipe = preset(name).recipe.for_data(size, channels, classes).with_changes({"g_maps": 4, "d_maps": 4})
    generator, discriminator = networks(recipe)
    z, labels = inputs(recipe)
    images = generator(z, labels)
    assert images.shape == (3, channels, *size)
    assert images.abs().max() <= 1
    logits = discriminator(images, labels)
    assert logits.shape == (3,) and logits.dtype == torch.float32
    logits.square().sum().backward()
    for module in (generator, discriminator):
        for parameter_name, parameter in module.named_parameters():
            assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), parameter_name
            assert parameter.grad.abs().sum() > 0, parameter_name


def test_fast_28_has_the_size_its_documentation_states() -> None:
    generator, discriminator = networks(preset("fast-28").recipe.for_data((28, 28), 1, 0))
    assert sum(p.numel() for p in generator.parameters()) == 565_985
    assert sum(p.numel() for p in discriminator.parameters()) == 165_729


@pytest.mark.parametrize("name", PRESETS)
def test_a_class_changes_image_and_verdict(name: str) -> None:
    recipe = preset(name).recipe.for_data((16, 16), 1, 4).with_changes({"g_maps": 4, "d_maps": 4})
    generator, discriminator = networks(recipe)
    with torch.no_grad():  # fresh scales and shifts are the same for all classes: give them something to tell
        for parameter in generator.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    z = torch.randn(1, recipe.z_dim).expand(2, -1)
    labels = torch.tensor([0, 3])
    generator.eval(), discriminator.eval()
    images = generator(z, labels)
    assert not torch.equal(images[0], images[1])
    logits = discriminator(images[:1].expand(2, -1, -1, -1), labels)
    assert logits[0] != logits[1]


@pytest.mark.parametrize("name", PRESETS)
def test_bf16_agrees_with_float32(name: str) -> None:
    recipe = (
        preset(name).recipe.for_data((preset(name).size,) * 2, 1, 3).with_changes({"g_maps": 8, "d_maps": 8})
    )
    generator, discriminator = networks(recipe)
    z, labels = inputs(recipe, 8)
    with torch.no_grad():
        exact = discriminator(generator(z, labels), labels)
        with torch.autocast("cpu", torch.bfloat16):
            rounded = discriminator(generator(z, labels), labels)
    assert torch.allclose(exact, rounded, atol=0.05, rtol=0.05)


@pytest.mark.parametrize("size", [(7, 28), (28, 129), (1, 1)])
def test_a_size_it_cannot_make_is_refused_with_one_it_can(size: tuple[int, int]) -> None:
    recipe = Recipe(preset="fast-28", height=size[0], width=min(size[1], 128), channels=1)
    if size[1] > 128:
        with pytest.raises(DcganError, match="width is 129"):
            Recipe(height=28, width=129)
        return
    with pytest.raises(DcganError, match=r"--size \d+x\d+"):
        build_networks(recipe)


def test_unknown_network_is_named() -> None:
    with pytest.raises(DcganError, match="did you mean fast"):
        build_networks(Recipe(network="fats", height=28, width=28, channels=1))


@pytest.mark.parametrize(
    ("edge", "times"), [(8, 1), (9, 1), (16, 1), (17, 2), (28, 2), (32, 2), (64, 3), (65, 4), (128, 4)]
)
def test_edges_are_halved_to_at_most_8(edge: int, times: int) -> None:
    assert halvings(edge) == times
