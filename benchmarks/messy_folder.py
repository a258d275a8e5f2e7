"""A folder as people have them, 40 good pictures of every kind and 15 bad: `python benchmarks/messy_folder.py OUT`.

For looking at what `dcgan datasets check OUT` makes of it, and `dcgan train OUT --labels --size 32`.
"""

from __future__ import annotations

import argparse
import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

KINDS = ("round", "square")


def shape(kind: str, draw: np.random.Generator, height: int, width: int) -> Image.Image:
    """A disc or a box of some colour on a light ground."""
    rows, columns = np.indices((height, width))
    middle = height * draw.uniform(0.4, 0.6), width * draw.uniform(0.4, 0.6)
    reach = min(height, width) * draw.uniform(0.2, 0.38)
    away = np.abs(rows - middle[0]), np.abs(columns - middle[1])
    inside = np.hypot(*away) < reach if kind == "round" else np.maximum(*away) < reach
    canvas = np.full((height, width, 3), 235, np.uint8)
    canvas[inside] = draw.integers(0, 200, 3)
    return Image.fromarray(canvas)


def good(folder: Path) -> None:
    """20 pictures a class: ten ways to keep a picture, twice."""
    draw = np.random.default_rng(0)
    for kind in KINDS:
        (folder / kind / "more").mkdir(parents=True)
        for index in range(20):
            picture = shape(kind, draw, *(int(side) for side in draw.integers(40, 200, 2)))
            name = folder / kind / ("more" if index % 4 == 3 else ".") / f"{kind}-{index:02}"
            save(picture, name, index % 10)


def save(picture: Image.Image, name: Path, way: int) -> None:
    """Grey, RGB, RGBA, palette, 1-bit, 16-bit, EXIF-turned, animated, WebP, BMP."""
    if way == 0:
        picture.save(name.with_suffix(".jpg"), quality=92)
    elif way == 1:
        picture.convert("L").save(name.with_suffix(".png"))
    elif way == 2:
        alpha = Image.new("L", picture.size, 255)
        alpha.paste(0, (0, 0, picture.width // 4, picture.height // 4))
        picture.putalpha(alpha)
        picture.save(name.with_suffix(".png"))
    elif way == 3:
        picture.convert("P").save(name.with_suffix(".gif"))
    elif way == 4:
        picture.convert("1").save(name.with_suffix(".png"))
    elif way == 5:
        deep = np.asarray(picture.convert("L")).astype(np.uint16) * 257
        Image.fromarray(deep).save(name.with_suffix(".png"))
    elif way == 6:
        exif = Image.Exif()
        exif[0x0112] = 6
        picture.save(name.with_suffix(".jpeg"), exif=exif)
    elif way == 7:
        picture.save(name.with_suffix(".gif"), save_all=True, append_images=[Image.new("RGB", picture.size)])
    elif way == 8:
        picture.save(name.with_suffix(".webp"), lossless=True)
    else:
        picture.save(name.with_suffix(".bmp"))


def bad(folder: Path) -> None:
    """15 files that are no use, each for another reason."""
    buffer = io.BytesIO()
    shape("round", np.random.default_rng(1), 64, 64).save(buffer, "PNG")
    whole = buffer.getvalue()
    contents = {
        "empty.png": b"",
        "cut-short.png": whole[: len(whole) // 2],
        "header-only.png": whole[:33],
        "noise.jpg": np.random.default_rng(2).bytes(4000),
        "page.jpg": b"<!doctype html><title>404</title>",
        "notes.txt": b"not a picture at all",
        "vector.svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        "document.pdf": b"%PDF-1.7\n%%EOF\n",
        "archive.zip": b"PK\x05\x06" + bytes(18),
        "program.exe": b"MZ" + bytes(200),
        "one-pixel.png": png(1, 1, b"\0\0"),
        "line.png": png(300, 1, bytes(301)),
        "20000x20000.png": png(20_000, 20_000),
        "picture.tiff": b"II*\0" + bytes(60),
        "wrong-checksum.png": whole[:60] + bytes([whole[60] ^ 1]) + whole[61:],
    }
    for index, (name, content) in enumerate(contents.items()):
        (folder / KINDS[index % 2] / name).write_bytes(content)


def png(width: int, height: int, rows: bytes = b"") -> bytes:
    """An 8-bit grey PNG that claims this size, whatever it holds."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    if out.exists():
        parser.error(f"{out} exists: choose a folder that does not")
    good(out)
    bad(out)
    count = sum(len(files) for _, _, files in os.walk(out))
    print(f"{count} files in {out}: 40 good, {count - 40} bad")


if __name__ == "__main__":
    main()
