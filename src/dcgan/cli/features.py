"""`dcgan features`: what a discriminator has learned, as numbers for other programs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from dcgan.cli.generate import From, the_model
from dcgan.cli.screen import progress, say, tell
from dcgan.cli.train import RunsDir
from dcgan.cli.words import listed
from dcgan.errors import DcganError

Layers = Annotated[
    str, typer.Option(help="all, last (of each network), or names with commas, as conv2,conv3.")
]
Pool = Annotated[int, typer.Option(help="Side of the grid that each map is max-pooled to; 0: whole maps.")]
Views = Annotated[
    str,
    typer.Option(
        help="Of shifted,mirrored: the mean of the features of a picture moved by a pixel each way, or mirrored (no "
        "letters or digits); takes 5, 2 or, with both, 10 times as long."
    ),
]
Resize = Annotated[
    bool, typer.Option("--resize", help="Bring pictures of another size or other channels to RUN's.")
]


def features(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run or a model.")],
    data: Annotated[str, typer.Argument(metavar="DATA", help="A named set, or a path of pictures.")],
    out: Annotated[Path, typer.Option(help="The .npz to write.")] = Path("features.npz"),
    layers: Layers = "all",
    pool: Pool = 4,
    views: Views = "",
    split: Annotated[str, typer.Option(help="train, test or all, of a named set.")] = "train",
    resize: Resize = False,
    from_: From = "best",
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Write what the layers of RUN's discriminator, and of its encoder, say of each picture of DATA.

    The .npz holds features (float32, pictures × numbers), names (LAYER.MAP@ROW,COLUMN of each number), layers and,
    where DATA has classes, labels and classes. `numpy.load` reads it. In Python: dcgan.features.DiscriminatorFeatures,
    a scikit-learn transformer.

    \b
    Examples:
      dcgan features fashion-mnist fashion-mnist --split test --out test.npz
      dcgan features shoes ./shoes --layers conv3 --pool 2
      dcgan features shoes ./others --resize
    """
    from dcgan import api
    from dcgan.analysis.probe.layers import model_features
    from dcgan.features import pictures_for, write_features

    if out.suffix != ".npz":
        raise DcganError(f"--out is {out}: features are written as .npz: choose a name that ends so")
    model = the_model(api.load(run, runs_dir=runs_dir), from_)
    found = model_features(model, asked_layers(layers), pool, asked_views(views))
    pictures = pictures_for(model, data, split=split, resize=resize, report=tell)
    began = time.monotonic()
    with progress("features") as update:
        write_features(out, found, pictures, update)
    seconds = time.monotonic() - began
    for layer in found.layers:
        say(f"{layer.name:<18}{layer.maps:,} maps of {layer.height}×{layer.width}: {layer.numbers:,} numbers")
    say(f"{'pictures':<18}{len(pictures):,} of {pictures.name}, {len(pictures) / seconds:,.0f} a second")
    say(f"{'features':<18}{out}, {found.width:,} numbers a picture")


def asked_layers(words: str) -> str | list[str]:
    """What --layers says: "all", "last", or names."""
    return words if words in ("all", "last") else listed(words, "--layers")


def asked_views(words: str) -> list[str]:
    """What --views says: names, or nothing."""
    return listed(words, "--views") if words else []
