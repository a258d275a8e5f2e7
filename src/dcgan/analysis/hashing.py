"""Pictures as codes of 128 bits: the denoising autoencoder by which the DCGAN paper found near-duplicates.

Radford, Metz & Chintala 2016, section 4.1: a 3072-128-3072 denoising dropout ReLU autoencoder on 32 × 32 centre crops,
whose code is thresholded into bits; pictures of equal bits are called duplicates. What the paper leaves open was
chosen by measurement, docs/duplicates.md: the noise, the length of training, and where the code is thresholded.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dcgan.data.images import fit_all, with_channels
from dcgan.data.sampling import BatchSampler, torch_seed

Progress = Callable[[int, int], None]

SIDE, BITS = 32, 128
NOISE = 0.1
"""Standard deviation of the noise on the input, whose pixels are 0 … 1."""

DROPOUT = 0.5
BATCH, STEPS, RATE = 128, 2000, 1e-3
_BLOCK = 2048


class HashingAutoencoder(nn.Module):
    """3072-128-3072: float32 (N, 3072) in 0 … 1, less the mean picture, to its code (N, 128) and back."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(3 * SIDE * SIDE, BITS)
        self.decoder = nn.Linear(BITS, 3 * SIDE * SIDE)

    def forward(self, x: Tensor) -> Tensor:
        code = torch.relu(self.encoder(x))
        rebuilt: Tensor = self.decoder(nn.functional.dropout(code, DROPOUT, self.training))
        return rebuilt


def crops(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8 NCHW → uint8 (N, 3072): the centre, 32 × 32 and in colour; grey is repeated."""
    return np.ascontiguousarray(with_channels(fit_all(images, (SIDE, SIDE)), 3)).reshape(len(images), -1)


def codes(images: NDArray[np.uint8], seed: int = 0, *, progress: Progress | None = None) -> NDArray[np.bool_]:
    """bool (N, 128): whether each unit is above its median over all of `images`, uint8 NCHW."""
    values = activations(images, seed, progress=progress)
    return values > np.median(values, axis=0)


def activations(
    images: NDArray[np.uint8], seed: int = 0, *, progress: Progress | None = None
) -> NDArray[np.float32]:
    """Train the autoencoder on `images` and return their codes before the ReLU: float32 (N, 128).

    The same images and seed give the same codes on the same machine.
    """
    pixels = torch.from_numpy(crops(images))
    mean = pixels.sum(0, dtype=torch.int64).float() / (255 * len(pixels))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_seed(seed, 0, 0))
        network = HashingAutoencoder().train()
        optimizer = torch.optim.Adam(network.parameters(), RATE)
        sampler = BatchSampler(len(pixels), BATCH, seed)
        for step in range(STEPS):
            torch.manual_seed(torch_seed(seed, step + 1, 0))
            clean = pixels[torch.from_numpy(sampler.indices(step))].float() / 255 - mean
            rebuilt = network(clean + NOISE * torch.randn_like(clean))
            loss = (rebuilt - clean).square().sum(1).mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            if progress and (step % 50 == 49 or step + 1 == STEPS):
                progress(step + 1, STEPS)
    network.eval()
    with torch.inference_mode():
        return torch.cat(
            [network.encoder(block.float() / 255 - mean) for block in torch.split(pixels, _BLOCK)]
        ).numpy()
