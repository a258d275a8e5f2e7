"""`dcgan invert`: the point in latent space of a picture of one's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from dcgan.cli.generate import From, Which
from dcgan.cli.latent import Fit, Negative, Out, Seed, opened
from dcgan.cli.lists import Json
from dcgan.cli.screen import progress, say
from dcgan.cli.train import RunsDir
from dcgan.errors import DcganError

MOST = 1000


def invert(
    run: Which,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Image files.")],
    label: Annotated[str | None, typer.Option(help="Class of the pictures. [default: all are tried]")] = None,
    steps: Annotated[int, typer.Option(help="Steps of the optimisation.")] = 300,
    starts: Annotated[int, typer.Option(help="How many z it goes on from.")] = 32,
    prior: Annotated[
        float, typer.Option(help="Weight of the prior: more keeps z where the model is at home.")
    ] = 0.002,
    feature: Annotated[
        float, typer.Option(help="Weight of an error in features beside that in pixels.")
    ] = 0.0,
    seed: Seed = 0,
    fit: Fit = "crop",
    negative: Negative = False,
    out: Out = None,
    as_json: Json = False,
    from_: From = "best",
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Find the point in latent space whose picture is nearest to an image, so that it can be walked and edited.

    From the best of 512 random z of every class (and from the encoder's answer, where the model has one) the error in
    pixels is made smaller step by step. Told is the error that is left, beside that of the best random z and that of
    the mean design. inverted.npz is for `dcgan walk --between` and `dcgan arithmetic`.

    \b
    Examples:
      dcgan invert fashion-mnist my-shoe.png --negative
      dcgan invert shoes photo.jpg --label Sneaker --fit pad --out my-shoe
      dcgan walk shoes --between my-shoe/inverted.npz,17
    """
    import numpy as np

    from dcgan.analysis.latent.drawing import rows_picture
    from dcgan.analysis.latent.inversion import Settings
    from dcgan.analysis.latent.inversion import invert as find
    from dcgan.analysis.latent.kept import write_points
    from dcgan.analysis.latent.photograph import read_picture
    from dcgan.analysis.latent.points import asked_class, told
    from dcgan.files import whole_folder, write_atomic
    from dcgan.pictures import png

    if len(images) > MOST:
        raise DcganError(f"{len(images):,} pictures: at most {MOST:,} at a time")
    settings = Settings(starts=starts, steps=steps, prior=prior, feature=feature)
    settings.check()
    _, model, target = opened(run, from_, runs_dir, out, "invert")
    asked = None if label is None else asked_class(model, label)
    read = np.stack([read_picture(path, model.recipe, fit, negative) for path in images])
    names = tuple(path.name for path in images)
    with progress("inverting") as update:
        found = find(model, read, names, label=asked, settings=settings, seed=seed, progress=update)
    mixture = found.points.mixture
    rows = [
        {
            "image": str(path),
            "class": None if mixture is None else told(mixture[at], model.classes),
            "rmse": round(float(found.rmse[at]), 2),
            "rmse_best_start": round(float(found.start[at]), 2),
            "rmse_mean_design": round(float(found.mean[at]), 2),
            **({"rmse_encoder": round(float(found.encoded[at]), 2)} if found.encoded is not None else {}),
        }
        for at, path in enumerate(images)
    ]
    pairs = [np.stack([one, other]) for one, other in zip(read, found.pictures, strict=True)]
    words = [f"{name}  ({found.rmse[at]:.1f})" for at, name in enumerate(names)]
    with whole_folder(target) as making:
        sheet = rows_picture(pairs, words, columns=("picture", "found"), side=112 if len(pairs) < 6 else 56)
        write_atomic(making / "inverted.png", png(sheet))
        write_points(making / "inverted.npz", model, found.points, found.rmse)
    if as_json:
        say(
            json.dumps(
                {"model": model.name, "images": rows, "folder": str(target)}, indent=2, ensure_ascii=False
            )
        )
        return
    for row in rows:
        kind = f", {row['class']}" if row["class"] else ""
        first = f", encoder {row['rmse_encoder']}" if "rmse_encoder" in row else ""
        say(
            f"{row['image']}{kind}: error {row['rmse']} of 255 (best random start {row['rmse_best_start']}, "
            f"mean design {row['rmse_mean_design']}{first})"
        )
    say(f"picture  {target / 'inverted.png'}")
    say(f"points   {target / 'inverted.npz'}")
