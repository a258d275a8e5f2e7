"""How fast is a training step, against plain eager PyTorch, the first sketch, TensorFlow and the machine itself?

    python benchmarks/steps.py                                   every preset, on all cores
    python benchmarks/steps.py --presets fast-28 sketch --rounds 20 --threads 1
    python benchmarks/steps.py --presets fashion-2020 --peer tensorflow --peer-python tf/bin/python
    python benchmarks/steps.py --presets pytorch-64 --apart
    python benchmarks/steps.py --json steps.json --out docs/results/speed.md

Each preset is trained by dcgan's own Trainer, as `dcgan train` would, and by a plain float32 script of the same maths,
in turn in one process; or, `--apart`, as two programs, of which only dcgan's keeps the memory that it frees. Before
that both take the same steps from the same weights: a preset in which they do not agree is not timed, and the exit
status is 1. Images are noise: what they show does not change a step's time.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

import torch

from dcgan.training.engine import Engine, has_bf16
from speed import agreement
from speed.contests import contest, serve, sketch, tensorflow
from speed.entries import ENTRIES, PEER_PRESET, SKETCH
from speed.page import facts, report
from speed.roofline import ceilings


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [*ENTRIES, SKETCH]
    parser.add_argument(
        "--presets",
        nargs="*",
        metavar="NAME",
        default=names,
        help=f"some of {', '.join(names)}; default: all",
    )
    parser.add_argument("--rounds", type=int, default=9, help="turns of each contestant; default: 9")
    parser.add_argument(
        "--turn", type=float, default=0.3, metavar="SECONDS", help="a turn's least length; default: 0.3"
    )
    parser.add_argument(
        "--threads", type=int, default=torch.get_num_threads(), help="default: torch's own choice"
    )
    parser.add_argument(
        "--precision", choices=("auto", "bf16", "float32"), default="auto", help="dcgan's; default: auto"
    )
    parser.add_argument(
        "--apart", action="store_true", help="a process for each contestant, not one for both; not for sketch"
    )
    parser.add_argument("--peer", choices=("tensorflow",), help=f"also {PEER_PRESET} in another library")
    parser.add_argument(
        "--peer-python", metavar="PYTHON", default=sys.executable, help="the Python that has it"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="every turn's seconds")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the tables, as Markdown")
    parser.add_argument("--serve", choices=("eager", "dcgan"), help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    for name in options.presets:
        if name not in names:
            parser.error(f"unknown preset '{name}': expected some of {', '.join(names)}")
    if options.rounds < 1 or options.threads < 1:
        parser.error("--rounds and --threads must be 1 or more")
    return options


def main() -> None:
    options = arguments()
    torch.set_num_threads(options.threads)
    if options.serve:
        serve(options.serve, options)
        return
    device = Engine.choose(options.precision).device
    rates = ceilings(device, bf16=options.precision == "bf16" or has_bf16(device))
    rows, peers = [], []
    for name in options.presets:
        print(f"{name} …", file=sys.stderr, flush=True)
        rows.append(sketch(options) if name == SKETCH else contest(name, options))
    if options.peer:
        print(f"{options.peer} …", file=sys.stderr, flush=True)
        told = tensorflow(options)
        if isinstance(told, str):
            print(told, file=sys.stderr)
        else:
            peers.append(told)
    machine = facts(device, options.rounds)
    page = report(rows, peers, machine, rates)
    print(page, end="")
    if options.out:
        options.out.write_text(page, encoding="utf-8")
    if options.json:
        value = {
            "machine": machine,
            "ceilings": rates,
            "limits": asdict(agreement.FLOAT32),
            "rows": [row.to_dict() for row in rows],
            "peers": [row.to_dict() for row in peers],
        }
        options.json.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
    sys.exit(any(not row.times for row in rows))


if __name__ == "__main__":
    main()
