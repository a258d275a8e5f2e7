"""The scores of a set of pictures with all that they depend on, and where they are kept."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dcgan.errors import DcganError
from dcgan.files import exists, make_folder, open_file, remove, write_atomic, write_json

FOLDER, FILE = "evaluation", "scores.json"
MOST_KEPT = 200
"""Results in a file; the oldest go."""


@dataclass(frozen=True, kw_only=True)
class Scores:
    """One evaluation. A score without its extractor, n and floor is no score, so they are one value.

    of: what was evaluated. checkpoint: "best", "last" or a step's, of a run. n, n_real: pictures generated and real.
    seed: of the designs and of every draw. split: which real pictures are the reference.
    floor: what real pictures, `floor_n` of `floor_of`, score against the same reference: no generator need be better.
    frechet, kid ± kid_spread: lower is better. precision, recall, coverage: 0 … 1; density: about 1 at best.
    balance: entropy of the classes that the labeller sees, as a share of an even one's; class_distance: the share of
    designs that would have to change class to be as the data. fidelity: share whose class is seen to be the one asked
    for;
    labeller_accuracy: the labeller's on real test pictures. accuracy_score: test accuracy of a classifier that was
    trained on the designs alone (Ravuri & Vinyals 2019),
    accuracy_score_real: on as many real ones. ms_ssim: similarity within a class (Odena et al. 2017); higher than
    ms_ssim_data is less varied than the data.
    None: could not be had; `notes` say why.
    """

    of: str
    data: str
    data_sha256: str
    extractor: str
    extractor_sha256: str
    extractor_facts: dict[str, Any]
    n: int
    n_real: int
    split: str
    seed: int
    frechet: float
    kid: float
    kid_spread: float
    precision: float
    recall: float
    density: float
    coverage: float
    floor: dict[str, float] = field(default_factory=dict)
    floor_n: int = 0
    floor_of: str = ""
    checkpoint: str | None = None
    step: int | None = None
    balance: float | None = None
    balance_data: float | None = None
    class_distance: float | None = None
    fidelity: float | None = None
    labeller_accuracy: float | None = None
    accuracy_score: float | None = None
    accuracy_score_real: float | None = None
    ms_ssim: float | None = None
    ms_ssim_data: float | None = None
    notes: tuple[str, ...] = ()
    made_with: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """What is known, JSON-ready; a number that is not finite is left out."""
        return {
            key: value
            for key, value in asdict(self).items()
            if value is not None and not (isinstance(value, float) and not math.isfinite(value))
        }


def results_folder(run: Path, tell: Callable[[str], None]) -> Path | None:
    """The folder for what is found out about a run; None, and a word to `tell`, where nothing can be written."""
    try:
        folder = make_folder(run / FOLDER)
        write_atomic(folder / ".writable", b"")
        remove(folder / ".writable")
        return folder
    except DcganError as error:
        tell(f"warning: what is found is shown and not kept: {error}")
        return None


def keep(folder: Path, scores: Scores) -> Path:
    """Add `scores` to those in `folder`/evaluation, newest last, and return the file's path.

    A file that cannot be read is set aside, as scores-damaged.json.
    """
    path = make_folder(folder / FOLDER) / FILE
    if exists(path) and not _sound(path):
        path.replace(path.with_name("scores-damaged.json"))
    write_json(path, [*read(folder), scores.to_dict()][-MOST_KEPT:])
    return path


def _sound(path: Path) -> bool:
    try:
        with open_file(path) as file:
            return isinstance(json.loads(file.read()), list)
    except (OSError, ValueError, RecursionError):
        return False


def read(folder: Path) -> list[dict[str, Any]]:
    """The results kept in `folder`/evaluation, newest last; none where the file is missing or damaged."""
    try:
        with open_file(folder / FOLDER / FILE) as file:
            value = json.loads(file.read())
    except (OSError, ValueError, RecursionError):
        return []
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
