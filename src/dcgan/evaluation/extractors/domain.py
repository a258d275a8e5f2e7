"""`domain`: 128 numbers of a classifier that learned the very set of pictures; its distances are of that set alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import MiniBatchKMeans
from sklearn.decomposition import PCA

from dcgan.data import Dataset
from dcgan.data.sampling import Stream, stream
from dcgan.errors import DcganError
from dcgan.evaluation.classifier import Progress
from dcgan.evaluation.kept import Labeller, Report
from dcgan.evaluation.labeller import train_labeller

CLUSTERS, DIMENSIONS, MOST_CLUSTERED = 50, 64, 20_000
"""Pseudo-classes at most, principal components, and pictures that these are found on."""

FEWEST = 20
"""Pictures for each pseudo-class, on average, at least."""


class Domain:
    """The penultimate layer of a labeller: uint8 (N, C, H, W) → float32 (N, 128), unit variance on the real pictures.

    facts: the labeller's, and `labels`: "the data's own" or "clusters of pixels".
    """

    name = "domain"

    def __init__(self, labeller: Labeller, labels: str = "the data's own") -> None:
        self.labeller = labeller
        self.sha256 = labeller.sha256
        self.facts: dict[str, Any] = {**labeller.facts, "labels": labels}

    def __call__(self, images: NDArray[np.uint8], progress: Progress | None = None) -> NDArray[np.float32]:
        return self.labeller.features(images, progress)


def domain_extractor(
    data: Dataset,
    test: Dataset | None = None,
    *,
    progress: Progress | None = None,
    tell: Report | None = None,
) -> Domain:
    """The extractor for `data`, from the cache or trained now: on its labels, or on clusters where it has none."""
    if data.labels is not None and np.count_nonzero(data.counts) > 1:
        return Domain(train_labeller(data, test, progress=progress, tell=tell))
    return Domain(train_labeller(clustered(data), progress=progress, tell=tell), "clusters of pixels")


def clustered(data: Dataset, seed: int = 0) -> Dataset:
    """The same pictures with pseudo-classes: k-means of the leading principal components of their pixels.

    One round of DeepCluster (Caron et al., 2018, section 3) with pixels in place of a network's features. A cluster of
    one picture joins the next. Raises `DcganError` below 40 pictures.
    """
    clusters = min(CLUSTERS, len(data) // FEWEST)
    if clusters < 2:
        raise DcganError(
            f"{data.name} has {len(data)} pictures and no labels: features of its own need {2 * FEWEST} at least"
        )
    some = np.sort(stream(Stream.LABELLER, seed, 0, 1).permutation(len(data))[:MOST_CLUSTERED])
    pixels = _pixels(data, some)
    pca = PCA(min(DIMENSIONS, *pixels.shape), svd_solver="covariance_eigh", random_state=seed).fit(pixels)
    means = MiniBatchKMeans(clusters, batch_size=1024, n_init=3, random_state=seed)
    means.fit(pca.transform(pixels))
    labels = np.concatenate(
        [
            means.predict(pca.transform(_pixels(data, np.arange(at, min(at + 5000, len(data))))))
            for at in range(0, len(data), 5000)
        ]
    ).astype(np.int64)
    counts = np.bincount(labels, minlength=clusters)
    labels[np.isin(labels, np.flatnonzero(counts == 1))] = counts.argmax()
    used, labels = np.unique(labels, return_inverse=True)
    names = tuple(f"cluster {number + 1}" for number in range(len(used)))
    return Dataset(data.name, data.images, labels.astype(np.int64), names, data.origin)


def _pixels(data: Dataset, indices: NDArray[np.intp]) -> NDArray[np.float32]:
    """Pictures as float32 rows in 0 … 1, averaged over blocks of pixels to sides of at most 32."""
    images = data.images[indices]
    step = max(1, max(data.size) // 32)
    height, width = (side // step * step for side in data.size)
    blocks = images[:, :, :height, :width].reshape(
        len(images), data.channels, height // step, step, width // step, step
    )
    means: NDArray[np.float32] = blocks.mean((3, 5), dtype=np.float32).reshape(len(images), -1) / 255
    return means
