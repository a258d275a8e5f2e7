"""All that is asked about copies, of one set of pictures: copied from training, repeated, and the closest pairs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcgan.analysis.birthday import NEAR, Birthday, birthday
from dcgan.analysis.memorization import Memorization, Pair, memorization
from dcgan.data.dataset import Dataset
from dcgan.data.sampling import Stream, stream
from dcgan.errors import DcganError, enough_memory
from dcgan.evaluation.extractors import Extractor
from dcgan.evaluation.extractors.pixels import Pixels
from dcgan.files import write_atomic
from dcgan.pictures import pairs_sheet, png

Images = NDArray[np.uint8]
Progress = Callable[[int, int], None]

CLOSEST = "closest.png"


@dataclass(frozen=True)
class Copies:
    """extractor: its name. memorization and birthday: of the generated pictures; real: birthday of as many real ones,
    held out or, without such, of training; None where they are fewer than the test takes."""

    extractor: str
    seed: int
    memorization: Memorization
    birthday: Birthday
    real: Birthday | None

    def as_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "extractor": self.extractor,
            "seed": self.seed,
            "memorization": self.memorization.as_json(),
            "birthday": self.birthday.as_json(),
            "birthday_real": self.real.as_json() if self.real else None,
        }


def look_for_copies(
    generated: Images,
    train: Images,
    held_out: Images | None = None,
    *,
    extractor: Extractor | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Copies:
    """Memorisation and birthday test of generated pictures, uint8 NCHW, against those of the training set.

    extractor: by default the pixels. Raises `DcganError` for pictures of another shape than the training set's, and as
    `memorization` and `birthday` do.
    """
    for name, images in (("generated", generated), ("held-out", held_out)):
        if images is not None and images.shape[1:] != train.shape[1:]:
            raise DcganError(
                f"{name} pictures are {_shape(images)}, those of the data {_shape(train)}: they cannot be compared"
            )
    extractor = extractor or Pixels()
    with enough_memory():
        own, known = extractor(generated), extractor(train)
        others = None if held_out is None else extractor(held_out)
        found = memorization(own, known, others, seed=seed, progress=progress)
        threshold = NEAR * found.held_out_median
        twice = birthday(own, threshold, seed=seed)
        try:
            real: Birthday | None = birthday(
                (known if others is None else others)[: len(own)], threshold, seed=seed
            )
        except DcganError:  # too few of them
            real = None
    return Copies(extractor.name, seed, found, twice, real)


def closest_picture(generated: Images, train: Images, pairs: tuple[Pair, ...]) -> Images:
    """uint8 HWC: each pair generated | nearest training picture, captioned with `Pair`'s numbers. Images: NCHW."""
    left = generated[[pair.generated for pair in pairs]].transpose(0, 2, 3, 1)
    right = train[[pair.train for pair in pairs]].transpose(0, 2, 3, 1)
    captions = [f"{pair.distance:.3g} ({pair.isolation:.2f} of 6th)" for pair in pairs]
    return pairs_sheet(
        left,
        right,
        captions,
        caption="generated | nearest training picture, distance (part of that to the 6th)",
    )


def write_closest(path: Path, generated: Images, train: Images, pairs: tuple[Pair, ...]) -> None:
    """Write `closest_picture` as PNG."""
    write_atomic(path, png(closest_picture(generated, train, pairs)))


def drawn(data: Dataset, n: int, seed: int) -> Images:
    """n pictures of a set, or all of fewer, in an order of their own: sets are often sorted by class."""
    return data.images[stream(Stream.ANALYSIS, seed, 3).permutation(len(data))[:n]]


def _shape(images: Images) -> str:
    return f"{images.shape[2]}×{images.shape[3]} {'grey' if images.shape[1] == 1 else 'colour'}"
