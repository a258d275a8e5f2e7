"""Convolutions by csrc: torch's function and derivatives whatever the shape, the same bits whatever is beside; and who
computes so."""

from __future__ import annotations

import ctypes

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from convolutions import direct
from dcgan.networks import bilinear, build_networks, compiled
from dcgan.networks.bilinear import Known
from dcgan.networks.compiled import SPAN, Compiled, CompiledNarrow, CompiledTiles
from dcgan.networks.convolution import Conv2d, ConvTranspose2d
from dcgan.networks.frequency import Geometry
from dcgan.networks.layers import SameConv2d
from dcgan.networks.tiles import Tiles
from dcgan.presets import PRESETS
from dcgan.training.engine import Engine
from dcgan.training.restore import changes

needs_it = pytest.mark.skipif(
    compiled._library() is None, reason="csrc was not compiled: no C compiler, or not Linux on x86-64"
)
HALVED = Geometry((16, 16), 4, 2, (1, 1), (8, 8))


@pytest.fixture(autouse=True)
def any_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is sooner on wider vectors is another matter: these CPUs too have AVX2."""
    monkeypatch.setattr(compiled, "is_here", lambda: compiled._library() is not None)


def maps(geometry: Geometry, c: int, o: int, n: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """x, weight and y in float32, laid as torch lays them."""
    draw = torch.Generator().manual_seed(seed)
    k = geometry.kernel
    shapes = (n, c, *geometry.size), (o, c, k, k), (n, o, *geometry.output)
    x, weight, y = (torch.randn(shape, generator=draw) for shape in shapes)
    return x, weight, y


def passes(form: Compiled, x: Tensor, weight: Tensor, y: Tensor) -> list[Tensor]:
    """All three, in memory that holds nan."""
    made = []
    for name, given_ in (("convolve", (x, weight)), ("transpose", (y, weight)), ("kernel", (x, y))):
        compiled._KEPT.memory.fill_(float("nan"))
        torch.use_deterministic_algorithms(True)  # new memory is nan
        try:
            made.append(getattr(form, name)(*given_, Known()))
        finally:
            torch.use_deterministic_algorithms(False)
    return made


def expected(geometry: Geometry, x: Tensor, weight: Tensor, y: Tensor) -> list[Tensor]:
    """The same by torch in float64."""
    x, weight, y = (part.double().requires_grad_() for part in (x, weight, y))
    out = direct(x, weight, geometry)
    return [out.detach(), *torch.autograd.grad(out, (x, weight), y.detach())]


@st.composite
def geometries(draw: st.DrawFn, any_taps: bool = False) -> Geometry:
    """Any, or any with two or three taps of a phase."""
    stride = draw(st.integers(1, 3))
    kernel = draw(st.integers(1, 8) if any_taps else st.integers(stride + 1, 3 * stride))
    sizes, pads, outputs = [], [], []
    for _ in range(2):
        size, before = draw(st.integers(kernel, 20)), draw(st.integers(0, kernel - 1))
        sizes.append(size), pads.append(before)
        outputs.append((size + before + draw(st.integers(0, kernel - 1)) - kernel) // stride + 1)
    return Geometry((sizes[0], sizes[1]), kernel, stride, (pads[0], pads[1]), (outputs[0], outputs[1]))


@needs_it
@given(geometries(), st.integers(1, 6), st.integers(1, 3), st.integers(0, 5), st.integers(0, 2**31))
@settings(max_examples=100, deadline=None)
def test_it_is_torch_s_convolution(geometry: Geometry, eights: int, panels: int, n: int, seed: int) -> None:
    assume(eights * geometry.stride**2 % 2 == 0)
    is_the_convolution(CompiledTiles(geometry), *maps(geometry, 8 * eights, 16 * panels, n, seed))


@needs_it
@given(
    geometries(any_taps=True), st.integers(1, 8), st.integers(1, 7), st.integers(0, 3), st.integers(0, 2**31)
)
@settings(max_examples=100, deadline=None)
def test_so_it_is_of_few_maps(geometry: Geometry, c: int, eights: int, n: int, seed: int) -> None:
    assume(c * geometry.kernel <= SPAN)
    is_the_convolution(CompiledNarrow(geometry), *maps(geometry, c, 8 * eights, n, seed))


def is_the_convolution(form: Compiled, *given_: Tensor) -> None:
    geometry, n = form.geometry, len(given_[0])
    made = passes(form, *given_)
    for mine, theirs in zip(made, expected(geometry, *given_), strict=True):
        assert mine.shape == theirs.shape
        assert torch.allclose(
            mine.double(), theirs, rtol=0, atol=2e-5 * float(theirs.abs().max() if n else 1)
        )
    assert all(part.is_contiguous(memory_format=torch.channels_last) for part in made[:2])
    assert made[2].is_contiguous(), "fused Adam pairs weights and gradients by their place in memory"


@needs_it
@pytest.mark.parametrize(
    ("c", "o", "n"), [(512, 32, 20), (32, 528, 20), (32, 272, 20), (8, 16, 200), (144, 80, 7)], ids=str
)
def test_in_several_blocks_of_images_and_of_maps(c: int, o: int, n: int) -> None:
    """2¹⁶ values at a point: 8, 31, 60, 64 and 28 of these images a block; more than 256 maps are summed up in parts.
    And float32 errs as it does by torch's tiles."""
    x, weight, y = maps(HALVED, c, o, n)
    tiles = Tiles(HALVED, 4)
    by_torch = (
        tiles.convolve(x, weight, Known()),
        tiles.transpose(y, weight, Known()),
        tiles.kernel(x, y, Known()),
    )
    made = passes(CompiledTiles(HALVED), x, weight, y)
    for mine, other, theirs in zip(made, by_torch, expected(HALVED, x, weight, y), strict=True):
        assert (mine - theirs).norm() < 1.5 * (other - theirs).norm() < 5e-6 * theirs.norm()


@needs_it
@pytest.mark.parametrize(("kernel", "c"), [(4, 128), (5, 128), (4, 3)])
def test_the_same_bits_whatever_the_threads_and_what_is_beside(kernel: int, c: int) -> None:
    geometry = Geometry((16, 16), kernel, 2, (1, 1), (8, 8) if kernel == 4 else (7, 7))
    x, weight, y = maps(geometry, c, 64, 70)
    form = CompiledNarrow(geometry) if c == 3 else CompiledTiles(geometry)
    threads = torch.get_num_threads()
    try:
        made = []
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            made.append(passes(form, x, weight, y))
    finally:
        torch.set_num_threads(threads)
    for others in made[1:]:
        assert all(map(torch.equal, made[0], others))
    for n in (1, 5):
        assert torch.equal(form.convolve(x[-n:], weight, Known()), made[0][0][-n:])
        assert torch.equal(form.transpose(y[-n:], weight, Known()), made[0][1][-n:])


@needs_it
def test_a_pass_that_was_prepared_does_the_same_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when another needed more memory in between, so that what it worked in is gone; and when many were."""
    monkeypatch.setattr(compiled, "_KEPT", compiled._Kept())
    compiled._zeros(128)
    small, large, narrow = maps(HALVED, 16, 32, 3), maps(HALVED, 64, 128, 9), maps(HALVED, 3, 32, 3)
    tiled, few = CompiledTiles(HALVED), CompiledNarrow(HALVED)
    first = [*passes(tiled, *small), *passes(few, *narrow)]
    assert all(map(torch.equal, first, [*passes(tiled, *small), *passes(few, *narrow)]))
    passes(tiled, *large)
    memory = compiled._KEPT.memory
    begin, end = memory.data_ptr(), memory.data_ptr() + 4 * len(memory)
    kept = [given_.memory for given_, _ in compiled._KEPT.passes.values()]
    assert kept and all(begin <= place < end for place in kept), "none works in what was given up"
    assert all(map(torch.equal, first, [*passes(tiled, *small), *passes(few, *narrow)]))
    compiled._zeros(129)
    assert not compiled._KEPT.passes, "nor are zeros read that were given up"
    passes(tiled, *small), passes(few, *narrow)
    monkeypatch.setattr(compiled, "MANY", len(compiled._KEPT.passes))
    more = passes(tiled, *maps(HALVED, 16, 32, 2))
    assert len(compiled._KEPT.passes) < compiled.MANY
    assert all(map(torch.equal, first, [*passes(tiled, *small), *passes(few, *narrow)]))
    assert torch.equal(more[0], tiled.convolve(*maps(HALVED, 16, 32, 2)[:2], Known()))


@needs_it
def test_however_maps_lie_in_memory() -> None:
    x, weight, y = maps(HALVED, 16, 32, 3)
    plain = passes(CompiledTiles(HALVED), x, weight, y)
    crossed = [
        x.contiguous(memory_format=torch.channels_last),
        weight.contiguous(memory_format=torch.channels_last),
        torch.cat([y, y], 1)[:, :32],
    ]
    assert all(map(torch.equal, plain, passes(CompiledTiles(HALVED), *crossed)))


@needs_it
@pytest.mark.parametrize(("way", "c"), [(CompiledTiles, 8), (CompiledNarrow, 3)])
def test_it_is_derived_twice(way: type[Compiled], c: int) -> None:
    """A penalty: the gradient by the weights of a gradient by the image, by tiles in float64 too."""
    x, weight, y = maps(HALVED, c, 16, 2)

    def penalty(form: Compiled | Tiles, dtype: torch.dtype) -> list[Tensor]:
        given_ = [part.to(dtype).requires_grad_() for part in (x, weight)]
        (by_x,) = torch.autograd.grad(
            bilinear.convolve(*given_, form).square().sum(), given_[0], create_graph=True
        )
        back = bilinear.transpose_convolve(y.to(dtype), given_[1], form)
        return list(torch.autograd.grad(by_x.square().sum() + (back * given_[0]).sum(), given_))

    for mine, theirs in zip(
        penalty(way(HALVED), torch.float32), penalty(Tiles(HALVED, 4), torch.float64), strict=True
    ):
        assert (mine - theirs).norm() < 1e-5 * theirs.norm()


LAYERS = [
    Conv2d(16, 32, 4, 2, 1, bias=False),
    Conv2d(16, 32, 3, 1, 1),
    SameConv2d(24, 48, 5, 2),
    ConvTranspose2d(32, 24, 4, 2, 1),
    Conv2d(1, 24, 4, 2, 1),
    SameConv2d(3, 8, 5, 2),
    ConvTranspose2d(24, 3, 4, 2, 1, bias=False),
    Conv2d(32, 4, 3, 1, 1),
    Conv2d(16, 1, 7, 1, 3),
]


@needs_it
@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_a_layer_computes_so(layer: Conv2d | ConvTranspose2d, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    layer.reset_parameters()
    x = torch.randn(3, layer.in_channels, 16, 16).requires_grad_()
    wanted, taken = [x, *layer.parameters()], []
    real = Compiled._passed
    monkeypatch.setattr(
        Compiled,
        "_passed",
        lambda form, name, *rest, **more: taken.append(name) or real(form, name, *rest, **more),
    )
    plain = layer(x)
    gradients = torch.autograd.grad(plain.square().sum(), wanted)
    assert not taken
    monkeypatch.setattr(layer, "rewrite", True)
    found = layer(x)
    assert torch.allclose(found, plain, atol=1e-5)
    for mine, theirs in zip(torch.autograd.grad(found.square().sum(), wanted), gradients, strict=True):
        assert (mine - theirs).norm() < 1e-5 * theirs.norm()
    assert sorted(taken) == ["convolve", "kernel", "transpose"]
    with torch.autocast("cpu", torch.bfloat16):
        layer(x)
    assert layer(x[:0]).shape == (0, *plain.shape[1:])
    assert len(taken) == 4, "bf16 has its own ways"
    monkeypatch.setattr(compiled, "is_here", lambda: False)
    taken.clear()
    assert torch.allclose(layer(x), plain, atol=1e-5) and not taken, "what was not compiled torch computes"


@needs_it
@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (Conv2d(16, 32, 4, 2, 1), (1, 4096, 16, 16)),
        (ConvTranspose2d(16, 32, 4, 2, 1), (1, 4096, 16, 16)),
        (Conv2d(3, 8, 4, 2, 1), (1, 1, 8, 8)),
        (Conv2d(32, 4, 3, 1, 1), (1, 16, 8, 8)),
        (Conv2d(3, 8, 4, 2), (1, 3, 2, 2)),
        (Conv2d(16, 32, 4, 2), (1, 16, 2, 8)),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused_as_by_torch(
    layer: Conv2d | ConvTranspose2d, shape: tuple[int, ...]
) -> None:
    """Other maps than the weights are for, and pictures smaller than a kernel: nothing is read that is not there."""
    layer.rewrite = True
    with pytest.raises(RuntimeError):
        layer(torch.randn(shape))


@needs_it
def test_whatever_the_defaults_of_torch_are(monkeypatch: pytest.MonkeyPatch) -> None:
    given_ = maps(HALVED, 16, 32, 3)
    plain = passes(CompiledTiles(HALVED), *given_)
    monkeypatch.setattr(compiled, "_KEPT", compiled._Kept())
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device("meta"):
            assert all(map(torch.equal, plain, passes(CompiledTiles(HALVED), *given_)))
    finally:
        torch.set_default_dtype(torch.float32)


@needs_it
@pytest.mark.parametrize(
    ("name", "generator", "discriminator"),
    [
        ("pytorch-64", "tiles tiles tiles narrow", "narrow tiles tiles tiles"),
        ("paper-64", "tiles tiles tiles narrow", "narrow tiles tiles tiles"),
        ("fashion-maxpool", "tiles tiles narrow", "narrow tiles"),
        ("fashion-2020", "tiles narrow", "narrow tiles"),
        ("fast-28", "tiles narrow", "narrow tiles tiles"),
        ("rdcgan", "tiles tiles tiles narrow", "narrow tiles tiles tiles"),
        ("mnist-gan-2018", "", ""),
    ],
)
def test_who_computes_so(
    name: str, generator: str, discriminator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    row, taken = PRESETS[name], []
    recipe = row.recipe.for_data((row.size, row.size), row.channels, 0)
    real = Compiled._passed
    monkeypatch.setattr(
        Compiled, "_passed", lambda form, *rest, **more: taken.append(form.way) or real(form, *rest, **more)
    )
    networks = {
        role: Engine.choose("float32", "cpu").place(network).eval().requires_grad_(False)
        for role, network in build_networks(recipe).items()
    }
    images = networks["generator"](torch.zeros(2, recipe.z_dim))
    assert " ".join(taken) == generator
    taken.clear()
    networks["discriminator"](images)
    assert " ".join(taken) == discriminator


def test_what_is_not_here_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    """A file that is no library, and one of another version."""
    find = compiled._library.__wrapped__
    monkeypatch.setattr(compiled, "EXTENSION_SUFFIXES", [".nothing", ".py"])
    assert find() is None
    if (library := compiled._library()) is not None:
        monkeypatch.setattr(compiled, "EXTENSION_SUFFIXES", [library._name.partition("_compiled")[2]])
        assert find() is not None
        monkeypatch.setattr(compiled, "VERSION", compiled.VERSION + 1)
        assert find() is None
        assert ctypes.c_long.in_dll(library, "dcgan_compiled").value == compiled.VERSION - 1


def test_a_run_says_with_which_kernels_it_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine.choose("float32", "cpu")
    own = {**engine.describe(), "kernels": "compiled 1, a compiler"}
    if compiled.is_here():
        assert engine.describe()["kernels"].startswith(f"compiled {compiled.VERSION}, ")
    monkeypatch.setattr(compiled, "is_here", lambda: False)
    plain = engine.describe()
    assert not changes(own, own)
    assert "kernels was compiled" in changes(own, plain) and changes(own, plain).endswith("and is torch")
    before = {name: value for name, value in plain.items() if name != "kernels"}
    assert not changes(before, plain) and "kernels was torch" in changes(before, own)
