"""Which recipe makes good, varied pictures of the right class soonest? Trains each on Fashion-MNIST and judges it.

    python benchmarks/recipes.py --seconds 60     equal time: what a person waits for
    python benchmarks/recipes.py --images 20000   equal images: a busy machine changes nothing

The judge is a small classifier trained here (two convolutions, 128 features, 3 epochs). For 5,000 designs it gives the
Fréchet distance to 10,000 training images in its features, the share whose class is the one asked for, and the
variety: the variance of features within a class, as a part of the data's own. Lower, higher and nearer to 1 are better.
"""

from __future__ import annotations

import argparse
import tempfile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import dcgan
from dcgan.data import open_dataset

VARIANTS: dict[str, dict[str, object]] = {
    "fast-28": {},
    "fast-28, γ 1, rate 1e-3": {"gamma": 1.0, "g_lr": 1e-3, "d_lr": 1e-3},
    "hinge + spectral norm, rate 4e-4": {
        "objective": "hinge",
        "spectral_norm": True,
        "gamma": 0.0,
        "g_lr": 4e-4,
        "d_lr": 4e-4,
    },
}


class Judge(nn.Module):
    """Images (N, 1, 28, 28) in [-1, 1] → features (N, 128), and class logits on request."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Linear(64 * 49, 128), nn.ReLU()),
        )
        self.classes = nn.Linear(128, 10)

    @torch.no_grad()
    def look(self, x: Tensor) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Features as float64 and the class seen, in blocks."""
        features = torch.cat([self.features(part) for part in x.split(500)])  # type: ignore[no-untyped-call]
        return features.double().numpy(), self.classes(features).argmax(1).numpy()


def scaled(images: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(images)).float() / 127.5 - 1


def train_judge(x: Tensor, y: Tensor, epochs: int = 3) -> Judge:
    torch.manual_seed(0)
    judge = Judge()
    optimizer = torch.optim.Adam(judge.parameters(), 1e-3)
    for _ in range(epochs):
        for part in torch.randperm(len(x)).split(128):  # type: ignore[no-untyped-call]
            loss = nn.functional.cross_entropy(judge.classes(judge.features(x[part])), y[part])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return judge


def frechet(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """‖μa − μb‖² + tr(Σa + Σb − 2(ΣaΣb)^½), the square root through the eigenvalues of the product."""
    gap = a.mean(0) - b.mean(0)
    one, two = np.cov(a.T), np.cov(b.T)
    roots = np.sqrt(np.linalg.eigvals(one @ two).real.clip(0)).sum()
    return float(gap @ gap + np.trace(one) + np.trace(two) - 2 * roots)


def variety(features: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    return float(np.mean([features[labels == k].var(0).sum() for k in range(10)]))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60, help="training time of each recipe")
    parser.add_argument("--images", type=int, help="real images that each recipe sees, in place of a time")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    train, test = open_dataset("fashion-mnist"), open_dataset("fashion-mnist", split="test")
    judge = train_judge(scaled(train.images), torch.from_numpy(train.labels))
    seen = judge.look(scaled(test.images))[1]
    print(f"judge: {(seen == test.labels).mean():.1%} of the test images right")
    real, _ = judge.look(scaled(train.images[:10_000]))
    held, _ = judge.look(scaled(test.images))
    print(f"test images against training images: distance {frechet(held, real):.2f}")
    print(f"{'recipe':34} {'images':>8} {'distance':>8} {'right class':>11} {'variety':>8}")
    for name, settings in VARIANTS.items():
        with tempfile.TemporaryDirectory() as runs:
            budget = {"images": options.images} if options.images else {"minutes": options.seconds / 60}
            run = dcgan.train(train, **budget, seed=options.seed, settings=settings, runs_dir=runs)
            images, labels = run.generate(5_000, seed=1)
            features, guess = judge.look(scaled(images.transpose(0, 3, 1, 2)))
            assert labels is not None and train.labels is not None
            spread = variety(features, labels) / variety(real, train.labels[:10_000])
            count = run.journal()[-1]["images"]
        right = (guess == labels).mean()
        print(f"{name:34} {count:8,} {frechet(features, real):8.1f} {right:11.1%} {spread:8.2f}", flush=True)


if __name__ == "__main__":
    main()
