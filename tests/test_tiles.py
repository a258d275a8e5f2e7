"""Convolutions tile by tile: torch's function and derivatives, whatever the shape; and who computes so."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from convolutions import direct, inputs
from dcgan.networks import bilinear, build_networks, compiled
from dcgan.networks import tiles as module
from dcgan.networks.bilinear import Known
from dcgan.networks.convolution import Conv2d, ConvTranspose2d, Layer
from dcgan.networks.frequency import Geometry
from dcgan.networks.layers import SameConv2d, SameConvTranspose2d
from dcgan.networks.tiles import POINTS, Tiles, tiles
from dcgan.presets import PRESETS
from dcgan.training.engine import Engine

HALVED = Geometry((8, 8), 4, 2, (1, 1), (4, 4))


@pytest.fixture(autouse=True)
def nothing_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where there is no compiler."""
    monkeypatch.setattr(compiled, "is_here", lambda: False)


@st.composite
def forms(draw: st.DrawFn) -> Tiles:
    """Any geometry in any tiles that its taps allow."""
    kernel, stride = draw(st.integers(1, 7)), draw(st.integers(1, 3))
    taps = -(-kernel // stride)
    sizes, pads, outputs = [], [], []
    for _ in range(2):
        size, before = draw(st.integers(kernel, 13)), draw(st.integers(0, kernel - 1))
        sizes.append(size), pads.append(before)
        outputs.append((size + before + draw(st.integers(0, kernel - 1)) - kernel) // stride + 1)
    geometry = Geometry((sizes[0], sizes[1]), kernel, stride, (pads[0], pads[1]), (outputs[0], outputs[1]))
    # Of seven taps there is no tile of six points; what is computed is right all the same.
    side = draw(st.integers(max(1, taps - 1), max(1, taps - 1, len(POINTS) + 2 - taps)))
    return Tiles(geometry, side)


@contextmanager
def nothing_is_zero_by_chance() -> Iterator[None]:
    """Memory that nobody wrote to is nan within."""
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


@given(forms().filter(lambda form: form.points <= len(POINTS) + 1), st.integers(1, 3), st.integers(0, 2**31))
@settings(max_examples=80, deadline=None)
def test_it_is_torch_s_convolution_in_any_tiles(form: Tiles, maps: int, seed: int) -> None:
    x, weight, y = inputs(form.geometry, maps, seed=seed)
    expected = direct(x, weight, form.geometry)
    by_x, by_weight = torch.autograd.grad(expected, (x, weight), y.detach())
    with nothing_is_zero_by_chance():
        made = bilinear.convolve(x, weight, form)
        found = torch.autograd.grad(made, (x, weight), y.detach())
        back = bilinear.transpose_convolve(y, weight, form)
        by_y, by_weight_too = torch.autograd.grad(back, (y, weight), x.detach())
    assert all(map(torch.allclose, (made, *found, back), (expected, by_x, by_weight, by_x)))
    assert torch.allclose(by_y, expected) and torch.allclose(by_weight_too, by_weight)
    assert found[1].is_contiguous(), "fused Adam pairs weights and gradients by their place in memory"
    for maps_made in (made, back, found[0], by_y):
        assert maps_made.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("side", [1, 2, 4])
def test_it_is_derived_twice(side: int) -> None:
    form = Tiles(HALVED, side)
    x, weight, y = inputs(HALVED)
    for way, maps in ((bilinear.convolve, x), (bilinear.transpose_convolve, y)):
        assert torch.autograd.gradgradcheck(partial(way, form=form), (maps, weight))


@pytest.mark.parametrize(("kernel", "stride", "side"), [(4, 2, 4), (5, 2, 4), (3, 1, 4), (4, 1, 3)])
def test_float32_stays_float32(kernel: int, stride: int, side: int) -> None:
    """Of the largest output the direct sum of 64 maps errs by a millionth, and this by at most a few."""
    geometry = Geometry((16, 16), kernel, stride, (1, 1), (8 * (3 - stride),) * 2)
    form = Tiles(geometry, side)
    x, weight, _ = inputs(geometry, 64, 64)
    expected = direct(x, weight, geometry)
    found = bilinear.convolve(x.float(), weight.float(), form)
    assert (found - expected).abs().max() < 5e-6 * expected.abs().max()


class Counted:
    """A form that counts its passes and what they make anew."""

    def __init__(self, form: Tiles) -> None:
        self.form, self.passes = form, Counter[str]()

    def _pass(self, name: str, first: Tensor, second: Tensor, known: Known) -> Tensor:
        before = vars(known).copy()
        self.passes[name] += 1
        made: Tensor = getattr(self.form, name)(first, second, known)
        self.passes.update(part for part, value in vars(known).items() if value is not before[part])
        return made

    def convolve(self, x: Tensor, weight: Tensor, known: Known) -> Tensor:
        return self._pass("convolve", x, weight, known)

    def transpose(self, y: Tensor, weight: Tensor, known: Known) -> Tensor:
        return self._pass("transpose", y, weight, known)

    def kernel(self, x: Tensor, y: Tensor, known: Known) -> Tensor:
        return self._pass("kernel", x, y, known)


def test_passes_share_what_they_make_and_only_those_that_are_asked_for_are_made() -> None:
    form = Counted(Tiles(HALVED, 4))
    x, weight, _ = inputs(HALVED)
    bilinear.convolve(x, weight, form).square().sum().backward()
    assert form.passes == {"convolve": 1, "transpose": 1, "kernel": 1, "x": 1, "y": 1, "weight": 1}
    form.passes.clear()
    logits = bilinear.convolve(x, weight, form).square().sum()
    (by_image,) = torch.autograd.grad(logits, x, create_graph=True)
    assert form.passes == {"convolve": 1, "transpose": 1, "x": 1, "y": 1, "weight": 1}, "a penalty's gradient"
    weight.grad = None
    by_image.square().sum().backward()
    assert weight.grad is not None and weight.grad.abs().sum() > 0
    form.passes.clear()
    bilinear.convolve(x.detach(), weight, form).sum().backward()
    assert form.passes == {"convolve": 1, "kernel": 1, "x": 1, "y": 1, "weight": 1}
    form.passes.clear()
    with torch.no_grad():
        bilinear.convolve(x, weight, form, form.form.transformed(weight))
    assert form.passes == {"convolve": 1, "x": 1}


LAYERS = [
    Conv2d(16, 24, 4, 2, 1, bias=False),
    Conv2d(16, 24, 3, 1, 1),
    SameConv2d(16, 24, 5, 2),
    ConvTranspose2d(16, 24, 4, 2, 1),
    SameConvTranspose2d(16, 24, 5, 2, (15, 15), bias=False),
]


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_a_layer_computes_so_where_it_saves_enough(layer: Layer, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    layer.reset_parameters()
    x = torch.randn(3, 16, 8, 8).requires_grad_()
    wanted = [x, *layer.parameters()]
    monkeypatch.setattr(layer, "rewrite", False)
    expected = layer(x)
    gradients = torch.autograd.grad(expected.square().sum(), wanted)
    taken: list[Tiles] = []

    def noted(*asked: object) -> Tiles | None:
        found = tiles.__wrapped__(*asked)
        taken.extend([found] if found else [])
        return found

    monkeypatch.setattr("dcgan.networks.convolution.tiles", noted)
    monkeypatch.setattr("dcgan.networks.frequency.GAIN", 1e9)
    monkeypatch.setattr(layer, "rewrite", True)
    assert torch.allclose(layer(x), expected, atol=1e-5) and not taken, "small layers gain nothing"
    monkeypatch.setattr(module, "GAIN", 0.0)
    found = layer(x)
    assert len(taken) == 1 and torch.allclose(found, expected, atol=1e-5)
    for mine, theirs in zip(torch.autograd.grad(found.square().sum(), wanted), gradients, strict=True):
        assert (mine - theirs).norm() < 1e-5 * theirs.norm()
    with torch.autocast("cpu", torch.bfloat16):
        layer(x)
    assert len(taken) == 1, "bf16 has its own ways"
    monkeypatch.setattr(layer, "exact", True)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.allclose(layer(x), expected, atol=1e-5) and len(taken) == 2
        derived = torch.autograd.grad(layer(x).square().sum(), wanted)  # in bf16's surroundings too
    for mine, theirs in zip(derived, gradients, strict=True):
        assert (mine - theirs).norm() < 1e-5 * theirs.norm()
    with torch.no_grad():
        assert layer(x[:0]).shape == (0, *expected.shape[1:])
        assert torch.allclose(copy.deepcopy(layer).double()(x.double()).float(), expected, atol=1e-5)


def test_a_frozen_layer_keeps_its_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = Conv2d(128, 128, 4, 2, 1)
    layer.rewrite, made = True, []
    transformed = Tiles.transformed
    monkeypatch.setattr(
        Tiles, "transformed", lambda form, weight: made.append(form) or transformed(form, weight)
    )
    x = torch.randn(32, 128, 16, 16, generator=torch.Generator().manual_seed(0))
    for frozen, times in ((False, 3), (True, 1)):
        layer.frozen = frozen
        made.clear()
        with torch.inference_mode():
            same = [layer(x) for _ in range(3)]
        assert len(made) == times and torch.equal(same[0], same[2])
    (by_x,) = torch.autograd.grad(layer(x.requires_grad_()).sum(), x)
    assert by_x.abs().sum() > 0, "what inference made, no gradient passes"


@pytest.mark.parametrize(
    ("name", "generator", "discriminator"),
    [
        ("pytorch-64", 3, 3),
        ("paper-64", 3, 3),
        ("fast-64", 2, 3),
        ("fashion-maxpool", 2, 0),
        ("fashion-2020", 0, 0),
        ("fast-32", 0, 0),
        ("fast-28", 0, 0),
    ],
)
def test_who_computes_so(
    name: str, generator: int, discriminator: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wide layers of the larger models; in small ones the calls would cost what they save, and some have more of
    the frequency domain."""
    row = PRESETS[name]
    recipe = row.recipe.for_data((row.size, row.size), row.channels, 0)
    taken: list[Tiles] = []
    for name in ("convolve", "transpose"):
        real = getattr(Tiles, name)
        monkeypatch.setattr(
            Tiles, name, lambda form, *given, real=real: taken.append(form) or real(form, *given)
        )
    networks = {
        role: Engine.choose("float32", "cpu").place(network).eval().requires_grad_(False)
        for role, network in build_networks(recipe).items()
    }
    images = networks["generator"](torch.zeros(recipe.batch, recipe.z_dim))
    assert len(taken) == generator
    networks["discriminator"](images)
    assert len(taken) == generator + discriminator
    alike = []
    for count in (1, 64):
        taken.clear()
        with torch.no_grad():
            networks["generator"](torch.zeros(count, recipe.z_dim))
        alike.append(taken.copy())
    assert alike[0] == alike[1], "a design has the same bits however many are made"
