"""The page for docs/results: command, machine and tables."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import torch

from dcgan.training.engine import cpu_name, has_bf16
from dcgan.version import __version__
from speed import agreement
from speed.entries import SKETCH
from speed.table import Row, ceilings_text, contest_table, roofline_table, versus_table


def report(rows: list[Row], peers: list[Row], machine: dict[str, Any], rates: dict[str, float]) -> str:
    """The page: command and machine, then the tables. machine: `facts`. rates: `ceilings`."""
    words = [Path(word).name if Path(word).is_absolute() else word for word in sys.argv[1:]]
    parts = [
        f"`{shlex.join(['python', 'benchmarks/steps.py', *words])}`",
        f"{date.today()}: {', '.join(f'{name} {fact}' for name, fact in machine.items())}.",
        f"This machine: {ceilings_text(rates)}",
    ]
    presets = [row for row in rows if row.name != SKETCH]
    if presets:
        limits = agreement.FLOAT32
        parts += [
            contest_table(presets),
            "Rates are medians over the rounds, with quartiles. Deviation: the largest difference in two steps, each "
            "from the same weights on the same batch, in float32 without dropout: of the losses (relative), of a "
            "gradient (to its tensor's largest) and of a weight (in learning rates). A preset that deviates by more "
            f"than {limits.loss:g}, {limits.gradient:g}, {limits.weights:g} is not timed.",
        ]
    rough = [row.bf16.loss for row in rows if row.bf16]
    if rough:
        parts.append(f"In bf16 the losses of these steps are within {max(rough):.1g} of float32's.")
    if any(row.times for row in rows):
        parts += [
            roofline_table(rows, rates),
            "Operations are those of the plain step: multiplications and additions of matrix products and "
            "convolutions, forward and backward. The share is of the matrix product's rate in the same precision.",
        ]
    parts += [versus_table(row, "the sketch") for row in rows if row.name == SKETCH]
    parts += [f"{versus_table(row, 'TensorFlow')}\n\nA process each, in turn; {row.note}." for row in peers]
    return "\n\n".join(parts) + "\n"


def facts(device: torch.device, rounds: int) -> dict[str, Any]:
    """What the numbers were measured on and with."""
    return {
        "hardware": torch.cuda.get_device_name(device) if device.type == "cuda" else cpu_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "bf16": "computed natively" if has_bf16(device) else "not in hardware",
        "dcgan": f"{__version__} ({_commit()})",
        "torch": torch.__version__,
        "python": platform.python_version(),
        "rounds": rounds,
    }


def _commit() -> str:
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        return (
            subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "no commit"
        )
    except OSError:
        return "no commit"
