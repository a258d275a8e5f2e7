"""Which extractor, by its name and the data, and the labeller that goes with the data where it has labels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dcgan.data.dataset import Dataset
from dcgan.errors import one_of
from dcgan.evaluation.classifier import Progress
from dcgan.evaluation.extractors import EXTRACTORS, Extractor, extractor
from dcgan.evaluation.extractors.domain import Domain, domain_extractor
from dcgan.evaluation.kept import Labeller
from dcgan.evaluation.labeller import train_labeller

NAMES = (Domain.name, *EXTRACTORS)


def choose(
    name: str,
    data: Dataset,
    unseen: Dataset | None,
    *,
    tell: Callable[[str], None] = lambda line: None,
    progress: Progress | None = None,
) -> tuple[Extractor, Labeller | None]:
    """The extractor called `name` for `data`, and the labeller of the data's own classes, None where it has none.

    Both may be trained for it, once, which is told. unseen: the test split, on which a labeller's accuracy is measured.
    """
    if name not in NAMES:
        raise one_of("extractor", name, NAMES)
    ready = (
        None if name == Domain.name else extractor(name)
    )  # one that is not installed is told before the work
    labelled = data.labels is not None and np.count_nonzero(data.counts) > 1
    test = unseen if unseen is not None and unseen.classes == data.classes and len(unseen) else None
    labeller = train_labeller(data, test, progress=progress, tell=tell) if labelled else None
    if ready is not None:
        return ready, labeller
    return Domain(labeller) if labeller else domain_extractor(data, progress=progress, tell=tell), labeller
