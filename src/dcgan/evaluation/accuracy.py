"""The classification accuracy score (Ravuri & Vinyals 2019): what a classifier learns from designs alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dcgan.evaluation.classifier import Classifier, Progress, fit_classifier
from dcgan.evaluation.kept import BLOCK
from dcgan.training.engine import Engine


def accuracy_score(
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    test_images: NDArray[np.uint8],
    test_labels: NDArray[np.int64],
    classes: int,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> float:
    """The share of real test pictures that a classifier names rightly which has seen `images` and nothing else, 0 … 1.

    images: uint8 (N, C, H, W), labels: int64 (N,), the classes that were asked for. The classifier is the labeller's
    (the paper trains a ResNet-50 on ImageNet): compare with the score of as many real pictures, not with other papers.
    """
    device = Engine.choose("float32").device
    network = Classifier(images.shape[1], (images.shape[2], images.shape[3]), classes)
    fit_classifier(network, images, labels, seed=seed, device=device, progress=progress)
    right = 0
    engine = Engine(device, bf16=False)
    for start in range(0, len(test_images), BLOCK):
        block = engine.tensor(np.ascontiguousarray(test_images[start : start + BLOCK]))
        seen = network.classes(network.features(block)).argmax(1).cpu().numpy()
        right += int((seen == test_labels[start : start + BLOCK]).sum())
    return right / len(test_labels)
