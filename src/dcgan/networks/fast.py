"""The `fast` family: small DCGANs whose depth follows the image, made for quality per second on a CPU.

Strided convolutions in place of pooling, batch norm and ReLU in G, leaky ReLU in D (Radford et al. 2016, section 3),
projection conditioning in D (Miyato & Koyama 2018, eq. 3), class embedding joined to z in G (Mirza & Osindero 2014).
"""

from __future__ import annotations

import math
from functools import partial
from itertools import pairwise
from typing import TypedDict

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from dcgan.networks.convolution import Conv2d, ConvTranspose2d, Maps
from dcgan.networks.folding import normed, projected
from dcgan.networks.stages import Stage, through
from dcgan.recipe import Recipe

WIDEST = 8
"""Feature maps double from level to level, up to this many times the finest level's."""


CLASS_SCALE = 0.2
"""Standard deviation of a new class embedding. As loud as z, whose is 1, the class is all that G hears at first, and
each class becomes one picture: after 15,000 images of Fashion-MNIST recall was .15 with 1 and .41 with this."""


def build(recipe: Recipe) -> dict[str, nn.Module]:
    """Generator and discriminator for any image of 8×8 to 128×128 pixels, grey or colour."""
    return {"generator": Generator(recipe), "discriminator": Discriminator(recipe)}


def halvings(edge: int) -> int:
    """How often an edge of `edge` pixels is halved to come to 4 … 8 pixels: 28 → 2 (7), 64 → 3 (8), 8 → 1 (4)."""
    return max(1, math.ceil(math.log2(edge / 8)))


def levels(recipe: Recipe) -> list[tuple[int, int]]:
    """(stride over height, stride over width) of each level, finest first; a short edge stops halving early."""
    down = halvings(recipe.height), halvings(recipe.width)
    return [(1 + (level < down[0]), 1 + (level < down[1])) for level in range(max(down))]


def maps(base: int, count: int) -> list[int]:
    """Feature maps of `count` levels, finest first: base, 2·base, 4·base, …"""
    return [base * min(2**level, WIDEST) for level in range(count)]


class Geometry(TypedDict):
    """Where a convolution looks."""

    kernel_size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]


def geometry(stride: tuple[int, int]) -> Geometry:
    """Kernel 4 where the stride is 2 and 3 where it is 1, both with padding 1: sizes halve, double or stay."""
    return {"kernel_size": (2 + stride[0], 2 + stride[1]), "stride": stride, "padding": (1, 1)}


class Generator(nn.Module):
    """z (N, z_dim) → dense → 4 … 8 pixel map → convT to full size → 3×3 conv → tanh, (N, C, H, W) in [-1, 1].

    With `g_mix`, 5×5 convolutions on the smallest maps come first: there each pixel sees most of the picture, and in
    the frequency domain (`frequency`) they cost a third. The last of them gives as many maps as the next level has,
    which halves what that level costs (what it gains and loses: docs/results/search.md). With `paint` "phases" the last
    level is gone: a 3×3 convolution at half the size gives the four pixels of each place.

    `fast-28` unconditional has 455k parameters: 7×7×96, mixed to 48 → 14×14×48 → four phases of 1.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.size = recipe.height, recipe.width
        strides = levels(recipe)
        widths = maps(recipe.g_maps, len(strides) + 1)[::-1]
        self.base = tuple(
            -(-edge // math.prod(stride[axis] for stride in strides)) for axis, edge in enumerate(self.size)
        )
        # A class joins z as a vector of its own. Class-conditional batch norm learns far later: its scales and shifts
        # start out alike for all classes, and Adam moves them by one learning rate a step.
        self.classes = _embedding(recipe.classes, recipe.z_dim) if recipe.classes else None
        inputs = recipe.z_dim * (2 if recipe.classes else 1)
        self.project = nn.Linear(inputs, widths[0] * self.base[0] * self.base[1], bias=False)
        self.first = Maps(widths[0], *self.base)
        phases = strides[0] if recipe.paint == "phases" else (1, 1)
        kept = len(strides) - (recipe.paint == "phases")
        widths = widths[: kept + 1]
        narrow = widths[1] if recipe.g_mix and kept else widths[0]
        mixed = [widths[0]] * recipe.g_mix + [narrow]
        self.mixes = nn.ModuleList(Conv2d(a, b, 5, padding=2, bias=False) for a, b in pairwise(mixed))
        self.mix_norms = nn.ModuleList(nn.BatchNorm2d(width) for width in mixed[1:])
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in widths)
        self.ups = nn.ModuleList(
            ConvTranspose2d(a, b, bias=False, **geometry(stride))
            for (a, b), stride in zip(pairwise([mixed[-1], *widths[1:]]), strides[::-1], strict=False)
        )
        self.paint = Conv2d(widths[-1], recipe.channels * math.prod(phases), 3, padding=1)
        self.spread = nn.Identity() if phases == (1, 1) else Spread(phases)
        self._stages = self._arranged()

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.body(self.head(z, labels))

    def head(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return projected(self.project, self.first, self.norms[0], z, self.classes, labels).relu_()  # type: ignore[arg-type]

    def body(self, x: Tensor) -> Tensor:
        return through(self.stages(), x)

    def stages(self) -> list[Stage]:
        """From the head's maps to images."""
        return self._stages

    def _arranged(self) -> list[Stage]:
        mixes = zip(self.mixes, self.mix_norms, strict=True)
        ups = zip(self.ups, self.norms[1:], strict=True)
        return [
            Stage("base", _as_they_are),
            *(Stage(f"mix{i}", partial(_normed, *layers)) for i, layers in enumerate(mixes, 1)),
            *(Stage(f"up{i}", partial(_normed, *layers)) for i, layers in enumerate(ups, 1)),
            Stage("paint", self._painted),
        ]

    def _painted(self, x: Tensor) -> Tensor:
        x = self.spread(self.paint(x)).tanh_()
        if x.shape[2:] == self.size:
            return x
        top, left = (x.shape[2] - self.size[0]) // 2, (x.shape[3] - self.size[1]) // 2
        return x[:, :, top : top + self.size[0], left : left + self.size[1]]


def _as_they_are(x: Tensor) -> Tensor:
    return x


def _normed(layer: nn.Module, norm: nn.Module, x: Tensor) -> Tensor:
    return normed(layer, norm, x).relu_()


def _embedding(classes: int, width: int) -> nn.Embedding:
    embedding = nn.Embedding(classes, width)
    nn.init.normal_(embedding.weight, std=CLASS_SCALE)
    return embedding


class Spread(nn.Module):
    """(N, C · p · q, H, W) → (N, C, p · H, q · W): pixel shuffle with a factor for each side (Shi et al. 2016)."""

    def __init__(self, phases: tuple[int, int]) -> None:
        super().__init__()
        self.phases = phases

    def forward(self, x: Tensor) -> Tensor:
        p, q = self.phases
        n, count, height, width = x.shape
        x = x.reshape(n, count // (p * q), p, q, height, width).permute(0, 1, 4, 2, 5, 3)
        return x.reshape(n, count // (p * q), p * height, q * width)


class Discriminator(nn.Module):
    """Images (N, C, H, W) in [-1, 1] → logits (N,).

    `fast-28` unconditional has 94k parameters: conv 24, 48, 96 (k4s2 each), dense 1.
    With classes the logit is w·φ(x) + e_y·φ(x): the projection discriminator.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        strides = levels(recipe)
        widths = maps(recipe.d_maps, len(strides) + 1)
        shapes = [(recipe.channels, widths[0]), *pairwise(widths)]
        plan = [*strides, (2, 2)]
        normed = spectral_norm if recipe.spectral_norm else nn.Identity()
        self.slope = recipe.slope
        self.convs = nn.ModuleList(
            normed(Conv2d(a, b, **geometry(stride))) for (a, b), stride in zip(shapes, plan, strict=True)
        )
        height, width = recipe.height, recipe.width
        for stride in plan:
            height, width = height // stride[0], width // stride[1]
        features = widths[-1] * height * width
        self.judge = normed(nn.Linear(features, 1))
        self.classes = normed(_embedding(recipe.classes, features)) if recipe.classes else None

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.verdict(through(self.stages(), x), labels)

    def stages(self) -> list[Stage]:
        """From images to the last maps, before they are flattened."""
        return [Stage(f"conv{i}", partial(self._down, conv)) for i, conv in enumerate(self.convs, 1)]

    def _down(self, conv: nn.Module, x: Tensor) -> Tensor:
        return nn.functional.leaky_relu_(conv(x), self.slope)

    def verdict(self, hidden: Tensor, labels: Tensor | None = None) -> Tensor:
        """From the last maps to logits (N,)."""
        x = hidden.flatten(1)
        logits: Tensor = self.judge(x).squeeze(1)
        if self.classes is not None:
            logits = logits + (x * self.classes(labels).to(x.dtype)).sum(1)
        return logits.float()
