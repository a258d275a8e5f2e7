"""The check-up during training: is it getting better, is it varied, does it copy? Cheap, and changes nothing."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dcgan.data.dataset import Dataset
from dcgan.data.sampling import BLOCK, Stream, generation_block, generation_labels, stream
from dcgan.errors import DcganError
from dcgan.evaluation.extractors.fixed import Fixed
from dcgan.evaluation.metrics.diversity import diversity, spacing
from dcgan.evaluation.metrics.frechet import frechet_between, moments
from dcgan.evaluation.metrics.manifold import Manifold
from dcgan.evaluation.metrics.spectrum import nyquist_ratio, phase_imbalance
from dcgan.evaluation.neighbours import nearest
from dcgan.networks import evaluating
from dcgan.objectives import objective
from dcgan.training.engine import to_uint8
from dcgan.training.trainer import Trainer

GENERATED, REFERENCE, ON_MANIFOLD, JUDGED = 1000, 5000, 2000, 500
LEAST = 12
"""Real pictures below which nothing is said."""


class CheckUp:
    """Scores the averaged generator of a run against the run's own pictures, in the features of the fixed network.

    data: what it trains on. unseen: gives pictures of the same kind that it does not, or None; called once, at the
    first check-up. The real side is computed then, and kept.
    """

    def __init__(self, data: Dataset, unseen: Callable[[], Dataset | None] = lambda: None) -> None:
        self.data, self.unseen = data, unseen
        self.extractor = Fixed()
        self.before: NDArray[np.float32] | None = None

    def __call__(self, trainer: Trainer) -> dict[str, Any]:
        """The facts of a "score" event. Raises `DcganError` when the pictures are too few or all the same."""
        real = self._real
        images = generated_images(trainer, GENERATED)
        features = self.extractor(images)
        facts: dict[str, Any] = {
            "extractor": self.extractor.name,
            "extractor_sha256": self.extractor.sha256[:16],
            "n": GENERATED,
            **self._scores(features),
            **self._floor,
            "nyquist": nyquist_ratio(images, real.images[:GENERATED]),
            "imbalance": phase_imbalance(images),
            "imbalance_real": phase_imbalance(real.images[:GENERATED]),
            **self._copying(features),
            "drift": self._drift(trainer),
            **self._gap(trainer),
        }
        return {key: _rounded(value) for key, value in facts.items() if _worth_saying(value)}

    def _scores(self, features: NDArray[np.float32]) -> dict[str, float]:
        real = self._real
        found = real.manifold.scores(features)
        return {
            "frechet": frechet_between(real.moments, moments(features, "generated")),
            "precision": found.precision,
            "recall": found.recall,
            "density": found.density,
            "coverage": found.coverage,
            "diversity": diversity(features, real.features),
            "spacing": spacing(features, real.features),
        }

    @cached_property
    def _real(self) -> _Real:
        return _Real(self.data, self.unseen(), self.extractor)

    @cached_property
    def _floor(self) -> dict[str, float]:
        """What real pictures score that are not among the reference: no generator need be better."""
        others = self._real.others
        if others is None:
            return {}
        scores = self._scores(self.extractor(others))
        return {
            "floor": scores["frechet"],
            **{f"floor_{name}": scores[name] for name in ("precision", "recall", "density", "coverage")},
        }

    def _copying(self, features: NDArray[np.float32]) -> dict[str, float]:
        """memorised: median distance to the nearest real picture over that of unseen ones. isolated: share of designs
        that are nearer to one real picture alone than 95 % of unseen ones are (`analysis.memorization`)."""
        real = self._real
        distance, isolation = _near(features, real.features)
        expected_distance, expected = real.nearest
        return {
            "memorised": float(np.median(distance)) / max(float(np.median(expected_distance)), 1e-9),
            "isolated": float((isolation < np.quantile(expected, 0.05)).mean()),
        }

    def _drift(self, trainer: Trainer) -> float | None:
        """How far the designs of the same z have moved since the last check-up: their mean change of a pixel over the
        mean difference of two of them."""
        z, labels, _ = trainer.fixed
        with torch.no_grad():
            now = trainer.average.module(z, labels).float().cpu().numpy()
        before, self.before = self.before, now
        spread = float(np.abs(now[1:] - now[:-1]).mean())
        return float(np.abs(now - before).mean()) / spread if before is not None and spread > 1e-6 else None

    def _gap(self, trainer: Trainer) -> dict[str, float]:
        """How much better D likes the pictures it trains on than those that it has not seen, in standard deviations."""
        real = self._real
        if real.unseen is None or (trainer.recipe.conditional and real.unseen_labels is None):
            return {}
        seen = _logits(trainer, real.images, real.labels)
        unseen = _logits(trainer, real.unseen, real.unseen_labels)
        spread = float(np.concatenate([seen, unseen]).std())
        return {"real_logit_std": spread, "gap": float(seen.mean() - unseen.mean()) / max(spread, 1e-9)}


class _Real:
    """The real side: features, their moments, manifold and nearest neighbours."""

    def __init__(self, data: Dataset, unseen: Dataset | None, extractor: Fixed) -> None:
        if len(data) < LEAST:
            raise DcganError(f"{len(data)} pictures: a score needs at least {LEAST}")
        order = stream(Stream.SCORES, 0, 0, 1).permutation(len(data))
        chosen, rest = order[:REFERENCE], order[REFERENCE : REFERENCE + GENERATED]
        self.images, self.labels = _taken(data, chosen)
        self.features = extractor(self.images)
        self.moments = moments(self.features)
        self.manifold = Manifold(self.features[:ON_MANIFOLD])
        self.unseen: NDArray[np.uint8] | None = None
        self.unseen_labels: NDArray[np.int64] | None = None
        if unseen is not None and len(unseen) >= LEAST:
            mixed = stream(Stream.SCORES, 0, 0, 2).permutation(len(unseen))[:GENERATED]
            self.unseen, self.unseen_labels = _taken(unseen, mixed)
        others = self.unseen if self.unseen is not None else _taken(data, rest)[0]
        self.others = others if len(others) >= GENERATED else None
        self.nearest = (
            _near(extractor(others), self.features)
            if len(others) >= LEAST
            else _near(self.features[:ON_MANIFOLD], self.features, itself=True)
        )


def _taken(data: Dataset, index: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.int64] | None]:
    return np.ascontiguousarray(data.images[index]), None if data.labels is None else data.labels[index]


def generated_images(trainer: Trainer, count: int, seed: int = 0) -> NDArray[np.uint8]:
    """The first `count` designs of a seed by the averaged generator: uint8 NCHW, those that the run would generate."""
    recipe, engine, made = trainer.recipe, trainer.engine, []
    for block in range(math.ceil(count / BLOCK)):
        z = engine.tensor(generation_block(seed, block, recipe.z_dim, recipe.prior))
        labels = (
            engine.tensor(generation_labels(seed, block, trainer.data.counts)) if recipe.conditional else None
        )
        with torch.no_grad():
            made.append(to_uint8(trainer.average.module(z, labels)))
    return np.ascontiguousarray(np.concatenate(made)[:count].transpose(0, 3, 1, 2))


def _logits(
    trainer: Trainer, images: NDArray[np.uint8], labels: NDArray[np.int64] | None
) -> NDArray[np.float32]:
    """D's logits for the first few of real images (N, C, H, W), as it computes when nothing is learned."""
    discriminator, found = trainer.method.networks["discriminator"], []
    images = images[:JUDGED]
    labels = None if labels is None or not trainer.recipe.conditional else labels[:JUDGED]
    logits = objective(trainer.recipe.objective).logits
    with evaluating(discriminator), torch.no_grad():
        for start in range(0, len(images), BLOCK):
            here = slice(start, start + BLOCK)
            block = trainer.engine.scaled(trainer.engine.tensor(images[here]))
            known = None if labels is None else trainer.engine.tensor(labels[here])
            found.append(logits(discriminator(block, known)).float().cpu().numpy())
    return np.concatenate(found)


def _near(
    of: NDArray[np.float32], to: NDArray[np.float32], *, itself: bool = False
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """For each row of `of` the distance to the nearest row of `to`, and that over the distance to the sixth.

    itself: `of` are the first rows of `to`, and none is its own neighbour.
    """
    distances, _ = nearest(of, to, 6, own=np.arange(len(of)) if itself else None)
    return distances[:, 0], distances[:, 0] / np.maximum(distances[:, 5], np.float32(1e-12))


def _worth_saying(value: Any) -> bool:
    return value is not None and not (isinstance(value, float) and not math.isfinite(value))


def _rounded(value: Any) -> Any:
    return float(f"{value:.6g}") if isinstance(value, float) else value
