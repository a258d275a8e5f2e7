"""Pictures for people: one image as PNG bytes, many as a grid, and a contact sheet sorted by class."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

PAPER = 250
INK = 38
FAINT = 116
MARGIN = 16
GAP = 3
READABLE = 56
"""Side in pixels that a picture on a sheet is enlarged to, at least, when no scale is given."""
WIDEST = 1280
"""Width in pixels that a sheet's pictures stay within when no number per row is given."""
LABEL_WIDTH = 180
FONT_SIZE = 16


def png(image: NDArray[np.uint8], scale: int = 1) -> bytes:
    """`image` as PNG bytes: the same pixels always give the same bytes.

    image: uint8, HWC, C is 1 (saved as grey) or 3 (saved as RGB).
    scale: whole factor by which the sides grow, nearest neighbour.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in (1, 3) or image.size == 0:
        raise ValueError(f"an image must be uint8 HWC with C 1 or 3, not {image.dtype} {image.shape}")
    pixels = enlarge(image[None], scale)[0]
    if pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def grid(
    images: NDArray[np.uint8], columns: int | None = None, gap: int = 2, background: int = 255
) -> NDArray[np.uint8]:
    """Lay `images` out row by row with `gap` pixels between and around them.

    images: uint8, NHWC, C is 1 or 3, N at least 1.
    columns: pictures per row; without it the grid is as nearly square as it can be.
    Returns uint8 HWC. Cells that no picture fills show the background.
    """
    _check(images)
    if columns is None:
        columns = math.ceil(math.sqrt(len(images)))
    if columns < 1 or gap < 0 or not 0 <= background <= 255:
        raise ValueError("columns must be at least 1, gap at least 0 and background from 0 to 255")
    count, height, width, channels = images.shape
    rows = math.ceil(count / columns)
    shape = (rows * (height + gap) + gap, columns * (width + gap) + gap, channels)
    canvas = np.full(shape, background, np.uint8)
    for index, image in enumerate(images):
        top = gap + index // columns * (height + gap)
        left = gap + index % columns * (width + gap)
        canvas[top : top + height, left : left + width] = image
    return canvas


def sheet(
    images: NDArray[np.uint8],
    labels: NDArray[np.integer] | None = None,
    classes: Sequence[str] = (),
    *,
    scale: int | None = None,
    per_row: int | None = None,
    limit: int = 400,
    caption: str = "",
) -> NDArray[np.uint8]:
    """A contact sheet: pictures sorted by class, the class name at the left of its rows.

    images: uint8, NHWC, C is 1 or 3, N at least 1.
    labels: integers, shape (N,), indices into `classes`; without them, one plain grid.
    scale: whole factor of enlargement, nearest neighbour; without it small pictures grow to about 56 pixels.
    per_row: pictures per row; without it at most 20, fewer when they would be wider than 1,280 pixels or
        would leave the last row nearly empty.
    limit: the most pictures shown. Each class gets an equal share, the first ones of each; the caption
        then says how many of how many are seen.
    caption: a line above the pictures.
    Returns uint8 HWC with the channels of `images`. A class without pictures has no row. Names in Chinese,
    Japanese or Korean come out as boxes: no font that travels with our dependencies has them.
    """
    _check(images)
    if limit < 1 or (per_row is not None and per_row < 1):
        raise ValueError("limit and per_row must be at least 1")
    groups = _groups(len(images), labels, classes)
    shares = _shares([len(indices) for _, indices in groups], limit)
    shown = sum(shares)
    if shown < len(images):
        caption = f"{caption}: " * bool(caption) + f"{shown:,} of {len(images):,} shown"
    if scale is None:
        scale = max(1, round(READABLE / max(images.shape[1:3])))
    if per_row is None:
        fitting = min(20, max(1, WIDEST // (images.shape[2] * scale + GAP)))
        per_row = math.ceil(max(shares) / math.ceil(max(shares) / fitting))

    font = font_for("".join(name for name, _ in groups) + caption)
    names = [shortened(name, font) for name, _ in groups]
    widest = max(font.getlength(name) for name in names)
    left = MARGIN + (math.ceil(widest) + MARGIN if widest else 0)
    blocks = [
        grid(enlarge(images[indices[:share]], scale), per_row, GAP, PAPER)
        for (_, indices), share in zip(groups, shares, strict=True)
        if share
    ]
    names = [name for name, share in zip(names, shares, strict=True) if share]

    tops = [MARGIN + (FONT_SIZE + MARGIN // 2 if caption else 0)]
    for block in blocks:
        tops.append(tops[-1] + len(block) + GAP)
    width = max(left + blocks[0].shape[1], MARGIN + math.ceil(font.getlength(caption))) + MARGIN
    words = Image.new("L", (width, tops[-1] + MARGIN), PAPER)
    draw = ImageDraw.Draw(words)
    draw.text((MARGIN, MARGIN - 2), caption, FAINT, font)
    for name, top in zip(names, tops, strict=False):
        draw.text((left - MARGIN, top + GAP + images.shape[1] * scale / 2), name, INK, font, anchor="rm")
    canvas = np.asarray(words)[:, :, None].repeat(images.shape[3], axis=2)
    for block, top in zip(blocks, tops, strict=False):
        canvas[top : top + len(block), left : left + block.shape[1]] = block
    return canvas


def pairs_sheet(
    left: NDArray[np.uint8],
    right: NDArray[np.uint8],
    captions: Sequence[str],
    *,
    per_row: int = 5,
    side: int = 96,
    caption: str = "",
) -> NDArray[np.uint8]:
    """Pairs of pictures side by side, each pair with a line below it.

    left, right: uint8, NHWC, of one shape. captions: one a pair. per_row: pairs in a row.
    side: pixels that the longer side is enlarged to, about, nearest neighbour. caption: a line above all.
    Returns uint8 HWC with the channels of the pictures.
    """
    _check(left)
    if left.shape != right.shape or len(captions) != len(left):
        raise ValueError("left and right must be of one shape, with a caption for each pair")
    scale = max(1, round(side / max(left.shape[1:3])))
    left, right = enlarge(left, scale), enlarge(right, scale)
    both = np.concatenate([left, np.full_like(left[:, :, :GAP], PAPER), right], axis=2)
    font = font_for("".join(captions) + caption)
    columns = min(per_row, len(both))
    cell = max(both.shape[2], *(math.ceil(font.getlength(words)) for words in captions)) + MARGIN
    line = both.shape[1] + FONT_SIZE + MARGIN
    top = MARGIN + (FONT_SIZE + MARGIN // 2 if caption else 0)
    width = MARGIN + max(columns * cell, math.ceil(font.getlength(caption)) + MARGIN)
    words = Image.new("L", (width, top + math.ceil(len(both) / columns) * line), PAPER)
    draw = ImageDraw.Draw(words)
    draw.text((MARGIN, MARGIN - 2), caption, FAINT, font)
    corners = [(top + i // columns * line, MARGIN + i % columns * cell) for i in range(len(both))]
    for (y, x), text in zip(corners, captions, strict=True):
        draw.text((x, y + both.shape[1] + 2), text, INK, font)
    canvas = np.asarray(words)[:, :, None].repeat(left.shape[3], axis=2)
    for (y, x), pair in zip(corners, both, strict=True):
        canvas[y : y + both.shape[1], x : x + both.shape[2]] = pair
    return canvas


def nchw(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pictures (N, H, W, C), as they are shown, as (N, C, H, W), as networks take them."""
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2))


def _check(images: NDArray[np.uint8]) -> None:
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in (1, 3) or images.size == 0:
        raise ValueError(f"images must be uint8 NHWC, C 1 or 3, N above 0, not {images.dtype} {images.shape}")


def enlarge(images: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    """NHWC → NHWC with both sides multiplied by `scale`."""
    if scale < 1:
        raise ValueError("scale must be at least 1")
    return images.repeat(scale, axis=1).repeat(scale, axis=2)


def _groups(
    count: int, labels: NDArray[np.integer] | None, classes: Sequence[str]
) -> list[tuple[str, NDArray[np.intp]]]:
    """(class name, indices of its pictures), in label order, classes without pictures left out."""
    if labels is None:
        return [("", np.arange(count))]
    if labels.shape != (count,) or labels.min() < 0 or labels.max() >= len(classes):
        raise ValueError("labels must be one per image, each the index of a class name")
    return [(classes[label], np.flatnonzero(labels == label)) for label in np.unique(labels)]


def _shares(counts: Sequence[int], limit: int) -> list[int]:
    """How many of each group are shown: as equal as can be, what a small group leaves goes to the others."""
    shares = [0] * len(counts)
    left = min(limit, sum(counts))
    waiting = sorted(range(len(counts)), key=lambda group: counts[group])
    for position, group in enumerate(waiting):
        shares[group] = min(counts[group], left // (len(waiting) - position))
        left -= shares[group]
    return shares


def font_for(text: str) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font for `text`: Pillow's own has ASCII only, matplotlib's also accents, Greek, Cyrillic, …"""
    spec = None if text.isascii() else find_spec("matplotlib")
    if spec is not None and spec.origin is not None:
        file = Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
        if file.is_file():
            return ImageFont.truetype(file, FONT_SIZE - 1)
    return ImageFont.load_default(size=FONT_SIZE)


def shortened(
    name: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, widest: int = LABEL_WIDTH
) -> str:
    """`name` on one line, cut with an ellipsis where it would be wider than `widest` pixels."""
    name = " ".join(name.split())
    if font.getlength(name) <= widest:
        return name
    while name and font.getlength(name + "…") > widest:
        name = name[:-1]
    return name.rstrip() + "…"
