"""The linear classifier of the papers' tables: one-against-all L2-SVM, in float32, on features of any number.

min over w of ½‖w‖² + C · Σᵢ max(0, 1 − yᵢ w·xᵢ)², for each class by itself, the bias a weight like the others: the
problem that scikit-learn's `LinearSVC` solves. That copies its features to float64: 50,000 pictures with 28,672 numbers
each, as in Radford et al. 2016, would be 11.5 GB of it, and it goes through them class by class. Here Newton's steps by
conjugate gradients (Keerthi & DeCoste 2005) are taken for all classes at a time, so that one product with the features
serves all, and the leading directions of the features are solved beforehand (Frangella, Tropp & Udell 2021).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

NEWTON_STEPS, CONJUGATE_STEPS = 50, 40
TOLERANCE = 1e-4
"""Norm of a class's gradient, as a share of that at w = 0, at which it is solved."""
LEADING = 256
"""Directions of the features that the preconditioner knows."""
BLOCK = 8192
"""Pictures at a time, where there are many."""


@dataclass(frozen=True)
class Scale:
    """Features to mean 0 and variance 1. mean, deviation: float32 (d,); one that never varies is divided by 1."""

    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]

    @staticmethod
    def of(features: NDArray[np.float32]) -> Scale:
        """That of `features`, float32 (N, d), in float64 by blocks."""
        total, squares = (np.zeros(features.shape[1]) for _ in range(2))
        shift = features[:1].astype(np.float64)  # the variance of large means would be lost in rounding
        for start in range(0, len(features), BLOCK):
            block = features[start : start + BLOCK] - shift
            total += block.sum(0)
            squares += np.einsum("nd,nd->d", block, block)
        mean = total / len(features)
        deviation = np.sqrt(np.maximum(squares / len(features) - mean**2, 0))
        return Scale(
            (mean + shift[0]).astype(np.float32), np.where(deviation > 1e-6, deviation, 1).astype(np.float32)
        )

    def __call__(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32 (N, d), new."""
        scaled = features - self.mean
        scaled /= self.deviation
        return scaled

    def in_place(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """The same array, scaled."""
        features -= self.mean
        features /= self.deviation
        return features


class LinearSVM:
    """One L2-SVM for each class. weights: float32 (K, d + 1), the last column the biases."""

    def __init__(self, weights: NDArray[np.float32]) -> None:
        self.weights = weights

    def margins(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32 (N, d) → float32 (N, K), how far on each class's side."""
        weights = torch.from_numpy(self.weights)
        found = [
            _forward(torch.from_numpy(features[start : start + BLOCK]), weights).numpy()
            for start in range(0, len(features), BLOCK)
        ]
        return np.concatenate(found)

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.int64]:
        """float32 (N, d) → int64 (N,), the class with the largest margin."""
        found: NDArray[np.int64] = self.margins(features).argmax(1).astype(np.int64)
        return found

    def accuracy(self, features: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
        """Share of `labels`, (N,), that it finds, 0 … 1."""
        return float((self.predict(features) == labels).mean())


def fit(features: NDArray[np.float32], labels: NDArray[np.int64], classes: int, c: float) -> LinearSVM:
    """The classifier of float32 (N, d) and int64 (N,) in 0 … classes − 1, for one C."""
    return next(path(features, labels, classes, [c]))


def path(
    features: NDArray[np.float32], labels: NDArray[np.int64], classes: int, cs: Sequence[float]
) -> Iterator[LinearSVM]:
    """The classifiers for several C, each begun where the last one ended: soonest in rising order."""
    x = torch.from_numpy(features)
    y = -torch.ones(len(labels), classes)
    y[torch.arange(len(labels)), torch.from_numpy(labels)] = 1
    weights = torch.zeros(classes, features.shape[1] + 1)
    leading = Leading.of(x)
    for c in cs:
        weights = _solve(x, y, c, weights, leading)
        yield LinearSVM(weights.numpy())


@dataclass(frozen=True)
class Leading:
    """The leading directions of XᵀX: vectors (d + 1, r), orthonormal, and their eigenvalues (r,), falling."""

    vectors: Tensor
    values: Tensor

    @staticmethod
    @torch.inference_mode()
    def of(x: Tensor) -> Leading:
        """By Nyström's method from a seeded sketch (Frangella, Tropp & Udell 2021, algorithm 2.1)."""
        width = x.shape[1] + 1
        draw = torch.Generator().manual_seed(0)
        sketch = torch.linalg.qr(torch.randn(width, min(LEADING, width), generator=draw))[0]
        image = torch.zeros_like(sketch)
        for start in range(0, len(x), BLOCK):
            block = x[start : start + BLOCK]
            image += _backward(block, _forward(block, sketch.t())).t()
        shift = 1e-6 * image.norm()
        image += shift * sketch
        root = torch.linalg.cholesky(_symmetric(sketch.t() @ image))
        vectors, values, _ = torch.linalg.svd(
            torch.linalg.solve_triangular(root, image.t(), upper=False).t(), full_matrices=False
        )
        return Leading(vectors, (values.square() - shift).clamp_(min=0))

    def solve(self, rows: Tensor, weight: Tensor) -> Tensor:
        """About (I + weight · XᵀX)⁻¹ of each row, up to a factor. rows: (K, d + 1). weight: (K,)."""
        last = 1 + weight[:, None] * self.values[-1]
        along = rows @ self.vectors
        return rows + (along * (last / (1 + weight[:, None] * self.values) - 1)) @ self.vectors.t()


@torch.inference_mode()
def _solve(x: Tensor, y: Tensor, c: float, weights: Tensor, leading: Leading) -> Tensor:
    """Newton's method, its steps by conjugate gradients; every row is a class with steps of its own."""
    weights = weights.clone()
    margins = _forward(x, weights)
    # At w = 0 every picture is within the margin: the gradient is −2C Xᵀy.
    goal = TOLERANCE * 2 * c * _backward(x, y).norm(dim=1)
    for _ in range(NEWTON_STEPS):
        slack = (1 - y * margins).clamp_(min=0)
        gradient = weights - 2 * c * _backward(x, y * slack)
        unsolved = gradient.norm(dim=1) > goal
        if not unsolved.any():
            break
        active = (slack > 0).to(x.dtype)
        step = _conjugate(x, active, c, gradient * unsolved[:, None], leading)
        weights, margins = _search(x, y, c, weights, margins, step, gradient)
    return weights


def _conjugate(x: Tensor, active: Tensor, c: float, gradient: Tensor, leading: Leading) -> Tensor:
    """About −H⁻¹g of each class, H = I + 2C Xᵀ diag(active) X, until a tenth of the gradient is left."""
    weight = 2 * c * active.mean(0)
    step = torch.zeros_like(gradient)
    residual = -gradient
    ready = leading.solve(residual, weight)
    direction = ready.clone()
    product = (residual * ready).sum(1)
    goal = 0.1 * residual.norm(dim=1)
    for _ in range(CONJUGATE_STEPS):
        busy = residual.norm(dim=1) > goal
        if not busy.any():
            break
        curved = direction + 2 * c * _backward(x, active * _forward(x, direction))
        length = torch.where(busy, product / (direction * curved).sum(1).clamp_(min=1e-30), 0.0)[:, None]
        step += length * direction
        residual -= length * curved
        ready = leading.solve(residual, weight)
        product, before = (residual * ready).sum(1), product
        direction = ready + torch.where(busy, product / before.clamp(min=1e-30), 0.0)[:, None] * direction
    return step


def _search(
    x: Tensor, y: Tensor, c: float, weights: Tensor, margins: Tensor, step: Tensor, gradient: Tensor
) -> tuple[Tensor, Tensor]:
    """The longest of 1, ½, ¼, … of each class's step that lowers its loss by a share of what its slope promises."""
    moved = _forward(x, step)
    slope = (gradient * step).sum(1).double()
    here = _loss(y, c, weights, margins)
    length = torch.ones(len(weights))
    for _ in range(20):
        there = _loss(y, c, weights + length[:, None] * step, margins + length * moved)
        bad = there > here + 0.01 * length * slope
        if not bad.any():
            break
        length = torch.where(bad, length / 2, length)
    else:
        length = torch.where(bad, 0.0, length)  # rounding is all that is left
    return weights + length[:, None] * step, margins + length * moved


def _loss(y: Tensor, c: float, weights: Tensor, margins: Tensor) -> Tensor:
    slack = (1 - y * margins).clamp_(min=0)
    return 0.5 * weights.double().square().sum(1) + c * slack.square_().sum(0, dtype=torch.float64)


def _forward(x: Tensor, weights: Tensor) -> Tensor:
    """(N, d), (K, d + 1) → (N, K)."""
    return torch.addmm(weights[:, -1], x, weights[:, :-1].t())


def _backward(x: Tensor, values: Tensor) -> Tensor:
    """(N, d), (N, K) → (K, d + 1). In this order: x.t() @ values takes twelve times as long."""
    return torch.cat([values.t() @ x, values.sum(0)[:, None]], 1)


def _symmetric(matrix: Tensor) -> Tensor:
    return (matrix + matrix.t()) / 2
