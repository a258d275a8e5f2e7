"""Guided gradients as worked out by hand, and receptive fields as the gradient itself shows them."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import elu, leaky_relu, leaky_relu_, relu

from dcgan.analysis.inside.fields import Box, Field, receptive_field
from dcgan.analysis.inside.layers import map_layers
from dcgan.analysis.inside.saliency import Guided, guided_gradients
from dcgan.networks import build_networks
from dcgan.networks.stages import Stage, grouped, through
from dcgan.presets import PRESETS, preset


def test_a_tiny_network_by_hand() -> None:
    """x → W1 x → ReLU → W2 h → ReLU → w3 · k: each ReLU passes what is positive from above where it was positive."""
    w1 = torch.tensor([[1.0, -1.0], [-1.0, 2.0], [-3.0, 1.0]])
    w2 = torch.tensor([[1.0, 1.0, 5.0], [-1.0, 2.0, 5.0]])
    w3 = torch.tensor([2.0, -1.0])
    x = torch.tensor([3.0, 2.0], requires_grad=True)
    # W1 x = (1, 1, −7): the third is cut. W2 h = (2, 1): both pass forwards.
    # From above: (2, −1) → guided (2, 0). By W2: 2·(1, 1, 5) = (2, 2, 10) → (2, 2, 0). By W1: 2·(1,−1) + 2·(−1, 2).
    with Guided():
        top = w3 @ relu(w2 @ relu(w1 @ x))
    assert top.item() == 3.0
    assert torch.autograd.grad(top, x)[0].tolist() == [0.0, 2.0]
    plain = w3 @ relu(w2 @ relu(w1 @ x))
    assert torch.autograd.grad(plain, x)[0].tolist() == [3.0, -3.0], "the plain gradient is another"


@pytest.mark.parametrize(
    "rectifier",
    [
        relu,
        lambda x: leaky_relu(x, 0.2),
        lambda x: leaky_relu_(x * 1, 0.2),
        elu,
        nn.ReLU(inplace=True),
        nn.LeakyReLU(0.3),
        nn.ELU(),
        lambda x: (x * 1).relu_(),
        lambda x: torch.relu(input=x),
    ],
)
def test_every_rectifier_is_guided_and_computes_what_it_did(rectifier: nn.Module) -> None:
    x = torch.tensor([-2.0, -1.0, 1.0, 2.0], requires_grad=True)
    weights = torch.tensor([1.0, -1.0, -1.0, 3.0])
    with Guided():
        y = rectifier(x * 1)
    assert torch.equal(y, rectifier(x.detach().clone()))
    assert torch.autograd.grad((y * weights).sum(), x)[0].tolist() == [0.0, 0.0, 0.0, 3.0]


def test_outside_of_it_gradients_are_plain() -> None:
    x = torch.tensor([-1.0, 1.0], requires_grad=True)
    with Guided():
        relu(x)
    assert torch.autograd.grad(-leaky_relu(x, 0.5).sum(), x)[0].tolist() == [-0.5, -1.0]


def test_each_image_has_the_gradient_of_its_own_unit() -> None:
    torch.manual_seed(0)
    convolution = nn.Conv2d(1, 2, 3, 2, 1)
    convolution.weight = nn.Parameter(torch.rand(2, 1, 3, 3))
    stages = grouped([convolution, nn.LeakyReLU(0.2)])
    images = torch.rand(3, 1, 8, 8) + 1
    maps, rows, columns = torch.tensor([0, 1, 0]), torch.tensor([0, 2, 3]), torch.tensor([3, 1, 0])
    together = guided_gradients(stages, images, maps, rows, columns)
    for one in range(3):
        here = slice(one, one + 1)
        alone = guided_gradients(stages, images[here], maps[here], rows[here], columns[here])
        assert torch.allclose(alone, together[here])
    seen = together[1, 0].nonzero()
    assert seen.amin(0).tolist() == [3, 1] and seen.amax(0).tolist() == [5, 3], "all positive: all is passed"
    assert torch.equal(together[1, 0, 3:6, 1:4], convolution.weight[1, 0])
    assert not images.requires_grad


def test_a_field_by_hand() -> None:
    field = Field().followed_by((4, 4), (2, 2), (1, 1)).followed_by((4, 4), (2, 2), (1, 1))
    assert field == Field((10, 10), (4, 4), (3, 3))
    assert field.box(0, 6, (28, 28)) == Box(0, 21, 7, 7)
    assert field.box(3, 3, (28, 28)) == Box(9, 9, 10, 10)
    other = Field().followed_by((3, 5), (1, 2), (0, 2)).followed_by((2, 3), (3, 1), (1, 0))
    assert other == Field((4, 9), (3, 2), (1, 2))


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "mnist-gan-2018"])
def test_the_field_is_where_the_gradient_is(name: str) -> None:
    row = preset(name)
    small = {"g_maps": 4, "d_maps": 4} if row.labels else {}
    recipe = row.recipe.with_changes(small).for_data(
        (row.size, row.size if row.size == 64 else 20), row.channels, 0
    )
    torch.manual_seed(0)
    network = build_networks(recipe)["discriminator"].eval()
    stages: list[Stage] = network.stages()
    images = torch.randn(1, recipe.channels, recipe.height, recipe.width, requires_grad=True)
    for depth in range(1, len(stages) + 1):
        values = through(stages[:depth], images)
        assert map_layers(stages[:depth], images)[-1].values.shape == values.shape
        field = receptive_field(network, stages[:depth], images.detach())
        height, width = values.shape[2:]
        for row_, column in ((0, 0), (height // 2, width // 2), (height - 1, width - 1)):
            unit = values[0, :, row_, column].sum()
            gradient = torch.autograd.grad(unit, images, retain_graph=True)[0].abs().sum((0, 1))
            seen = gradient.nonzero()
            (top, left), (bottom, right) = seen.amin(0).tolist(), seen.amax(0).tolist()
            box = field.box(row_, column, (recipe.height, recipe.width))
            assert box == Box(top, left, bottom - top + 1, right - left + 1)
