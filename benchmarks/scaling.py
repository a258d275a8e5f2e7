"""How the time of a training step grows with pixels, width, batch and the number of pictures, and what predicts it.

    python benchmarks/scaling.py                        # six minutes on two cores; prints docs/scaling.md's table
    python benchmarks/scaling.py --rounds 5 --edges 64,128

A step's seconds are modelled as calls · a + operations · b + bytes · c: the kernels that are called, the
multiplications and additions of matrix products and convolutions, and the bytes of all that the kernels write, each
counted in one cycle of steps. a, b and c, none below 0, are fitted to the steps of `fast-28` at 28×28 (widths and
batches) with the least relative error. Everything else is predicted by them, and measured to see how good that is.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls  # type: ignore[import-untyped]
from torch import Tensor
from torch.utils._pytree import tree_leaves

from dcgan.data import Dataset
from dcgan.presets import PRESETS, preset, preset_for
from dcgan.training.engine import Engine
from dcgan.training.trainer import Trainer
from speed.contest import quartiles, turn
from speed.roofline import Operations

PICTURES = 2048
MAPS = 32
"""Feature maps of both networks of a fast preset, where a point says nothing else."""


class Cost(Operations):  # type: ignore[no-untyped-call]
    """Kernels called and bytes written, beside the operations."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = super().__torch_dispatch__(func, types, args, kwargs)
        made = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        self.calls += 1
        if not func.is_view:
            self.bytes += sum(tensor.nbytes for tensor in made)
        return result


@dataclass(frozen=True)
class Point:
    """One kind of step: what is varied, its recipe's changes, and whether the model is fitted to it."""

    name: str
    edge: int = 28
    channels: int = 1
    pictures: int = PICTURES
    preset: str = "fast-28"
    changes: Mapping[str, Any] | None = None
    fitted: bool = False


@dataclass(frozen=True)
class Measured:
    """seconds: a step's lower quartile, median and upper quartile. cost: a step's calls, operations and bytes."""

    point: Point
    batch: int
    seconds: tuple[float, float, float]
    cost: NDArray[np.float64]


def points(edges: list[int]) -> list[Point]:
    """All that is measured."""
    widths = [
        Point(f"{maps} maps", changes={"g_maps": maps, "d_maps": maps}, fitted=True)
        for maps in (8, 16, 32, 64)
    ]
    batches = [Point(f"batch {batch}", changes={"batch": batch}, fitted=True) for batch in (8, 16, 64, 128)]
    sizes = [
        Point(f"{edge}×{edge}, {kind}", edge, channels, preset=preset_for((edge, edge)))
        for edge in edges
        for channels, kind in ((1, "grey"), (3, "colour"))
    ]
    pictures = [Point(f"{count:,} pictures", pictures=count) for count in (1_000, 60_000, 240_000)]
    published = [
        Point(name, row.size, row.channels, preset=name)
        for name, row in PRESETS.items()
        if not row.labels and row.size < 64
    ]
    return [*widths, *batches, *sizes, *pictures, *published]


def measure(point: Point, rounds: int, seconds: float) -> Measured:
    row = preset(point.preset)
    widths = {"g_maps": MAPS, "d_maps": MAPS} if row.ours else {}
    recipe = row.recipe.for_data((point.edge, point.edge), point.channels, 0)
    recipe = recipe.with_changes({**widths, **(point.changes or {})})
    shape = (point.pictures, point.channels, point.edge, point.edge)
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    trainer = Trainer(recipe, Dataset("noise", images), Engine.choose("float32", "cpu"))
    cycle = recipe.penalty_every
    turn(trainer.advance, cycle)
    with Cost() as cost:
        turn(trainer.advance, cycle)
    steps = cycle * max(1, round(seconds / turn(trainer.advance, cycle)))
    found = quartiles([turn(trainer.advance, steps) / steps for _ in range(rounds)])
    counted = np.array([cost.calls, cost.total, cost.bytes], np.float64) / cycle
    return Measured(point, recipe.batch, found, counted)


def fit(measured: list[Measured]) -> NDArray[np.float64]:
    """Seconds a call, an operation and a byte."""
    chosen = [each for each in measured if each.point.fitted]
    seconds = np.array([each.seconds[1] for each in chosen])
    costs = np.array([each.cost for each in chosen])
    scale = costs.max(0)
    found, _ = nnls(costs / scale / seconds[:, None], np.ones(len(chosen)))
    return np.asarray(found / scale, np.float64)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.4, help="of one turn, about")
    parser.add_argument("--edges", default="8,16,24,32,48,64,96,128", help="of square pictures, in pixels")
    options = parser.parse_args()
    asked = points([int(edge) for edge in options.edges.split(",")])
    measured = []
    for point in asked:
        measured.append(measure(point, options.rounds, options.seconds))
        print(f"{point.name}: {measured[-1].seconds[1] * 1e3:.1f} ms a step", flush=True)
    weights = fit(measured)
    facts = Engine.choose("float32", "cpu").describe()
    print("\n" + ", ".join(f"{key} {value}" for key, value in facts.items()))
    print(
        f"seconds of a step = calls · {weights[0] * 1e6:.1f} µs + operations / {1e-9 / weights[1]:,.0f} GFLOP/s"
        + (f" + bytes / {1e-9 / weights[2]:.1f} GB/s" if weights[2] else "")
        + f", fitted to the {sum(p.fitted for p in asked)} steps so marked\n"
    )
    print(
        "| | batch | GFLOP a step | MB written | calls | ms a step, measured | by the model | ratio | images/s |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    for each in measured:
        low, middle, high = (1e3 * value for value in each.seconds)
        said = 1e3 * float(each.cost @ weights)
        calls, flop, written = each.cost
        name = each.point.name + (" (fitted)" if each.point.fitted else "")
        print(
            f"| {name} | {each.batch} | {flop / 1e9:.2f} | {written / 1e6:,.0f} | {calls:,.0f} "
            f"| {middle:.1f} ({low:.1f}–{high:.1f}) | {said:.1f} | {said / middle:.2f} "
            f"| {each.batch / middle * 1e3:,.0f} |"
        )
    told = [
        abs(float(each.cost @ weights) / each.seconds[1] - 1) for each in measured if not each.point.fitted
    ]
    print(f"\npredicted, not fitted: off by {np.median(told):.0%} in the median, {max(told):.0%} at most")


if __name__ == "__main__":
    main()
