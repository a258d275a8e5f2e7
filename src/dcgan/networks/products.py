"""A convolution as matrix products: the same function, sooner where a machine multiplies faster than it convolves.

With columns(x), (N · h · w, k · k · C), the numbers that each output sees, the three passes of a convolution are
y = columns(x) · w, its transpose columnsᵀ(y · wᵀ) and its kernel columns(x)ᵀ · y (Chellapilla et al. 2006). A
transposed convolution has the same three in another order (`bilinear`).

oneDNN's convolutions in bf16 pass the rate of its matrix products in some layers and reach an eighth of it in others,
by the weights above all, so each pass is chosen for itself (`training/soundness.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor
from torch.nn.functional import conv2d, conv_transpose2d, pad

from dcgan.networks.bilinear import Known, empty_maps
from dcgan.networks.frequency import Geometry, Pair

Pads = tuple[int, int, int, int]
"""Zeros (left, right, top, bottom), in the order of `torch.nn.functional.pad`."""

PASSES = ("convolve", "transpose", "kernel")
"""What can be a product. A `Conv2d` convolves forwards and transposes backwards, a `ConvTranspose2d` the other way."""


def is_dense(geometry: Geometry) -> bool:
    """Whether it is between a map of one pixel and one of the kernel's size: a dense layer, four times as fast so."""
    return geometry.output == (1, 1) and geometry.size == (geometry.kernel,) * 2 and geometry.pad == (0, 0)


@dataclass(frozen=True)
class Products:
    """How the convolution of `geometry` is computed: those `passes`, of `PASSES`, as products, the others by torch."""

    geometry: Geometry
    passes: frozenset[str]

    def convolve(self, x: Tensor, weight: Tensor, known: Known) -> Tensor:
        """(N, C, H, W) by (O, C, k, k) → (N, O, h, w)."""
        if "convolve" not in self.passes:
            x, padding = padded(x, _pads(self.geometry))
            return conv2d(x, weight, None, self.geometry.stride, padding)
        seen = columns(x, self.geometry) if known.x is None else known.x
        if "kernel" in self.passes:
            known.x = seen  # the gradient by the weights looks at the same
        y = empty_maps(x, len(x), len(weight), self.geometry.output)
        torch.mm(seen, _taps(weight).t(), out=_rows(y))
        return y

    def transpose(self, y: Tensor, weight: Tensor, known: Known) -> Tensor:
        """(N, O, h, w) by (O, C, k, k) → (N, C, H, W)."""
        if "transpose" in self.passes:
            if not is_dense(self.geometry):
                return _assembled(_rows(y) @ _taps(weight), self.geometry)
            x = empty_maps(y, len(y), weight.shape[1], self.geometry.size)
            torch.mm(_rows(y), _taps(weight), out=x.permute(0, 2, 3, 1).view(len(x), -1))
            return x
        stride = self.geometry.stride, self.geometry.stride
        return transposed(y, weight, None, stride, self.geometry.pad, self.geometry.size)

    def kernel(self, x: Tensor, y: Tensor, known: Known) -> Tensor:
        """(N, C, H, W) and (N, O, h, w) → (O, C, k, k)."""
        k, maps = self.geometry.kernel, x.shape[1]
        if "kernel" in self.passes:
            taps = _rows(y).t() @ (columns(x, self.geometry) if known.x is None else known.x)
            return taps.view(-1, k, k, maps).permute(0, 3, 1, 2).contiguous()
        x, padding = padded(x, _pads(self.geometry))
        like, stride = x.new_empty(y.shape[1], maps, k, k), [self.geometry.stride] * 2
        weight: Tensor = torch.ops.aten.convolution_backward(
            y, x, like, None, stride, padding, [1, 1], False, [0, 0], 1, [False, True, False]
        )[1]
        return weight


def columns(x: Tensor, geometry: Geometry) -> Tensor:
    """(N, C, H, W) → (N · h · w, k · k · C): what each output sees, in one copy of runs of k · C numbers."""
    (height, width), k, s = geometry.output, geometry.kernel, geometry.stride
    around = _pads(geometry)
    last = (pad(x, around) if any(around) else x).permute(0, 2, 3, 1).contiguous()
    n, row, column, one = last.stride()
    windows = last.as_strided(
        (len(x), height, width, k, k, x.shape[1]), (n, s * row, s * column, row, column, one)
    )
    return windows.reshape(len(x) * height * width, -1)


def _assembled(seen: Tensor, geometry: Geometry) -> Tensor:
    """The transpose of `columns`: every number is added to where it was seen.

    An image is a grid of blocks of stride × stride pixels, each of which is one run of memory; so are the taps that see
    one block.
    """
    (height, width), k, s = geometry.output, geometry.kernel, geometry.stride
    seen = seen.view(-1, height, width, k, k, seen.shape[1] // k**2)
    down, right = (-(-side // s) for side in geometry.size)
    whole = empty_maps(seen, len(seen), seen.shape[-1], (down * s, right * s))
    x = whole.permute(0, 2, 3, 1).view(len(seen), down, s, right, s, seen.shape[-1])
    shares = sorted(product(*_shares(geometry)), key=lambda pair: abs(pair[0].by) + abs(pair[1].by))
    for number, (rows, across) in enumerate(shares):
        part = seen[:, rows.outputs, across.outputs, rows.taps, across.taps].permute(0, 1, 3, 2, 4, 5)
        place = x[:, rows.blocks, rows.phases, across.blocks, across.phases]
        if number == 0 and part.shape == x.shape:  # it reaches every pixel, so that none has to be 0 before
            place.copy_(part)
            continue
        if number == 0:
            x.zero_()
        place += part
    if whole.shape[2:] == geometry.size:
        return whole
    height, width = geometry.size
    return whole[:, :, :height, :width].clone(memory_format=torch.channels_last)


@dataclass(frozen=True)
class _Share:
    """The taps that see the block `by` blocks from their output's own, of which outputs, and what of it they see."""

    by: int
    taps: slice
    outputs: slice
    blocks: slice
    phases: slice


def _shares(geometry: Geometry) -> tuple[list[_Share], list[_Share]]:
    """Along the height and along the width."""
    k, s = geometry.kernel, geometry.stride
    both = []
    for size, before, outputs in zip(geometry.size, geometry.pad, geometry.output, strict=True):
        blocks, shares = -(-size // s), []
        for by in range(-before // s, (k - 1 - before) // s + 1):
            first, last = max(0, before + by * s), min(k, before + (by + 1) * s)
            start, end = max(0, -by), min(outputs, blocks - by)
            if start < end:
                phase = first - before - by * s
                shares.append(
                    _Share(by, slice(first, last), slice(start, end), slice(start + by, end + by),
                           slice(phase, phase + last - first))
                )  # fmt: skip
        both.append(shares)
    return both[0], both[1]


def padded(x: Tensor, pads: Pads) -> tuple[Tensor, Pair]:
    """What torch's convolution is to be given: x, and how it is to pad it; x padded, where both sides are not alike."""
    left, right, top, bottom = pads
    return (x, (top, left)) if left == right and top == bottom else (pad(x, pads), (0, 0))


def transposed(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: Pair, crop: Pair, size: Pair, dense: bool = True
) -> Tensor:
    """Torch's transposed convolution to `size`, with this many rows and columns cropped before the first.

    dense: without gaps between the rows of what is cropped, over which batch norm takes ten times as long.
    """
    more = [
        max(0, size[i] - ((x.shape[2 + i] - 1) * stride[i] - 2 * crop[i] + weight.shape[2 + i]))
        for i in (0, 1)
    ]
    y = conv_transpose2d(x, weight, bias, stride, crop, more)
    if y.shape[2:] == size:
        return y
    y = y[:, :, : size[0], : size[1]]
    return y.clone(memory_format=torch.channels_last) if dense else y


def _pads(geometry: Geometry) -> Pads:
    """The zeros around an image; fewer than none where no output sees its last rows or columns."""
    sides = zip(geometry.size, geometry.pad, geometry.output, strict=True)
    (top, bottom), (left, right) = (
        (before, (output - 1) * geometry.stride + geometry.kernel - before - size)
        for size, before, output in sides
    )
    return left, right, top, bottom


def _taps(weight: Tensor) -> Tensor:
    """(O, C, k, k) → (O, k · k · C). Of a weight that is channels last, a view."""
    return weight.permute(0, 2, 3, 1).reshape(len(weight), -1)


def _rows(y: Tensor) -> Tensor:
    """(N, O, h, w) → (N · h · w, O). Channels last, it is a view."""
    return y.permute(0, 2, 3, 1).reshape(-1, y.shape[1])
