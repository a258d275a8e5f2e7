"""What each of the engine's ways is worth: a preset's step with all of them, and with one of them taken away.

    python benchmarks/ablation.py fashion-2020 paper-64 fast-28

Contestants step in turn in one process; memory that stays (`dcgan.training.memory`) is on for all of them, and is
measured by the last line, by a second process without it.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dcgan.data import Dataset
from dcgan.errors import DcganError
from dcgan.networks import compiled, convolution, frequency
from dcgan.networks.convolution import Maps
from dcgan.networks.layers import Dropout
from dcgan.presets import preset
from dcgan.training import trainer as training
from dcgan.training.engine import Engine
from dcgan.training.trainer import Trainer
from speed.contest import race


class Rows(Engine):
    """Images as torch lays them out by default."""

    def scaled(self, images: Tensor) -> Tensor:
        return super().scaled(images).contiguous()


def trainer(name: str, engine: Engine) -> Trainer:
    row = preset(name)
    recipe = row.recipe.for_data((row.size, row.size), row.channels, 0)
    noise = np.random.default_rng(0).integers(0, 256, (1024, row.channels, row.size, row.size), np.uint8)
    return Trainer(recipe, Dataset("noise", noise), engine)


@contextmanager
def setting(module: Any, name: str, value: object) -> Iterator[None]:
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


def within(module: Any, name: str, value: object, step: Callable[[], object]) -> Callable[[], object]:
    def advance() -> object:
        with setting(module, name, value):
            return step()

    return advance


def contestants(name: str) -> dict[str, tuple[Callable[[], object], int]]:
    engine = Engine.choose()
    whole = trainer(name, engine)
    found: dict[str, Callable[[], object]] = {"all of them": whole.advance}
    found["no frequency domain"] = within(frequency, "GAIN", math.inf, trainer(name, engine).advance)
    found["nothing compiled"] = within(compiled, "is_here", lambda: False, trainer(name, engine).advance)
    untiled = within(convolution, "tiles", lambda *_: None, trainer(name, engine).advance)
    found["nor tiles"] = within(compiled, "is_here", lambda: False, untiled)
    found["no phases of narrow images"] = within(convolution, "NARROW", 0, trainer(name, engine).advance)
    rows = trainer(name, Rows(engine.device, engine.bf16))
    for module in rows.method.networks["generator"].modules():
        if isinstance(module, Maps):
            module.rewrite = False
    found["not channels last"] = within(convolution, "LAYOUT", torch.contiguous_format, rows.advance)
    dropping = trainer(name, engine)
    drops = [m for m in dropping.method.networks["discriminator"].modules() if isinstance(m, Dropout)]
    for module in drops:
        module.rewrite = False
    if drops:
        found["torch's dropout"] = dropping.advance
    if whole.recipe.updates == "together" and not whole.method.normed:  # type: ignore[attr-defined]
        twice = trainer(name, engine)
        twice.method.normed = True  # type: ignore[attr-defined]
        found["two backward passes through D"] = twice.advance
    return {key: (advance, whole.recipe.batch) for key, advance in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("presets", nargs="*", default=["fashion-2020", "fast-28"])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--forgetful", metavar="PRESET", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.forgetful:
        with setting(training, "keep_memory", lambda: True):
            one = trainer(options.forgetful, Engine.choose())
        times = race({"": (one.advance, one.recipe.batch)}, rounds=options.rounds, cycle=4)
        print(times[""].rates[1])
        return
    try:
        for name in options.presets:
            preset(name)
    except DcganError as error:
        parser.exit(error.status, f"ablation.py: {error}\n")
    for name in options.presets:
        times = race(contestants(name), rounds=options.rounds, cycle=4)
        whole = times["all of them"].rates[1]
        command = [sys.executable, __file__, "--forgetful", name, "--rounds", str(options.rounds)]
        forgetful = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        print(f"| {name}, {torch.get_num_threads()} threads | images/s | of all |\n|---|---:|---:|")
        for way, time in times.items():
            print(f"| {way} | {time.rates[1]:,.1f} | {time.rates[1] / whole:.2f} |")
        print(
            f"| memory given back | {forgetful:,.1f} | {forgetful / whole:.2f} |\n",
            flush=True,
        )


if __name__ == "__main__":
    main()
