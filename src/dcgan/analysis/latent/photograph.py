"""A person's own picture, brought to a model's size and channels as a folder of pictures is when it is read."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dcgan.analysis.latent.points import Images
from dcgan.data.images import FITS, UnreadableError, decode, fit, read_file
from dcgan.errors import DcganError, one_of
from dcgan.recipe import Recipe


def read_picture(path: Path, recipe: Recipe, how: str = "crop", negative: bool = False) -> Images:
    """uint8 (H, W, C) of an image file. how: crop, pad or stretch. negative: dark becomes light.

    Raises `DcganError` in one line for a file that is no picture.
    """
    if how not in FITS:
        raise one_of("fit", how, FITS)
    size = recipe.height, recipe.width
    try:
        picture = decode(read_file(path), near=max(size))
    except (UnreadableError, ValueError) as reason:
        raise DcganError(f"{path} cannot be read as a picture: {reason}") from None
    pixels = np.asarray(fit(picture.convert("L" if recipe.channels == 1 else "RGB"), size, how))
    pixels = pixels.reshape(*size, recipe.channels)
    return 255 - pixels if negative else pixels.copy()
