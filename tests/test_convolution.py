"""Convolutions by another way: the same function as torch's in float64, once and twice derived, for any shape."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from convolutions import direct
from dcgan.networks import build_networks, frequency
from dcgan.networks.convolution import Conv2d, ConvTranspose2d
from dcgan.networks.frequency import Geometry
from dcgan.networks.layers import Dropout, SameConv2d, SameConvTranspose2d
from dcgan.presets import PRESETS
from dcgan.training.engine import Engine


@st.composite
def geometries(draw: st.DrawFn) -> Geometry:
    kernel, stride = draw(st.integers(2, 7)), draw(st.integers(1, 3))
    sizes, pads, outputs = [], [], []
    for _ in range(2):
        size, before = draw(st.integers(kernel, 13)), draw(st.integers(0, kernel - 1))
        whole = (size + before + draw(st.integers(0, kernel - 1)) - kernel) // stride + 1
        sizes.append(size), pads.append(before), outputs.append(whole)
    return Geometry((sizes[0], sizes[1]), kernel, stride, (pads[0], pads[1]), (outputs[0], outputs[1]))


@given(geometries(), st.integers(1, 3), st.integers(1, 3), st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_the_frequency_domain_computes_the_convolution_and_its_transpose(
    geometry: Geometry, inputs: int, outputs: int, seed: int
) -> None:
    torch.manual_seed(seed)
    x = torch.randn(2, inputs, *geometry.size, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(
        outputs, inputs, geometry.kernel, geometry.kernel, dtype=torch.float64, requires_grad=True
    )
    expected = direct(x, weight, geometry)
    y = torch.randn_like(expected)
    transposed, by_weight = torch.autograd.grad(expected, (x, weight), y)

    x32, weight32 = (t.detach().float().requires_grad_() for t in (x, weight))
    kernels = frequency.transformed(weight32, geometry)
    found = frequency.convolve(x32, kernels, geometry)
    _close(found, expected)
    for ours, theirs in zip(
        torch.autograd.grad(found, (x32, weight32), y.float(), retain_graph=True),
        (transposed, by_weight),
        strict=True,
    ):
        _close(ours, theirs)
    back = frequency.transpose_convolve(y.float(), kernels, geometry)
    _close(back, transposed)
    (ours,) = torch.autograd.grad(back, weight32, x32.detach())
    _close(ours, by_weight)  # ⟨x, Wᵀy⟩ and ⟨Wx, y⟩ are one number


def _close(ours: Tensor, theirs: Tensor) -> None:
    assert ours.shape == theirs.shape
    assert (
        float((ours - theirs).detach().abs().max()) < 3e-6 * max(1.0, float(theirs.detach().abs().max())) * 10
    )


def test_it_is_more_exact_than_the_direct_sum() -> None:
    """The layer it was written for, 256 maps of 7×7 with 5×5 kernels."""
    torch.manual_seed(0)
    x, weight = torch.randn(4, 256, 7, 7), torch.randn(128, 256, 5, 5)
    geometry = Geometry((7, 7), 5, 1, (2, 2), (7, 7))
    exact = direct(x.double(), weight.double(), geometry)
    error = (frequency.convolve(x, frequency.transformed(weight, geometry), geometry) - exact).abs().max()
    assert error < 2 * (direct(x, weight, geometry) - exact).abs().max()


def test_what_is_worth_it() -> None:
    """By multiplications: the wide layers of `fashion-2020` and `paper-64` are, those of the fast presets are not."""
    middle = Geometry((14, 14), 5, 2, (1, 1), (7, 7))
    assert frequency.gain(Geometry((7, 7), 5, 1, (2, 2), (7, 7)), 256, 128, 256) > 6
    assert frequency.gain(middle, 64, 128, 256) > frequency.GAIN
    assert frequency.gain(Geometry((14, 14), 4, 2, (1, 1), (7, 7)), 32, 64, 64) < 1
    assert frequency.gain(middle, 64, 128, 1) < frequency.gain(middle, 64, 128, 256), (
        "kernels are transformed for each"
    )
    assert frequency.gain(Geometry((64, 64), 5, 2, (2, 2), (32, 32)), 64, 128, 64) == 0


LAYERS = {
    "5×5 at 7": lambda: Conv2d(64, 64, 5, padding=2),
    "5×5 stride 2": lambda: SameConv2d(64, 64, 5, 2),
    "narrow 4×4": lambda: Conv2d(1, 16, 4, 2, 1),
    "narrow 5×5": lambda: SameConv2d(3, 16, 5, 2),
    "to one map": lambda: Conv2d(6, 1, 7, padding=3),
    "to one map, same": lambda: SameConv2d(6, 1, 3),
    "to one map, another size": lambda: Conv2d(6, 1, 3),
    "narrow 3×3": lambda: SameConv2d(1, 16, 3, 2),
    "transposed 5×5": lambda: ConvTranspose2d(64, 64, 5, padding=2, bias=False),
    "transposed 5×5 stride 2": lambda: ConvTranspose2d(64, 64, 5, 2, padding=2, output_padding=1),
    "transposed, same": lambda: SameConvTranspose2d(64, 64, 5, 2, (14, 14)),
    "transposed 4×4": lambda: ConvTranspose2d(16, 3, 4, 2, 1),
}


@pytest.mark.parametrize("size", [(7, 7), (14, 14), (14, 10)])
@pytest.mark.parametrize("name", LAYERS)
def test_a_rewritten_layer_is_the_layer(name: str, size: tuple[int, int]) -> None:
    """Output, gradients, and the gradient of a gradient's square as the penalties take it."""
    torch.manual_seed(0)
    layer = LAYERS[name]()
    if name == "transposed, same":
        size = (7, 7)
    x = torch.randn(48, layer.in_channels, *size)
    found = []
    for rewrite, dtype in ((False, torch.float64), (True, torch.float32)):
        layer.rewrite = rewrite
        layer.to(dtype)
        leaf = x.to(dtype, memory_format=torch.channels_last).requires_grad_()
        y = layer(leaf).tanh()
        parameters = list(layer.parameters())
        first = torch.autograd.grad(y.sum(), (leaf, *parameters), create_graph=True)
        second = torch.autograd.grad(first[0].square().sum(), (leaf, layer.weight))
        found.append([y, *first, *second])
    for expected, ours in zip(*found, strict=True):
        scale = float(expected.detach().abs().max())
        assert ours.shape == expected.shape
        assert float((ours - expected).detach().abs().max()) < 1e-4 * scale


def test_the_engine_rewrites_on_a_cpu_and_copies_stay_rewritten() -> None:
    import copy

    recipe = PRESETS["fashion-2020"].recipe.for_data((28, 28), 1, 0)
    networks = build_networks(recipe)
    parts = [m for m in networks["generator"].modules() if isinstance(m, ConvTranspose2d)]
    assert parts and not any(part.rewrite for part in parts)
    placed = copy.deepcopy(Engine.choose("float32", "cpu").place(networks["generator"]))
    assert all(m.rewrite for m in placed.modules() if isinstance(m, ConvTranspose2d))
    assert placed.state_dict().keys() == networks["generator"].state_dict().keys()


@pytest.mark.parametrize("name", PRESETS)
def test_every_convolution_of_every_preset_can_be_rewritten(name: str) -> None:
    row = PRESETS[name]
    for module in build_networks(row.recipe.for_data((row.size, row.size), row.channels, 0)).values():
        for part in module.modules():
            if isinstance(part, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
                assert isinstance(part, Conv2d | ConvTranspose2d), f"{part} is torch's own"


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_dropout(layout: torch.memory_format) -> None:
    layer = Dropout(0.3)
    layer.rewrite = True
    x = torch.full((64, 5, 13, 11), 2.0).contiguous(memory_format=layout).requires_grad_()
    torch.manual_seed(0)
    y = layer(x)
    dropped = y == 0
    assert 0.29 < dropped.float().mean() < 0.31
    assert torch.allclose(y[~dropped], torch.tensor(2 / 0.7))
    assert y.stride() == x.stride()
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert torch.equal(gradient, torch.where(dropped, 0.0, 1 / 0.7))
    shares = dropped.float().mean((0, 2, 3))
    assert shares.std() < 0.02, "every channel alike"
    torch.manual_seed(0)
    assert torch.equal(layer(x), y) and not torch.equal(layer(x), y)
    assert torch.equal(layer.eval()(x), x)


def test_kernels_are_kept_by_frozen_layers_only_and_follow_their_weights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    transforms: list[Geometry] = []
    transformed = frequency.transformed

    def counted(weight: Tensor, geometry: Geometry) -> Tensor:
        transforms.append(geometry)
        return transformed(weight, geometry)

    monkeypatch.setattr(frequency, "transformed", counted)
    torch.manual_seed(0)
    layer, plain = Conv2d(64, 64, 5, padding=2), nn.Conv2d(64, 64, 5, padding=2)
    layer.rewrite = True
    x = torch.randn(32, 64, 7, 7)

    def agrees() -> int:
        """How often kernels were transformed for three calls, each of which agreed with torch's own layer."""
        plain.load_state_dict(layer.state_dict())
        transforms.clear()
        with torch.inference_mode():
            for _ in range(2):
                _close(layer(x), plain(x))
        with torch.no_grad():
            _close(layer(x), plain(x))
        return len(transforms)

    assert agrees() == 3
    layer(x).square().sum().backward()
    torch.optim.Adam(layer.parameters(), 0.1, fused=True).step()  # leaves the weight's version as it was
    assert agrees() == 3
    layer.frozen = True
    assert (agrees(), agrees()) == (1, 0)
    transforms.clear()
    assert torch.autograd.grad(layer(x).sum(), layer.weight)[0].abs().sum() > 0
    assert len(transforms) == 1, "what is derived is computed"
    with torch.no_grad():
        torch._foreach_lerp_([layer.weight], [torch.zeros_like(layer.weight)], 0.5)
    assert agrees() == 1
    layer.load_state_dict({name: -value for name, value in layer.state_dict().items()})
    assert agrees() == 1
    layer = copy.deepcopy(layer)
    with torch.no_grad():
        layer.weight.mul_(2).sub_(1)
    assert agrees() == 1
