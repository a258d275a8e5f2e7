"""Convolutions with fewer multiplications, tile by tile: the same function exactly (Toom 1963, Winograd 1980).

Four outputs of a kernel with two taps are eight products, and, by values of polynomials at five points, five: with
B, G and A of those points y = Aᵀ[(Gw) ⊙ (Bx)], for images in both directions (Lavin & Gray 2016, eq. 8). So a tile of
4×4 outputs of a 4×4 kernel with stride 2, four phases of 2×2 taps, is 100 products of each pair of maps in place of
256, and the sum over maps a matrix product for each point. The transpose and the gradient by the weights are the same
three matrices in another order, and share what they make of maps and weights (`bilinear`).

Six points at most: in float32 the error is two to four times that of the direct sum, with nine points a hundred times.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import torch
from torch import Tensor
from torch.nn.functional import pad

from dcgan.networks.bilinear import Known, empty_maps
from dcgan.networks.frequency import Geometry, Pair

POINTS = 0.0, 1.0, -1.0, -0.5, 2.0
"""Where polynomials are evaluated, the first of them as many as are needed, and at infinity."""
LARGEST = 4
"""Outputs of a tile along a side."""
GAIN = 1.5
"""Multiplications that must be saved, as a ratio (`Tiles.gain`)."""
CALLS = 2**24
"""What the calls of a pass take, in multiplications: small layers gain nothing."""


@dataclass(frozen=True)
class Tiles:
    """How the convolution of `geometry` is computed: `side`² outputs at a time."""

    geometry: Geometry
    side: int

    @property
    def across(self) -> Pair:
        """Tiles (down, right) that have all outputs."""
        height, width = self.geometry.output
        return -(-height // self.side), -(-width // self.side)

    @property
    def taps(self) -> int:
        """Of a phase, along a side."""
        return -(-self.geometry.kernel // self.geometry.stride)

    @property
    def points(self) -> int:
        """Along a side: also the pixels of a phase that a tile sees."""
        return self.side + self.taps - 1

    def gain(self, inputs: int, outputs: int, batch: int) -> float:
        """Multiplications of the direct convolution over those of this form, with all that comes with it, for `batch`
        images. inputs, outputs: maps."""
        maps, pairs, points = self.geometry.stride**2 * inputs, inputs * outputs, self.points**2
        pairs_of_phases = self.geometry.stride**2 * pairs
        tile = points * (pairs_of_phases + points * maps + self.side**2 * outputs)
        direct = self.geometry.kernel**2 * math.prod(self.geometry.output) * pairs
        once = points * self.taps**2 * pairs_of_phases + CALLS
        return direct / (math.prod(self.across) * tile + once / max(1, batch))

    def convolve(self, x: Tensor, weight: Tensor, known: Known) -> Tensor:
        """(N, C, H, W) by (O, C, k, k) → (N, O, h, w), channels last."""
        known.x = self._seen(x) if known.x is None else known.x
        known.weight = self.transformed(weight) if known.weight is None else known.weight
        return self._outputs(torch.bmm(known.x.transpose(0, 1), known.weight.permute(1, 2, 0)), len(x))

    def transpose(self, y: Tensor, weight: Tensor, known: Known) -> Tensor:
        """(N, O, h, w) by (O, C, k, k) → (N, C, H, W), channels last."""
        known.y = self._told(y) if known.y is None else known.y
        known.weight = self.transformed(weight) if known.weight is None else known.weight
        return self._assembled(torch.bmm(known.y.transpose(0, 1), known.weight.transpose(0, 1)), len(y))

    def kernel(self, x: Tensor, y: Tensor, known: Known) -> Tensor:
        """(N, C, H, W) and (N, O, h, w) → (O, C, k, k)."""
        known.x = self._seen(x) if known.x is None else known.x
        known.y = self._told(y) if known.y is None else known.y
        products = torch.bmm(known.y.permute(1, 2, 0), known.x.transpose(0, 1)).transpose(0, 1)
        _, taps, _ = _matrices(self.side, self.taps, x.dtype)
        shares = torch.bmm(taps.t().expand(len(products), -1, -1), products)
        (o, c), s, r, k = (len(shares), x.shape[1]), self.geometry.stride, self.taps, self.geometry.kernel
        last = shares.view(o, r, r, s, s, c).permute(0, 1, 3, 2, 4, 5).reshape(o, r * s, r * s, c)
        # By way of channels last, from which torch knows a fast way to its own layout.
        return last[:, :k, :k].permute(0, 3, 1, 2).contiguous()

    def transformed(self, weight: Tensor) -> Tensor:
        """(O, C, k, k) → (O, points², phases · C): every phase's taps, at each point."""
        o, c, k, _ = weight.shape
        s, r = self.geometry.stride, self.taps
        _, taps, _ = _matrices(self.side, r, weight.dtype)
        last = weight.contiguous(memory_format=torch.channels_last).permute(0, 2, 3, 1)
        last = pad(last, (0, 0, 0, r * s - k, 0, r * s - k)) if r * s > k else last
        grid = last.reshape(o, r, s, r, s, c).permute(0, 1, 3, 2, 4, 5).reshape(o, r * r, s * s * c)
        return torch.bmm(taps.expand(o, -1, -1), grid)

    def _seen(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N · tiles, points², phases · C): of what each tile sees, the values at each point."""
        into, _, _ = _matrices(self.side, self.taps, x.dtype)
        n, c = x.shape[:2]
        (down, right), s, p = self.across, self.geometry.stride, self.points
        last = self._surrounded(x)
        image, row, column, one = last.stride()
        step = s * self.side
        windows = last.as_strided(
            (n, down, right, p, p, s, s, c),
            (image, step * row, step * column, s * row, s * column, row, column, one),
        ).reshape(-1, p * p, s * s * c)
        return torch.bmm(into.expand(len(windows), -1, -1), windows)

    def _assembled(self, values: Tensor, n: int) -> Tensor:
        """The transpose of `_seen`, of (points², N · tiles, phases · C): what neighbouring tiles see is added up."""
        into, _, _ = _matrices(self.side, self.taps, values.dtype)
        (down, right), s, t, p = self.across, self.geometry.stride, self.side, self.points
        (top, left), (height, width), c = self.geometry.pad, self.geometry.size, values.shape[2] // s**2
        windows = torch.bmm(into.t().expand(values.shape[1], -1, -1), values.transpose(0, 1))
        windows = windows.view(n, down, right, p, p, s, s, c)
        whole = windows.new_empty(n, (down + 1) * t * s, (right + 1) * t * s, c)
        whole[:, down * t * s :] = 0
        whole[:, :, right * t * s :] = 0
        grid = whole.view(n, down + 1, t, s, right + 1, t, s, c)
        for number, (below, beside) in enumerate(product((0, 1), repeat=2)):
            rows, columns = (slice(t, p) if after else slice(t) for after in (below, beside))
            part = windows[:, :, :, rows, columns].permute(0, 1, 3, 5, 2, 4, 6, 7)
            place = grid[:, below:, : part.shape[2], :, beside:, : part.shape[5]]
            place = place[:, :down, :, :, :right]
            if number == 0:
                place.copy_(part)
            else:
                place += part
        within = whole[:, top : top + height, left : left + width]
        x = empty_maps(values, n, c, self.geometry.size)
        if within.shape[1:3] != self.geometry.size:
            x.zero_()  # there are pixels that no output sees
        x.permute(0, 2, 3, 1)[:, : within.shape[1], : within.shape[2]].copy_(within)
        return x

    def _outputs(self, products: Tensor, n: int) -> Tensor:
        """(points², N · tiles, O) → (N, O, h, w)."""
        _, _, out_of = _matrices(self.side, self.taps, products.dtype)
        (down, right), t, o = self.across, self.side, products.shape[2]
        height, width = self.geometry.output
        outputs = torch.bmm(out_of.expand(products.shape[1], -1, -1), products.transpose(0, 1))
        outputs = outputs.view(n, down, right, t, t, o).permute(0, 1, 3, 2, 4, 5)
        y = empty_maps(products, n, o, self.geometry.output)
        place = y.permute(0, 2, 3, 1)
        if (down * t, right * t) == (height, width):
            place.view(n, down, t, right, t, o).copy_(outputs)
        else:
            place.copy_(outputs.reshape(n, down * t, right * t, o)[:, :height, :width])
        return y

    def _told(self, y: Tensor) -> Tensor:
        """The transpose of `_outputs`: (N, O, h, w) → (N · tiles, points², O)."""
        _, _, out_of = _matrices(self.side, self.taps, y.dtype)
        (down, right), t = self.across, self.side
        n, o, height, width = y.shape
        if (down * t, right * t) != (height, width):
            y = pad(y, (0, right * t - width, 0, down * t - height))
        tiles = y.permute(0, 2, 3, 1).reshape(n, down, t, right, t, o).permute(0, 1, 3, 2, 4, 5)
        tiles = tiles.reshape(-1, t * t, o)
        return torch.bmm(out_of.t().expand(len(tiles), -1, -1), tiles)

    def _surrounded(self, x: Tensor) -> Tensor:
        """x, (N, H, W, C), with zeros around it up to where the last tile sees."""
        (top, left), s = self.geometry.pad, self.geometry.stride
        down, right = (s * (self.side * tiles + self.taps - 1) for tiles in self.across)
        height, width = min(x.shape[2], down - top), min(x.shape[3], right - left)
        whole = x.new_empty(len(x), down, right, x.shape[1])
        whole[:, :top] = 0
        whole[:, top + height :] = 0
        whole[:, :, :left] = 0
        whole[:, :, left + width :] = 0
        within = whole[:, top : top + height, left : left + width]
        within.copy_(x[:, :, :height, :width].permute(0, 2, 3, 1))
        return whole


@lru_cache(maxsize=1024)
def tiles(geometry: Geometry, inputs: int, outputs: int, batch: int) -> Tiles | None:
    """The tiles that take the fewest multiplications, if they save as many as `GAIN` says. inputs, outputs: maps."""
    taps = -(-geometry.kernel // geometry.stride)
    forms = [
        Tiles(geometry, side) for side in range(max(1, taps - 1), min(LARGEST, len(POINTS) + 2 - taps) + 1)
    ]
    best = max(forms, key=lambda form: form.gain(inputs, outputs, batch), default=None)
    return best if best is not None and best.gain(inputs, outputs, batch) >= GAIN else None


@lru_cache(maxsize=64)
@torch.inference_mode(False)  # kept from call to call: what inference made, no gradient could pass
def _matrices(side: int, taps: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """B (points², points²), G (points², taps²) and Aᵀ (side², points²) for both directions, computed in float64.

    For a row of pixels x and taps w, the side outputs Σ w[k] x[i + k] are those of a polynomial product's transpose:
    A and G evaluate at the points, B is the transposed interpolation. Each row's scale is shared among the three.
    """
    points = side + taps - 1
    at = torch.tensor(POINTS[: points - 1], dtype=torch.float64)
    out_of, by_taps = (
        torch.cat([at[:, None] ** torch.arange(count), _infinity(count)]) for count in (side, taps)
    )
    into = torch.stack([_without(at, place) for place in range(points)])
    for place, point in enumerate(at):
        by_taps[place] /= torch.prod(point - torch.cat([at[:place], at[place + 1 :]]))
    norms = [part.norm(dim=1, keepdim=True) for part in (into, by_taps, out_of)]
    mean = (norms[0] * norms[1] * norms[2]) ** (1 / 3)
    both = [
        torch.kron(part, part)
        for part in (
            scaled * (mean / norm) for scaled, norm in zip((into, by_taps, out_of), norms, strict=True)
        )
    ]
    return both[0].to(dtype), both[1].to(dtype), both[2].t().contiguous().to(dtype)


def _infinity(count: int) -> Tensor:
    row = torch.zeros(1, count, dtype=torch.float64)
    row[0, -1] = 1
    return row


def _without(at: Tensor, place: int) -> Tensor:
    """The coefficients, the lowest first, of Π (x − point) over the points but the one at `place`; of all, for ∞."""
    made = torch.ones(1, dtype=torch.float64)
    for other, point in enumerate(at):
        if other != place:
            nothing = torch.zeros(1, dtype=torch.float64)
            made = torch.cat([nothing, made]) - point * torch.cat([made, nothing])
    return torch.cat([made, torch.zeros(len(at) + 1 - len(made), dtype=torch.float64)])
