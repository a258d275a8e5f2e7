"""Keeping the ranks of a run level: brought to one state at the start, compared at each checkpoint."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dcgan.data.dataset import Dataset
from dcgan.errors import Diverged, Told
from dcgan.files import exists
from dcgan.recipe import Recipe
from dcgan.training import folder as layout
from dcgan.training.board import Parted
from dcgan.training.checkpoint import list_manifests
from dcgan.training.engine import Engine
from dcgan.training.ranks import Ranks
from dcgan.training.signals import StopRequest
from dcgan.training.state import load_state, state_tensors
from dcgan.training.trainer import Trainer
from dcgan.version import __version__


def follow(recipe: Recipe, data: Dataset, engine: Engine, ranks: Ranks) -> None:
    """Train as a rank that is not the first: the same steps, nothing written and nothing said, until rank 0 ends."""
    trainer = Trainer(recipe, data, engine, ranks)
    with StopRequest() as stop:
        level(trainer)
        while True:
            signum, ends, saves = ranks.agree(stop.signum, False, False)
            if signum or ends or saves:
                verify(trainer)
            if signum or ends:
                break
            try:
                trainer.advance()
            except Diverged as error:  # all ranks see it, and rank 0 says so
                raise Told(str(error), error.status) from None
        ranks.finish()


def level(trainer: Trainer) -> None:
    """Bring every rank to where rank 0 is, which alone has read the checkpoint: its step, and each of its tensors."""
    ranks = trainer.ranks
    if ranks.world == 1:
        return
    trainer.step = ranks.gather([trainer.step])[0][0]
    if trainer.step:
        tensors = state_tensors(trainer.method, trainer.average)
        ranks.from_first_(tensors.values())
        if not ranks.first:
            load_state(trainer.method, trainer.average, tensors)
    verify(trainer)


def verify(trainer: Trainer) -> None:
    """Raise `Parted`, on every rank, for the first whose networks or optimizers are not rank 0's, bit for bit."""
    if trainer.ranks.world == 1:
        return
    parts: dict[str, list[Tensor]] = {}
    for name, tensor in state_tensors(trainer.method, trainer.average).items():
        parts.setdefault(name.partition(".")[0], []).append(tensor)
    rows = trainer.ranks.gather([_digest(tensors) for tensors in parts.values()])
    for rank, row in enumerate(rows):
        different = [part for part, one, first in zip(parts, row, rows[0], strict=True) if one != first]
        if different:
            raise Parted(f"rank {rank} has come to another {different[0]} than rank 0 by step {trainer.step}")


def stranded(folder: Path, error: Parted) -> Parted:
    """The error, with the newest checkpoint of the run in `folder` and the way to go on from it."""
    again = f"`{layout.command('resume', folder)}`"
    if not exists(folder / layout.RECIPE):
        return Parted(f"{error}; go on from its newest checkpoint with {again} where the run's folder lies")
    saved = list_manifests(folder / layout.CHECKPOINTS)
    kept = f"the newest checkpoint is step {saved[-1][1].step}" if saved else "no checkpoint was made yet"
    return Parted(f"{error}: {kept}; go on from there with {again}")


def _digest(tensors: list[Tensor]) -> int:
    """63 bits of the sha256 of their bytes."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return int.from_bytes(digest.digest()[:8], "little") >> 1


def held(recipe: Recipe, data: Dataset) -> dict[str, Any]:
    """What all ranks of a run must hold alike, for `Ranks.same`."""
    engine = Engine.choose(recipe.precision).describe()
    return {
        "data": data.sha256,
        "recipe": recipe.to_dict(),
        "version of dcgan": __version__,
        "version of torch": engine["torch"],
        "precision": engine["precision"],
        # The vectors that a processor computes in decide how a sum is rounded: the updates would drift apart.
        "instructions (ATEN_CPU_CAPABILITY)": torch.backends.cpu.get_cpu_capability(),
    }
