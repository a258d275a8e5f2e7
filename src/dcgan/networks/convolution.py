"""Convolutions that choose how they are computed: torch's own kernel, or an exact rewriting that is faster on a CPU.

`Conv2d` and `ConvTranspose2d` are torch's layers, with the same weights under the same names. They compute as torch's
do until an engine says otherwise (`rewrite`). Which rewriting a layer takes is a function of its shape alone, so a run
has the same bits wherever the same kernels are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, pad, pixel_unshuffle

from dcgan.networks import frequency
from dcgan.networks.frequency import Geometry

Pads = tuple[int, int, int, int]
"""Zeros (left, right, top, bottom), in the order of `torch.nn.functional.pad`."""

NARROW = 4
"""Input channels up to which a strided convolution is computed on the image's phases."""


class Conv2d(nn.Conv2d):
    """`nn.Conv2d` with square kernels, one stride and no groups, computed in the fastest exact way when `rewrite`."""

    rewrite = False
    exact = False
    """Compute in float32 whatever the precision around it."""

    def forward(self, x: Tensor) -> Tensor:
        vertical, horizontal = int(self.padding[0]), int(self.padding[1])
        return self.convolve(x, (horizontal, horizontal, vertical, vertical))

    def convolve(self, x: Tensor, pads: Pads) -> Tensor:
        """The convolution of x, (N, C, H, W), with these zeros around it."""
        if self.exact and torch.is_autocast_enabled(x.device.type):
            with torch.autocast(x.device.type, enabled=False):
                return self.convolve(x.float(), pads)
        weight, bias, (stride, other) = self.weight, self.bias, self.stride
        square = stride == other and weight.shape[2] == weight.shape[3]
        if self.rewrite and square:
            if self._worth(geometry := _geometry(x, weight, stride, pads), len(x)):
                y = _in_float32(frequency.convolve, x, weight, geometry)
                return y if bias is None else y + bias.view(-1, 1, 1)
            if stride == 2 and weight.shape[1] <= NARROW and x.requires_grad | weight.requires_grad:
                return _on_phases(x, weight, bias, pads)
        left, right, top, bottom = pads
        if left == right and top == bottom:
            return conv2d(x, weight, bias, self.stride, (top, left))
        return conv2d(pad(x, pads), weight, bias, self.stride)

    def _worth(self, geometry: Geometry, batch: int) -> bool:
        return _worth(geometry, self.in_channels, self.out_channels, batch)


class ConvTranspose2d(nn.ConvTranspose2d):
    """`nn.ConvTranspose2d` with square kernels, one stride and no groups, in the fastest exact way when `rewrite`."""

    rewrite = False
    exact = False
    """Compute in float32 whatever the precision around it."""

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        stride, kernel, before = self.stride, self.kernel_size, self.padding
        size = tuple(
            (x.shape[2 + i] - 1) * stride[i] - 2 * int(before[i]) + kernel[i] + self.output_padding[i]
            for i in (0, 1)
        )
        return self.convolve(x, (int(before[0]), int(before[1])), (size[0], size[1]))

    def convolve(self, x: Tensor, crop: tuple[int, int], size: tuple[int, int]) -> Tensor:
        """x, (N, C, H, W), to (N, O, *size), with this many rows and columns cropped before the first."""
        if self.exact and torch.is_autocast_enabled(x.device.type):
            with torch.autocast(x.device.type, enabled=False):
                return self.convolve(x.float(), crop, size)
        weight, bias, (stride, other) = self.weight, self.bias, self.stride
        if self.rewrite and stride == other and weight.shape[2] == weight.shape[3]:
            geometry = Geometry(size, weight.shape[2], stride, crop, (x.shape[2], x.shape[3]))
            if _worth(geometry, self.out_channels, self.in_channels, len(x)):
                y = _in_float32(frequency.transpose_convolve, x, weight, geometry)
                return y if bias is None else y + bias.view(-1, 1, 1)
        more = [
            max(0, size[i] - ((x.shape[2 + i] - 1) * self.stride[i] - 2 * crop[i] + self.kernel_size[i]))
            for i in (0, 1)
        ]
        y = conv_transpose2d(x, weight, bias, self.stride, crop, (more[0], more[1]))
        return y if y.shape[2:] == size else y[:, :, : size[0], : size[1]]


def _geometry(x: Tensor, weight: Tensor, stride: int, pads: Pads) -> Geometry:
    kernel, (left, right, top, bottom) = weight.shape[2], pads
    size = x.shape[2], x.shape[3]
    output = tuple(
        (side + zeros - kernel) // stride + 1
        for side, zeros in zip(size, (top + bottom, left + right), strict=True)
    )
    return Geometry(size, kernel, stride, (top, left), (output[0], output[1]))


def _worth(geometry: Geometry, inputs: int, outputs: int, batch: int) -> bool:
    needed = frequency.GAIN_BF16 if torch.is_autocast_enabled("cpu") else frequency.GAIN
    return frequency.gain(geometry, inputs, outputs, batch) >= needed


def _in_float32(form: frequency.Form, x: Tensor, weight: Tensor, geometry: Geometry) -> Tensor:
    """The frequency domain in float32, also where all around it is bf16."""
    with torch.autocast(x.device.type, enabled=False):
        return form(x.float(), weight.float(), geometry).to(x.dtype)


def _on_phases(x: Tensor, weight: Tensor, bias: Tensor | None, pads: Pads) -> Tensor:
    """A convolution of stride 2 as one of stride 1 on the image's four phases, exactly.

    With one or three channels the kernels of a CPU stand nearly still: their gradients are twice as fast on four or
    twelve. An odd kernel gets a zero row and column.
    """
    left, right, top, bottom = pads
    kernel = weight.shape[2] + weight.shape[2] % 2
    output = [
        (x.shape[2] + top + bottom - weight.shape[2]) // 2 + 1,
        (x.shape[3] + left + right - weight.shape[3]) // 2 + 1,
    ]
    rows, columns = 2 * (output[0] - 1) + kernel, 2 * (output[1] - 1) + kernel
    x = pad(x, (left, columns - left - x.shape[3], top, rows - top - x.shape[2]))
    even = pad(weight, (0, weight.shape[3] % 2, 0, weight.shape[2] % 2)) if weight.shape[2] % 2 else weight
    return conv2d(pixel_unshuffle(x, 2), pixel_unshuffle(even, 2), bias)
