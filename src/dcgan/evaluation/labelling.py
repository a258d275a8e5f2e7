"""What a labeller says of pictures, and a sheet on which a person sees whether it is so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcgan.evaluation.labeller import Labeller
from dcgan.pictures import sheet

DOUBTFUL = 0.5
"""Below this confidence a label is a guess."""

SHOWN, MOST_ROWS = 20, 400
"""Pictures of a class on the sheet, the most confident ones, and classes."""


@dataclass(frozen=True)
class Guesses:
    """label, runner_up: int64 (N,), indices of classes. confidence, runner_up_confidence: float32 (N,), 0 … 1."""

    label: NDArray[np.int64]
    confidence: NDArray[np.float32]
    runner_up: NDArray[np.int64]
    runner_up_confidence: NDArray[np.float32]


def guesses(probabilities: NDArray[np.float32]) -> Guesses:
    """float32 (N, K), K at least 2 → the likeliest class of each row and the next; of equals the first."""
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :2].astype(np.int64)
    values = np.take_along_axis(probabilities, order, 1)
    return Guesses(order[:, 0], values[:, 0], order[:, 1], values[:, 1])


class Tally:
    """Counts per class, doubtful labels, and the pictures to show: fed block by block, of bounded size."""

    def __init__(self, labeller: Labeller) -> None:
        self.labeller = labeller
        self.counts = np.zeros(len(labeller.classes), np.int64)
        self.doubtful = 0
        self._best: dict[int, list[tuple[float, int, NDArray[np.uint8]]]] = {}

    def add(self, images: NDArray[np.uint8]) -> Guesses:
        """Label uint8 (n, C, H, W)."""
        found = guesses(self.labeller.probabilities(images))
        before = int(self.counts.sum())
        self.counts += np.bincount(found.label, minlength=len(self.counts))
        self.doubtful += int(np.count_nonzero(found.confidence < DOUBTFUL))
        for at, (label, confidence) in enumerate(zip(found.label, found.confidence, strict=True)):
            if int(label) not in self._best and len(self._best) == MOST_ROWS:
                continue
            best = self._best.setdefault(int(label), [])
            best.append((-float(confidence), before + at, images[at].transpose(1, 2, 0)))
            best.sort(key=lambda entry: entry[:2])
            del best[SHOWN:]
        return found

    def sheet(self, caption: str) -> NDArray[np.uint8]:
        """uint8 HWC: a row a class, the most confident first."""
        labels = [label for label in sorted(self._best) for _ in self._best[label]]
        images = np.stack([image for label in sorted(self._best) for _, _, image in self._best[label]])
        return sheet(
            images,
            np.array(labels, np.int64),
            self.labeller.classes,
            per_row=SHOWN,
            limit=len(images),
            caption=caption,
        )


def columns(found: Guesses, at: int, classes: Sequence[str]) -> list[str]:
    """class, confidence, runner-up and its confidence of one picture, as a table has them."""
    return [
        classes[found.label[at]],
        f"{found.confidence[at]:.4f}",
        classes[found.runner_up[at]],
        f"{found.runner_up_confidence[at]:.4f}",
    ]
