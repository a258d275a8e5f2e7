"""Pictures: named sets and folders, read into one array, and the draws that training takes from them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dcgan.data.dataset import Dataset
    from dcgan.data.named.catalog import SETS
    from dcgan.data.named.fetch import present
    from dcgan.data.open import open_dataset

__all__ = ["SETS", "Dataset", "open_dataset", "present"]

_HOMES = {"SETS": "named.catalog", "Dataset": "dataset", "open_dataset": "open", "present": "named.fetch"}


def __getattr__(name: str) -> Any:
    # Imported when asked for, so that `dcgan --help` pays neither for numpy nor for Pillow.
    if name in _HOMES:
        return getattr(importlib.import_module(f"dcgan.data.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
