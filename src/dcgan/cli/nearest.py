"""`dcgan nearest`: are pictures copies of those a model learned from?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dcgan.cli.generate import From
from dcgan.cli.screen import progress, say, tell
from dcgan.cli.train import RunsDir
from dcgan.errors import DcganError

if TYPE_CHECKING:
    from dcgan.analysis.nearest import Copies
    from dcgan.data import Dataset

MOST = 20_000


def nearest(
    what: Annotated[
        str, typer.Argument(metavar="RUN|FOLDER", help="A run, a model, or a folder of generated pictures.")
    ],
    data: Annotated[
        str | None, typer.Option(help="What it learned from: a named set or a path. [default: the run's own]")
    ] = None,
    n: Annotated[int, typer.Option("-n", help="How many pictures to look at.")] = 1000,
    out: Annotated[Path | None, typer.Option(help="Folder for closest.png and copies.json.")] = None,
    extractor: Annotated[
        str, typer.Option(help="In which features: pixels (the sharpest for copies), fixed or inception.")
    ] = "pixels",
    seed: Annotated[int, typer.Option(help="Seed of the designs and of every draw.")] = 0,
    from_: From = "best",
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Look for copies of training pictures and for repetitions, and draw the 10 closest pairs.

    The distance of generated pictures to their nearest training pictures is compared with that of the test split, or,
    where there is none, of training pictures to all others. The birthday test estimates how many different pictures
    the generator makes.

    \b
    Examples:
      dcgan nearest shoes
      dcgan nearest fashion-mnist --data fashion-mnist -n 2000
      dcgan nearest ./new-shoes --data ./shoes --out copies
    """
    from dcgan.analysis.memorization import LEAST_GENERATED
    from dcgan.analysis.nearest import CLOSEST, drawn, look_for_copies, write_closest
    from dcgan.evaluation.extractors import extractor as find_extractor
    from dcgan.files import filled_folder, write_json
    from dcgan.subject import not_seen, subject

    if not LEAST_GENERATED <= n <= MOST:
        raise DcganError(f"-n is {n}: must be from {LEAST_GENERATED} to {MOST:,}")
    if seed < 0:
        raise DcganError(f"--seed is {seed}: must be 0 or more")
    features = find_extractor(extractor)
    looked_at = subject(what, from_, runs_dir)
    train = looked_at.real(data, "train", tell)
    held_out = not_seen(train)
    generated = looked_at.made(train, n, seed, tell).images
    others = None if held_out is None else drawn(held_out, max(n, 1000), seed)
    with filled_folder(out or Path()) as target:
        with progress("neighbours") as update:
            found = look_for_copies(
                generated, train.images, others, extractor=features, seed=seed, progress=update
            )
        write_closest(target / CLOSEST, generated, train.images, found.memorization.closest)
        if out:
            write_json(
                target / "copies.json", {"data": train.name, "sha256": train.sha256, **found.as_json()}
            )
    for line in report(found, train):
        say(line)
    say(f"closest   {target / CLOSEST}")


def report(found: Copies, train: Dataset) -> list[str]:
    """The lines of the result, the verdict last."""
    m = found.memorization
    whose = "each against the others" if m.left_one_out else "not seen in training"
    what = "training" if m.left_one_out else "held-out"
    low, high = m.ratio_interval
    rows = [
        (
            "looked at",
            f"{m.generated:,} generated, {m.train:,} training pictures of {train.name}, {found.extractor}",
        ),
        ("compared", f"with {m.held_out:,} {what} pictures, {whose}"),
        (
            "distance",
            f"to the nearest training picture, median: {m.generated_median:.4g} generated, {m.held_out_median:.4g} "
            f"{what}; ratio {m.ratio:.3f} (95 %: {low:.3f} to {high:.3f})",
        ),
        (
            "nearer",
            f"than the nearest 1 % and 5 % of {what} ones: {100 * m.below_1:.1f} % and {100 * m.below_5:.1f} %",
        ),
        ("birthday", found.birthday.verdict),
    ]
    if found.real:
        rows.append(("", f"as many real pictures: {found.real.verdict}"))
    verdict = m.verdict
    own, usual = found.birthday.support, found.real.support if found.real else None
    if own is not None and 10 * own < min(usual or m.train, m.train):
        verdict += f"; but it repeats itself: about {own:,} different pictures"
    return [f"{name:<10}{text}" for name, text in [*rows, ("verdict", verdict)]]
