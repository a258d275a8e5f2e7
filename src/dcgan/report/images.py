"""Pictures as data: URIs: a PNG that is whole, of a sane size and really in the folder, or nothing."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from dcgan.report.words import text

PIXELS = 40_000_000
"""Pictures of more pixels than this are not opened: a PNG of a few kB can claim any size."""
EXACT = 1_500_000
"""Bytes up to which a picture is shown exactly as it was saved."""
SMALLER = (90, 1600)
"""Quality and longest side in pixels of the WebP that a larger one is shown as."""
WIDEST, TALLEST = 560, 1000
"""Screen pixels that a small picture may be enlarged to, by a whole factor."""


@dataclass(frozen=True)
class Picture:
    """One picture: its data: URI and its size in pixels."""

    source: str
    width: int
    height: int


def open_png(file: Path | io.BytesIO) -> Image.Image | None:
    """The picture in `file`, decoded, grey or RGB; None for links, giants and what is no whole PNG."""
    try:
        if isinstance(file, Path) and (file.is_symlink() or not file.is_file()):
            return None
        with Image.open(file, formats=["PNG"]) as image:
            if image.width * image.height > PIXELS:
                return None
            return image.convert("L" if image.mode == "L" else "RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None


def data_uri(kind: str, content: bytes) -> str:
    """The data: URI of a picture's bytes; kind: "png" or "webp"."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def webp(image: Image.Image, quality: int, side: int) -> bytes:
    """`image` as WebP, its longest side at most `side` pixels; it is shrunk in place."""
    image.thumbnail((side, side))
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=quality, method=2)
    return buffer.getvalue()


def read_picture(file: Path) -> Picture | None:
    """The PNG in `file`, as it was saved where it is small enough; None as for `open_png`."""
    image = open_png(file)
    if image is None:
        return None
    width, height = image.size
    try:
        exact = file.stat().st_size <= EXACT
        source = data_uri("png", file.read_bytes()) if exact else data_uri("webp", webp(image, *SMALLER))
    except OSError:
        return None
    return Picture(source, width, height)


def from_png(content: bytes) -> Picture | None:
    """The picture of a PNG's bytes; None when they are none."""
    image = open_png(io.BytesIO(content))
    return None if image is None else Picture(data_uri("png", content), *image.size)


def img(picture: Picture, alt: str, name: str = "", smooth: bool = False) -> str:
    """The `<img>`, a whole multiple of the picture's pixels wide where the page has the room, and no tower.

    smooth: a picture with words on it, which whole rows of pixels left out would tear.
    """
    scale = max(1, min(WIDEST // picture.width, TALLEST // picture.height))
    called = f'id="{name}" ' if name else ""
    kind = "smooth" if smooth else "fine" if picture.width > 320 else ""
    return (
        f'<img {called}class="{kind}" src="{picture.source}" width="{picture.width}" '
        f'height="{picture.height}" style="max-width:{scale * picture.width}px" alt="{text(alt)}">'
    )
