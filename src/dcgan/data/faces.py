"""Faces cropped out of a folder of photographs, one PNG each, for a data set of faces.

The detector is OpenCV's Haar cascade for frontal faces (Viola and Jones 2001), whose file travels in the package
opencv-python-headless 4. It finds upright faces that look into the camera, misses others, and now and then takes a
pattern for a face: look through the result. (Of OpenCV's cascades alt2 was chosen: in the 26 pictures that
scikit-image carries, and in one of them made eight times as large, it found the face and nothing else, where the
default one took 4 patterns for faces.)
"""

from __future__ import annotations

import csv
import io
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dcgan.data.check.duplicates import find_duplicates
from dcgan.data.findings import counted, printable
from dcgan.data.images import UnreadableError, decode, fit, read_file
from dcgan.errors import DcganError
from dcgan.files import TEMPORARY, make_folder, refused, sync_directory, write_atomic
from dcgan.pictures import png

MANIFEST = "manifest.csv"
COLUMNS = ("file", "source", "left", "top", "width", "height")

SMALLEST_FACE = 24
"""Pixels of the smallest face that the detector knows."""

LONGEST_SIDE = 1600
"""Pixels of a picture's longer side while faces are looked for; a larger picture is made smaller for that."""

SAME_FACE = 2.5
"""Tolerance for copies of a face: the same face is cut a few pixels differently out of another copy of its
picture. (Different faces of Labeled Faces in the Wild, 100 of them, are 0.36 and more apart; this allows 0.25.)"""

Box = tuple[int, int, int, int]
"""left, top, width, height in pixels."""

Detector = Callable[[NDArray[np.uint8], int], Sequence[Box]]
"""The faces in a grey picture (uint8, HW) that are at least so many pixels wide."""


@dataclass
class Faces:
    """What was done. pictures: files read as pictures; without: those without a face; faces: PNGs written;
    copies: faces left out because they were there already; skipped: (file, reason).
    """

    pictures: int = 0
    without: int = 0
    faces: int = 0
    copies: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)


def haar_detector() -> Detector:
    """OpenCV's detector of frontal faces. Raises `DcganError` that says how to install what is missing."""
    try:
        import cv2
    except ImportError:
        raise DcganError(
            "cropping faces needs OpenCV: pip install 'opencv-python-headless>=4.12,<5'"
        ) from None
    file = Path(cv2.__file__).parent / "data" / "haarcascade_frontalface_alt2.xml"
    if not hasattr(cv2, "CascadeClassifier") or not file.is_file():
        raise DcganError(
            f"OpenCV {cv2.__version__} comes without the detector: pip install 'opencv-python-headless>=4.12,<5'"
        )
    cascade = cv2.CascadeClassifier(str(file))

    def detect(grey: NDArray[np.uint8], smallest: int) -> Sequence[Box]:
        found = cascade.detectMultiScale(grey, scaleFactor=1.1, minNeighbors=6, minSize=(smallest, smallest))
        return [(int(left), int(top), int(width), int(height)) for left, top, width, height in found]

    return detect


def crop_faces(
    folder: Path,
    out: Path,
    *,
    min_size: int = 64,
    margin: float = 0.2,
    drop_copies: bool = False,
    detector: Detector | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Faces:
    """Write every face in the pictures of `folder` and its subfolders to `out`, with manifest.csv.

    min_size: least width of a face in pixels of the upright picture. margin: part of its width added on each side.
    drop_copies: leave out faces that are exact or near copies of an earlier one.
    `out` appears whole or not at all. Raises `DcganError` in one line for every mistake.
    """
    if not SMALLEST_FACE <= min_size <= 4096:
        raise DcganError(f"min-size is {min_size}: must be from {SMALLEST_FACE} to 4096 pixels")
    if not 0 <= margin <= 1:
        raise DcganError(f"margin is {margin}: must be from 0 to 1, a part of the face's width")
    if not folder.is_dir():
        raise DcganError(f"{printable(str(folder))} is not a folder of pictures")
    if out.resolve().is_relative_to(folder.resolve()):
        raise DcganError(f"{out} lies in the folder that is read: choose another with --out")
    detect = detector or haar_detector()
    files = _files(folder)
    done = Faces()
    with _whole(out) as temporary:
        rows: list[tuple[str, str, Box]] = []
        small: list[NDArray[np.uint8]] = []
        for number, path in enumerate(files, 1):
            source = printable(str(path.relative_to(folder)))
            try:
                picture = decode(read_file(path))
            except UnreadableError as reason:
                done.skipped.append((source, str(reason)))
                continue
            finally:
                if progress:
                    progress(number, len(files))
            boxes = _faces(picture, detect, min_size, margin)
            done.pictures += 1
            done.without += not boxes
            for box in boxes:
                left, top, width, height = box
                face = picture.crop((left, top, left + width, top + height))
                name = f"{len(rows):06}.png"
                write_atomic(temporary / name, png(_hwc(face)))
                rows.append((name, source, box))
                if drop_copies:
                    small.append(_hwc(fit(face.convert("RGB"), (64, 64))))
        if drop_copies and small:
            rows = _without_copies(temporary, rows, np.stack(small), done)
        if not rows:
            raise _none(folder, len(files), done, min_size)
        done.faces = len(rows)
        write_atomic(temporary / MANIFEST, _manifest(rows))
    return done


def _files(folder: Path) -> list[Path]:
    """All files below, hidden ones left out, in the order of their names; links to folders are not followed."""
    found: list[Path] = []
    for here, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(here) / name for name in names if not name.startswith(".")]
    return sorted(found)


def _faces(picture: Image.Image, detect: Detector, min_size: int, margin: float) -> list[Box]:
    """The square crops, from top to bottom, within the picture."""
    scale = min(1.0, LONGEST_SIDE / max(picture.size))
    grey = picture.convert("L")
    if scale < 1:
        grey = grey.resize(
            (max(1, round(grey.width * scale)), max(1, round(grey.height * scale))), reducing_gap=3.0
        )
    smallest = max(SMALLEST_FACE, int(min_size * scale))
    boxes = []
    for left, top, width, height in detect(np.asarray(grey), smallest):
        if max(width, height) < min_size * scale:
            continue
        side = min(round(max(width, height) / scale * (1 + 2 * margin)), *picture.size)
        middle = (left + width / 2) / scale, (top + height / 2) / scale
        x, y = (
            min(max(0, round(centre - side / 2)), length - side)
            for centre, length in zip(middle, picture.size, strict=True)
        )
        boxes.append((x, y, side, side))
    return sorted(boxes, key=lambda box: (box[1], box[0]))


def _hwc(image: Image.Image) -> NDArray[np.uint8]:
    pixels = np.asarray(image)
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def _without_copies(
    folder: Path, rows: list[tuple[str, str, Box]], small: NDArray[np.uint8], done: Faces
) -> list[tuple[str, str, Box]]:
    groups = find_duplicates(np.ascontiguousarray(small.transpose(0, 3, 1, 2)), tolerance=SAME_FACE).groups()
    copies = {index for group in groups for index in group[1:]}
    for index in copies:
        (folder / rows[index][0]).unlink()
    done.copies = len(copies)
    return [row for index, row in enumerate(rows) if index not in copies]


def _manifest(rows: Sequence[tuple[str, str, Box]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((name, source, *box) for name, source, box in rows)
    return text.getvalue()


@contextmanager
def _whole(out: Path) -> Iterator[Path]:
    """A temporary folder that becomes `out` when all went well, and is gone otherwise."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DcganError(f"{out} exists and is not empty: choose another with --out")
    make_folder(out.parent)
    for leftover in out.parent.glob(f"{TEMPORARY}*-{out.name}"):  # of a killed process
        if not _alive(leftover.name.removeprefix(TEMPORARY).partition("-")[0]):
            shutil.rmtree(leftover, ignore_errors=True)
    temporary = make_folder(out.with_name(f"{TEMPORARY}{os.getpid()}-{out.name}"))
    try:
        yield temporary
        try:
            temporary.rename(out)
        except OSError as error:
            raise refused(out, error) from error
        sync_directory(out.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _alive(process: str) -> bool:
    if not process.isdigit():
        return True
    with suppress(ProcessLookupError, PermissionError):
        os.kill(int(process), 0)
        return True
    return False


def _none(folder: Path, files: int, done: Faces, min_size: int) -> DcganError:
    shown = printable(str(folder))
    if not done.pictures:
        why = f": the first, {done.skipped[0][0]}: {done.skipped[0][1]}" if done.skipped else ""
        return DcganError(f"{shown}: no usable picture among {counted(files, 'file', 'files')}{why}")
    seen = counted(done.pictures, "picture", "pictures")
    return DcganError(
        f"{shown}: no face of {min_size} pixels or more in {seen}: a smaller --min-size finds more"
    )
