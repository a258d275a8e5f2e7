"""`dcgan datasets dedup`: near-duplicates by the DCGAN paper's autoencoder, listed, shown, and left out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dcgan.cli.screen import progress, say, tell
from dcgan.errors import DcganError

FEW = 500
"""Pictures below which the autoencoder's answer is worth little."""


def dedup(
    data: Annotated[
        str,
        typer.Argument(metavar="NAME|PATH", help="A named set (`dcgan datasets`), or a path to pictures."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to make: the list, the sheet, and images/, copies of what stays."),
    ] = None,
    list_: Annotated[
        Path | None, typer.Option("--list", help="CSV to write. [default: NAME-duplicates.csv here]")
    ] = None,
    threshold: Annotated[
        int,
        typer.Option(metavar="BITS", help="Bits of 128 that the codes of duplicates may differ in, 0 to 16."),
    ] = 0,
    split: Annotated[str, typer.Option(help="train, test or all.")] = "train",
    seed: Annotated[int, typer.Option(help="Seed of the autoencoder.")] = 0,
) -> None:
    """Find near-duplicates: train the DCGAN paper's autoencoder on the pictures and compare its codes.

    Writes a list (kept, duplicate, distance) and a sheet of some pairs: look at it before you leave anything out.
    `dcgan datasets check` finds copies by another way, in seconds, that finds more of them.

    \b
    Examples:
      dcgan datasets dedup ./shoes
      dcgan datasets dedup ./shoes --out shoes-once --threshold 4
      dcgan datasets dedup fashion-mnist --list copies.csv
    """
    from dcgan.analysis.dedup import (
        IMAGES,
        LIST,
        SHEET,
        check_threshold,
        copy_kept,
        find_near_duplicates,
        write_list,
        write_sheet,
    )
    from dcgan.data import open_dataset
    from dcgan.errors import enough_memory
    from dcgan.files import exists, is_folder, make_folder
    from dcgan.training.folder import slug

    if out and list_:
        raise DcganError("--out has a list of its own: give it or --list")
    if list_ and list_.suffix.lower() != ".csv":
        raise DcganError(f"{list_}: the list is a CSV, so its name ends in .csv")
    check_threshold(threshold)
    for path in (out, list_):
        if path and exists(path):
            raise DcganError(f"{path} exists: choose another name")
    with progress("reading") as update:
        opened = open_dataset(data, split=split, fallback=32, report=tell, progress=update)
    target = out / LIST if out else list_ or Path(f"{slug(opened.name)}-duplicates.csv")
    if exists(target):
        raise DcganError(f"{target} exists: choose another with --list")
    with progress("autoencoder") as update, enough_memory():
        found = find_near_duplicates(opened.images, threshold, seed=seed, progress=update)
    count = len(found.rows)
    say(
        f"looked at  {len(opened):,} pictures of {opened.name}: {count:,} near-duplicates, {len(found.kept):,} stay"
    )
    make_folder(target.parent)
    write_list(target, opened, found)
    say(f"list       {target}")
    if len(opened) < FEW:
        say(
            f"note       so few pictures teach the autoencoder little: look through fewer than {FEW} yourself"
        )
    if count:
        sheet = out / SHEET if out else target.with_name(f"{target.stem}-{SHEET}")
        write_sheet(sheet, opened, found, seed)
        say(f"sheet      {sheet}")
    if out is None:
        return
    folder = Path(opened.origin.get("path") or "")
    if not opened.names or not opened.origin.get("path") or not is_folder(folder):
        tell(
            f"{opened.name} is no folder of images: nothing was copied, the list names pictures by their index"
        )
        return
    with progress("copying") as update:
        copy_kept(folder, out / IMAGES, opened, found, update)
    say(f"pictures   {out / IMAGES}")
