"""The IDX format of MNIST: two zero bytes, a type, the number of dimensions, the dimensions, the values."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from dcgan.errors import DcganError

UNSIGNED_BYTE = 0x08


def read_idx(content: bytes, where: str) -> NDArray[np.uint8]:
    """The array of unsigned bytes in an IDX file: uint8, one to four dimensions; a read-only view.

    `where` names the file in errors. Raises `DcganError` for any other type, an empty dimension, and for a
    byte too few or too many.
    """
    if len(content) < 4 or content[:2] != b"\0\0":
        raise DcganError(f"{where}: not an IDX file: those begin with two zero bytes")
    kind, dimensions = content[2], content[3]
    if kind != UNSIGNED_BYTE:
        raise DcganError(f"{where}: IDX type 0x{kind:02x} is not read, only 0x08 (unsigned bytes)")
    if not 1 <= dimensions <= 4:
        raise DcganError(f"{where}: IDX with {dimensions} dimensions is not read, only 1 to 4")
    start = 4 + 4 * dimensions
    if len(content) < start:
        raise DcganError(f"{where}: the IDX header ends after {len(content)} of {start} bytes")
    shape = tuple(int.from_bytes(content[at : at + 4]) for at in range(4, start, 4))
    expected = start + math.prod(shape)
    if expected == start:
        raise DcganError(f"{where}: the IDX file is empty: its dimensions are {_times(shape)}")
    if len(content) != expected:
        raise DcganError(f"{where}: IDX of {_times(shape)} must be {expected} bytes long, not {len(content)}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _times(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))
