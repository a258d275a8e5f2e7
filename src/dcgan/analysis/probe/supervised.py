"""The supervised control: a network of D's own architecture trained with the labels (Radford et al. 2016, section 5.2).

Its settings are found by random search (Bergstra & Bengio 2012), 64 trials in the paper, by what they reach on held-out
pictures of the training split; the best ones are then trained and tested.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dcgan.data.sampling import Stream, permutation, stream, torch_seed
from dcgan.evaluation.classifier import moved
from dcgan.networks import build_networks
from dcgan.networks.stages import Staged, through
from dcgan.recipe import Recipe
from dcgan.training.engine import Engine

Progress = Callable[[int, int], None]

TRIALS = 64
SEEN, FEWEST_PASSES, MOST_PASSES = 30_000, 1, 60
"""Pictures seen in one training, within these passes over the labelled ones."""
BLOCK = 500


@dataclass(frozen=True)
class Settings:
    """One trial. rate: Adam's peak. decay: AdamW's. dropout: before the last layer. shift: pixels, at most. batch."""

    rate: float
    decay: float
    dropout: float
    shift: int
    batch: int

    def as_json(self) -> dict[str, float]:
        """JSON-ready."""
        return asdict(self)


def settings(seed: int, trial: int) -> Settings:
    """Those of a trial, a function of (seed, trial)."""
    draw = stream(Stream.ANALYSIS, seed, 26, trial)
    return Settings(
        rate=float(10 ** draw.uniform(-3.5, -2)),
        decay=float(10 ** draw.uniform(-5, -1)),
        dropout=float(draw.uniform(0, 0.6)),
        shift=int(draw.integers(0, 3)),
        batch=int(2 ** draw.integers(5, 8)),
    )


class Supervised(nn.Module):
    """D's hidden layers and a linear layer for the classes: float (N, C, H, W) in [-1, 1] → logits (N, K)."""

    def __init__(self, recipe: Recipe, classes: int, dropout: float) -> None:
        super().__init__()
        self.hidden = build_networks(recipe)["discriminator"]
        with torch.no_grad():
            blank = torch.zeros(2, recipe.channels, recipe.height, recipe.width)
            width = self._described(blank).shape[1]
        self.dropout = nn.Dropout(dropout)
        self.classes = nn.Linear(width, classes)

    def _described(self, x: Tensor) -> Tensor:
        return through(cast(Staged, self.hidden).stages(), x).flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classes(self.dropout(self._described(x)))
        return logits


def train_supervised(
    recipe: Recipe,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    classes: int,
    chosen: Settings,
    engine: Engine,
    *,
    seed: int = 0,
) -> Supervised:
    """A network trained on uint8 (N, C, H, W) and int64 (N,): AdamW, its rate up for a fifth and down in a cosine."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_seed(seed, 0, 0))
        network = Supervised(recipe, classes, chosen.dropout)
        engine.place(network)
        count = len(images)
        batch = min(chosen.batch, count)
        rounds = min(max(round(SEEN / count), FEWEST_PASSES), MOST_PASSES)
        a_pass = count // batch
        optimizer = torch.optim.AdamW(network.parameters(), chosen.rate, weight_decay=chosen.decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, chosen.rate, total_steps=a_pass * rounds + 1, pct_start=0.2
        )
        network.train()
        for step in range(a_pass * rounds):
            if step % a_pass == 0:
                order = permutation(seed, step // a_pass, count)
            at = order[step % a_pass * batch :][:batch]
            seen = engine.scaled(engine.tensor(_moved(images[at], chosen.shift, seed, step)))
            torch.manual_seed(torch_seed(seed, step, 0))
            loss = nn.functional.cross_entropy(network(seen), engine.tensor(labels[at]))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    return network.eval().requires_grad_(False)


@torch.inference_mode()
def accuracy(
    network: Supervised, images: NDArray[np.uint8], labels: NDArray[np.int64], engine: Engine
) -> float:
    """Share of the pictures whose class it finds, 0 … 1."""
    right = 0
    for start in range(0, len(images), BLOCK):
        block = engine.scaled(engine.tensor(np.ascontiguousarray(images[start : start + BLOCK])))
        found = network(block).argmax(1).cpu().numpy()
        right += int((found == labels[start : start + BLOCK]).sum())
    return right / len(labels)


def search(
    score: Callable[[Settings], float], trials: int, seed: int, progress: Progress | None = None
) -> Settings:
    """The settings of the trial with the highest score; the first of equals."""
    best, highest = settings(seed, 0), -math.inf
    for trial in range(trials):
        tried = settings(seed, trial)
        reached = score(tried)
        if reached > highest:
            best, highest = tried, reached
        if progress:
            progress(trial + 1, trials)
    return best


def _moved(images: NDArray[np.uint8], most: int, seed: int, step: int) -> NDArray[np.uint8]:
    """Each picture moved by up to `most` pixels each way."""
    draw = stream(Stream.ANALYSIS, seed, 27, step)
    down, right = (draw.integers(-most, most + 1, (len(images), 1)) for _ in range(2))
    return moved(images, down, right)
