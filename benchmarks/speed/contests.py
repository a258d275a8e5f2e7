"""The contests: dcgan against its plain reference, against the first sketch, and against TensorFlow."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

from dcgan.data.dataset import Dataset
from dcgan.recipe import Recipe
from dcgan.training.engine import Engine, has_bf16
from dcgan.training.trainer import Trainer
from speed import agreement, peer
from speed.contest import Advance, race
from speed.entries import ENTRIES, PEER_PRESET, SKETCH
from speed.reference import Reference, assert_plain
from speed.roofline import operations
from speed.sketch import BATCH as SKETCH_BATCH
from speed.sketch import Sketch
from speed.table import UNRECORDED, Row

COMMAND = Path(__file__).parents[1] / "steps.py"


def contest(name: str, options: argparse.Namespace) -> Row:
    """Check that the reference and dcgan agree on one preset, and time them."""
    entry = ENTRIES[name]
    recipe, engine = entry.recipe(options.precision), Engine.choose(options.precision)
    data = entry.data(recipe)
    row = Row(name, recipe.batch, _precision(engine))
    exact = Engine.choose("float32", str(engine.device))
    row.deviation = agreement.deviation(recipe, data, exact)
    if not row.deviation.within(agreement.FLOAT32):
        row.note = "not timed: dcgan does not do the reference's maths"
        return row
    if engine.bf16:
        row.bf16 = agreement.deviation(recipe, data, engine)
        if not row.bf16.within(agreement.BF16):
            row.note = f"not timed: in bf16 the losses differ by {row.bf16.loss:.1g}"
            return row
    reference, cycle, cost = _plain(recipe, data, engine)
    row.operations = dict.fromkeys(("eager float32", "dcgan"), cost)
    if options.apart:
        return _apart(row, options)
    trainer = Trainer(recipe, data, engine)
    row.precision = _precision(trainer.engine)
    contestants: dict[str, tuple[Advance, int]] = {"eager float32": (reference.advance, recipe.batch)}
    if trainer.recorder:
        unrecorded = Trainer(recipe, data, engine)
        unrecorded.recorder = None
        contestants[UNRECORDED] = unrecorded.advance, recipe.batch
    contestants["dcgan"] = trainer.advance, recipe.batch
    row.times = race(
        contestants, rounds=options.rounds, cycle=cycle, shortest=options.turn, device=engine.device
    )
    return row


def _apart(row: Row, options: argparse.Namespace) -> Row:
    """Time them in a process each, as who uses one or the other has them: what dcgan sets for its process, above all
    that freed memory stays, is not the plain script's as well."""
    try:
        with (
            peer.Program("eager float32", _ours("eager", row.name, options)) as eager,
            peer.Program("dcgan", _ours("dcgan", row.name, options)) as dcgan,
        ):
            row.precision = dcgan.version
            row.times = peer.race(
                [eager, dcgan], batch=row.batch, rounds=options.rounds, shortest=options.turn
            )
    except RuntimeError as error:
        row.note = f"not timed: {error}"
    return row


def _ours(who: str, preset: str, options: argparse.Namespace) -> list[str]:
    """The command that is `who` of this preset."""
    asked = ["--threads", str(options.threads), "--precision", options.precision, "--presets", preset]
    return [sys.executable, str(COMMAND), *asked, "--serve", who]


def sketch(options: argparse.Namespace) -> Row:
    """The first sketch in float32, in bf16 where the hardware has it, and `fast-28` as it is now."""
    entry = ENTRIES["fast-28"]
    recipe, engine = entry.recipe(options.precision), Engine.choose(options.precision)
    data = entry.data(recipe)
    row = Row(SKETCH, SKETCH_BATCH, _precision(engine))
    images, _ = agreement.on_device(data, engine)
    contestants: dict[str, tuple[Advance, int]] = {}
    for precision in ("float32", "bf16") if has_bf16(engine.device) else ("float32",):
        one = Sketch(images, bf16=precision == "bf16")
        contestants[f"sketch, {precision}"] = one.advance, SKETCH_BATCH
        row.operations[f"sketch, {precision}"] = operations(one.advance, 1, SKETCH_BATCH)
    trainer = Trainer(recipe, data, engine)
    row.precision = _precision(trainer.engine)
    ours = f"fast-28, batch {recipe.batch}, {row.precision}"
    _, cycle, row.operations[ours] = _plain(recipe, data, engine)
    contestants[ours] = trainer.advance, recipe.batch
    row.times = race(
        contestants, rounds=options.rounds, cycle=cycle, shortest=options.turn, device=engine.device
    )
    return row


def _plain(recipe: Recipe, data: Dataset, engine: Engine) -> tuple[Reference, int, float]:
    """The reference, looked at; after how many steps it repeats itself; its operations for each image in a step."""
    reference = Reference(recipe, *agreement.on_device(data, engine))
    assert_plain(reference)
    cycle = math.lcm(recipe.penalty_every if recipe.gamma else 1, 2 if recipe.updates == "in-turn" else 1)
    return reference, cycle, operations(reference.advance, cycle, recipe.batch)


def tensorflow(options: argparse.Namespace) -> Row | str:
    """`fashion-2020` in TensorFlow, eager PyTorch and dcgan, each a process; or why not, in one line."""
    python = options.peer_python
    try:
        there = peer.has_tensorflow(python)
    except OSError as error:
        return f"--peer-python {python}: {error.strerror}"
    if not there:
        return (
            f"TensorFlow is not installed for {python}: python -m venv tf && tf/bin/pip install tensorflow, "
            "then add --peer-python tf/bin/python"
        )
    recipe = ENTRIES[PEER_PRESET].recipe(options.precision)
    command = [python, str(peer.TENSORFLOW), str(options.threads), str(recipe.batch)]
    row = Row(PEER_PRESET, recipe.batch, _precision(Engine.choose(options.precision)))
    try:
        with (
            peer.Program("TensorFlow", command) as theirs,
            peer.Program("eager float32", _ours("eager", PEER_PRESET, options)) as eager,
            peer.Program("dcgan", _ours("dcgan", PEER_PRESET, options)) as dcgan,
        ):
            row.note = theirs.version
            row.times = peer.race(
                [theirs, eager, dcgan], batch=recipe.batch, rounds=options.rounds, shortest=options.turn
            )
    except RuntimeError as error:
        return str(error)
    return row


def serve(who: str, options: argparse.Namespace) -> None:
    """Be one of the programs that step in turn, each in its own process."""
    entry = ENTRIES[options.presets[0]]
    recipe, engine = entry.recipe(options.precision), Engine.choose(options.precision)
    data = entry.data(recipe)
    if who == "eager":
        peer.serve(Reference(recipe, *agreement.on_device(data, engine)).advance, who)
    else:
        trainer = Trainer(recipe, data, engine)
        peer.serve(trainer.advance, _precision(trainer.engine))


def _precision(engine: Engine) -> str:
    return "bf16" if engine.bf16 else "float32"
