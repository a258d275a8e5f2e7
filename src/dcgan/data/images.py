"""One image file to pixels, safely: few formats, bounded bytes and pixels, every failure a reason."""

from __future__ import annotations

import io
import os
import stat
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "PPM")
"""All that is ever decoded. GIF, APNG and WebP give their first frame; PPM includes PGM and PBM."""

LARGEST_FILE = 64 * 2**20
"""Bytes of one image file."""

LARGEST_IMAGE = 64_000_000
"""Pixels of one image, 8000 × 8000: checked in the header, before anything is decoded."""

SMALLEST_SIDE = 2
"""Pixels; below that there is no picture to resize."""

FITS = ("crop", "pad", "stretch")
"""How a picture becomes another shape: its centre, all of it on white, or all of it distorted."""

# Pillow's own bomb check warns first; the same limit, as an error, whatever the caller's filters are later.
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ORIENTATION = 0x0112


class UnreadableError(Exception):
    """An image file that is not used, with the reason in a few words and its kind, of `findings.KINDS`."""

    def __init__(self, reason: str, kind: str = "corrupt") -> None:
        super().__init__(reason)
        self.kind = kind


class Header(NamedTuple):
    """What the header tells: the size as the picture will be seen, and "grey", "colour" or "transparent"."""

    height: int
    width: int
    mode: str


def read_file(path: Path) -> bytes:
    """The bytes of a regular file, links followed. Raises `UnreadableError` when that fails."""
    try:
        # O_NONBLOCK: opening a named pipe must not wait for someone to write into it.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise UnreadableError("not a regular file", "unreadable")
            content = stream.read(LARGEST_FILE + 1)
    except OSError as error:
        raise UnreadableError(error.strerror or "cannot be read", "unreadable") from error
    return bounded(content)


def bounded(content: bytes) -> bytes:
    """`content`, neither empty nor too long for an image file. Raises `UnreadableError`."""
    if not content:
        raise UnreadableError("the file is empty", "empty")
    if len(content) > LARGEST_FILE:
        raise UnreadableError(f"the file is larger than {LARGEST_FILE >> 20} MB", "too large")
    return content


def measure(content: bytes) -> Header:
    """Size and mode of the picture from the header alone. Raises `UnreadableError`."""
    try:
        with _open(content) as image:
            width, height = image.size
            if _orientation(image) >= 5:
                height, width = width, height
            if image.has_transparency_data:
                return Header(height, width, "transparent")
            grey = image.mode in ("1", "L") or image.mode.startswith("I")
            return Header(height, width, "grey" if grey else "colour")
    except UnreadableError:
        raise
    except Exception as error:
        raise _unreadable(error) from error


def decode(content: bytes, near: int | None = None) -> Image.Image:
    """The picture in an image file, of mode L or RGB: upright, transparency on white, 16-bit grey as 8-bit.

    near: the side in pixels it will be resized to; a JPEG is then decoded at 1/2, 1/4 or 1/8 of its size when
    that leaves three times as much. Raises `UnreadableError`, whatever the bytes.
    """
    try:
        with _open(content) as image:
            if near is not None:
                image.draft(None, (3 * near, 3 * near))
            image.load()
            turn = _TURNS.get(_orientation(image))
            plain = _plain(image)
            return plain.transpose(turn) if turn is not None else plain
    except UnreadableError:
        raise
    except Exception as error:
        raise _unreadable(error) from error


def fit(image: Image.Image, size: tuple[int, int], how: str = "crop") -> Image.Image:
    """`image` (L or RGB) brought to `size` (height, width) in one of the ways of `FITS`.

    "crop" takes the largest centred part of that shape, "pad" centres the whole picture on white, "stretch" changes
    its proportions. Shrinking is a Lanczos filter over all pixels, after box averaging when it is by more than three
    times three; enlarging is bicubic. An image of that size is returned as it is.
    """
    height, width = size
    if image.size == (width, height):
        return image
    if how == "pad":
        factor = min(height / image.height, width / image.width)
        inner = max(1, round(image.height * factor)), max(1, round(image.width * factor))
        canvas = Image.new(image.mode, (width, height), "white")
        canvas.paste(fit(image, inner, "stretch"), ((width - inner[1]) // 2, (height - inner[0]) // 2))
        return canvas
    if how == "stretch":
        shrinks = image.height > height or image.width > width
        return image.resize(
            (width, height),
            Image.Resampling.LANCZOS if shrinks else Image.Resampling.BICUBIC,
            reducing_gap=3.0,
        )
    scale = min(image.width / width, image.height / height)
    used = min(scale * width, image.width), min(scale * height, image.height)
    left, top = (image.width - used[0]) // 2, (image.height - used[1]) // 2
    return image.resize(
        (width, height),
        Image.Resampling.LANCZOS if scale > 1 else Image.Resampling.BICUBIC,
        box=(left, top, left + used[0], top + used[1]),
        reducing_gap=3.0,
    )


def fit_all(images: NDArray[np.uint8], size: tuple[int, int], how: str = "crop") -> NDArray[np.uint8]:
    """`fit` over uint8 NCHW: uint8 (N, C, *size)."""
    if images.shape[2:] == size:
        return images
    result = np.empty((*images.shape[:2], *size), np.uint8)
    for index in np.ndindex(images.shape[:2]):
        result[index] = np.asarray(fit(Image.fromarray(images[index]), size, how))
    return result


def with_channels(images: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    """uint8 NCHW with 1 or 3 channels: grey repeated, or the luma of RGB (ITU-R 601, as Pillow rounds it)."""
    if images.shape[1] == channels:
        return images
    if channels == 3:
        return np.repeat(images, 3, axis=1)
    luma = np.full((len(images), *images.shape[2:]), 0x8000, np.uint32)
    for channel, weight in enumerate((19595, 38470, 7471)):
        luma += images[:, channel] * np.uint32(weight)
    return (luma >> 16).astype(np.uint8)[:, None]


def _open(content: bytes) -> ImageFile.ImageFile:
    image = Image.open(io.BytesIO(content), formats=FORMATS)
    width, height = image.size
    if width * height > LARGEST_IMAGE:
        raise UnreadableError(
            f"{width}×{height} is more than {LARGEST_IMAGE // 10**6} megapixels", "too large"
        )
    if min(width, height) < SMALLEST_SIDE:
        raise UnreadableError(f"too small: {width}×{height}", "too small")
    return image


def _orientation(image: ImageFile.ImageFile) -> int:
    # Asking a PNG for EXIF that it has not shown yet decodes it: `measure` must not.
    if image.format == "PNG" and "exif" not in image.info:
        return 1
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # a damaged EXIF block beside a good picture
        return 1
    return value if value in _TURNS else 1


def _plain(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise UnreadableError("floating-point pixels are not read", "wrong type")
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64)
        return Image.fromarray(((values.clip(0, 65535) + 128) // 257).astype(np.uint8))
    if image.has_transparency_data:
        picture = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _unreadable(error: Exception) -> UnreadableError:
    match error:
        case UnidentifiedImageError():
            return UnreadableError(
                "not an image of a known format (JPEG, PNG, WebP, GIF, BMP, PPM, PGM)", "wrong type"
            )
        case Image.DecompressionBombError() | Image.DecompressionBombWarning():
            return UnreadableError(f"more than {LARGEST_IMAGE // 10**6} megapixels", "too large")
        case MemoryError():
            return UnreadableError("not enough memory to decode it", "too large")
    return UnreadableError("damaged: " + " ".join(str(error).split())[:120])
