"""All commands, under one roof. Each group of commands is a file; torch is loaded when one of them needs it."""

from __future__ import annotations

from typing import Annotated

import typer

from dcgan.cli import (
    compare,
    datasets,
    dedup,
    demo,
    doctor,
    evaluate,
    generate,
    label,
    lists,
    nearest,
    presets,
    study,
    train,
)
from dcgan.version import __version__

app = typer.Typer(
    name="dcgan",
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Train, judge, understand and use deep convolutional GANs on pictures of your own.

    \b
    Examples:
      dcgan generate fashion-mnist -n 64        new designs from a model that comes with dcgan
      dcgan train ./shoes --minutes 20          learn from a folder of pictures
      dcgan train fashion-mnist --labels        learn to make each class on demand
    """
    if version:
        typer.echo(f"dcgan {__version__}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


app.command("train")(train.train)
app.command("resume")(train.resume)
app.command("generate")(generate.generate)
app.command("label")(label.label)
app.command("evaluate")(evaluate.evaluate)
app.command("export")(generate.export)
app.command("report")(train.report)
app.command("doctor")(doctor.doctor)
app.command("compare")(compare.compare)
app.command("demo")(demo.demo)
app.command("runs")(lists.runs)
app.command("nearest")(nearest.nearest)
app.command("study")(study.study)
app.add_typer(presets.app, name="presets")
app.add_typer(datasets.app, name="datasets")
datasets.app.command("dedup")(dedup.dedup)
