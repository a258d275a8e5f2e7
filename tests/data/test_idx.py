"""IDX files: what is read, and that nothing else is."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from making import tries

from dcgan.data.formats.idx import read_idx
from dcgan.errors import DcganError

SHAPES = arrays.array_shapes(min_dims=1, max_dims=4, max_side=6)


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def one_line(error: pytest.ExceptionInfo[DcganError]) -> str:
    text = str(error.value)
    assert "\n" not in text and len(text) < 200 and "a.idx" in text
    return text


@tries(60)
@given(arrays.arrays(np.uint8, SHAPES))
def test_reads_what_was_written(array: np.ndarray) -> None:
    assert np.array_equal(read_idx(idx(array), "a.idx"), array)


@tries(60)
@given(arrays.arrays(np.uint8, SHAPES), st.data())
def test_a_byte_too_few_or_too_many_is_refused(array: np.ndarray, data: st.DataObject) -> None:
    good = idx(array)
    cut = data.draw(st.integers(0, len(good) - 1))
    for bad in (good[:cut], good + b"\0"):
        with pytest.raises(DcganError) as error:
            read_idx(bad, "a.idx")
        one_line(error)


@tries(60)
@given(st.binary(max_size=64) | st.binary(max_size=60).map(lambda tail: b"\0\0\x08" + tail))
def test_any_bytes_are_read_or_refused_in_one_line(content: bytes) -> None:
    try:
        array = read_idx(content, "a.idx")
    except DcganError as error:
        assert "\n" not in str(error)
    else:
        assert idx(array) == content


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not an IDX file"),
        (b"\x89PNG", "not an IDX file"),
        (b"\0\0\x0d\x01\0\0\0\x01\0\0\0\0", "type 0x0d"),
        (b"\0\0\x08\0\x07", "0 dimensions"),
        (b"\0\0\x08\xff" + bytes(2000), "255 dimensions"),
        (b"\0\0\x08\x02\0\0\0\x01", "header ends"),
        (b"\0\0\x08\x03" + b"\0\0\0\0" + b"\xff" * 8, "empty"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "must be 79228162458924105385300197391 bytes"),
    ],
)
def test_says_what_is_wrong(content: bytes, says: str) -> None:
    with pytest.raises(DcganError) as error:
        read_idx(content, "a.idx")
    assert says in one_line(error)
