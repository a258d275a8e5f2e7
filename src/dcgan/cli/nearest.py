"""`dcgan nearest`: are pictures copies of those a model learned from?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dcgan.cli.screen import progress, say, tell
from dcgan.cli.train import RunsDir
from dcgan.errors import DcganError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dcgan.analysis.nearest import Copies
    from dcgan.data import Dataset
    from dcgan.model import Model
    from dcgan.run import Run

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
    seed: Annotated[int, typer.Option(help="Seed of the designs and of every draw.")] = 0,
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
    from dcgan.analysis.nearest import CLOSEST, drawn, look_for_copies, write_closest
    from dcgan.files import make_folder, write_json

    if not 1 <= n <= MOST:
        raise DcganError(f"-n is {n}: must be from 1 to {MOST:,}")
    if seed < 0:
        raise DcganError(f"--seed is {seed}: must be 0 or more")
    source = _source(what, runs_dir)
    train, held_out = _data(source, data)
    generated = _generated(source, train, n, seed)
    others = None if held_out is None else drawn(held_out, max(n, 1000), seed)
    with progress("neighbours") as update:
        found = look_for_copies(generated, train.images, others, seed=seed, progress=update)
    target = make_folder(out or Path())
    write_closest(target / CLOSEST, generated, train.images, found.memorization.closest)
    if out:
        write_json(target / "copies.json", {"data": train.name, "sha256": train.sha256, **found.as_json()})
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
    return [f"{name:<10}{text}" for name, text in [*rows, ("verdict", m.verdict)]]


def _source(what: str, runs_dir: Path) -> Run | Model | Path:
    from dcgan import api
    from dcgan.api import PRETRAINED
    from dcgan.files import is_file, is_folder
    from dcgan.training.folder import RECIPE

    folder = Path(what)
    known = is_file(runs_dir / folder / RECIPE) or is_file(PRETRAINED / f"{what}.safetensors")
    if not known and is_folder(folder) and not is_file(folder / RECIPE):
        return folder
    return api.load(what, runs_dir=runs_dir)


def _data(source: Run | Model | Path, data: str | None) -> tuple[Dataset, Dataset | None]:
    """The training pictures, and those of the test split unless training saw them or there are none."""
    from dcgan.data import open_dataset
    from dcgan.run import Run

    options: dict[str, Any] = {}
    split, where = "train", data
    path: Path | None = None
    if isinstance(source, Run):
        facts, recipe = source.data, source.recipe
        split = facts.get("split", "train")
        options = {
            "size": (recipe.height, recipe.width),
            "channels": recipe.channels,
            "fit": facts.get("fit", "crop"),
        }
        if where is None:
            path = Path(facts["path"]) if facts.get("path") else None
            where = facts.get("source")
    elif not isinstance(source, Path):
        options = {"size": (source.recipe.height, source.recipe.width), "channels": source.recipe.channels}
    if where is None and path is None:
        raise DcganError("what did it learn from? Name the set or the path with --data")
    opened = path or where or ""
    with progress("reading") as update:
        train = open_dataset(opened, split=split, report=tell, progress=update, **options)
        if isinstance(source, Run) and data is None and train.sha256 != source.data.get("sha256"):
            raise DcganError(
                f"{source.name} was trained on other pictures than {train.name} holds now: "
                "give the same ones with --data"
            )
        try:
            held_out = (
                open_dataset(
                    opened, split="test", **{**options, "size": train.size, "channels": train.channels}
                )
                if split == "train"
                else None
            )
        except DcganError:  # most sets have none
            held_out = None
    return train, held_out


def _generated(source: Run | Model | Path, train: Dataset, n: int, seed: int) -> NDArray[np.uint8]:
    """uint8 NCHW: n designs of a model, or the first n pictures of a folder in the shape of the training set."""
    import numpy as np

    from dcgan.analysis.nearest import drawn
    from dcgan.data import open_dataset
    from dcgan.run import Run

    if isinstance(source, Path):
        with progress("reading") as update:
            found = open_dataset(
                source, size=train.size, channels=train.channels, report=tell, progress=update
            )
        return drawn(found, n, seed)
    model = source.model() if isinstance(source, Run) else source
    if isinstance(source, Run):
        for note in source.notes:
            tell(f"warning: {note}")
    return np.ascontiguousarray(model.generate(n, seed=seed).images.transpose(0, 3, 1, 2))
