"""What one may ask of a data set: split, size, shape, channels; the same for every kind of input."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from dcgan.data.images import FITS
from dcgan.errors import DcganError, one_of

SMALLEST, LARGEST = 8, 128
"""Bounds of a picture's sides in pixels, for every data set."""

SPLITS = ("train", "test", "all")

Report = Callable[[str], None]
"""Given a line for everything that takes long."""

Progress = Callable[[int, int], None]
"""Called with (images done, images in all)."""


@dataclass(frozen=True)
class Options:
    """One request, checked when it is made: a mistake is a `DcganError`.

    split: "train", "test" or "all". size: (height, width), sides 8 … 128, or None for what the data suggests.
    channels: 1, 3, or None for what the data has. fit: how another shape becomes `size`: "crop" the centre,
    "pad" the whole picture with white, or "stretch". fallback: side of the square to bring pictures to when
    `size` is not given and they share none.
    """

    split: str = "train"
    size: tuple[int, int] | None = None
    channels: int | None = None
    fit: str = "crop"
    fallback: int | None = None
    report: Report | None = field(default=None, compare=False)
    progress: Progress | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.split in ("val", "valid", "validation", "dev"):
            raise DcganError(
                f"unknown split '{self.split}': ask for test, as which a folder of that name is read where "
                "no test folder is beside it; else open the folder itself"
            )
        if self.split not in SPLITS:
            raise one_of("split", str(self.split), SPLITS)
        if self.size is not None:
            object.__setattr__(self, "size", _checked(self.size))
        if self.channels not in (None, 1, 3):
            raise DcganError(f"channels is {self.channels}: must be 1 (grey) or 3 (colour)")
        if self.fit not in FITS:
            raise one_of("fit", str(self.fit), FITS)

    def size_for(self, sizes: Sequence[tuple[int, int]], notes: list[str]) -> tuple[int, int]:
        """(height, width) for pictures of these sizes, and a note where that was not plain.

        What was asked for; else the size that all share, when it is within 8 … 128; else a square of
        `fallback` pixels, by default the 64 or 32 that the median short side allows, below 32 that side.
        """
        if self.size:
            return self.size
        height, width = sizes[0]
        same = len(set(sizes)) == 1
        if same and min(height, width) >= SMALLEST and max(height, width) <= LARGEST:
            return height, width
        short = sorted(min(size) for size in sizes)[len(sizes) // 2]
        side = self.fallback or max(SMALLEST, next((choice for choice in (64, 32) if choice <= short), short))
        why = f"all are {height}×{width}" if same else f"their sizes differ, the median short side is {short}"
        done = {"crop": "cropped", "pad": "padded with white", "stretch": "stretched"}[self.fit]
        notes.append(
            f"images are {done} and resized to {side}×{side} ({why}); the option size chooses another"
        )
        return side, side


def _checked(size: object) -> tuple[int, int]:
    if not isinstance(size, tuple | list) or [type(side) for side in size] != [int, int]:
        raise DcganError(f"size is {size!r:.80}: expected (height, width), for example (32, 32)")
    height, width = size
    if not all(SMALLEST <= side <= LARGEST for side in (height, width)):
        raise DcganError(f"size is {height}×{width}: sides must be from {SMALLEST} to {LARGEST} pixels")
    return height, width
