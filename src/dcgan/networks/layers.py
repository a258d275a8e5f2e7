"""Layers that the published models share: TensorFlow's "same" padding, Keras' defaults, the ends of G and D."""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor, nn

from dcgan.networks.convolution import LAYOUT, Conv2d, ConvTranspose2d
from dcgan.networks.products import Pads
from dcgan.networks.stages import Stage, chain, grouped

Size = tuple[int, int]
"""(height, width) in pixels."""


def halved(size: Size, times: int = 1) -> Size:
    """`size` after `times` layers of stride 2 with "same" padding: each side is halved and rounded up."""
    for _ in range(times):
        size = (size[0] + 1) // 2, (size[1] + 1) // 2
    return size


def same_padding(size: Size, kernel: int, stride: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """TensorFlow's "same" padding of an image of `size`: (before, after) over height and over width.

    The output has ceil(side / stride) pixels; where the padding is odd, the extra pixel comes after.
    """
    pads = []
    for side in size:
        total = max((math.ceil(side / stride) - 1) * stride + kernel - side, 0)
        pads.append((total // 2, total - total // 2))
    return pads[0], pads[1]


class SameConv2d(Conv2d):
    """A convolution with "same" padding, as TensorFlow places it. (N, C, H, W) → (N, D, ⌈H/s⌉, ⌈W/s⌉)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, bias: bool = True) -> None:
        super().__init__(inputs, outputs, kernel, stride, bias=bias)

    def pads(self, size: torch.Size) -> Pads:
        (top, bottom), (left, right) = same_padding((size[0], size[1]), self.kernel_size[0], self.stride[0])
        return left, right, top, bottom


class SameConvTranspose2d(ConvTranspose2d):
    """The transposed convolution of TensorFlow with "same" padding: the gradient of `SameConv2d` on images of `size`.

    (N, C, ⌈H/s⌉, ⌈W/s⌉) → (N, D, H, W) with (H, W) = size. For kernel 5 and stride 2 this is padding 1 with the last
    row and column dropped; padding 2 with output_padding 1 would shift the image by a pixel.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int, size: Size, bias: bool = True
    ) -> None:
        super().__init__(inputs, outputs, kernel, stride, bias=bias)
        self.size = size
        (top, _), (left, _) = same_padding(size, kernel, stride)
        self.crop = top, left

    def placed(self, size: torch.Size) -> tuple[Size, Size]:
        return self.crop, self.size


class TwoParts(Protocol):
    """A generator G(z) = body(head(z)): the head's weights are many and its maps small, the body's the other way round.

    So pictures are made soonest by a head that sees many z at a time and a body that sees few maps at a time.
    """

    def head(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """z (N, z_dim) → maps (N, …), all that a body needs."""

    def body(self, x: Tensor) -> Tensor:
        """Maps (N, …) → images (N, C, H, W) in [-1, 1]."""


class Upsampler(nn.Sequential):
    """A generator without classes, layer by layer: z (N, z_dim) → images (N, C, H, W) in [-1, 1].

    Its head ends where the first maps are: at its first `Unflatten`.
    """

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.body(self.head(z, labels))

    def head(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        for layer in self:
            z = layer(z)
            if isinstance(layer, nn.Unflatten):
                break
        return z

    def body(self, x: Tensor) -> Tensor:
        layers = iter(self)
        for layer in layers:
            if isinstance(layer, nn.Unflatten):
                break
        return chain(layers)(x)

    def stages(self) -> list[Stage]:
        """From the head's maps to images; "base" alone where the head makes the images (the fully connected G)."""
        names = [isinstance(layer, nn.Unflatten) for layer in self]
        return grouped(list(self)[names.index(True) + 1 :])


class Judge(nn.Sequential):
    """A discriminator without classes, layer by layer: images (N, C, H, W) → float32 logits or float64 probabilities,
    (N,)."""

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        return _answer(chain(self)(images))

    def stages(self) -> list[Stage]:
        """From images to the last hidden layer, before it is flattened or pooled."""
        return grouped(self._split()[0])

    def verdict(self, hidden: Tensor, labels: Tensor | None = None) -> Tensor:
        """From the last hidden layer's maps to logits or probabilities, (N,)."""
        return _answer(chain(self._split()[1])(hidden))

    def _split(self) -> tuple[list[nn.Module], list[nn.Module]]:
        """The hidden layers, and the rest: the last layer of weights with the flattening or pooling before it."""
        layers = list(self)
        last = max(i for i, layer in enumerate(layers) if isinstance(layer, nn.Linear | nn.Conv2d))
        while last and isinstance(layers[last - 1], nn.Flatten | GlobalMaxPool):
            last -= 1
        return layers[:last], layers[last:]


def _answer(units: Tensor) -> Tensor:
    """(N, 1) → (N,), probabilities in float64 and logits in float32."""
    answer = units.squeeze(1)
    return answer if answer.dtype == torch.float64 else answer.float()


class Probability(nn.Sigmoid):
    """The sigmoid of a logit, in float64, of logits cut off at ±30 whose gradient is passed on as if they were not.

    In float32 a logit above 17 gives exactly 1, log(1 − D) has no gradient there, and a D that is sure of a fake never
    learns better: a run of `paper-64` ended so. Now log D and log(1 − D) have the gradients of the exact cross-entropy
    for every logit, as where Theano and Keras fold the sigmoid into it.
    """

    def forward(self, x: Tensor) -> Tensor:
        x = x.double()
        return torch.sigmoid(x + (x.clamp(-30, 30) - x).detach())


class Dropout(nn.Dropout):
    """`nn.Dropout`, exact to 1e-5 in its probability when `rewrite`.

    Then it draws 16 random bits a number, four numbers a draw of torch's generator. Torch's own layer draws 53 for
    each, one after the other on a CPU, and took a tenth of a training step.
    """

    rewrite = False

    def forward(self, x: Tensor) -> Tensor:
        if not self.rewrite or not self.training:
            return super().forward(x)
        draws = torch.empty(-(-x.numel() // 4), dtype=torch.int64, device=x.device).random_(-(2**63), None)
        kept = draws.view(torch.int16)[: x.numel()] >= round(self.p * 2**16) - 2**15
        # Of x's own layout in memory, so that the product is one pass.
        mask = torch.empty_like(x, requires_grad=False)
        mask.as_strided((x.numel(),), (1,)).copy_(kept)
        return x * mask.mul_(1 / (1 - self.p))


class Flatten(nn.Flatten):
    """`nn.Flatten` whose gradient is channels last in memory as the maps are, when `rewrite`.

    What comes back from a dense layer lies map by map, and batch norm takes ten times as long over maps and gradients
    that lie differently.
    """

    rewrite = False

    def forward(self, x: Tensor) -> Tensor:
        if self.rewrite and x.ndim == 4 and x.requires_grad:
            x.register_hook(_channels_last)  # type: ignore[no-untyped-call]
        return super().forward(x)


def _channels_last(maps: Tensor) -> Tensor:
    return maps.contiguous(memory_format=LAYOUT)


def in_place(network: nn.Module) -> None:
    """Units write over what they are given, which in training nobody asks for again: the same bits, and less memory to
    move."""
    for part in network.modules():
        if isinstance(part, nn.ReLU | nn.LeakyReLU):
            part.inplace = True


class FromUnit(nn.Module):
    """[0, 1] → [-1, 1]."""

    def forward(self, x: Tensor) -> Tensor:
        return x * 2 - 1


class ToUnit(nn.Module):
    """[-1, 1] → [0, 1]."""

    def forward(self, x: Tensor) -> Tensor:
        return (x + 1) / 2


class GlobalMaxPool(nn.Module):
    """(N, C, H, W) → (N, C): the largest value of each map."""

    def forward(self, x: Tensor) -> Tensor:
        return x.amax((2, 3))


def keras_batch_norm(maps: int, flat: bool = False) -> nn.BatchNorm2d | nn.BatchNorm1d:
    """Batch norm with Keras' defaults: epsilon 1e-3, momentum .99 in Keras' sense, which is .01 in PyTorch's."""
    return (nn.BatchNorm1d if flat else nn.BatchNorm2d)(maps, eps=1e-3, momentum=0.01)


@torch.no_grad()
def init_keras(module: nn.Module) -> None:
    """Keras' defaults: Glorot-uniform weights, biases 0. For `module.apply`."""
    if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


@torch.no_grad()
def init_dcgan(module: nn.Module) -> None:
    """Weights N(0, .02), batch norm's gains N(1, .02), biases 0 (Radford et al. 2016, section 4 and code)."""
    if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)
