"""Make runs sick on purpose, and healthy ones, let the doctor look at each, and count what it says.

    python benchmarks/doctor.py make     train them, seeds 10, 11 and 12, into runs/doctor; a run that is there is kept
    python benchmarks/doctor.py judge    diagnose them, and print the table

Thresholds were chosen on seed 0; what is reported comes from 10, 11 and 12. Every run has one thread and a budget
in images, so it is the same run on any machine of the same version.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dcgan import networks, objectives
from dcgan.analysis.doctor.findings import FINDINGS
from dcgan.analysis.doctor.live import LiveDoctor
from dcgan.analysis.doctor.see import see
from dcgan.data import Dataset, open_dataset
from dcgan.errors import Diverged
from dcgan.networks import fast
from dcgan.networks.convolution import Conv2d, ConvTranspose2d
from dcgan.presets import preset
from dcgan.recipe import Recipe
from dcgan.run import Run
from dcgan.training import folder as layout
from dcgan.training.engine import Engine
from dcgan.training.loop import fit
from dcgan.training.trainer import Trainer

SIDE = 14
"""Pixels a side of the small clothes and digits: a quarter of the work of 28."""


@dataclass(frozen=True)
class Case:
    """One kind of run: what is trained, what is done to it, and what the doctor should say ("" is nothing)."""

    expect: tuple[str, ...]
    data: str = "fashion-mnist"
    preset: str = "fast-28"
    settings: dict[str, Any] = field(default_factory=dict)
    images: int = 19_200
    size: int = SIDE
    labels: bool = False
    few: int = 0
    harm: Callable[[], Any] = nullcontext


class CheckerboardGenerator(fast.Generator):
    """The fast generator with kernels of 3 at stride 2, which cover some pixels twice (Odena et al. 2016).

    And nothing after the last of them that could smooth it.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe)
        for index, up in enumerate(self.ups):
            assert isinstance(up, nn.ConvTranspose2d)
            self.ups[index] = ConvTranspose2d(
                up.in_channels, up.out_channels, 3, 2, 1, output_padding=1, bias=False
            )
        self.paint = Conv2d(recipe.g_maps, recipe.channels, 1)


def _checkerboard(recipe: Recipe) -> dict[str, nn.Module]:
    return {"generator": CheckerboardGenerator(recipe), "discriminator": fast.Discriminator(recipe)}


networks.FAMILIES["k3s2"] = replace(networks.FAMILIES["fast"], build=_checkerboard)


@contextmanager
def double_sigmoid() -> Iterator[None]:
    """BCE with logits, fed with probabilities: what the recipe refuses to build."""
    right = objectives.OBJECTIVES["bce"]

    def loss_d(real: Tensor, fake: Tensor) -> Tensor:
        return right.discriminator(torch.sigmoid(real), torch.sigmoid(fake))

    def loss_g(real: Tensor, fake: Tensor) -> Tensor:
        return right.generator(torch.sigmoid(real), torch.sigmoid(fake))

    objectives.OBJECTIVES["bce"] = replace(right, discriminator=loss_d, generator=loss_g)
    try:
        yield
    finally:
        objectives.OBJECTIVES["bce"] = right


@contextmanager
def one_class() -> Iterator[None]:
    """D is only ever shown the first class, so G makes nothing else; the run's data holds all ten."""
    right = Trainer.draws

    def draws(self: Trainer, step: int) -> dict[str, Any]:
        drawn = right(self, step)
        assert self.data.labels is not None
        pool = np.flatnonzero(self.data.labels == 0)
        return {**drawn, "chosen": pool[drawn["chosen"] % len(pool)]}

    Trainer.draws = draws  # type: ignore[method-assign]
    try:
        yield
    finally:
        Trainer.draws = right  # type: ignore[method-assign]


@contextmanager
def spoilt_weight(at: int = 150) -> Iterator[None]:
    """One weight of G becomes NaN at a step."""
    right = Trainer.advance

    def poked(self: Trainer) -> dict[str, Tensor]:
        if self.step == at:
            with torch.no_grad():
                next(iter(self.method.networks["generator"].parameters())).view(-1)[0] = torch.nan
        return right(self)

    Trainer.advance = poked  # type: ignore[method-assign]
    try:
        yield
    finally:
        Trainer.advance = right  # type: ignore[method-assign]


BCE: dict[str, Any] = {"objective": "bce", "gamma": 0.0}
SIGMOID = {"head": "sigmoid", "objective": "bce-probability"}
DEEP = {"g_layers": 4, "d_layers": 4}


def _maxpool(*expect: str, **settings: Any) -> Case:
    """An ablation of the paper, on pictures of 14×14 in batches of 16: 300 of its steps, not its 30 epochs."""
    return Case(expect, preset="fashion-maxpool", settings={"batch": 16, **settings}, images=4_000)


LITTLE: dict[str, Any] = {"batch": 32, "g_maps": 16, "d_maps": 16}


def _small(*expect: str, **settings: Any) -> Case:
    return Case(expect, settings={**LITTLE, **settings})


CASES: dict[str, Case] = {
    "healthy fast-28": Case(("",), images=25_600),
    "healthy fast-28, labels": Case(("",), images=25_600, labels=True),
    "healthy fast-28, mnist": Case(("",), "mnist", images=19_200),
    "healthy fast-28, mnist, labels": Case(("",), "mnist", images=19_200, labels=True),
    "healthy fast-28, digits": Case(("",), "digits", size=8, images=19_200, settings=LITTLE),
    "healthy fast-28, digits, labels": Case(
        ("",), "digits", size=8, images=19_200, settings=LITTLE, labels=True
    ),
    "healthy hinge": Case(("",), settings={**LITTLE, "objective": "hinge", "gamma": 0.0, "spectral_norm": True}),
    "healthy mnist-2018, prose": Case(
        ("",), "mnist", "mnist-2018",
        {"variant": "prose", "d_batches": "separate", "batch": 32}, images=9_600,
    ),
    "healthy mnist-gan-2018": Case(("",), "mnist", "mnist-gan-2018", images=38_400, size=28),
    "maxpool": _maxpool("D wins", ""),
    "maxpool, no BN": _maxpool("", "mode collapse", batch_norm="none"),
    "maxpool, BN everywhere, sigmoid": _maxpool(
        "stuck at ln 2", batch_norm="everywhere", output="sigmoid", **SIGMOID
    ),
    "maxpool, deep G": _maxpool("D wins", "mode collapse", g_layers=4),
    "maxpool, deep, flat, sigmoid": _maxpool("D wins", pool="flatten", **DEEP, **SIGMOID),
    "maxpool, deep, max": _maxpool("D wins", **DEEP),
    "maxpool, deep, max, DCGAN's Adam": _maxpool("D wins", **DEEP, g_lr=2e-4, d_lr=2e-4, beta1=0.5),
    "rate x50": _small("learning rate too high", "not finite", g_lr=0.025, d_lr=0.025),
    "rate x50, bce": _small("learning rate too high", "not finite", **BCE, g_lr=0.025, d_lr=0.025),
    "G frozen": _small("G does not learn", g_lr=0.0),
    "G frozen, bce": _small("G does not learn", **BCE, g_lr=0.0),
    "20 images": Case(("memorisation",), settings=LITTLE, few=20, images=38_400),
    "20 digits": Case(("memorisation",), "mnist", settings=LITTLE, few=20, images=38_400),
    "one class": Case(("one-class collapse",), settings=LITTLE, harm=one_class),
    "one class, mnist": Case(("one-class collapse",), "mnist", settings=LITTLE, harm=one_class),
    "mode collapse": _small("mode collapse", **BCE, g_lr=1e-2, d_lr=5e-4, beta1=0.9, beta2=0.999),
    "mode collapse, GAN": Case(
        ("mode collapse",), "mnist", "mnist-gan-2018", {"g_lr": 4e-3, "d_lr": 1e-4}, images=25_600, size=28
    ),
    "double sigmoid": Case(("double sigmoid",), settings={**LITTLE, **BCE}, harm=double_sigmoid),
    "k3s2": Case(("checkerboard",), settings={**LITTLE, "network": "k3s2"}),
    "stuck": _small("stuck at ln 2", **BCE, weight_decay=1.0),
    "stuck, hinge": _small("stuck at ln 2", objective="hinge", gamma=0.0, weight_decay=1.0),
    "stuck, relativistic": _small("stuck at ln 2", weight_decay=1.0),
    "D wins": _small("D wins", **BCE, g_lr=1e-5, d_lr=2e-3),
    "D wins, hinge": _small("D wins", objective="hinge", gamma=0.0, g_lr=1e-5, d_lr=2e-3),
    "D wins, relativistic": _small("D wins", gamma=0.0, g_lr=1e-5, d_lr=2e-3),
    "NaN": Case(("not finite",), settings={**LITTLE, **BCE}, harm=spoilt_weight),
}  # fmt: skip


@cache
def opened(name: str, size: int, split: str) -> Dataset:
    return open_dataset(name, split=split, size=(size, size))


def data_of(case: Case) -> Dataset:
    data = opened(case.data, case.size, "train")
    if not case.few:
        return data
    assert data.labels is not None
    return replace(data, name="few", images=data.images[: case.few].copy(), labels=data.labels[: case.few])


def folder_name(name: str, seed: int) -> str:
    words = "".join(c if c.isalnum() else "-" for c in name.lower().replace("'", ""))
    return f"{words.replace('--', '-').replace('--', '-').strip('-')}-{seed}"


def make(names: list[str], seeds: list[int], runs: Path) -> None:
    for seed in seeds:
        for name in names:
            case, folder = CASES[name], folder_name(name, seed)
            if (runs / folder / "made.json").is_file():
                continue
            before = time.monotonic()
            data = data_of(case)
            recipe = preset(case.preset).recipe.with_changes({**case.settings, "seed": seed})
            recipe = recipe.with_budget(images=case.images)
            recipe = recipe.for_data(data.size, data.channels, len(data.classes) if case.labels else 0)
            if not (runs / folder).exists():
                layout.begin(runs, folder, recipe, data.describe())
            with case.harm(), suppress(Diverged):
                fit(runs / folder, recipe, data, Engine.choose(recipe.precision))
            seconds = round(time.monotonic() - before, 1)
            (runs / folder / "made.json").write_text(json.dumps({"case": name, "seconds": seconds}))
            print(f"{folder}: {seconds} s", flush=True)


def judge(names: list[str], seeds: list[int], runs: Path) -> list[dict[str, Any]]:
    """The verdict on every run there is; its data is handed over, as a part of a set has no name of its own."""
    rows = []
    for name in names:
        for seed in seeds:
            folder = runs / folder_name(name, seed)
            if not (folder / "made.json").is_file():
                continue
            verdict = see(Run(folder), data=data_of(CASES[name]), confirmed=False)
            doctor = LiveDoctor(Run(folder).recipe)
            live = [found.finding for entry in Run(folder).journal() for found in doctor.see(entry)]
            rows.append({"case": name, "seed": seed, "live": live, **verdict.to_dict()})
            print(
                f"{folder.name:36} {', '.join(f'{d.finding} {d.sure:.2f}' for d in verdict.diagnoses) or '–'}",
                flush=True,
            )
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """Made × diagnosed: how often each finding stood first, over the seeds; "nothing" where none did."""
    first = [(row["case"], (row["diagnoses"] or [{"finding": "nothing"}])[0]["finding"]) for row in rows]
    columns = [
        name for name in ("nothing", *(row.name for row in FINDINGS)) if any(f == name for _, f in first)
    ]
    lines = [
        "| made | runs | " + " | ".join(columns) + " | right |",
        "|---|---:|" + "---:|" * (len(columns) + 1),
    ]
    for case in dict.fromkeys(case for case, _ in first):
        found = [f for c, f in first if c == case]
        wanted = {name or "nothing" for name in CASES[case].expect}
        counts = " | ".join(str(found.count(name) or "") for name in columns)
        lines.append(f"| {case} | {len(found)} | {counts} | {sum(f in wanted for f in found)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("make", "judge"))
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--seeds", nargs="+", type=int, default=[10, 11, 12])
    parser.add_argument("--runs-dir", type=Path, default=Path("runs/doctor"))
    options = parser.parse_args()
    unknown = set(options.names) - CASES.keys()
    if unknown:
        parser.error(f"unknown case {sorted(unknown)[0]}: known are {', '.join(CASES)}")
    torch.set_num_threads(1)
    if options.what == "make":
        make(options.names or list(CASES), options.seeds, options.runs_dir)
    else:
        rows = judge(options.names or list(CASES), options.seeds, options.runs_dir)
        (options.runs_dir / "verdicts.json").write_text(json.dumps(rows, indent=1))
        print(table(rows))


if __name__ == "__main__":
    main()
