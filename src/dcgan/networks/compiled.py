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

VERSION = 1
"""Of csrc: another has other fields or other bits."""
SIDE, TAPS, PANEL = 4, (2, 3), 16
"""Outputs of a tile along a side, taps of a phase, and of what number of maps both sides have a multiple."""
GAIN = 0.6
"""Multiplications of the direct convolution over those of the products, from which a pass is sooner: small layers leave
most of a core idle in kernels that are made for larger ones."""
CACHED = 2**16
"""Values of a block of images at a point: those of all points are in the last cache together."""

SUMMED = 256
"""Tiles whose products are one sum, at most: longer sums err more."""

SPAN = 16
"""Numbers in a row of a narrow convolution's kernel, with all maps of x, at most."""


def _structure(name: str, numbers: str, pointers: str, more: str = "") -> type[ctypes.Structure]:
    """`Pass` of a file of csrc."""
    kinds = (numbers, ctypes.c_long), (pointers, ctypes.c_void_p), (more, ctypes.c_long)
    fields = [(field, kind) for names, kind in kinds for field in names.split()]
    return type(name, (ctypes.Structure,), {"_fields_": fields})


_GEOMETRY = "n c height width o h w kernel stride top left"
_TilesPass = _structure(
    "_TilesPass",
    f"{_GEOMETRY} taps down right images threads spare",
    "x weight y zeros made X Y memory parallel",
    "first tiles apart point_x point_y",
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
        given = self._given(name, len(x), x.shape[1], y.shape[1], _library())
        given.x, given.weight, given.y, given.made = (part.data_ptr() for part in (x, weight, y, made))
        given.parallel = ctypes.cast(_library().parallel, ctypes.c_void_p)
        getattr(_library(), f"dcgan_{self.way}_{name}")(ctypes.byref(given))

    way: ClassVar[str]
    """The file of csrc."""

    def _given(self, name: str, n: int, c: int, o: int, library: Any) -> Any:
        """The file's `Pass` for n images, with memory to work in."""
        raise NotImplementedError

    def _shape(self, n: int, c: int, o: int) -> tuple[int, ...]:
        geometry = self.geometry
        return n, c, *geometry.size, o, *geometry.output, geometry.kernel, geometry.stride, *geometry.pad


class CompiledTiles(Compiled):
    """`Tiles` of 4×4 outputs: x of a multiple of 8 maps, and of 16 with its phases; y of a multiple of 16."""

    way = "tiles"

    def _given(self, name: str, n: int, c: int, o: int, library: Any) -> Any:
        (down, right), stride = Tiles(self.geometry, SIDE).across, self.geometry.stride
        images = max(1, min(n, CACHED // max(c * stride**2, o, SUMMED) // (down * right)))
        taps, threads, sizes = (
            -(-self.geometry.kernel // stride),
            torch.get_num_threads(),
            (ctypes.c_long * 3)(),
        )
        given = _TilesPass(*self._shape(n, c, o), taps, down, right, images, threads)
        library.dcgan_tiles_sizes(ctypes.byref(given), sizes)
        given.spare = sizes[2]
        zeros, *memory = _memory(max(c, o), sizes[0], sizes[1], sizes[2] * threads)
        given.zeros = zeros.zero_().data_ptr()
        given.X, given.Y, given.memory = (part.data_ptr() for part in memory)
        return given


class CompiledNarrow(Compiled):
    """x of few maps, a picture's: `SPAN` says how few; y of a multiple of 8."""

    way = "narrow"

    def _given(self, name: str, n: int, c: int, o: int, library: Any) -> Any:
        threads, sizes = torch.get_num_threads(), (ctypes.c_long * 4)()
        given = _NarrowPass(*self._shape(n, c, o), threads)
        library.dcgan_narrow_sizes(ctypes.byref(given), sizes)
        given.spare = sizes[3]
        size = sizes[("convolve", "transpose", "kernel").index(name)]
        given.panels, given.memory = (part.data_ptr() for part in _memory(size, sizes[3] * threads))
        return given


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
    if -(-kernel // geometry.stride) not in TAPS or inputs % 8 or outputs % PANEL or inputs * phases % PANEL:
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


_KEPT = threading.local()


def _memory(*sizes: int) -> tuple[Tensor, ...]:
    """float32 tensors of these sizes to work in: a thread has the same from call to call."""
    kept: Tensor | None = getattr(_KEPT, "memory", None)
    if kept is None or len(kept) < sum(sizes):
        with torch.inference_mode(False):
            kept = _KEPT.memory = torch.empty(sum(sizes), dtype=torch.float32, device="cpu")
    parts: tuple[Tensor, ...] = torch.split(kept[: sum(sizes)], list(sizes))
    return parts


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
