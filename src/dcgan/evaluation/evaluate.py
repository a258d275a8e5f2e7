"""A set of pictures against real ones: every score there is, from one pass of one extractor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcgan.data.dataset import Dataset
from dcgan.data.sampling import Stream, stream
from dcgan.errors import DcganError
from dcgan.evaluation.accuracy import accuracy_score
from dcgan.evaluation.extractors import Extractor
from dcgan.evaluation.kept import Labeller
from dcgan.evaluation.metrics.classes import balance, class_counts, label_fidelity, total_variation
from dcgan.evaluation.metrics.frechet import frechet_between, moments
from dcgan.evaluation.metrics.kid import kid
from dcgan.evaluation.metrics.manifold import Manifold
from dcgan.evaluation.metrics.ms_ssim import within_class_ms_ssim
from dcgan.evaluation.scores import Scores
from dcgan.version import __version__

LEAST = 50
"""Pictures, generated or real, below which no score is worth its name."""
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Made:
    """Pictures to be judged. images: uint8 (N, C, H, W). asked: int64 (N,), the classes that were asked for, or None.

    name, checkpoint, step: whose they are.
    """

    name: str
    images: NDArray[np.uint8]
    asked: NDArray[np.int64] | None = None
    checkpoint: str | None = None
    step: int | None = None


@dataclass(frozen=True)
class Judged:
    """The scores, and what they were computed from, for pictures and for a closer look.

    seen: int64 (N,), the classes that the labeller sees in the designs; None without a labeller.
    reference: the real pictures, an index into the data; features: float32 of the designs and of the reference.
    """

    scores: Scores
    reference: NDArray[np.int64]
    features: NDArray[np.float32]
    real_features: NDArray[np.float32]
    seen: NDArray[np.int64] | None


def evaluate(
    made: Made,
    data: Dataset,
    extractor: Extractor,
    *,
    unseen: Dataset | None = None,
    labeller: Labeller | None = None,
    accuracy: bool = False,
    seed: int = 0,
    tell: Tell = lambda line: None,
) -> Judged:
    """Judge `made` by as many pictures of `data`; `unseen` ones, the test split, are the floor where there are any.

    labeller: gives what has to do with classes. accuracy: the classification accuracy score too, which trains two
    classifiers. tell is given a line for each thing that takes long. Raises `DcganError` for too few pictures, and for
    pictures of another size.
    """
    _check(made, data)
    order = stream(Stream.SCORES, seed, 0, 3).permutation(len(data))
    chosen = np.sort(order[: len(made.images)])
    tell(f"features of {len(made.images):,} designs by {extractor.name}")
    features = extractor(made.images)
    tell(f"features of {len(chosen):,} real pictures")
    reference = _Reference(extractor(_taken(data, chosen)), seed)
    tell("scores")
    found = reference.scores(features)
    rest, floor_of = _others(data, unseen, order[len(made.images) :], len(made.images), seed)
    floor = reference.scores(extractor(rest)) if len(rest) >= LEAST else {}
    notes = [] if floor else [f"no floor: fewer than {LEAST} other real pictures"]
    more: dict[str, Any] = {}
    seen = None
    labels = None if data.labels is None else data.labels[chosen]
    if labeller is not None:
        seen = labeller.probabilities(made.images).argmax(1)
        more |= _classes(made, seen, labels, len(labeller.classes))
        more["labeller_accuracy"] = labeller.facts["test_accuracy"]
    groups = made.asked if made.asked is not None else seen
    try:
        more["ms_ssim"] = _mean(within_class_ms_ssim(made.images, groups, seed=seed))
        same = None if groups is None else labels
        more["ms_ssim_data"] = _mean(within_class_ms_ssim(_taken(data, chosen), same, seed=seed))
    except DcganError as error:
        notes.append(f"no MS-SSIM: {error}")
    if accuracy:
        more |= _accuracy(made, data, unseen, chosen, seed, notes, tell)
    scores = Scores(
        of=made.name,
        data=data.name,
        data_sha256=data.sha256,
        extractor=extractor.name,
        extractor_sha256=extractor.sha256,
        extractor_facts=dict(extractor.facts),
        n=len(made.images),
        n_real=len(chosen),
        split=str(data.origin.get("split", "train")),
        seed=seed,
        floor=floor,
        floor_n=len(rest) if floor else 0,
        floor_of=floor_of if floor else "",
        checkpoint=made.checkpoint,
        step=made.step,
        notes=tuple(notes),
        made_with={"version": __version__, "time": datetime.now(UTC).isoformat(timespec="seconds")},
        **found,
        **more,
    )
    return Judged(scores, chosen, features, reference.features, seen)


def most(data: Dataset, unseen: Dataset | None) -> int:
    """The most designs for which there is a floor at the same n; all the real pictures where there can be none."""
    pairs = max(len(data) // 2, min(len(data), len(unseen)) if unseen is not None else 0)
    return pairs if pairs >= LEAST else len(data)


class _Reference:
    """The real side, computed once for the designs and for the floor."""

    def __init__(self, features: NDArray[np.float32], seed: int) -> None:
        self.features, self.seed = features, seed
        self.moments, self.manifold = moments(features), Manifold(features)

    def scores(self, features: NDArray[np.float32]) -> dict[str, float]:
        near = self.manifold.scores(features)
        discrepancy = kid(self.features, features, self.seed)
        return {
            "frechet": frechet_between(self.moments, moments(features, "generated")),
            "kid": discrepancy.mean,
            "kid_spread": discrepancy.spread,
            "precision": near.precision,
            "recall": near.recall,
            "density": near.density,
            "coverage": near.coverage,
        }


def _check(made: Made, data: Dataset) -> None:
    for what, count in (("designs", len(made.images)), ("real pictures", len(data))):
        if count < LEAST:
            raise DcganError(
                f"{count} {what}: scores need at least {LEAST}, and are steady from some thousand on"
            )
    if made.images.shape[1:] != data.images.shape[1:]:
        (channels, height, width), (real_channels, *real) = made.images.shape[1:], data.images.shape[1:]
        raise DcganError(
            f"{made.name} holds {height}x{width} pictures of {channels} channels and {data.name} {real[0]}x{real[1]} "
            f"of {real_channels}: only pictures of one size can be compared"
        )


def _others(
    data: Dataset, unseen: Dataset | None, rest: NDArray[np.int64], count: int, seed: int
) -> tuple[NDArray[np.uint8], str]:
    """Real pictures that are not in the reference, and what they are called."""
    if unseen is not None and len(unseen) >= min(count, len(rest)):
        order = stream(Stream.SCORES, seed, 0, 4).permutation(len(unseen))[:count]
        return _taken(unseen, np.sort(order)), "test split"
    return _taken(data, np.sort(rest[:count])), "the same split"


def _classes(
    made: Made, seen: NDArray[np.int64], labels: NDArray[np.int64] | None, classes: int
) -> dict[str, float]:
    counts = class_counts(seen, classes)
    found = {"balance": balance(counts)} if classes > 1 else {}
    if labels is not None and classes > 1:
        real = class_counts(labels, classes)
        found |= {"balance_data": balance(real), "class_distance": total_variation(counts, real)}
    if made.asked is not None:
        found["fidelity"] = label_fidelity(made.asked, seen, classes).overall
    return found


def _accuracy(
    made: Made,
    data: Dataset,
    unseen: Dataset | None,
    chosen: NDArray[np.int64],
    seed: int,
    notes: list[str],
    tell: Tell,
) -> dict[str, float]:
    """The accuracy score of the designs, and of as many real pictures, both on real ones that neither has seen."""
    if made.asked is None or data.labels is None or np.count_nonzero(data.counts) < 2:
        notes.append(
            "no accuracy score: it needs a model that was trained with labels, and data of two classes at least"
        )
        return {}
    if unseen is not None and unseen.labels is not None and unseen.classes == data.classes:
        test, labels = unseen.images, unseen.labels
    else:
        left = np.setdiff1d(np.arange(len(data)), chosen)
        test, labels = _taken(data, left), data.labels[left]
    if len(test) < LEAST:
        notes.append(f"no accuracy score: it needs {LEAST} real pictures more, and there are {len(test)}")
        return {}
    classes = len(data.classes)
    tell("a classifier that learns from the designs alone")
    found = accuracy_score(made.images, made.asked, test, labels, classes, seed=seed)
    tell("a classifier that learns from as many real pictures")
    real = accuracy_score(_taken(data, chosen), data.labels[chosen], test, labels, classes, seed=seed)
    return {"accuracy_score": found, "accuracy_score_real": real}


def _mean(values: dict[int, float]) -> float:
    return float(np.mean(list(values.values())))


def _taken(data: Dataset, index: NDArray[np.int64]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(data.images[index])
