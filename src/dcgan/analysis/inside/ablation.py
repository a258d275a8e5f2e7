"""Which of G's maps draw what: each is turned off, and up, everywhere, and the designs are compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dcgan.analysis.inside.layers import generator_layers, heads, stages_of, upto
from dcgan.data.sampling import BLOCK
from dcgan.errors import one_of
from dcgan.evaluation.kept import Labeller
from dcgan.model import Model
from dcgan.networks.stages import through
from dcgan.pictures import nchw
from dcgan.training.engine import to_uint8

OFF, UP = 0.0, 2.0
"""What a map is multiplied by."""
VISIBLE = 16
"""Grey levels of 255 by which a pixel must change, in any channel, to count as changed."""
FEWEST = 6
"""Designs of a class below which nothing is said of the class."""
SURE = 1e-4
"""Probabilities are taken from this to 1 less this before they become log-odds."""

Images = NDArray[np.uint8]
Progress = Callable[[int, int], None]


class Body:
    """G from the maps of one layer to pictures, for some designs: the maps can be changed before they are drawn.

    images: uint8 (N, H, W, C), as G makes them. maps: float32 (N, M, h, w).
    """

    def __init__(
        self, model: Model, layer: str, z: NDArray[np.float32], labels: NDArray[np.int64] | None
    ) -> None:
        names = generator_layers(model)
        if layer not in names:
            raise one_of("layer", layer, names)
        stages = stages_of(model.generator)
        count = upto(stages, layer)
        with torch.no_grad():
            self.maps = torch.cat(
                [
                    through(
                        stages[:count],
                        heads(model, z[at : at + BLOCK], None if labels is None else labels[at : at + BLOCK]),
                    )
                    for at in range(0, len(z), BLOCK)
                ]
            )
        self.layer, self._rest = layer, stages[count:]
        self.images = self.drawn(self.maps)

    @torch.no_grad()
    def drawn(self, maps: Tensor) -> Images:
        """The pictures of these maps, uint8 (N, H, W, C)."""
        parts = [to_uint8(through(self._rest, maps[at : at + BLOCK])) for at in range(0, len(maps), BLOCK)]
        return np.concatenate(parts)

    def scaled(self, numbers: Sequence[int] | NDArray[np.int64], factor: float) -> Images:
        """The pictures with these maps multiplied by `factor` everywhere."""
        changed = self.maps.clone()
        changed[:, torch.as_tensor(np.asarray(numbers, np.int64), device=changed.device)] *= factor
        return self.drawn(changed)


@dataclass(frozen=True)
class Change:
    """What multiplying each of M maps does to N designs.

    area: float32 (M, N), the share of the picture's pixels that change visibly. where: float32 (M, H, W), mean
    absolute change, 1 being black to white. score: float32 (M, N), the labeller's probability of the class that it saw
    in the unchanged design; seen: int64 (M, N), the class it sees now; both None without a labeller.
    """

    area: NDArray[np.float32]
    where: NDArray[np.float32]
    score: NDArray[np.float32] | None
    seen: NDArray[np.int64] | None


@dataclass(frozen=True)
class ClassDrawer:
    """The map that a class needs most, chosen on the designs of even number and measured on `designs` of odd number.

    before, after: the class's mean probability there; fall, error: of its log-odds, the mean and its standard error;
    then: the class that is seen most often there without the map.
    """

    name: str
    number: int
    designs: int
    before: float
    after: float
    fall: float
    error: float
    then: str


@dataclass(frozen=True)
class Effects:
    """All maps of a layer, turned off and up.

    images: uint8 (N, H, W, C), unchanged. seen, score: int64 and float32 (N,), the labeller's class of them and its
    probability; None without a labeller, whose classes are `classes`. order: int64 (M,), maps by effect when off, the
    largest first: by the fall of the class's log-odds, or, without a labeller, by area. agreement, area_agreement:
    Spearman's correlation of that effect, and of the area, between the designs of even and of odd number; None where
    there are too few designs or maps.
    """

    layer: str
    images: Images
    seen: NDArray[np.int64] | None
    score: NDArray[np.float32] | None
    classes: tuple[str, ...]
    off: Change
    up: Change
    order: NDArray[np.int64]
    agreement: float | None
    area_agreement: float | None

    def fall(self, change: Change) -> NDArray[np.float32] | None:
        """float32 (M, N): by how much the log-odds of each design's class fall; None without a labeller."""
        return None if self.score is None or change.score is None else _fall(self.score, change.score)

    def by_area(self) -> NDArray[np.int64]:
        """int64 (M,): maps by the area that changes when they are off, the largest first."""
        return np.argsort(-self.off.area.mean(1), kind="stable")

    def drawers(self) -> list[ClassDrawer]:
        """For each class seen in `FEWEST` designs or more, the map whose loss costs it most, the clearest first."""
        fall = self.fall(self.off)
        if fall is None or self.seen is None or self.score is None:
            return []
        assert self.off.score is not None and self.off.seen is not None  # noqa: S101 - as there is a fall
        found = []
        for label, name in enumerate(self.classes):
            own = np.flatnonzero(self.seen == label)
            if len(own) < FEWEST:
                continue
            number = int(fall[:, own[::2]].mean(1).argmax())
            rest = own[1::2]
            lost = fall[number, rest]
            then = Counter(self.off.seen[number, rest].tolist()).most_common(1)[0][0]
            found.append(
                ClassDrawer(
                    name,
                    number,
                    len(rest),
                    float(self.score[rest].mean()),
                    float(self.off.score[number, rest].mean()),
                    float(lost.mean()),
                    float(lost.std(ddof=1) / np.sqrt(len(rest))),
                    self.classes[then],
                )
            )
        return sorted(found, key=lambda one: -(one.fall / one.error if one.error else 0.0))


def ablate(body: Body, labeller: Labeller | None = None, progress: Progress | None = None) -> Effects:
    """Turn each map of the layer off and up, one at a time, in all designs."""
    count = body.maps.shape[1]
    seen = score = None
    if labeller is not None:
        before = labeller.probabilities(nchw(body.images))
        seen = before.argmax(1)
        score = before[np.arange(len(before)), seen]
    done = 0

    def tell() -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done, 2 * count)

    off, up = (_changes(body, factor, labeller, seen, tell) for factor in (OFF, UP))
    effect = off.area if score is None or off.score is None else _fall(score, off.score)
    return Effects(
        body.layer,
        body.images,
        seen,
        score,
        () if labeller is None else labeller.classes,
        off,
        up,
        np.argsort(-effect.mean(1), kind="stable"),
        agreement(effect),
        agreement(off.area),
    )


def _changes(
    body: Body,
    factor: float,
    labeller: Labeller | None,
    seen: NDArray[np.int64] | None,
    tell: Callable[[], None],
) -> Change:
    areas, wheres, scores, classes = [], [], [], []
    for number in range(body.maps.shape[1]):
        images = body.scaled([number], factor)
        difference = np.abs(images.astype(np.int16) - body.images)
        areas.append((difference.max(3) >= VISIBLE).mean((1, 2)))
        wheres.append(difference.mean((0, 3)) / 255)
        if labeller is not None and seen is not None:
            now = labeller.probabilities(nchw(images))
            scores.append(now[np.arange(len(now)), seen])
            classes.append(now.argmax(1))
        tell()
    return Change(
        np.array(areas, np.float32),
        np.array(wheres, np.float32),
        np.array(scores, np.float32) if scores else None,
        np.array(classes, np.int64) if classes else None,
    )


def _fall(before: NDArray[np.float32], after: NDArray[np.float32]) -> NDArray[np.float32]:
    """The fall of the log-odds from probabilities (N,) to (M, N): a score of .999 that falls to .99 counts too."""
    one, other = (np.clip(p, SURE, 1 - SURE) for p in (before, after))
    fall: NDArray[np.float32] = np.log(one / (1 - one)) - np.log(other / (1 - other))
    return fall


def agreement(effect: NDArray[np.float32]) -> float | None:
    """Spearman's rank correlation of an effect (M, N) over maps, between even and odd designs; None where undefined."""
    if effect.shape[0] < 3 or effect.shape[1] < 4:
        return None
    halves = [effect[:, start::2].mean(1) for start in (0, 1)]
    if any(np.ptp(half) == 0 for half in halves):
        return None
    return float(np.corrcoef(_ranks(halves[0]), _ranks(halves[1]))[0, 1])


def _ranks(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Ranks from 0, of equals the mean."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts + 1) / 2)[place]
