"""How evenly pictures change along a path. A jump between two pictures that hardly differ in z is a sign of copying:
"Walking on the manifold that is learnt can usually tell us about signs of memorization (if there are sharp
transitions)" (Radford et al. 2016, section 6.1).

Sharpness is the longest step over the median step, in feature space: 1 where all steps are alike. The reference beside
it is a cross-fade in pixels between the same ends, where nothing jumps. Both are taken over `STEPS` steps of a leg,
whatever is drawn: with more steps, a jump stays as long as it is and the other steps get shorter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcgan.analysis.latent.points import Images
from dcgan.evaluation.extractors import Extractor
from dcgan.pictures import nchw

STEPS = 64
"""Steps of a leg, from one point to the next."""


@dataclass(frozen=True)
class Sharpness:
    """Of one leg. value: longest over median step, ≥ 1; infinite where most steps change nothing, 1 where none does.

    at: where the longest step is, 0 … 1 of the leg (its middle). length: sum of all steps over the distance between
    the ends, 1 for a straight way in feature space; infinite where the ends are alike. fade: `value` of the cross-fade.
    """

    value: float
    at: float
    length: float
    fade: float

    def as_json(self) -> dict[str, Any]:
        """JSON-ready: what is infinite is null."""
        return {
            key: round(value, 4) if np.isfinite(value) else None
            for key, value in (
                ("sharpness", self.value),
                ("at", self.at),
                ("length", self.length),
                ("fade", self.fade),
            )
        }


def sharpness(path: Images, extractor: Extractor) -> Sharpness:
    """Of the pictures along a leg, uint8 (T, H, W, C), T at least 2."""
    features = _features(path, extractor)
    steps = np.linalg.norm(np.diff(features, axis=0), axis=1)
    whole = float(np.linalg.norm(features[-1] - features[0]))
    faded = _features(cross_fade(path[0], path[-1], len(path)), extractor)
    return Sharpness(
        _uneven(steps),
        (int(steps.argmax()) + 0.5) / len(steps),
        float(steps.sum()) / whole if whole else np.inf,
        _uneven(np.linalg.norm(np.diff(faded, axis=0), axis=1)),
    )


def cross_fade(first: Images, last: Images, count: int) -> Images:
    """uint8 (count, H, W, C): the first picture (H, W, C) fading into the last, pixel by pixel."""
    t = np.linspace(0, 1, count)[:, None, None, None]
    return np.round(first * (1 - t) + last * t).astype(np.uint8)


def _features(images: Images, extractor: Extractor) -> NDArray[np.float64]:
    return extractor(nchw(images)).astype(np.float64)


def _uneven(steps: NDArray[np.float64]) -> float:
    longest, usual = float(steps.max()), float(np.median(steps))
    if longest == 0:
        return 1.0
    return longest / usual if usual else float("inf")
