"""Numeric arrays out of a MATLAB 5 file, the format of SVHN: bounded, and nothing but numbers."""

from __future__ import annotations

import math
import zlib

import numpy as np
from numpy.typing import NDArray

from dcgan.errors import DcganError

_COMPRESSED, _MATRIX = 15, 14
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8"}
"""The types of stored numbers; an array may be stored in a smaller type than its own."""
_NUMERIC_CLASSES = range(6, 16)  # double, single, int8 … uint64
_HEADER = 128
_COMPLEX = 0x0800


def read_mat(content: bytes, where: str, most: int) -> dict[str, NDArray[np.generic]]:
    """The numeric arrays of a little-endian MATLAB 5 file by name, in MATLAB's order of axes, read-only.

    most: bytes that all variables together may unpack to. `where` names the file in errors. Cells, structs,
    objects, sparse and complex arrays are refused. Raises `DcganError` for whatever is no such file.
    """
    if len(content) < _HEADER or content[124:128] != b"\x00\x01IM":
        raise DcganError(f"{where}: not a MATLAB 5 file")
    arrays = {}
    at = _HEADER
    try:
        while at < len(content):
            kind, start, stop, at = _element(content, at)
            if kind == _COMPRESSED:
                packed = zlib.decompressobj()
                inner = packed.decompress(content[start:stop], max(1, most))
                if packed.unconsumed_tail or not packed.eof:
                    raise ValueError(f"a variable is broken or larger than the {most:,} bytes left for it")
                most -= len(inner)
                at = stop  # compressed variables are not padded
                kind, start, stop, _ = _element(inner, 0)
            else:
                inner = content
                most -= stop - start
            if kind != _MATRIX or most < 0:
                raise ValueError(f"an element of type {kind}, or too large a one, where a variable should be")
            name, array = _matrix(inner[start:stop])
            arrays[name] = array
    except (ValueError, zlib.error, UnicodeDecodeError) as error:
        raise DcganError(f"{where}: not a MATLAB file that is read: {error}") from error
    return arrays


def _element(content: bytes, at: int) -> tuple[int, int, int, int]:
    """(type, start and stop of the data, where the next element begins) of the element at `at`."""
    if at + 8 > len(content):
        raise ValueError("it ends within an element")
    first = int.from_bytes(content[at : at + 4], "little")
    if first >> 16:  # the small form: type and size in one word, up to four bytes of data after it
        kind, size, start, following = first & 0xFFFF, first >> 16, at + 4, at + 8
        if size > 4:
            raise ValueError("a small element of more than four bytes")
    else:
        kind, size, start = first, int.from_bytes(content[at + 4 : at + 8], "little"), at + 8
        following = start + size + -size % 8
    if start + size > len(content):
        raise ValueError("it ends within an element")
    return kind, start, start + size, following


def _matrix(content: bytes) -> tuple[str, NDArray[np.generic]]:
    parts: list[bytes] = []
    types: list[int] = []
    at = 0
    while at < len(content) and len(parts) < 4:
        kind, start, stop, at = _element(content, at)
        types.append(kind)
        parts.append(content[start:stop])
    if len(parts) != 4 or len(parts[0]) != 8 or len(parts[1]) % 4:
        raise ValueError("a variable without flags, dimensions, name and numbers")
    flags = int.from_bytes(parts[0][:4], "little")
    name = parts[2].decode("ascii")
    if flags & 0xFF not in _NUMERIC_CLASSES or flags & _COMPLEX or types[3] not in _NUMBERS:
        raise ValueError(f"the variable {name[:40]!r} is not an array of real numbers")
    shape = np.frombuffer(parts[1], "<i4").tolist()
    values = np.frombuffer(parts[3], "<" + _NUMBERS[types[3]])
    if min(shape, default=0) < 0 or math.prod(shape) != len(values):
        raise ValueError(f"the variable {name[:40]!r} has {len(values)} numbers for the shape {shape}")
    return name, values.reshape(shape, order="F")
