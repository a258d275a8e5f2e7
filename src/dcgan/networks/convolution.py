"""Convolutions that choose how they are computed: torch's own kernel, or an exact rewriting that is faster on a CPU.

`Conv2d` and `ConvTranspose2d` are torch's layers, with the same weights under the same names. They compute as torch's
do until an engine says otherwise (`rewrite`). Which rewriting a layer takes is a function of its shape alone, so a run
has the same bits wherever the same kernels are.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, fold, pad, pixel_unshuffle

from dcgan.networks import bilinear, frequency, products
from dcgan.networks.compiled import compiled, narrow
from dcgan.networks.frequency import Geometry, Pair
from dcgan.networks.products import PASSES, Pads, Products
from dcgan.networks.tiles import tiles

WIDE = 16
"""Maps on both sides from which a layer's passes may be sooner as products."""
MANY = 64
"""Images of which it is asked whether tiles save enough, where there is no batch that is derived."""
AHEAD = 1.15
"""How many times the multiplications that tiles save the frequency domain must: at the same count (`paper-64`) a step
was 1.3 times as fast with tiles, at 1.26 (`fashion-2020`, `mnist-2018`) .85 times."""
NARROW, LAYOUT = 4, torch.channels_last
"""Input channels up to which a strided convolution is computed on the image's phases, and how these lie in memory: all
maps after them lie so, and an image of one channel does not say."""


class Maps(nn.Unflatten):
    """`nn.Unflatten` of dim 1 to (C, H, W): a generator's first maps, channels last in memory when `rewrite`.

    The layers after it keep that layout, in which strided convolutions took two thirds of the time.
    """

    rewrite = False
    frozen = False
    folded: tuple[tuple[object, ...], object] | None = None

    def __init__(self, maps: int, height: int, width: int) -> None:
        super().__init__(1, (maps, height, width))

    def forward(self, x: Tensor) -> Tensor:
        maps = super().forward(x)
        # A copy, not `contiguous`: maps of one pixel are that already, and the layers after them would lie otherwise.
        return maps.clone(memory_format=LAYOUT) if self.rewrite else maps


class _Rewritten:
    """What both layers share."""

    rewrite = False
    exact = False
    """Compute in float32 whatever the precision around it."""
    as_products: frozenset[str] = frozenset()
    """Of `products.PASSES`, those that are matrix products where the precision is bf16."""
    frozen = False
    """The weights are trained no more. It cannot be told from them: fused Adam leaves a weight's version as it was."""
    folded: tuple[tuple[object, ...], object] | None = None
    """This layer and the batch norm after it as one (`folding`), and of which numbers."""
    passes: tuple[str, str, str]
    """Which of `products.PASSES` its output is, its gradient by its input, and that by its weights."""
    _kept: tuple[tuple[object, ...], Tensor] | None = None
    weight: Tensor
    bias: Tensor | None

    def geometry(self, size: torch.Size) -> Geometry:
        """That of the convolution, or of the one that it is the transpose of, for maps of `size`."""
        raise NotImplementedError

    def multiplies(self, shape: torch.Size) -> bool:
        """Whether in bf16 its passes over maps of `shape`, (N, C, H, W), can be products: it has maps enough for them,
        and the frequency domain does not save more."""
        weight = self.weight
        square = weight.shape[2] == weight.shape[3]
        wide = self.rewrite and square and min(weight.shape[:2]) >= WIDE
        return wide and not _worth(self.geometry(shape[2:]), weight, shape[0], frequency.GAIN_BF16)

    def _rewritten(self, x: Tensor, geometry: Geometry) -> Tensor | None:
        """What the layer gives, in the frequency domain, tile by tile or as products, where one of them is sooner."""
        weight, bias, forwards = self.weight, self.bias, self.passes[0] == "convolve"
        apply = bilinear.convolve if forwards else bilinear.transpose_convolve
        bf16 = torch.is_autocast_enabled(x.device.type)
        exact = not bf16 and x.dtype == weight.dtype != torch.bfloat16
        if exact and (made := self._compiled(x, weight, geometry, apply)) is not None:
            return made if bias is None else made.add_(bias.view(-1, 1, 1))
        # Where nothing is derived, alike for few images and many: a design is to have the same bits among both.
        asked = weight.shape[1], weight.shape[0], len(x) if torch.is_grad_enabled() else MANY
        found = tiles(geometry, *asked) if exact else None
        needed = max(frequency.GAIN, AHEAD * found.gain(*asked)) if found else None
        if _worth(geometry, weight, len(x), needed):
            transform = frequency.convolve if forwards else frequency.transpose_convolve
            with bilinear.as_given(x):  # in float32, also where all around it is bf16
                kernels = self._transformed(lambda w: frequency.transformed(w.float(), geometry), geometry)
                y = transform(x.float(), kernels, geometry).to(x.dtype)
        elif bf16:
            if not self.as_products:
                return None
            kernels = weight.to(torch.bfloat16, memory_format=LAYOUT)
            y = apply(x.bfloat16(), kernels, Products(geometry, self.as_products))
        elif found:
            kept = None if torch.is_grad_enabled() else self._transformed(found.transformed, found)
            y = apply(x, weight, found, kept)
        elif products.is_dense(geometry):
            y = apply(x, weight.contiguous(memory_format=LAYOUT), Products(geometry, frozenset(PASSES)))
        else:
            return None
        return y if bias is None else y.add_(bias.to(y.dtype).view(-1, 1, 1))

    def _compiled(
        self, x: Tensor, weight: Tensor, geometry: Geometry, apply: Callable[..., Tensor]
    ) -> Tensor | None:
        """What the layer gives without its bias, by code of our own where there is some for it."""
        forwards = self.passes[0] == "convolve"
        fits = x.shape[1] == weight.shape[int(forwards)] and x.dtype == torch.float32
        if not fits or not x.device.type == weight.device.type == "cpu":
            return None
        if own := compiled(geometry, *weight.shape[:2]):
            return apply(x, weight, own)
        if forwards and not products.is_dense(geometry):
            turned = narrow(geometry.turned, *weight.shape[1::-1])
            if turned:
                return bilinear.transpose_convolve(x, weight.transpose(0, 1).flip(2, 3), turned)
        return None

    def _transformed(self, transform: Callable[[Tensor], Tensor], form: object) -> Tensor:
        """What a form makes of the weights alone; that of a frozen layer is kept from call to call."""
        weight = self.weight
        if not self.frozen or torch.is_grad_enabled():
            return transform(weight)
        key = (form, weight.device, weight.data_ptr(), weight._version)
        kept = self._kept  # another thread may be about to replace it
        if kept is None or kept[0] != key:
            kept = self._kept = key, transform(weight)
        return kept[1]


class Conv2d(_Rewritten, nn.Conv2d):
    """`nn.Conv2d` with square kernels, one stride and no groups, computed in the fastest exact way when `rewrite`."""

    passes = "convolve", "transpose", "kernel"

    def forward(self, x: Tensor) -> Tensor:
        return self.convolve(x, self.pads(x.shape[2:]))

    def pads(self, size: torch.Size) -> Pads:
        """The zeros around an image of `size`."""
        vertical, horizontal = int(self.padding[0]), int(self.padding[1])
        return horizontal, horizontal, vertical, vertical

    def geometry(self, size: torch.Size) -> Geometry:
        return _geometry(size, self.weight.shape[2], self.stride[0], self.pads(size))

    def convolve(self, x: Tensor, pads: Pads) -> Tensor:
        """The convolution of x, (N, C, H, W), with these zeros around it."""
        if self.exact and torch.is_autocast_enabled(x.device.type):
            with torch.autocast(x.device.type, enabled=False):
                return self.convolve(x.float(), pads)
        weight, bias, (stride, other) = self.weight, self.bias, self.stride
        square = stride == other and weight.shape[2] == weight.shape[3]
        if self.rewrite and square:
            geometry = _geometry(x.shape[2:], weight.shape[2], stride, pads)
            if (y := self._rewritten(x, geometry)) is not None:
                return y
            if self._to_one_map(stride, pads):
                return _shifted(x, weight, bias)
            if stride == 2 and weight.shape[1] <= NARROW and x.requires_grad | weight.requires_grad:
                return _on_phases(x, weight, bias, geometry)
        x, padding = products.padded(x, pads)
        return conv2d(x, weight, bias, self.stride, padding)

    def _to_one_map(self, stride: int, pads: Pads) -> bool:
        """Whether it makes one map of the input's size, and not to be derived with few taps: that is slower."""
        side = self.kernel_size[0]
        paid = side > 3 or not torch.is_grad_enabled()
        return self.out_channels == 1 and stride == 1 and side % 2 == 1 and pads == (side // 2,) * 4 and paid


class ConvTranspose2d(_Rewritten, nn.ConvTranspose2d):
    """`nn.ConvTranspose2d` with square kernels, one stride and no groups, in the fastest exact way when `rewrite`."""

    passes = "transpose", "convolve", "kernel"

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        return self.convolve(x, *self.placed(x.shape[2:]))

    def placed(self, size: torch.Size) -> tuple[Pair, Pair]:
        """Of maps of `size`: rows and columns to crop before the first, and the size of what comes of it."""
        stride, kernel, before = self.stride, self.kernel_size, self.padding
        height, width = (
            (size[i] - 1) * stride[i] - 2 * int(before[i]) + kernel[i] + self.output_padding[i]
            for i in (0, 1)
        )
        return (int(before[0]), int(before[1])), (height, width)

    def geometry(self, size: torch.Size) -> Geometry:
        crop, made = self.placed(size)
        return Geometry(made, self.weight.shape[2], self.stride[0], crop, (size[0], size[1]))

    def convolve(self, x: Tensor, crop: Pair, size: Pair) -> Tensor:
        """x, (N, C, H, W), to (N, O, *size), with this many rows and columns cropped before the first."""
        if self.exact and torch.is_autocast_enabled(x.device.type):
            with torch.autocast(x.device.type, enabled=False):
                return self.convolve(x.float(), crop, size)
        weight, bias, (stride, other) = self.weight, self.bias, self.stride
        if self.rewrite and stride == other and weight.shape[2] == weight.shape[3]:
            geometry = Geometry(size, weight.shape[2], stride, crop, (x.shape[2], x.shape[3]))
            if (y := self._rewritten(x, geometry)) is not None:
                return y
        return products.transposed(x, weight, bias, (stride, other), crop, size, dense=self.rewrite)


Layer = Conv2d | ConvTranspose2d


def freeze(network: nn.Module) -> None:
    """Evaluation mode, no gradients by weights, and what convolutions compute of their weights alone is kept."""
    network.eval().requires_grad_(False)
    for layer in network.modules():
        if isinstance(layer, Layer | Maps):
            layer.frozen = True


def convolution_weights(generator: nn.Module) -> int:
    """How many weights the convolutions have."""
    parts = (part for part in generator.modules() if isinstance(part, Layer))
    return sum(part.weight.numel() for part in parts)


@lru_cache(maxsize=256)
def _geometry(size: torch.Size, kernel: int, stride: int, pads: Pads) -> Geometry:
    left, right, top, bottom = pads
    height, width = size
    output = (height + top + bottom - kernel) // stride + 1, (width + left + right - kernel) // stride + 1
    return Geometry((height, width), kernel, stride, (top, left), output)


def _worth(geometry: Geometry, weight: Tensor, batch: int, needed: float | None = None) -> bool:
    """Whether the frequency domain saves as many multiplications as are `needed`, by the precision around if None."""
    if needed is None:
        needed = frequency.GAIN_BF16 if torch.is_autocast_enabled("cpu") else frequency.GAIN
    return frequency.gain(geometry, weight.shape[1], weight.shape[0], batch) >= needed


def _shifted(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """A k×k convolution to one map of the same size: all k² taps as one product, each then shifted to its place.

    Kernels for convolutions compute eight or sixteen maps at once, and leave most of that idle here.
    """
    count, maps, height, width = x.shape
    side = weight.shape[2]
    taps = weight[0].flip(1, 2).permute(1, 2, 0).reshape(-1, maps)
    flat = x.permute(0, 2, 3, 1).reshape(-1, maps)  # no copy of what is channels last
    each = (taps @ flat.t()).view(-1, count, height * width).transpose(0, 1)
    total = fold(each, (height, width), (side, side), padding=side // 2)
    return total if bias is None else total + bias


def _on_phases(x: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    """A convolution of stride 2 as one of stride 1 on the image's four phases, exactly.

    With one or three channels the kernels of a CPU stand nearly still: their gradients are twice as fast on four or
    twelve. An odd kernel gets a zero row and column.
    """
    odd = geometry.kernel % 2
    top, left = geometry.pad
    rows, columns = (2 * (side - 1) + geometry.kernel + odd for side in geometry.output)
    x = pad(x, (left, columns - left - x.shape[3], top, rows - top - x.shape[2]))
    even = pad(weight, (0, 1, 0, 1)) if odd else weight
    return conv2d(pixel_unshuffle(x, 2).contiguous(memory_format=LAYOUT), pixel_unshuffle(even, 2), bias)
