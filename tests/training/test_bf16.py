"""Training in bf16 and in float32 agree within the noise of three seeds: the loss curves, and the pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from torch import nn

from dcgan.evaluation.checkup import generated_images
from dcgan.evaluation.metrics.frechet import frechet_distance
from dcgan.networks.convolution import Layer
from dcgan.networks.products import PASSES
from dcgan.training import trainer as trainer_module
from dcgan.training.engine import Engine
from dcgan.training.trainer import Trainer

from .tiny import digits, tiny

SEEDS, STEPS, WINDOW = 3, 120, 40
NOISE = 3.0
"""Standard errors of a difference that count as noise."""


@dataclass(frozen=True)
class Trained:
    """curve: losses of D and G, each the mean of `WINDOW` steps, (2 · windows,). frechet: of 1,000 designs, pixels."""

    curve: NDArray[np.float64]
    frechet: float


def training(precision: str, seed: int, **changes: Any) -> Trained:
    data = digits(1797, labelled=False)
    sizes: dict[str, Any] = {"g_maps": 8, "d_maps": 16, "z_dim": 16, "batch": 32}
    recipe = tiny(data, STEPS, **sizes, seed=seed, spectral_norm=False, **changes)
    trainer = Trainer(recipe, data, Engine.choose(precision, "cpu"))
    losses = []
    for _ in range(STEPS):
        values = trainer.advance()
        losses.append([float(values["loss_d"]), float(values["loss_g"])])
    made = generated_images(trainer, 1000).reshape(1000, -1).astype(np.float64) / 255
    real = data.images.reshape(len(data), -1).astype(np.float64) / 255
    curve = np.array(losses).reshape(-1, WINDOW, 2).mean(1).ravel()
    return Trained(curve, frechet_distance(real, made))


def apart(ours: list[Trained], theirs: list[Trained]) -> tuple[float, float]:
    """Differences of the means over seeds, the largest of the curve and that of the pictures, each in standard errors
    of a difference as the seeds spread."""

    def errors(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
        spread = np.sqrt((a.var(0, ddof=1) + b.var(0, ddof=1)) / SEEDS)
        return float((np.abs(a.mean(0) - b.mean(0)) / np.maximum(spread, 1e-3 * np.abs(b.mean(0)))).max())

    return (
        errors(np.array([each.curve for each in ours]), np.array([each.curve for each in theirs])),
        errors(np.array([[each.frechet] for each in ours]), np.array([[each.frechet] for each in theirs])),
    )


def in_every_layer(monkeypatch: pytest.MonkeyPatch, products: frozenset[str]) -> None:
    """bf16 in every layer, also in those that it makes slower here, with these passes as products."""

    def choose(networks: Mapping[str, nn.Module], run: object, machine: str) -> dict[str, object]:
        for layer in chain.from_iterable(network.modules() for network in networks.values()):
            if isinstance(layer, Layer):
                layer.as_products = products
        return {}

    monkeypatch.setattr(trainer_module, "keep_sound", choose)


def test_they_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = [training("float32", seed) for seed in range(SEEDS)]
    before = exact
    for products in (frozenset[str](), frozenset(PASSES)):
        in_every_layer(monkeypatch, products)
        rounded = [training("bf16", seed) for seed in range(SEEDS)]
        same = [(a.curve == b.curve).all() for a, b in zip(before, rounded, strict=True)]
        assert not any(same), "nothing was computed in another way"
        assert max(apart(rounded, exact)) < NOISE
        before = rounded
    slower = [training("float32", seed, g_lr=1e-3, d_lr=1e-3) for seed in range(SEEDS)]
    assert max(apart(slower, exact)) > NOISE, "half the rate is seen, so a difference as small would be"
