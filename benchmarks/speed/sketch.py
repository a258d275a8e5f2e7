"""The first sketch of `fast-28`, from before there was an engine: the yardstick of how far `fast-28` has come.

z 64 → dense 7×7×128 → convT 64 → convT 32 (k4s2 each, batch norm and ReLU before each) → conv 1 k3 → tanh. D: conv 32
k4s2, 64 k4s2, 128 k3s1, 128 k4s2, dense 1, each with spectral norm, leaky ReLU .2 between. The hinge, Adam 4e-4
(0, .99), batches of 64, and a moving average of G with a decay of .998. No classes.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from speed.reference import LOSSES, move_average

Z_DIM, BATCH, RATE, EMA = 64, 64, 4e-4, 0.998


def generator() -> nn.Sequential:
    """float32 (N, 64) → (N, 1, 28, 28) in [-1, 1]; 565,985 parameters."""
    return nn.Sequential(
        nn.Linear(Z_DIM, 128 * 7 * 7, bias=False),
        nn.Unflatten(1, (128, 7, 7)),
        *(nn.BatchNorm2d(128), nn.ReLU(inplace=True)),
        *(nn.ConvTranspose2d(128, 64, 4, 2, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True)),
        *(nn.ConvTranspose2d(64, 32, 4, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(inplace=True)),
        *(nn.Conv2d(32, 1, 3, padding=1), nn.Tanh()),
    )


def discriminator() -> nn.Sequential:
    """(N, 1, 28, 28) → logits (N, 1); 370,657 parameters."""
    leak = nn.LeakyReLU(0.2, inplace=True)
    return nn.Sequential(
        *(spectral_norm(nn.Conv2d(1, 32, 4, 2, 1)), leak),
        *(spectral_norm(nn.Conv2d(32, 64, 4, 2, 1)), leak),
        *(spectral_norm(nn.Conv2d(64, 128, 3, 1, 1)), leak),
        *(spectral_norm(nn.Conv2d(128, 128, 4, 2, 1)), leak),
        *(nn.Flatten(), spectral_norm(nn.Linear(128 * 3 * 3, 1))),
    )


class Sketch:
    """The sketch's training. images: float32 (N, 1, 28, 28) in [-1, 1] on the device. bf16: autocast in both passes."""

    def __init__(self, images: Tensor, *, bf16: bool) -> None:
        self.images, self.bf16 = images, bf16
        self.generator, self.discriminator = generator().to(images.device), discriminator().to(images.device)
        self.average = copy.deepcopy(self.generator).requires_grad_(False)
        self.adam_g, self.adam_d = (
            torch.optim.Adam(network.parameters(), RATE, betas=(0.0, 0.99), fused=True)
            for network in (self.generator, self.discriminator)
        )
        self.loss_d, self.loss_g = LOSSES["hinge"]
        self.number = 0

    def advance(self) -> tuple[Tensor, Tensor]:
        """One step: D, then G by the same fakes. Returns both losses."""
        device = self.images.device
        real = self.images[torch.randint(len(self.images), (BATCH,), device=device)]
        z = torch.randn(BATCH, Z_DIM, device=device)
        with torch.autocast(device.type, torch.bfloat16, enabled=self.bf16):
            fake = self.generator(z)
            real_out, fake_out = self.discriminator(torch.cat([real, fake.detach()])).float().chunk(2)
        loss_d = self.loss_d(real_out, fake_out)
        self.adam_d.zero_grad()
        loss_d.backward()
        self.adam_d.step()

        self.discriminator.requires_grad_(False)
        with torch.autocast(device.type, torch.bfloat16, enabled=self.bf16):
            fake_out = self.discriminator(fake).float()
        loss_g = self.loss_g(fake_out, fake_out)
        self.adam_g.zero_grad()
        loss_g.backward()
        self.adam_g.step()
        self.discriminator.requires_grad_(True)

        move_average(self.average, self.generator, min(EMA, (1 + self.number) / (10 + self.number)))
        self.number += 1
        return loss_d, loss_g
