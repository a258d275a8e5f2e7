"""Rows of pictures with a name before each and a word above each column: what all pictures of this folder are."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from dcgan.analysis.latent.points import Images
from dcgan.pictures import FAINT, FONT_SIZE, GAP, INK, MARGIN, PAPER, enlarge, font_for, shortened

WIDEST_NAME = 300
"""Pixels; a longer name is cut."""


def scale_for(images: Images, side: int) -> int:
    """The whole factor by which pictures (N, H, W, C) grow to about `side` pixels."""
    longest = int(max(images.shape[1:3]))
    return max(1, round(side / longest))


def rows_picture(
    rows: Sequence[Images],
    names: Sequence[str],
    *,
    columns: Sequence[str] = (),
    caption: str = "",
    notes: Sequence[str] = (),
    side: int = 56,
) -> Images:
    """Rows of pictures, each uint8 (n, H, W, C) of one shape of picture, to one picture, uint8 HWC.

    names: before each row. columns: above each column. caption: a line above all. notes: lines below all.
    side: pixels that a picture is enlarged to, about, nearest neighbour.
    """
    scale = scale_for(rows[0], side)
    height, width, channels = (rows[0].shape[1] * scale, rows[0].shape[2] * scale, rows[0].shape[3])
    font = font_for("".join([*names, *columns, caption, *notes]))
    names = [shortened(name, font, WIDEST_NAME) for name in names]
    widest = max((font.getlength(name) for name in names), default=0)
    left = MARGIN + (math.ceil(widest) + MARGIN // 2 if widest else 0)
    cell = max(width, *(math.ceil(font.getlength(word)) + 2 for word in columns), 0)
    line = FONT_SIZE + MARGIN // 2
    top = MARGIN + line * (bool(caption) + bool(columns))
    across = max(len(row) for row in rows)
    total = max(
        left + across * (cell + GAP),
        *(MARGIN + math.ceil(font.getlength(words)) for words in (caption, *notes)),
    )
    bottom = top + len(rows) * (height + GAP)
    size = (total + MARGIN, bottom + line * len(notes) + MARGIN)
    words = Image.new("L", size, PAPER)
    draw = ImageDraw.Draw(words)
    draw.text((MARGIN, MARGIN - 4), caption, FAINT, font)
    for at, word in enumerate(columns):
        middle = left + at * (cell + GAP) + cell / 2
        draw.text((middle, top - 6), word, FAINT, font, anchor="ms")
    for at, name in enumerate(names):
        draw.text((left - MARGIN // 2, top + at * (height + GAP) + height / 2), name, INK, font, anchor="rm")
    for at, note in enumerate(notes):
        draw.text((MARGIN, bottom + 4 + at * line), note, FAINT, font)
    canvas = np.asarray(words)[:, :, None].repeat(channels, axis=2)
    for number, row in enumerate(rows):
        y = top + number * (height + GAP)
        for at, picture in enumerate(enlarge(row, scale)):
            x = left + at * (cell + GAP) + (cell - width) // 2
            canvas[y : y + height, x : x + width] = picture
    return canvas


def beside(left: Images, right: Images) -> Images:
    """Two pictures HWC side by side, at one height."""
    height = max(len(left), len(right))
    parts = []
    for part in (left, right):
        filled = np.full((height, *part.shape[1:]), PAPER, np.uint8)
        filled[: len(part)] = part
        parts.append(filled)
    return np.concatenate(parts, axis=1)


def below(above: Images, under: Images) -> Images:
    """Two pictures HWC one below the other, at one width."""
    turned = beside(above.transpose(1, 0, 2), under.transpose(1, 0, 2))
    return np.ascontiguousarray(turned.transpose(1, 0, 2))
