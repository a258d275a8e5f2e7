"""The labeller of a labelled set is trained, once, and its accuracy measured on pictures that it has not seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dcgan.data import Dataset
from dcgan.data.prepared import cache_limit
from dcgan.data.sampling import Stream, stream
from dcgan.errors import DcganError, quoted
from dcgan.evaluation.classifier import Classifier, Progress, fit_classifier
from dcgan.evaluation.kept import (
    VERSION,
    Labeller,
    Report,
    find_labeller,
    find_named_labeller,
    keep_labeller,
    load_labeller,
    weights_sha256,
)
from dcgan.training.engine import Engine

__all__ = ["Labeller", "find_labeller", "find_named_labeller", "load_labeller", "train_labeller"]

MOST_TRAINED, MOST_TESTED = 60_000, 20_000
"""Pictures; of more, as many are drawn."""

FEWEST = 2
"""Pictures of each class: one to learn from, one to be tested on."""


def train_labeller(
    data: Dataset,
    test: Dataset | None = None,
    *,
    seed: int = 0,
    progress: Progress | None = None,
    tell: Report | None = None,
) -> Labeller:
    """The labeller of `data`: the kept one, or one trained now and kept.

    test: other pictures with the same class names, on which the accuracy is measured. Without them a tenth of each
    class, one picture at least, is held out of training for it. progress is told (pictures seen, of how many), tell a
    line when something needs saying. Raises `DcganError` where there is nothing to learn from.
    """
    labels = _checked(data, test)
    tested_sha256 = None if test is None else test.sha256
    found = find_labeller(data.sha256, seed=seed, tell=tell)
    if found and (test is None or found.facts["test_sha256"] == tested_sha256):
        return found
    train, held_out = split(labels, seed) if test is None else (np.arange(len(data)), np.arange(0))
    train = _some(train, MOST_TRAINED, seed, 1)
    device = Engine.choose("float32").device
    network = Classifier(data.channels, data.size, len(data.classes))
    images = data.images if len(train) == len(data) else data.images[train]
    fit_classifier(network, images, labels[train], seed=seed, device=device, progress=progress)
    labeller = Labeller(network, data.classes, data.size, data.channels, {}, weights_sha256(network), device)
    right = _right(labeller, data, held_out) if test is None else _right(labeller, test, np.arange(len(test)))
    facts = {
        "trained_on": data.name,
        "data_sha256": data.sha256,
        "source": data.origin.get("source", ""),
        "kind": data.origin.get("kind", ""),
        "images": len(train),
        "test_accuracy": float(np.mean(right)),
        "test_images": len(right),
        "tested_on": "held out of the training pictures" if test is None else "the test split",
        "test_sha256": tested_sha256,
        "seed": seed,
        "version": VERSION,
    }
    labeller = replace(labeller, facts=facts)
    if cache_limit():
        try:
            keep_labeller(labeller)
        except DcganError as error:
            if tell:
                tell(f"the labeller was not kept for next time: {error}")
    return labeller


def split(labels: NDArray[np.int64], seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices to learn from and to be tested on: of each class a tenth is held out, one picture at least."""
    held: list[NDArray[np.intp]] = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        draw = stream(Stream.LABELLER, seed, 0, 2 + int(label))
        held.append(draw.permutation(members)[: max(1, len(members) // 10)])
    out = np.sort(np.concatenate(held))
    return np.setdiff1d(np.arange(len(labels)), out), out


def _checked(data: Dataset, test: Dataset | None) -> NDArray[np.int64]:
    """The labels of `data`, which are enough to learn from."""
    if data.labels is None or np.count_nonzero(data.counts) < 2:
        what = "has no labels" if data.labels is None else "has pictures of one class only"
        raise DcganError(
            f"{data.name} {what}: a labeller needs {FEWEST} classes at least, for example a folder for each"
        )
    few = [name for name, count in zip(data.classes, data.counts, strict=True) if 0 < count < FEWEST]
    if few:
        raise DcganError(
            f"{data.name} has 1 picture of {quoted(few[0])}: a labeller needs {FEWEST} of each class at least, and a "
            "few dozen to be any good"
        )
    if test is not None and (
        test.labels is None
        or len(test) == 0
        or (test.size, test.channels, test.classes) != (data.size, data.channels, data.classes)
    ):
        raise DcganError(
            f"{test.name}: the test pictures have another size or other classes than {data.name}"
        )
    return data.labels


def _some(indices: NDArray[np.intp], most: int, seed: int, rank: int) -> NDArray[np.intp]:
    """As many of `indices` as may be used, in their order."""
    if len(indices) <= most:
        return indices
    return np.sort(stream(Stream.LABELLER, seed, 0, rank).permutation(indices)[:most])


def _right(labeller: Labeller, data: Dataset, indices: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Whether each of the test pictures is given its own class."""
    tested = _some(indices, MOST_TESTED, 0, 1)
    seen = labeller.probabilities(data.images[tested]).argmax(1)
    right: NDArray[np.bool_] = np.equal(seen, -1 if data.labels is None else data.labels[tested])
    return right
