"""All commands, under one roof. Each group of commands is a file, read when it is named."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from dcgan.version import __version__


class Place(NamedTuple):
    """Where a command is: a name in a module of `dcgan.cli`; words: the first sentence of its help, for the list."""

    module: str
    name: str
    words: str


COMMANDS = {
    "train": Place("train", "train", "Train a generator on DATA."),
    "resume": Place(
        "train",
        "resume",
        "Go on with RUN from its newest good checkpoint, bit for bit as if it had never stopped.",
    ),
    "generate": Place(
        "generate",
        "generate",
        "Make N new designs: a PNG file each, manifest.csv (file, seed, index, label, score) and sheet.png.",
    ),
    "label": Place(
        "label",
        "label",
        "Give each picture its class, how sure that is (0 to 1), and the next likely class, in a table.",
    ),
    "evaluate": Place(
        "evaluate",
        "evaluate",
        "Score designs against real pictures: Fréchet distance, KID, precision, recall, density, coverage, classes.",
    ),
    "export": Place(
        "generate", "export", "Write a run's model as one small file that `dcgan generate` reads anywhere."
    ),
    "report": Place("train", "report", "Draw RUN's report.html anew and print where it is."),
    "doctor": Place(
        "doctor", "doctor", "Say what is wrong with RUN, how that shows, and what usually mends it."
    ),
    "compare": Place(
        "compare",
        "compare",
        "Put runs side by side: what differs in recipe and data, curves on one axis, scores, grids from the same z.",
    ),
    "demo": Place(
        "demo",
        "demo",
        "Train on Fashion-MNIST for three minutes and make 100 new designs. Run again, it only says where they are.",
    ),
    "runs": Place("lists", "runs", "List the runs: data, preset, state, images seen, time."),
    "nearest": Place(
        "nearest",
        "nearest",
        "Look for copies of training pictures and for repetitions, and draw the 10 closest pairs.",
    ),
    "features": Place(
        "features",
        "features",
        "Write what the layers of RUN's discriminator, and of its encoder, say of each picture of DATA.",
    ),
    "probe": Place(
        "probe",
        "probe",
        "Test how well a linear classifier tells DATA's classes by RUN's features, beside controls.",
    ),
    "walk": Place(
        "walk",
        "walk",
        "Walk through latent space from design to design, as a grid and an animation, "
        "and measure how evenly they change.",
    ),
    "arithmetic": Place(
        "arithmetic",
        "arithmetic",
        'Calculate with concepts in latent space, "a - b + c": the answer, 8 neighbours, and the same on pixels.',
    ),
    "directions": Place(
        "directions",
        "directions",
        "Find directions in latent space: of attributes, by logistic regression, and without labels, by PCA.",
    ),
    "invert": Place(
        "invert",
        "invert",
        "Find the point in latent space whose picture is nearest to an image, so that it can be walked and edited.",
    ),
    "explain": Place(
        "explain",
        "explain",
        "Look inside a model: what excites D's features, which of G's maps draw what, designs without an object.",
    ),
    "study": Place(
        "study",
        "study",
        "Carry out a published study: train its runs, score them, "
        "and write a page with published and measured numbers.",
    ),
    "presets": Place(
        "presets",
        "app",
        "List the presets: what each makes, its parameters as its paper counts them, and what it is for.",
    ),
    "datasets": Place(
        "datasets",
        "app",
        "List the named data sets: what each holds, its licence and source, and whether it is on this machine.",
    ),
}
"""What the list of commands needs, in its order: their files, and the types of their options, take longer to read
than all the rest. A test holds the words against the commands' own."""


class Commands(TyperGroup):
    """The group of all commands, which knows their words, and reads the one that is called."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for name, place in COMMANDS.items():
            self.add_command(TyperCommand(name, help=place.words))

    def get_help_option(self, ctx: Any) -> Any:
        option = super().get_help_option(ctx)
        if option is not None:
            option.default = (
                False  # with None typer loads pydantic, a tenth of a second, to learn that it is no bool
            )
        return option

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        return name, load(name) if name else command, rest


def load(name: str) -> Any:
    """The command of that name, with all its options."""
    place = COMMANDS[name]
    found = getattr(import_module(f"dcgan.cli.{place.module}"), place.name)
    if isinstance(found, typer.Typer):
        return get_group(found)
    alone = typer.Typer(rich_markup_mode=None, add_completion=False)
    alone.command(name)(found)
    return get_command(alone)


app = typer.Typer(
    name="dcgan",
    cls=Commands,
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
