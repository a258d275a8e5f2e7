"""`dcgan datasets`: the named sets, a contact sheet of any set, and a check of it before training."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dcgan.cli import dedup
from dcgan.cli.check import MOST_SHOWN, report
from dcgan.cli.lists import Json
from dcgan.cli.screen import columns, progress, say, tell
from dcgan.cli.train import read_size
from dcgan.errors import DcganError

if TYPE_CHECKING:
    from dcgan.data import Dataset

app = typer.Typer(rich_markup_mode=None)

Data = Annotated[
    str, typer.Argument(metavar="NAME|PATH", help="A named set (`dcgan datasets`), or a path to pictures.")
]
Split = Annotated[str | None, typer.Option(help="train, test or all. [default: train]")]
Size = Annotated[str | None, typer.Option(metavar="HxW", help="Bring pictures to this size, 32 or 48x64.")]
Fit = Annotated[str | None, typer.Option(help="How another shape comes to the size: crop, pad or stretch.")]
Channels = Annotated[int | None, typer.Option(help="1 for grey, 3 for colour. [default: as they are]")]


@app.callback(invoke_without_command=True)
def datasets(context: typer.Context, as_json: Json = False) -> None:
    """List the named data sets: what each holds, its licence and source, and whether it is on this machine.

    \b
    Examples:
      dcgan datasets
      dcgan datasets --json
      dcgan datasets show emoji
      dcgan datasets check ./shoes
    """
    if context.invoked_subcommand:
        return
    from dcgan.data.named.fetch import describe_sets

    rows = describe_sets()
    if as_json:
        say(json.dumps(rows, indent=2))
        return
    heads = [_head(row) for row in rows]
    widths = [max(len(head[column]) for head in heads) for column in range(len(heads[0]))]
    for row, head in zip(rows, heads, strict=True):
        say("  ".join(cell.ljust(width) for cell, width in zip(head, widths, strict=True)).rstrip())
        for line in textwrap.wrap(
            f"{row['title']}. From {row['source']}. Licence: {row['licence']}.", columns() - 4
        ):
            say(f"    {line}")


def _head(row: dict[str, Any]) -> tuple[str, ...]:
    test = f" + {row['test_images']:,} test" if row["test_images"] else ""
    return (
        row["name"],
        f"{row['images']:,}{test}",
        f"{row['size'].replace('x', '×')} {'grey' if row['channels'] == 1 else 'colour'}",
        f"{row['classes']} classes" if row["classes"] else "no classes",
        "on this machine"
        if row["present"]
        else "to be fetched"
        if row["fetched"]
        else "to be placed by hand",
    )


@app.command()
def show(
    data: Data,
    out: Annotated[Path | None, typer.Option(help="PNG to write. [default: NAME-sheet.png here]")] = None,
    split: Split = None,
    size: Size = None,
    fit: Fit = None,
    channels: Channels = None,
    n: Annotated[
        int | None, typer.Option("-n", help="Pictures of each class. [default: 10, fewer of many]")
    ] = None,
    seed: Annotated[int, typer.Option(help="Which pictures are picked.")] = 0,
) -> None:
    """Draw a contact sheet, a row per class, of pictures picked at random.

    \b
    Examples:
      dcgan datasets show fashion-mnist
      dcgan datasets show ./shoes -n 20 --out shoes.png
    """
    from dcgan.cli.sheet import class_sheet
    from dcgan.files import write_atomic
    from dcgan.pictures import png
    from dcgan.training.folder import slug

    if n is not None and not 1 <= n <= 100:
        raise DcganError(f"-n is {n}: must be from 1 to 100 pictures of each class")
    if seed < 0:
        raise DcganError(f"--seed is {seed}: must be 0 or more")
    if out is not None and out.suffix.lower() != ".png":
        raise DcganError(f"{out}: a contact sheet is a PNG, so its name ends in .png")
    if out is not None:
        _refuse_old(out)
    opened = _open(data, split=split, **_options(size, fit, channels))
    target = out or Path(f"{slug(opened.name)}-sheet.png")
    _refuse_old(target)
    write_atomic(target, png(class_sheet(opened, n, seed)))
    say(str(target))


@app.command()
def check(
    data: Data,
    as_json: Json = False,
    split: Split = None,
    size: Size = None,
    fit: Fit = None,
    channels: Channels = None,
) -> None:
    """Look through a set before training: what was read and skipped, classes, copies, and a verdict in one line.

    Exit status 2 when it is not usable.

    \b
    Examples:
      dcgan datasets check ./shoes
      dcgan datasets check ./shoes --size 64 --json
    """
    from dcgan.data.check.preflight import preflight
    from dcgan.data.check.verdict import UNUSABLE

    options = _options(size, fit, channels)
    opened = _open(data, split=split, **options)
    test = None
    if split is None:
        try:
            test = _open(data, split="test", **{**options, "size": opened.size, "channels": opened.channels})
        except DcganError:  # most sets have none
            test = None
    found = preflight(opened, test=test, near=True)
    if as_json:
        say(json.dumps(found.as_json(), indent=2, ensure_ascii=False))
    else:
        for line in report(found, columns()):
            say(line)
    if found.state == UNUSABLE:
        raise typer.Exit(2)


@app.command()
def faces(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Photographs, in subfolders too.")],
    out: Annotated[Path, typer.Option(help="Folder to make for the faces.")],
    min_size: Annotated[int, typer.Option(help="Least width of a face in pixels.")] = 64,
    margin: Annotated[float, typer.Option(help="Part of a face's width to keep on each side.")] = 0.2,
    drop_copies: Annotated[bool, typer.Option("--drop-copies", help="Leave out copies of a face.")] = False,
) -> None:
    """Crop the faces out of photographs: a PNG each, and manifest.csv (file, source, box).

    Needs OpenCV: pip install 'opencv-python-headless>=4.12,<5'. It finds upright faces that look into the camera, and
    now and then what is none: look through the result.

    \b
    Examples:
      dcgan datasets faces ./photos --out faces
      dcgan datasets faces ./photos --out faces --min-size 128 --drop-copies
    """
    from dcgan.data.faces import MANIFEST, crop_faces

    with progress("faces") as update:
        done = crop_faces(
            folder, out, min_size=min_size, margin=margin, drop_copies=drop_copies, progress=update
        )
    for name, reason in done.skipped[:MOST_SHOWN]:
        tell(f"skipped {name}: {reason}")
    if len(done.skipped) > MOST_SHOWN:
        tell(f"skipped {len(done.skipped) - MOST_SHOWN:,} more")
    copies = f", {done.copies:,} copies left out" if drop_copies else ""
    say(f"faces     {out}: {done.faces:,} from {done.pictures:,} pictures, {done.without:,} without{copies}")
    say(f"manifest  {out / MANIFEST}")
    say(f"next      dcgan datasets check {out if out.is_absolute() else f'./{out}'}")


def _options(size: str | None, fit: str | None, channels: int | None) -> dict[str, Any]:
    return {"size": read_size(size), "channels": channels} | ({} if fit is None else {"fit": fit})


def _open(data: str, *, split: str | None, **options: Any) -> Dataset:
    from dcgan.data import open_dataset

    with progress("reading") as update:
        return open_dataset(data, split=split or "train", report=tell, progress=update, **options)


def _refuse_old(path: Path) -> None:
    if path.exists():
        raise DcganError(f"{path} exists: choose another with --out")


app.command("dedup")(dedup.dedup)
