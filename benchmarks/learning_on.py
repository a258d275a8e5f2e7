"""Few labels, and a discriminator that learns on: from a hundred labels a class, and from its own surest answers.

    python benchmarks/learning_on.py fashion-mnist runs/linear-probe/fashion-mnist-0 --draws 2

FixMatch (Sohn et al. 2020) from the weights of a discriminator that was trained without labels: its moving average
names the class of a picture that was changed little; where it is sure, the network learns to say the same of it
changed much. Answers are weighed so that all classes are as frequent (distribution alignment, Berthelot et al. 2020).
The draws are those of `dcgan probe --labels-per-class 100`, the pictures without labels all others of the training
split; a network's answer is the mean of those to a picture and to its mirror image. 2,500 steps take 20 minutes of one
thread.
"""

from __future__ import annotations

import argparse
import copy
import math
import time

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import affine_grid, cross_entropy, grid_sample

from dcgan import api
from dcgan.analysis.probe.probe import CHOOSING_DRAWS, draw, held_out
from dcgan.analysis.probe.supervised import Supervised
from dcgan.data import Dataset, open_dataset
from dcgan.model import Model

PER_CLASS, WITH, WITHOUT = 100, 64, 256
"""Labels of a class; pictures with and without a label in a step."""
RATE, DECAY, DROPOUT, SURE, AVERAGE, BEGIN = 1e-3, 1e-2, 0.3, 0.8, 0.998, 500
"""Adam's peak rate; AdamW's decay; of the last layer; the probability from which an answer is learned from; the moving
average's decay; steps until answers count in full."""


def changed(
    x: Tensor, draws: torch.Generator, turn: float, scale: float, skew: float, shift: float
) -> Tensor:
    """Mirrored or not, turned (degrees), scaled (as a logarithm), sheared and moved (pixels), each up to that much."""
    count, height = len(x), x.shape[2]

    def up_to(most: float) -> Tensor:
        return (torch.rand(count, generator=draws) * 2 - 1) * most

    angle, size, wide = up_to(turn) * math.pi / 180, up_to(scale).exp(), up_to(scale / 2).exp()
    mirror = torch.where(torch.rand(count, generator=draws) < 0.5, -1.0, 1.0)
    across, down = size * wide, size / wide
    right, below = (up_to(2 * shift / height) for _ in range(2))
    first = torch.stack([angle.cos() * across * mirror, up_to(skew) - angle.sin() * across, right], 1)
    second = torch.stack([angle.sin() * down * mirror, angle.cos() * down, below], 1)
    grid = affine_grid(torch.stack([first, second], 1), list(x.shape), align_corners=False)
    return grid_sample(x + 1, grid, align_corners=False) - 1


def a_little(x: Tensor, draws: torch.Generator) -> Tensor:
    return changed(x, draws, 0, 0.03, 0, 1.5)


def a_lot(x: Tensor, draws: torch.Generator) -> Tensor:
    """Of another shape, gamma and contrast, and with a square of ten pixels painted over."""
    y = (changed(x, draws, 12, 0.12, 0.12, 2.5) + 1) / 2
    count, _, height, width = y.shape

    def between(low: float, high: float) -> Tensor:
        return (torch.rand(count, generator=draws) * (high - low) + low).view(-1, 1, 1, 1)

    y = (y.clamp(0, 1) ** between(-0.5, 0.5).exp() * between(-0.3, 0.3).exp()).clamp(0, 1)
    rows = torch.arange(height).view(1, 1, -1, 1) - between(-4, height)
    columns = torch.arange(width).view(1, 1, 1, -1) - between(-4, width)
    hole = (rows >= 0) & (rows < 10) & (columns >= 0) & (columns < 10)
    return torch.where(hole, between(0, 1).expand_as(y), y) * 2 - 1


def scaled(data: Dataset) -> Tensor:
    return torch.from_numpy(np.array(data.images)).float() / 127.5 - 1


@torch.inference_mode()
def accuracy(network: nn.Module, x: Tensor, labels: NDArray[np.int64]) -> float:
    network.eval()
    found = [
        (network(part).softmax(1) + network(part.flip(3)).softmax(1)).argmax(1)
        for part in torch.split(x, 500)
    ]
    return float((torch.cat(found).numpy() == labels).mean())


def learned_on(
    model: Model, x: Tensor, own: Tensor, labels: Tensor, classes: int, steps: int, seed: int, begun: bool
) -> nn.Module:
    """The moving average of a network that starts from D's layers, or `begun` False from none.

    x: float32 (N, C, H, W). own: indices of those with labels; labels: theirs.
    """
    torch.manual_seed(seed)
    draws = torch.Generator().manual_seed(seed + 1)
    network = Supervised(model.recipe, classes, DROPOUT)
    if begun:
        network.hidden.load_state_dict(model.discriminator.state_dict())
    network = network.requires_grad_(True).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average: nn.Module = copy.deepcopy(network).requires_grad_(False).eval()
    weights = [part for part in network.parameters() if part.ndim > 1]
    others = [part for part in network.parameters() if part.ndim < 2]
    optimizer = torch.optim.AdamW(
        [{"params": weights, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}],
        RATE,
        betas=(0.9, 0.99),
    )
    rest = torch.from_numpy(np.setdiff1d(np.arange(len(x)), own.numpy()))
    usual = torch.full((classes,), 1 / classes)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1, step / 100) * math.cos(7 / 16 * math.pi * step / steps)
        which = torch.randint(len(own), (WITH,), generator=draws)
        unknown = x[rest[torch.randint(len(rest), (WITHOUT,), generator=draws)]]
        with torch.no_grad():
            answer = average(a_little(unknown, draws)).softmax(1)
            usual = 0.99 * usual + 0.01 * answer.mean(0)
            answer = answer / usual
            sure, told = (answer / answer.sum(1, keepdim=True)).max(1)
        known = (a_lot if step % 2 else a_little)(x[own[which]], draws)
        logits = network.train()(torch.cat([known, a_lot(unknown, draws)]))
        by_labels = cross_entropy(logits[:WITH], labels[which])
        by_answers = (cross_entropy(logits[WITH:], told, reduction="none") * (sure >= SURE)).mean()
        optimizer.zero_grad()
        (by_labels + min(1.0, step / BEGIN) * by_answers).backward()
        optimizer.step()
        kept = min(AVERAGE, (step + 1) / (step + 10))
        with torch.no_grad():
            for mean, new in zip(average.parameters(), network.parameters(), strict=True):
                mean.lerp_(new, 1 - kept)
    return average


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", help="a named set with a test split")
    parser.add_argument("run", help="a run that learned from it, without labels")
    parser.add_argument("--draws", type=int, default=2)
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument(
        "--untrained", action="store_true", help="start from no weights, to see what they give"
    )
    options = parser.parse_args()
    model = api.open_run(options.run).model(start="last")
    train, test = (open_dataset(options.data, split=split) for split in ("train", "test"))
    if train.labels is None or test.labels is None:
        raise SystemExit(f"{options.data} has no labels")
    x, tested = scaled(train), scaled(test)
    _, pool = held_out(len(train), 0)
    began = time.monotonic()
    for number in range(options.draws):
        own = pool[draw(train.labels[pool], PER_CLASS, len(train.classes), 0, CHOOSING_DRAWS + number)]
        network = learned_on(
            model, x, torch.from_numpy(own), torch.from_numpy(train.labels[own]), len(train.classes),
            options.steps, number, not options.untrained,
        )  # fmt: skip
        found = accuracy(network, tested, test.labels)
        print(
            f"draw {number}: {100 * found:.2f} % of {len(test):,}, {time.monotonic() - began:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
