"""Convolutions by code of our own (csrc), where it was compiled and this CPU is one that it is for.

With torch alone (`tiles`) what a transform makes goes to memory between each two steps; here a pass is one call, and
its parts meet in cache. Who installs dcgan without a C compiler, or has another CPU, has what torch computes.
"""

from __future__ import annotations

import ctypes
import math
import threading
from dataclasses import dataclass
from functools import lru_cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from dcgan.networks.bilinear import Known, empty_maps
from dcgan.networks.frequency import Geometry
from dcgan.networks.tiles import Tiles

VERSION = 2
"""Of csrc: another has other fields or other bits."""
SIDE, TAPS, STRIDE, PANEL = 4, (2, 3), 3, 16
"""Outputs of a tile along a side, taps of a phase, the largest stride, and of what number of maps both sides have a
multiple."""
GAIN = 0.6
"""Multiplications of the direct convolution over those of the products, from which a pass is sooner: small layers leave
most of a core idle in kernels that are made for larger ones."""
CACHED = 2**16
"""Values of a block of images at a point: those of all points are in the last cache together."""

SUMMED = 256
"""Tiles whose products are one sum, at most: longer sums err more."""

MANY = 1024
"""Passes that a thread keeps prepared, at most."""

LINE = 16
"""Floats that memory brings at once."""

SPAN = 16
"""Numbers in a row of a narrow convolution's kernel, with all maps of x, at most."""


def _structure(name: str, numbers: str, pointers: str, more: str = "") -> type[ctypes.Structure]:
    """`Pass` of a file of csrc."""
    kinds = (numbers, ctypes.c_long), (pointers, ctypes.c_void_p), (more, ctypes.c_long)
    fields = [(field, kind) for names, kind in kinds for field in names.split()]
    return type(name, (ctypes.Structure,), {"_fields_": fields})


_STEPS = "deep", "chunk", "group", "point"
_GEOMETRY = "n c height width o h w kernel stride top left"
_TilesPass = _structure(
    "_TilesPass",
    f"{_GEOMETRY} taps down right images threads spare",
    "x weight y zeros made X Y memory parallel",
    "first tiles group spaced " + " ".join(f"{side}_{step}" for side in ("in", "out") for step in _STEPS),
)
_NarrowPass = _structure(
    "_NarrowPass", f"{_GEOMETRY} threads spare", "x weight y made panels memory parallel"
)


@dataclass(frozen=True)
class Compiled:
    """The passes of the convolution of `geometry` in float32 (`bilinear.Form`); how, subclasses say."""

    geometry: Geometry

    def convolve(self, x: Tensor, weight: Tensor, known: Known) -> Tensor:
        """(N, C, H, W) by (O, C, k, k) → (N, O, h, w), channels last."""
        y = empty_maps(x, len(x), len(weight), self.geometry.output)
        self._passed("convolve", x, weight, y, made=y)
        return y

    def transpose(self, y: Tensor, weight: Tensor, known: Known) -> Tensor:
        """(N, O, h, w) by (O, C, k, k) → (N, C, H, W), channels last."""
        x = empty_maps(y, len(y), weight.shape[1], self.geometry.size)
        self._passed("transpose", x, weight, y, made=x)
        return x

    def kernel(self, x: Tensor, y: Tensor, known: Known) -> Tensor:
        """(N, C, H, W) and (N, O, h, w) → (O, C, k, k)."""
        weight = x.new_empty(y.shape[1], x.shape[1], self.geometry.kernel, self.geometry.kernel)
        self._passed("kernel", x, weight, y, made=weight)
        return weight

    def _passed(self, name: str, x: Tensor, weight: Tensor, y: Tensor, made: Tensor) -> None:
        if len(x) == 0:
            made.zero_()
            return
        # These names hold what is passed until the call is over.
        x, y = (maps.contiguous(memory_format=torch.channels_last) for maps in (x, y))
        weight = weight.contiguous()
        given, call = self._kept(name, len(x), x.shape[1], y.shape[1])
        given.x, given.weight, given.y, given.made = (part.data_ptr() for part in (x, weight, y, made))
        call(ctypes.byref(given))

    way: ClassVar[str]
    """The file of csrc."""

    def _kept(self, name: str, n: int, c: int, o: int) -> tuple[Any, Any]:
        """The file's `Pass` for n images, with memory to work in, and what to call with it: a thread has the same from
        call to call, or making it up would take as long as a small pass."""
        threads = torch.get_num_threads()
        key = self, name, n, c, o, threads
        if key not in _KEPT.passes:
            if len(_KEPT.passes) == MANY:
                _KEPT.passes.clear()
            given, parts = self._given(name, n, c, o, threads, _library())
            given.parallel = ctypes.cast(_library().parallel, ctypes.c_void_p)
            for field, place in zip(parts, _memory(*parts.values()), strict=True):
                setattr(given, field, place)
            _KEPT.passes[key] = given, getattr(_library(), f"dcgan_{self.way}_{name}")
        kept: tuple[Any, Any] = _KEPT.passes[key]
        return kept

    def _given(
        self, name: str, n: int, c: int, o: int, threads: int, library: Any
    ) -> tuple[Any, dict[str, int]]:
        """The file's `Pass`, and how many floats of memory its fields are to be given."""
        raise NotImplementedError

    def _shape(self, n: int, c: int, o: int) -> tuple[int, ...]:
        geometry = self.geometry
        return n, c, *geometry.size, o, *geometry.output, geometry.kernel, geometry.stride, *geometry.pad


class CompiledTiles(Compiled):
    """`Tiles` of 4×4 outputs: x of a multiple of 8 maps, and of 16 with its phases; y of a multiple of 16."""

    way = "tiles"

    def _given(
        self, name: str, n: int, c: int, o: int, threads: int, library: Any
    ) -> tuple[Any, dict[str, int]]:
        (down, right), stride = Tiles(self.geometry, SIDE).across, self.geometry.stride
        images = max(1, min(n, CACHED // max(c * stride**2, o, SUMMED) // (down * right)))
        taps, sizes = -(-self.geometry.kernel // stride), (ctypes.c_long * 3)()
        given = _TilesPass(*self._shape(n, c, o), taps, down, right, images, threads)
        library.dcgan_tiles_sizes(ctypes.byref(given), sizes)
        given.spare = sizes[2]
        given.zeros = _zeros(max(c, o))
        return given, {"X": sizes[0], "Y": sizes[1], "memory": sizes[2] * threads}


class CompiledNarrow(Compiled):
    """x of few maps, a picture's: `SPAN` says how few; y of a multiple of 8."""

    way = "narrow"

    def _given(
        self, name: str, n: int, c: int, o: int, threads: int, library: Any
    ) -> tuple[Any, dict[str, int]]:
        sizes = (ctypes.c_long * 4)()
        given = _NarrowPass(*self._shape(n, c, o), threads)
        library.dcgan_narrow_sizes(ctypes.byref(given), sizes)
        given.spare = sizes[3]
        size = sizes[("convolve", "transpose", "kernel").index(name)]
        return given, {"panels": size, "memory": sizes[3] * threads}


def compiled(geometry: Geometry, outputs: int, inputs: int) -> Compiled | None:
    """How the convolution of `geometry` is computed, where csrc is here, can and is sooner. outputs, inputs: maps."""
    return _form(geometry, outputs, inputs) if is_here() else None


def narrow(geometry: Geometry | None, outputs: int, inputs: int) -> CompiledNarrow | None:
    """The same, if it is for few maps of x."""
    form = compiled(geometry, outputs, inputs) if geometry else None
    return form if isinstance(form, CompiledNarrow) else None


@lru_cache(maxsize=1024)
def _form(geometry: Geometry, outputs: int, inputs: int) -> Compiled | None:
    if min(inputs, outputs, *geometry.size, *geometry.output) < 1:
        return None  # torch says what is wrong
    kernel, phases, tiles = geometry.kernel, geometry.stride**2, Tiles(geometry, SIDE)
    if inputs * kernel <= SPAN and outputs % 8 == 0 and kernel > 1:
        return CompiledNarrow(geometry)
    if geometry.stride > STRIDE or -(-kernel // geometry.stride) not in TAPS:
        return None
    if inputs % 8 or outputs % PANEL or inputs * phases % PANEL:
        return None
    direct, products = (
        kernel**2 * math.prod(geometry.output),
        tiles.points**2 * phases * math.prod(tiles.across),
    )
    return CompiledTiles(geometry) if direct >= GAIN * products else None


def is_here() -> bool:
    """Whether csrc was compiled, and this is a CPU that it is for: one with AVX2 whose vectors are no wider, or torch's
    products would be sooner."""
    return _library() is not None and torch.backends.cpu.get_cpu_capability() == "AVX2"


def described() -> str:
    """Who computes what csrc is for, for a run's journal: another compiler may round otherwise."""
    if not is_here():
        return "torch"
    version = ctypes.c_char_p.in_dll(_library(), "dcgan_compiler").value or b""
    return f"compiled {VERSION}, {version.decode()}"


class _Kept(threading.local):
    """A thread's own."""

    def __init__(self) -> None:
        self.memory = _floats(0)
        self.zeros = _floats(0)
        self.passes: dict[Any, tuple[Any, Any]] = {}


def _floats(count: int) -> Tensor:
    with torch.inference_mode(False):
        return torch.empty(count, dtype=torch.float32, device="cpu")


_KEPT = _Kept()


def _memory(*sizes: int) -> list[int]:
    """Where memory for so many floats each is, to work in: a thread has the same from call to call."""
    apart = [-(-size // LINE) * LINE for size in sizes]
    if len(_KEPT.memory) < sum(apart):
        _KEPT.passes.clear()  # they are in what is given up
        _KEPT.memory = _floats(sum(apart))
    return [_KEPT.memory.data_ptr() + 4 * sum(apart[:part]) for part in range(len(apart))]


def _zeros(count: int) -> int:
    """Where so many zeros are."""
    if len(_KEPT.zeros) < count:
        _KEPT.passes.clear()
        _KEPT.zeros = _floats(count).zero_()
    return _KEPT.zeros.data_ptr()


@lru_cache(maxsize=1)
def _library() -> Any:
    """csrc as it was compiled, with the threads of the OpenMP that torch has loaded; None where there is none."""
    for suffix in EXTENSION_SUFFIXES:
        path = Path(__file__).with_name(f"_compiled{suffix}")
        try:
            library: Any = ctypes.CDLL(str(path))
            library.parallel = ctypes.CDLL(None).GOMP_parallel
            if ctypes.c_long.in_dll(library, "dcgan_compiled").value == VERSION:
                return library
        except (OSError, AttributeError, ValueError):
            continue
    return None
