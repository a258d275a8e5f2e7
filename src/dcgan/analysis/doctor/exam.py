"""The exam: what 1,000 designs of the newest checkpoint show beside the data."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcgan.analysis.memorization import memorization
from dcgan.data import Dataset
from dcgan.data.sampling import Stream, stream
from dcgan.errors import DcganError
from dcgan.evaluation.extractors.fixed import Fixed
from dcgan.evaluation.metrics.classes import balance, class_counts
from dcgan.evaluation.metrics.diversity import diversity, spacing
from dcgan.evaluation.metrics.frechet import frechet_distance
from dcgan.evaluation.metrics.manifold import Manifold
from dcgan.evaluation.metrics.spectrum import nyquist_ratio, phase_imbalance
from dcgan.evaluation.neighbours import nearest
from dcgan.evaluation.reference import some
from dcgan.model import Model

DESIGNS, REAL, KNOWN, VOTES = 1000, 1500, 5000, 5
JUDGED = 500


def examine(
    model: Model, data: Dataset | None, unseen: Dataset | None
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The exam's numbers, and one sentence for each thing that could not be measured.

    data: what the run learned from. unseen: pictures of the same kind that it did not see. The numbers are those of a
    "score" event, and more. top_class: the class that most designs look like, by five nearest neighbours among the
    labelled pictures; top_share, top_usual: its share of designs and of data. class_balance: the entropy of the classes
    seen over an even spread's. imbalance, imbalance_real: see `metrics.spectrum.phase_imbalance`. contrast: the mean
    standard deviation of a pixel over designs, as a part of that over real pictures. spacing: see
    `metrics.diversity.spacing`.
    """
    missing: list[str] = []
    designs = np.ascontiguousarray(model.generate(DESIGNS).images.transpose(0, 3, 1, 2))
    facts: dict[str, Any] = {"step": int(model.facts.get("step", 0)), "n": DESIGNS, "extractor": "fixed"}
    if data is None:
        return facts, ()
    see = Fixed()
    real, labels = _drawn(data, KNOWN)
    features, known = see(designs), see(real)
    few = known[:REAL]

    def measured(what: str, work: Any) -> None:
        try:
            facts.update(work())
        except DcganError as error:
            missing.append(f"{what}: {error}")

    measured("variety", lambda: {"diversity": diversity(features, few), "contrast": _contrast(designs, real)})
    measured("repetition", lambda: {"spacing": spacing(features, few)})
    held = None if unseen is None else see(some(unseen.images, DESIGNS))
    measured("kinds", lambda: _manifold(few, features, held))
    measured("distance", lambda: {"frechet": frechet_distance(few, features)})
    measured("checkerboard", lambda: _periods(designs, real[:DESIGNS]))
    measured("copying", lambda: _copying(features, known, held))
    if labels is not None and len(data.classes) > 1:
        measured("classes", lambda: _classes(features, known, labels, data.classes))
    else:
        missing.append("one-class collapse: the data has no classes")
    if unseen is not None and not model.recipe.conditional:
        facts.update(_gap(model, real[:JUDGED], some(unseen.images, JUDGED)))
    return {key: value for key, value in facts.items() if not _bad(value)}, tuple(missing)


def _drawn(data: Dataset, count: int) -> tuple[NDArray[np.uint8], NDArray[np.int64] | None]:
    order = stream(Stream.SCORES, 0, 0, 1).permutation(len(data))[:count]
    return np.ascontiguousarray(data.images[order]), None if data.labels is None else data.labels[order]


def _manifold(
    real: NDArray[np.float32], features: NDArray[np.float32], held: NDArray[np.float32] | None
) -> dict[str, float]:
    manifold = Manifold(real)
    usual = {} if held is None else {"coverage_real": manifold.scores(held).coverage}
    scores = manifold.scores(features)
    return {
        "precision": scores.precision, "recall": scores.recall, "density": scores.density, "coverage": scores.coverage,
        **usual,
    }  # fmt: skip


def _copying(
    features: NDArray[np.float32], known: NDArray[np.float32], held: NDArray[np.float32] | None
) -> dict[str, float]:
    found = memorization(features, known, held)
    return {"memorised": found.ratio, "isolated": found.isolated, "isolated_low": found.isolated_interval[0]}


def _classes(
    features: NDArray[np.float32],
    known: NDArray[np.float32],
    labels: NDArray[np.int64],
    names: tuple[str, ...],
) -> dict[str, Any]:
    votes = min(VOTES, len(known))
    _, which = nearest(features, known, votes)
    seen = np.array([np.bincount(row, minlength=len(names)).argmax() for row in labels[which]])
    counts, usual = class_counts(seen, len(names)), class_counts(labels, len(names))
    top = int(counts.argmax())
    return {
        "top_class": names[top],
        "top_share": float(counts[top] / counts.sum()),
        "top_usual": float(usual[top] / usual.sum()),
        "class_balance": balance(counts),
    }


def _periods(designs: NDArray[np.uint8], real: NDArray[np.uint8]) -> dict[str, float]:
    return {
        "nyquist": nyquist_ratio(designs, real),
        "imbalance": phase_imbalance(designs),
        "imbalance_real": phase_imbalance(real),
    }


def _contrast(designs: NDArray[np.uint8], real: NDArray[np.uint8]) -> float:
    """How much a pixel varies over designs, as a part of how much it does over real pictures."""
    return float(designs.std(0).mean() / max(float(real.std(0).mean()), 1e-9))


def _gap(model: Model, seen: NDArray[np.uint8], unseen: NDArray[np.uint8]) -> dict[str, float]:
    """How much better D likes pictures that it trained on than others, in standard deviations of its logits."""
    import torch

    found = []
    for images in (seen, unseen):
        with torch.inference_mode():
            scaled = model.engine.scaled(model.engine.tensor(images))
            found.append(model.objective.logits(model.discriminator(scaled, None)).float().cpu().numpy())
    spread = float(np.concatenate(found).std())
    return {"gap": float(found[0].mean() - found[1].mean()) / max(spread, 1e-9)} if spread > 1e-9 else {}


def _bad(value: Any) -> bool:
    return isinstance(value, float) and not np.isfinite(value)
