"""Convolutions with fewer multiplications: as matrix products in the frequency domain, the same function exactly.

A "same" convolution of a 7×7 map with a 5×5 kernel multiplies each pair of maps 25 · 49 = 1,225 times. After a discrete
Fourier transform of 9×9 it multiplies them 121 times (40 complex products of three real ones each, and one real).
Transforms are products with small constant matrices, so all there is are matrix products: fast wherever they are, and
derived by autograd as often as asked. The error against float64 is below that of the direct sum, which adds up more
terms (Mathieu et al. 2014; the form y = Aᵀ[(Gw) ⊙ (Bx)] is that of Lavin & Gray 2016, eq. 8).

A strided convolution is the sum of one convolution for each phase of the image, and a transposed one the transpose of
the same form.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import pad

Pair = tuple[int, int]
GAIN = 1.6
"""Multiplications that must be saved, as a ratio: transforms move more memory for each than a direct convolution. At
1.4 (`pytorch-64`) a step is .78 as fast with them, at 1.56 (`rdcgan`) .94, from 1.94 (`mnist-2018`) on it is faster."""
GAIN_BF16 = 4.0
"""The same where the direct convolution would run in bf16: about three times as fast as these products in float32."""
LARGEST = 32
"""Maps with longer sides go direct: dense transforms grow with the fourth power of the side."""


@dataclass(frozen=True)
class Geometry:
    """A convolution of `size` (height, width) with square kernels.

    pad: zeros before the first row and column; output: (height, width) of its result. Zeros after follow from these.
    """

    size: Pair
    kernel: int
    stride: int
    pad: Pair
    output: Pair

    @property
    def turned(self) -> Geometry | None:
        """The convolution whose transpose, with the kernels turned round, this one of stride 1 is."""
        (top, left), last = self.pad, self.kernel - 1
        if self.stride != 1 or max(top, left) > last:
            return None
        return Geometry(self.output, self.kernel, 1, (last - top, last - left), self.size)


@dataclass(frozen=True)
class Axis:
    """One side of a `Geometry`: `phase` pixels in each of `stride` phases, and the taps at offsets first … last."""

    phase: int
    output: int
    first: int
    last: int

    @property
    def length(self) -> int:
        """Of the shortest circular convolution that wraps nothing into the outputs that are wanted."""
        return max(self.phase - self.first, self.output + self.last)


def axes(geometry: Geometry) -> tuple[Axis, Axis]:
    """Both sides of a geometry, height first."""
    stride, kernel = geometry.stride, geometry.kernel
    height, width = (
        Axis(-(-size // stride), output, -before // stride, (kernel - 1 - before) // stride)
        for size, output, before in zip(geometry.size, geometry.output, geometry.pad, strict=True)
    )
    return height, width


@lru_cache(maxsize=1024)
def gain(geometry: Geometry, inputs: int, outputs: int, batch: int) -> float:
    """Multiplications of the direct convolution over those of this form, for `batch` images.

    inputs, outputs: channels. 0 where a side is too long for this form.
    """
    if max(geometry.size) > LARGEST:
        return 0.0
    rows, columns = axes(geometry)
    phases = geometry.stride**2
    products = (3 * (rows.length * columns.length)) // 2
    taps = (rows.last - rows.first + 1) * (columns.last - columns.first + 1)
    per_pair = products * phases * (1 + taps / max(1, batch))
    into, out_of = rows.phase * columns.phase * products * phases, math.prod(geometry.output) * products
    direct = geometry.kernel**2 * math.prod(geometry.output) * inputs * outputs
    return direct / (per_pair * inputs * outputs + into * inputs + out_of * outputs)


def transformed(weight: Tensor, geometry: Geometry) -> Tensor:
    """(O, C, k, k) → (products, phases · C, O): every phase's taps at its offsets, transformed."""
    _, taps, _ = _matrices(geometry)
    o, c, k, _ = weight.shape
    s = geometry.stride
    widths = []
    for axis, before in zip(axes(geometry), geometry.pad, strict=True):
        front = -before - s * axis.first
        widths.append((front, s * (axis.last - axis.first + 1) - front - k))
    (top, bottom), (left, right) = widths
    grid = pad(weight, (left, right, top, bottom)) if any(map(any, widths)) else weight
    rows, columns = grid.shape[2] // s, grid.shape[3] // s
    grid = (
        grid.view(o, c, rows, s, columns, s).permute(3, 5, 1, 2, 4, 0).reshape(s * s * c, rows * columns, o)
    )
    # One small product for each input, not one of all: its rows would lie a power of two apart and share cache lines.
    return torch.matmul(taps, grid).transpose(0, 1)


def convolve(x: Tensor, kernels: Tensor, geometry: Geometry) -> Tensor:
    """`conv2d` of x, (N, C, H, W), with what `transformed` made of a weight: float32 (N, O, *output), channels last."""
    into, _, out_of = _matrices(geometry)
    phased = _to_phases(x, geometry)
    frequencies = torch.matmul(into, phased)
    products = torch.bmm(frequencies.transpose(0, 1), kernels).transpose(0, 1)
    y = torch.matmul(out_of, products)
    return y.view(len(x), *geometry.output, -1).permute(0, 3, 1, 2)


def transpose_convolve(y: Tensor, kernels: Tensor, geometry: Geometry) -> Tensor:
    """The transpose of `convolve`: y, (N, O, *output), with the same kernels: float32 (N, C, H, W)."""
    into, _, out_of = _matrices(geometry)
    flat = y.permute(0, 2, 3, 1).reshape(len(y), -1, y.shape[1])
    frequencies = torch.matmul(out_of.t(), flat)
    products = torch.bmm(frequencies.transpose(0, 1), kernels.transpose(1, 2)).transpose(0, 1)
    return _from_phases(torch.matmul(into.t(), products), geometry)


def _to_phases(x: Tensor, geometry: Geometry) -> Tensor:
    """(N, C, H, W) → (N, pixels of a phase, phases · C). Without a stride, and channels last, it is a view."""
    n, c, height, width = x.shape
    s = geometry.stride
    if s == 1:
        return x.permute(0, 2, 3, 1).reshape(n, height * width, c)
    x = pad(x, (0, -width % s, 0, -height % s)) if height % s or width % s else x
    rows, columns = x.shape[2] // s, x.shape[3] // s
    x = x.permute(0, 2, 3, 1).reshape(n, rows, s, columns, s, c).permute(0, 1, 3, 2, 4, 5)
    return x.reshape(n, rows * columns, s * s * c)


def _from_phases(x: Tensor, geometry: Geometry) -> Tensor:
    """The inverse of `_to_phases`."""
    (height, width), s = geometry.size, geometry.stride
    if s == 1:
        return x.view(len(x), height, width, -1).permute(0, 3, 1, 2)
    rows, columns = -(-height // s), -(-width // s)
    x = x.view(len(x), rows, columns, s, s, -1).permute(0, 1, 3, 2, 4, 5)
    x = x.reshape(len(x), rows * s, columns * s, -1).permute(0, 3, 1, 2)
    return x[:, :, :height, :width]


@lru_cache(maxsize=64)
@torch.inference_mode(False)  # kept from call to call: what inference made, no gradient could pass
def _matrices(geometry: Geometry) -> tuple[Tensor, Tensor, Tensor]:
    """B (products, pixels of a phase), G (products, taps) and Aᵀ (outputs, products), float32, computed in float64.

    Of a real image's frequencies one of each conjugate pair is enough. (a + ib)(c + id) takes three real products:
    p = c(a + b), q = a(d − c), r = b(c + d); its real part is p − r, its imaginary part p + q (Gauss).
    """
    rows, columns = axes(geometry)
    height, width = rows.length, columns.length
    a, b = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    index, mirrored = (a * width + b).flatten(), (-a % height * width + -b % width).flatten()
    real, pairs = index[index == mirrored], index[index < mirrored]

    def waves(sign: int, vertical: range, horizontal: range) -> Tensor:
        return torch.kron(_wave(height, vertical, sign), _wave(width, horizontal, sign))

    x = waves(-1, range(rows.phase), range(columns.phase))
    w = waves(+1, range(rows.first, rows.last + 1), range(columns.first, columns.last + 1))
    y = waves(+1, range(rows.output), range(columns.output)) / (height * width)
    a_, b_ = x[pairs].real, x[pairs].imag
    c_, d_ = w[pairs].real, w[pairs].imag
    re, im = 2 * y[pairs].real, 2 * y[pairs].imag
    into = torch.cat([x[real].real, a_ + b_, a_, b_])
    taps = torch.cat([w[real].real, c_, d_ - c_, c_ + d_])
    out_of = torch.cat([y[real].real, re - im, -im, -re])
    return into.float(), taps.float(), out_of.t().contiguous().float()


def _wave(length: int, at: range, sign: int) -> Tensor:
    """exp(±2πi f p / length): complex128 (length, positions)."""
    frequency = torch.arange(length, dtype=torch.float64)
    angle = torch.outer(frequency, torch.arange(at.start, at.stop, dtype=torch.float64)) * (
        2 * math.pi / length
    )
    return torch.complex(torch.cos(angle), sign * torch.sin(angle))
