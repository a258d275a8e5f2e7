"""A convolutional network with fixed random weights: needs no labels, no training and no download.

Random features tell distributions apart about as well as trained ones where pictures are not photographs of ImageNet's
kind (Naeem et al. 2020). The outline of this one was the best of nine tried by how far graded damage to 1000 images of
Fashion-MNIST lies above the floor; `benchmarks/extractors.py` measures it: the heaviest checkerboard lies at 25 times
the floor, in pixels at 1.7.

    picture ≤ 64 × 64 → conv 32 → ReLU → conv 64 → ReLU → conv 96 → ReLU, all 3 × 3, stride 2
    features: brightness on a 4 × 4 grid (16), mean and deviation of each map of layer 1 (64), means of 2 and 3 (160)

The first layer's filters sum to 0: it sees edges, not brightness. The means of maps forget where things are.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, conv2d, relu

from dcgan.data.options import Progress
from dcgan.errors import DcganError
from dcgan.evaluation.extractors.blocks import in_blocks, in_colour, shrunk

CHANNELS = (32, 64, 96)
SEED = 2018
GRID = 4
LONGEST, SHORTEST = 64, 8

SCALES = (3.2, 4.8, 6.2, 3.6, 3.1)
"""Of the five groups above: with them each has a variance of about 1 in all on noise of 1/f spectrum, 32 × 32."""

_BLOCK = 128


class Fixed:
    """uint8 (N, 1 or 3, H, W), 8 pixels or more a side → float32 (N, 240). Grey counts as three equal channels.

    Pictures above 64 pixels a side are averaged over squares of pixels first. Raises `DcganError` below 8.
    """

    name = "fixed"

    def __init__(self) -> None:
        inputs = (3, *CHANNELS)
        self.weights = [
            torch.from_numpy(_weights(layer, outputs, inputs[layer]))
            for layer, outputs in enumerate(CHANNELS)
        ]
        digest = hashlib.sha256(repr(("fixed 1", CHANNELS, GRID, LONGEST, SCALES)).encode())
        for weight in self.weights:
            digest.update(weight.numpy().astype("<f4").tobytes())
        self.sha256 = digest.hexdigest()
        self.facts: dict[str, Any] = {
            "trained_on": "nothing: random weights of a pinned seed",
            "features": GRID**2 + 2 * CHANNELS[0] + sum(CHANNELS[1:]),
            "larger_pictures": f"averaged to at most {LONGEST} pixels a side",
        }

    def __call__(self, images: NDArray[np.uint8], progress: Progress | None = None) -> NDArray[np.float32]:
        if min(images.shape[2:]) < SHORTEST:
            height, width = images.shape[2:]
            raise DcganError(
                f"pictures of {width} × {height} pixels: extractor fixed needs {SHORTEST} × {SHORTEST}"
            )
        return in_blocks(images, _BLOCK, self.tensor_features, progress)

    def tensor_features(self, x: Tensor) -> Tensor:
        """float32 (N, 240) of float32 NCHW in [0, 1], differentiable."""
        x = shrunk(x, LONGEST)
        groups = [adaptive_avg_pool2d(x.mean(1, keepdim=True), GRID).flatten(1)]
        maps = in_colour(x)
        for layer, weight in enumerate(self.weights):
            maps = relu(conv2d(maps, weight, stride=2, padding=1))
            groups.append(maps.mean((2, 3)))
            if layer == 0:
                groups.append(maps.flatten(2).std(2, correction=0))
        return torch.cat([scale * group for scale, group in zip(SCALES, groups, strict=True)], 1)


def _weights(layer: int, outputs: int, inputs: int) -> NDArray[np.float32]:
    """float32 (outputs, inputs, 3, 3), each filter of length √2, which keeps the size of activations (He et al. 2015).

    Sums of four uniform draws, made of the generator's raw bits, stand for normal ones: they are the same on every
    machine and in every version of numpy, as a normal draw or an orthogonal matrix need not be.
    """
    bits = np.random.Philox(key=np.array((SEED, layer), np.uint64)).random_raw(4 * outputs * inputs * 9)
    uniform = (np.asarray(bits) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    filters = uniform.reshape(4, outputs, inputs * 9).sum(0) - 2
    if layer == 0:
        filters -= filters.mean(1, keepdims=True)
    filters *= np.sqrt(2 / (filters**2).sum(1, keepdims=True))
    return np.asarray(filters.reshape(outputs, inputs, 3, 3), np.float32)
