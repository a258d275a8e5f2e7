"""Convolutions as matrix products: torch's function and derivatives, whichever passes are products."""

from __future__ import annotations

from functools import partial
from itertools import chain, combinations

import pytest
import torch

from convolutions import direct, inputs
from dcgan.networks.bilinear import convolve, transpose_convolve
from dcgan.networks.convolution import Conv2d, ConvTranspose2d
from dcgan.networks.frequency import Geometry
from dcgan.networks.layers import SameConv2d, SameConvTranspose2d
from dcgan.networks.products import PASSES, Products

GEOMETRIES = {
    "k4 s2 p1": Geometry((8, 8), 4, 2, (1, 1), (4, 4)),
    "k4, to one pixel": Geometry((4, 4), 4, 1, (0, 0), (1, 1)),
    "k3 s1 p1": Geometry((6, 5), 3, 1, (1, 1), (6, 5)),
    "k5 s2, more zeros after": Geometry((28, 28), 5, 2, (1, 1), (14, 14)),
    "k5 s2, odd sides": Geometry((7, 9), 5, 2, (1, 2), (4, 5)),
    "k3 s2, a last row that nothing sees": Geometry((10, 10), 3, 2, (0, 0), (4, 4)),
    "k2 s3, holes": Geometry((10, 10), 2, 3, (0, 0), (3, 3)),
}
SUBSETS = [frozenset(some) for some in chain.from_iterable(combinations(PASSES, n) for n in range(4))]


@pytest.mark.parametrize("name", GEOMETRIES)
def test_it_is_torch_s_convolution_whichever_passes_are_products(name: str) -> None:
    geometry = GEOMETRIES[name]
    x, weight, y = inputs(geometry)
    expected = direct(x, weight, geometry)
    by_x, by_weight = torch.autograd.grad(expected, (x, weight), y, retain_graph=True)
    by_y, by_weight_too = torch.autograd.grad((by_x_of(expected, x, y) * x.detach()).sum(), (y, weight))
    for products in SUBSETS:
        made = convolve(x, weight, Products(geometry, products))
        found = torch.autograd.grad(made, (x, weight), y)
        assert all(map(torch.allclose, (made, *found), (expected, by_x, by_weight)))
        assert found[1].is_contiguous(), "fused Adam pairs weights and gradients by their place in memory"
        back = transpose_convolve(y, weight, Products(geometry, products))
        found = torch.autograd.grad((back * x.detach()).sum(), (y, weight))
        assert all(map(torch.allclose, (back, *found), (by_x, by_y, by_weight_too)))
        assert found[1].is_contiguous()


def by_x_of(y_of: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The transpose of a convolution, to be derived again."""
    (gradient,) = torch.autograd.grad(y_of, x, y, create_graph=True)
    return gradient


@pytest.mark.parametrize("name", ["k4 s2 p1", "k5 s2, odd sides"])
def test_it_is_derived_twice(name: str) -> None:
    geometry = GEOMETRIES[name]
    x, weight, y = inputs(geometry)
    for products in (frozenset(PASSES), frozenset({"convolve", "kernel"})):
        for form, maps in ((convolve, x), (transpose_convolve, y)):
            assert torch.autograd.gradgradcheck(
                partial(form, form=Products(geometry, products)), (maps, weight)
            )


@pytest.mark.parametrize(
    "layer",
    [
        Conv2d(16, 24, 4, 2, 1, bias=False),
        SameConv2d(16, 24, 5, 2),
        ConvTranspose2d(16, 24, 4, 2, 1),
        SameConvTranspose2d(16, 24, 5, 2, (15, 15)),
    ],
)
def test_a_layer_takes_products_in_bf16_alone(
    layer: Conv2d | ConvTranspose2d, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = noted(monkeypatch)
    x = torch.randn(3, 16, 8, 8, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr("dcgan.networks.frequency.GAIN_BF16", 1e9)
    expected = layer(x)
    layer.rewrite, layer.as_products = True, frozenset(PASSES)
    assert torch.allclose(layer(x), expected, atol=1e-5) and not taken
    with torch.autocast("cpu", torch.bfloat16):
        found = layer(x)
    assert len(taken) == 1 and found.dtype == torch.bfloat16
    assert (found.float() - expected).norm() < 1e-2 * expected.norm()
    for mine, theirs in zip(
        torch.autograd.grad(found.float().square().sum(), list(layer.parameters())),
        torch.autograd.grad(expected.square().sum(), list(layer.parameters())),
        strict=True,
    ):
        assert mine.dtype == torch.float32 and mine.stride() == theirs.stride()
        assert (mine - theirs).norm() < 2e-2 * theirs.norm()
    layer.exact = True
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(x).dtype == torch.float32 and len(taken) == 1, "a layer that stays in float32 stays"


@pytest.mark.parametrize(
    ("layer", "size", "products"),
    [
        (Conv2d(32, 64, 4, 2, 1, bias=False), 8, False),
        (Conv2d(24, 1, 4), 4, True),
        (Conv2d(24, 1, 4), 5, False),
        (ConvTranspose2d(10, 24, 4, bias=False), 1, True),
    ],
)
def test_float32_takes_products_for_what_is_a_dense_layer(
    layer: Conv2d | ConvTranspose2d, size: int, products: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    layer.reset_parameters()
    x = torch.randn(3, layer.in_channels, size, size)
    wanted = [x.requires_grad_(), *layer.parameters()]
    expected = layer(x)
    gradients = torch.autograd.grad(expected.square().sum(), wanted)
    taken = noted(monkeypatch)
    layer.rewrite = True
    found = layer(x)
    assert taken == ([frozenset(PASSES)] if products else [])
    assert torch.allclose(found, expected, atol=1e-5)
    for mine, theirs in zip(torch.autograd.grad(found.square().sum(), wanted), gradients, strict=True):
        assert (mine - theirs).norm() < 1e-5 * theirs.norm()


@pytest.mark.parametrize("products", SUBSETS)
def test_what_comes_after_a_layer_may_change_it_in_place(products: frozenset[str]) -> None:
    for name in ("k4 s2 p1", "k4, to one pixel", "k5 s2, odd sides"):
        x, weight, y = inputs(GEOMETRIES[name])
        for form, maps in ((convolve, x), (transpose_convolve, y)):
            apart = form(maps, weight, Products(GEOMETRIES[name], products)).relu().square().sum()
            within = form(maps, weight, Products(GEOMETRIES[name], products)).relu_().square().sum()
            expected = torch.autograd.grad(apart, (maps, weight))
            assert all(map(torch.allclose, torch.autograd.grad(within, (maps, weight)), expected))


def noted(monkeypatch: pytest.MonkeyPatch) -> list[frozenset[str]]:
    """The passes that are products, of each layer that has some from now on."""
    taken: list[frozenset[str]] = []

    def made(geometry: Geometry, passes: frozenset[str]) -> Products:
        taken.append(passes)
        return Products(geometry, passes)

    monkeypatch.setattr("dcgan.networks.convolution.Products", made)
    return taken
