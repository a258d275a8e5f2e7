"""`dcgan label`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dcgan.cli.screen import progress, say, tell
from dcgan.cli.train import RunsDir


def label(
    source: Annotated[
        str,
        typer.Argument(
            metavar="RUN|MODEL|FOLDER",
            help="A run or a model, for new designs; or a folder, a zip or other pictures.",
        ),
    ],
    data: Annotated[
        str | None,
        typer.Option(help="Labelled pictures to learn the classes from. [default: the run's own]"),
    ] = None,
    n: Annotated[int, typer.Option("-n", help="How many designs of a run or model.")] = 1000,
    seed: Annotated[int, typer.Option(help="Design i of a seed is always the same picture.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to make. [default: designs/NAME-1, -2, …; FOLDER-labels for pictures]"),
    ] = None,
    folders: Annotated[
        bool,
        typer.Option(
            "--folders", help="Copies in a folder per class, OUT/classes/CLASS; train on OUT/classes."
        ),
    ] = False,
    fit: Annotated[
        str, typer.Option(help="How pictures of another shape are brought to size: crop, pad or stretch.")
    ] = "crop",
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Give each picture its class, how sure that is (0 to 1), and the next likely class, in a table.

    A small classifier learns the classes of --data, once (about a minute for 60,000 pictures), and is kept; how often
    it is right is measured on pictures it has not seen, and told. Pictures of another size are brought to its size.
    A run or model makes N new designs with manifest.csv; pictures get labels.csv, and stay as they are. sheet.png has
    a row a class, the most confident first.

    \b
    Examples:
      dcgan label shoes -n 500 --folders
      dcgan label fashion-mnist --data fashion-mnist
      dcgan label ./photos --data ./sorted-photos --out labelled
    """
    from dcgan.labels import label as label_pictures

    with progress("pictures") as update:
        done = label_pictures(
            source,
            data,
            n=n,
            seed=seed,
            out=out,
            folders=folders,
            fit=fit,
            runs_dir=runs_dir,
            tell=tell,
            progress=update,
        )
    total = int(done.counts.sum())
    say(f"labeller  {done.labeller.accuracy}")
    width = max(map(len, done.labeller.classes))
    for name, count in zip(done.labeller.classes, done.counts, strict=True):
        if count or len(done.counts) <= 20:
            say(f"  {name:<{width}}  {count:>7,}  {count / total:6.1%}")
    say(f"doubtful  {done.doubtful:,} of {total:,} below a confidence of 0.5")
    if done.asked:
        say(
            f"as asked  {done.agreed / done.asked:.1%} of {done.asked:,} are seen as the class they were to be of"
        )
    say(f"table     {done.table}")
    say(f"sheet     {done.folder / 'sheet.png'}")
