"""`dcgan presets`: the table of models, and the layers of one."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dcgan.cli.lists import Json
from dcgan.cli.screen import out, say
from dcgan.cli.train import read_size

if TYPE_CHECKING:
    from dcgan.networks.summary import Layer
    from dcgan.presets import Preset
    from dcgan.recipe import Recipe

app = typer.Typer(rich_markup_mode=None)

ROLES = ("generator", "discriminator")


@app.callback(invoke_without_command=True)
def presets(context: typer.Context, as_json: Json = False) -> None:
    """List the presets: what each makes, its parameters as its paper counts them, and what it is for.

    \b
    Examples:
      dcgan presets
      dcgan presets --json
      dcgan presets show fashion-2020
    """
    if context.invoked_subcommand:
        return
    from dcgan.presets import PRESETS

    rows = [_row(name, row) for name, row in PRESETS.items()]
    if as_json:
        say(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    _two_lines(rows)
    say("parameters as the paper counts them; layers and recipe of one: dcgan presets show NAME")


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A row of `dcgan presets`.")],
    size: Annotated[
        str | None, typer.Option(metavar="HxW", help="Of images of this size. [default: the preset's]")
    ] = None,
    channels: Annotated[int | None, typer.Option(help="1 grey, 3 colour. [default: the preset's]")] = None,
    classes: Annotated[int, typer.Option(help="Classes to learn, where the preset can.")] = 0,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="K=V", help="Change a field of the recipe.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Print a preset's networks layer by layer, as the papers' tables do, and its recipe.

    \b
    Examples:
      dcgan presets show fashion-maxpool
      dcgan presets show fashion-maxpool --set g_layers=4
      dcgan presets show fast-64 --size 48x64 --channels 3 --classes 10
    """
    from dcgan.networks.summary import summarize
    from dcgan.presets import preset

    row = preset(name)
    shape = read_size(size) or (row.size, row.size)
    recipe = row.recipe.with_settings(set_ or []).for_data(
        shape, row.channels if channels is None else channels, classes
    )
    layers = summarize(recipe)
    if as_json:
        listed = {role: [dataclasses.asdict(layer) for layer in rows] for role, rows in layers.items()}
        say(json.dumps({"recipe": recipe.to_dict(), **listed}, indent=2, ensure_ascii=False))
        return
    say(f"{name}: {row.purpose} ({row.paper})")
    for role, rows in layers.items():
        say("")
        _print_layers(role, rows, row.counts_statistics)
    say("")
    _print_recipe(recipe)


def _two_lines(rows: list[dict[str, Any]]) -> None:
    """A line of facts and a line of words a preset: as one table the words would be a column of syllables."""
    heads = [("preset", "makes", "generator", "discriminator", "network")]
    heads += [
        (row["name"], row["makes"], *(f"{row[f'{role}_parameters']:,}" for role in ROLES), row["network"])
        for row in rows
    ]
    widths = [max(len(head[column]) for head in heads) for column in range(len(heads[0]))]
    for head, row in zip(heads, [None, *rows], strict=True):
        cells = [
            cell.rjust(width) if column in (2, 3) else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(head, widths, strict=True))
        ]
        say("  ".join(cells).rstrip())
        if row:
            say(f"    {row['for']}; from {row['paper']}; {row['sizes']} px")


def _row(name: str, row: Preset) -> dict[str, Any]:
    from dcgan.networks import FAMILIES, build_networks
    from dcgan.networks.outline import outline
    from dcgan.networks.summary import count

    with outline():
        networks = build_networks(row.recipe.for_data((row.size, row.size), row.channels, 0))
    counts = {role: count(networks[role]) for role in ROLES}
    keras = row.counts_statistics
    smallest, largest = FAMILIES[row.recipe.network].sizes
    return {
        "name": name,
        "makes": f"{row.size}x{row.size}{' colour' if row.channels == 3 else ''}",
        "sizes": f"{smallest} to {largest}" if smallest < largest else f"only {smallest}",
        "network": row.recipe.network,
        "objective": row.recipe.objective,
        "batch": row.recipe.batch,
        **{f"{role}_parameters": each.total(with_statistics=keras) for role, each in counts.items()},
        **{f"{role}_trainable": each.trainable for role, each in counts.items()},
        "paper": row.paper,
        "for": row.purpose,
    }


def _print_layers(role: str, layers: list[Layer], keras: bool) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(role, min_width=30)
    table.add_column("output shape", min_width=16)
    table.add_column("parameters", justify="right")
    trainable, total = 0, 0
    for layer in layers:
        counted = layer.parameters + (layer.statistics if keras else 0)
        trainable, total = trainable + layer.parameters, total + counted
        table.add_row(layer.name, " × ".join(map(str, layer.output)), f"{counted:,}")
    table.add_row("total", "", f"{total:,}", style="bold")
    if total != trainable:
        table.add_row("trainable", "", f"{trainable:,}")
        table.add_row("batch norm's mean and variance", "", f"{total - trainable:,}")
    out().print(table)


def _print_recipe(recipe: Recipe) -> None:
    """The fields that mean something to this recipe, for `--set`; its budget is one of the three."""
    from rich.table import Table

    from dcgan.networks import FAMILIES
    from dcgan.recipe import FIELDS, NO_BUDGET, REGULARIZED

    switches = FAMILIES[recipe.network].switches
    given = {"preset", "height", "width", "channels", "classes"}

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("recipe", "value", "meaning"):
        table.add_column(heading)
    for name, spec in FIELDS.items():
        value, metadata = getattr(recipe, name), spec.metadata
        if name in given or (metadata["architecture"] and name not in switches):
            continue
        if name in REGULARIZED and recipe.method != "regularized":
            continue
        if name in NO_BUDGET and not value:
            continue
        choices = switches.get(name) or metadata["choices"]
        more = f": {', '.join(str(choice) for choice in choices if choice)}" if choices else ""
        table.add_row(name, f"{value:,}" if name == "images" else str(value), f"{metadata['help']}{more}")
    out().print(table)
