"""What turns images into features, in which scores are taken. A score is a number of its extractor: always named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dcgan.data.options import Progress
from dcgan.errors import one_of
from dcgan.evaluation.extractors.fixed import Fixed
from dcgan.evaluation.extractors.inception import Inception
from dcgan.evaluation.extractors.pixels import Pixels


class Extractor(Protocol):
    """Images, uint8 (N, C, H, W), to features, float32 (N, d): the same whatever batch an image is in.

    sha256: of the weights, or of the definition where there are none. facts: what else a reader of a score should
    know, as JSON.
    """

    name: str
    sha256: str
    facts: dict[str, Any]

    def __call__(
        self, images: NDArray[np.uint8], progress: Progress | None = None
    ) -> NDArray[np.float32]: ...


EXTRACTORS: dict[str, Callable[[], Extractor]] = {"pixels": Pixels, "fixed": Fixed, "inception": Inception}
"""Those that need no data of one's own."""


def extractor(name: str) -> Extractor:
    """The extractor of this name. Raises `DcganError` for an unknown name, or where its weights are not installed."""
    if name not in EXTRACTORS:
        raise one_of("extractor", name, EXTRACTORS)
    return EXTRACTORS[name]()
