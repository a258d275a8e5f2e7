"""Train, judge, understand and use deep convolutional GANs on pictures of your own.

>>> import dcgan
>>> run = dcgan.train("fashion-mnist", minutes=3)
>>> images, labels = run.generate(64, label="Sneaker", seed=0)  # uint8 (64, 28, 28, 1), int64 (64,)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dcgan.errors import Collapsed, DcganError, Diverged, Interrupted
from dcgan.version import __version__

if TYPE_CHECKING:
    from dcgan.api import load, resume, train
    from dcgan.data import Dataset, open_dataset
    from dcgan.judge import evaluate
    from dcgan.labels import label
    from dcgan.model import Model
    from dcgan.probes import probe
    from dcgan.recipe import Recipe
    from dcgan.run import Run

__all__ = [
    "Collapsed",
    "Dataset",
    "DcganError",
    "Diverged",
    "Interrupted",
    "Model",
    "Recipe",
    "Run",
    "__version__",
    "evaluate",
    "label",
    "load",
    "open_dataset",
    "probe",
    "resume",
    "train",
]

_HOMES = {
    "Dataset": "dcgan.data",
    "Model": "dcgan.model",
    "Recipe": "dcgan.recipe",
    "Run": "dcgan.run",
    "evaluate": "dcgan.judge",
    "label": "dcgan.labels",
    "load": "dcgan.api",
    "open_dataset": "dcgan.data",
    "probe": "dcgan.probes",
    "resume": "dcgan.api",
    "train": "dcgan.api",
}


def __getattr__(name: str) -> Any:
    """Import on first use: `import dcgan` and `dcgan --help` load no torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'dcgan' has no attribute '{name}'")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
