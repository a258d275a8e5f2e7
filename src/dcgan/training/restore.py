"""From a run folder into a trainer: the newest good checkpoint, and what had to be passed over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dcgan.errors import DcganError
from dcgan.training import folder as layout
from dcgan.training.checkpoint import Damaged, load_checkpoint, manifest_paths
from dcgan.training.journal import read_journal
from dcgan.training.state import expected_state, load_state
from dcgan.training.trainer import Trainer


@dataclass(frozen=True)
class Restored:
    """step: of the checkpoint, 0 for none. seconds: of training until then. made_with: the engine of then.

    damaged: one sentence for each checkpoint that was passed over.
    """

    step: int = 0
    seconds: float = 0.0
    made_with: Mapping[str, Any] = field(default_factory=dict)
    damaged: tuple[str, ...] = ()


def restore(folder: Path, trainer: Trainer) -> Restored:
    """Load the newest good checkpoint of the run in `folder` into `trainer`. Writes nothing.

    Raises `DcganError` when there are checkpoints and none can be used, or they are another run's.
    """
    found, damaged = Restored(), []
    checkpoints = manifest_paths(folder / layout.CHECKPOINTS)
    for path in checkpoints:
        try:
            manifest, tensors = load_checkpoint(path, expected_state(trainer.recipe))
        except Damaged as error:
            damaged.append(str(error))
            continue
        if not manifest.recipe.same_model(trainer.recipe):
            raise DcganError(
                f"{path} was made with another recipe than {folder / layout.RECIPE}: restore that file"
            )
        if manifest.data_sha256 not in (None, trainer.data.sha256):
            raise DcganError(
                f"{path} was trained on other pictures than {folder / layout.DATA} tells of: it belongs to "
                "another run; put this run's own checkpoints back"
            )
        load_state(trainer.method, trainer.average, tensors)
        trainer.step = manifest.step
        found = Restored(manifest.step, manifest.seconds, manifest.made_with)
        break
    if checkpoints and not found.step:
        raise DcganError(f"{folder}: no checkpoint can be used. {damaged[0]}")
    damaged += _missing(folder, checkpoints)
    return Restored(found.step, found.seconds, found.made_with, tuple(damaged))


def changes(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """In words, what differs of the engine that a checkpoint was made with; "" when nothing does."""
    if then:
        # The first versions trained in one process, and did not say. Nor does who has no kernels of its own.
        silent = {"ranks": 1, "float32_layers": [], "products": {}, "kernels": "torch"}
        then, now = {**silent, **then}, {**silent, **now}
    changed = [key for key in now if key in then and then[key] != now[key]]
    told = "; ".join(f"{key} was {then[key] or 'none'} and is {now[key] or 'none'}" for key in changed)
    return told and f"not bit-identical to an uninterrupted run: {told}"


def _missing(folder: Path, checkpoints: list[Path]) -> list[str]:
    """The newest checkpoint that the journal tells of, if no file is there; refused when it is the only one."""
    told = [entry for entry in read_journal(folder / layout.JOURNAL) if entry["event"] == "checkpoint"]
    step = max((step for entry in told if type(step := entry.get("step")) is int), default=0)
    if step <= max((int(path.stem) for path in checkpoints if path.stem.isdecimal()), default=0):
        return []
    lost = folder / layout.CHECKPOINTS / f"{step:010d}.json"
    if not checkpoints:
        raise DcganError(
            f"{lost} is missing, and so is every other checkpoint that {layout.JOURNAL} tells of: put them "
            "back, or train a new run under another --name"
        )
    return [f"{lost} is missing"]
