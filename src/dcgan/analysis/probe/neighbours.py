"""Few labels, and pictures without one: each picture's answer is mixed with those of the pictures nearest to it.

Pictures that are near each other in features mostly show the same class. A classifier of few labels does not see that:
it has seen few pictures. F ← α S F + (1 − α) F₀ over the graph of nearest neighbours (Zhou et al. 2004, section 2) from
the classifier's own answers F₀ (the "smooth" of Huang et al. 2021, "Correct and smooth", eq. 8). No label is used but
those the classifier learned from, and no picture of the test split to answer for another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from torch import Tensor

from dcgan.analysis.probe.svm import LinearSVM
from dcgan.evaluation.neighbours import nearest

Floats = NDArray[np.float32]
Indices = NDArray[np.int64]

COMPONENTS = 256
"""Leading principal components in which pictures are near each other."""
SHARE = 0.5
"""α: of a picture's answer, what its neighbours say."""
ROUNDS = 10
"""A neighbour's neighbour counts a half of it, and so on: a thousandth after these."""
SHARPNESS = 3.0
"""By what margins are multiplied before they become probabilities; between 2 and 4 nothing changed."""


@dataclass(frozen=True)
class Neighbours:
    """train, test: of each picture the k nearest of `train`, int64 (N, k), and how much each of them counts, float32
    (N, k), which is 1 in all: exp(−d / mean d)."""

    train: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]

    @staticmethod
    def of(
        train: Floats, test: Floats, count: int, progress: Callable[[int, int], None] | None = None
    ) -> Neighbours:
        """Of standardised features, float32 (N, d); no picture is its own neighbour."""
        if min(train.shape) > COMPONENTS:
            components = PCA(COMPONENTS, svd_solver="covariance_eigh").fit(train)
            train, test = components.transform(train), components.transform(test)
        own = nearest(train, train, count, own=np.arange(len(train)), progress=progress)
        unit = float(own[0].mean()) or 1.0
        return Neighbours(_weighed(own, unit), _weighed(nearest(test, train, count), unit))

    @torch.inference_mode()
    def for_train(self, machine: LinearSVM, rows: Floats, known: Indices, labels: Indices) -> Tensor:
        """Probabilities of the classes, float32 (N, classes). known, labels: what the classifier learned from, whose
        answers stay."""
        first, at = _probabilities(machine, rows), torch.from_numpy(known)
        given = torch.nn.functional.one_hot(torch.from_numpy(labels), first.shape[1]).float()
        first[at] = given
        spread = first
        for _ in range(ROUNDS):
            spread = torch.lerp(first, _said(spread, self.train), SHARE)
            spread[at] = given
        return spread

    @torch.inference_mode()
    def for_test(self, machine: LinearSVM, rows: Floats, train: Tensor) -> Tensor:
        """The same for the pictures of the test. train: what `for_train` says."""
        return torch.lerp(_probabilities(machine, rows), _said(train, self.test), SHARE)


def _weighed(found: tuple[Floats, Indices], unit: float) -> tuple[Tensor, Tensor]:
    distances, indices = map(torch.from_numpy, found)
    return indices, (-distances / unit).softmax(1)


def _said(answers: Tensor, near: tuple[Tensor, Tensor]) -> Tensor:
    """What the neighbours of each picture say, (N, classes)."""
    indices, weights = near
    return torch.einsum("nk,nkc->nc", weights, answers[indices])


def _probabilities(machine: LinearSVM, rows: Floats) -> Tensor:
    return torch.from_numpy(machine.margins(rows)).mul(SHARPNESS).softmax(1)
