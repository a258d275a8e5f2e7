"""The page for docs/results: command, machine and tables."""

from __future__ import annotations

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
    """The page: command and machine, then the tables."""
    presets, sketches = (
        [row for row in rows if row.name != SKETCH],
        [row for row in rows if row.name == SKETCH],
    )
    command = shlex.join(["python", *sys.argv])
    facts = ", ".join(f"{key} {value}" for key, value in machine.items())
    limits = agreement.FLOAT32
    parts = [
        f"`{command}`\n\n{date.today()}: {facts}.",
        f"This machine: {ceilings_text(rates)}",
        contest_table(presets),
        "Median and quartiles of the rates over the rounds; deviation: the largest difference of one step from the "
        f"same weights on the same batch in float32, refused above {limits.loss:g} (loss, relative), "
        f"{limits.gradient:g} (gradient, of its tensor's largest) and {limits.weights:g} (weights, in learning rates).",
        roofline_table(rows, rates),
        "Operations are those of the eager step (multiplications and additions of matrix products and convolutions, "
        "forward and backward); the share is of the matrix product's rate in the same precision.",
        *(versus_table(row, "the sketch") for row in sketches),
        *(f"{versus_table(row, 'TensorFlow')}\n\nA process each, in turn; {row.note}." for row in peers),
    ]
    return "\n\n".join(parts if presets else parts[:2] + parts[4:]) + "\n"


def facts(device: torch.device, rounds: int) -> dict[str, Any]:
    """What the numbers were measured on and with."""
    return {
        "hardware": torch.cuda.get_device_name(device) if device.type == "cuda" else cpu_name(),
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
