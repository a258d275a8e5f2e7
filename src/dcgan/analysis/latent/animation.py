"""Frames as a moving picture: GIF and WebP by Pillow, MP4 by an ffmpeg where there is one."""

from __future__ import annotations

import io
import shutil
import subprocess
import tempfile
from importlib import import_module
from pathlib import Path

import numpy as np
from PIL import Image, features

from dcgan.analysis.latent.drawing import scale_for
from dcgan.analysis.latent.points import Images
from dcgan.errors import DcganError, one_of
from dcgan.pictures import enlarge, grid

FORMATS = ("gif", "webp", "mp4")
SIDE = 224
"""Pixels that the picture of one track is enlarged to, about; of several, of all together three times as many."""


def check_format(name: str, fps: float) -> None:
    """Raises `DcganError` for an animation that cannot be written here."""
    if name not in FORMATS:
        raise one_of("format", name, FORMATS)
    if not 1 <= fps <= 50:
        raise DcganError(f"--fps is {fps:g}: must be from 1 to 50")
    if name == "mp4":
        _encoder()
    if name == "webp" and not features.check("webp"):
        raise DcganError("this Pillow cannot write WebP: choose --format gif")


def animation(frames: Images, name: str, fps: float) -> bytes:
    """Frames, uint8 (T, tracks, H, W, C), T at least 2, that repeat for ever, as a file of format `name`.

    The tracks lie side by side in each frame, as a grid.
    """
    check_format(name, fps)
    tracks = frames.shape[1]
    across = int(np.ceil(np.sqrt(tracks)))
    scale = scale_for(frames[0], SIDE if tracks == 1 else 3 * SIDE // across)
    whole = np.stack([enlarge(_laid_out(frame, across)[None], scale)[0] for frame in frames])
    if name == "mp4":
        return _mp4(whole, fps)
    pictures = [Image.fromarray(frame[:, :, 0] if frame.shape[2] == 1 else frame) for frame in whole]
    settings = {"duration": round(1000 / fps), "loop": 0, "save_all": True, "append_images": pictures[1:]}
    buffer = io.BytesIO()
    if name == "webp":
        pictures[0].convert("RGB").save(
            buffer,
            "WEBP",
            **{**settings, "append_images": [one.convert("RGB") for one in pictures[1:]]},
            lossless=True,
        )
    else:
        pictures[0].save(buffer, "GIF", **settings, disposal=1, optimize=False)
    return buffer.getvalue()


def _laid_out(frame: Images, across: int) -> Images:
    return frame[0] if len(frame) == 1 else grid(frame, across, gap=1, background=128)


def _encoder() -> str:
    """An ffmpeg: on the path, or the one that the package imageio-ffmpeg brings."""
    found = shutil.which("ffmpeg")
    if found:
        return found
    try:
        return str(import_module("imageio_ffmpeg").get_ffmpeg_exe())
    except (ImportError, RuntimeError, AttributeError):
        raise DcganError(
            "mp4 needs an encoder, and there is none: install ffmpeg or `pip install imageio-ffmpeg`, or choose "
            "--format gif or webp"
        ) from None


def _mp4(frames: Images, fps: float) -> bytes:
    """H.264 of even sides, as players want it; one thread and no date in it: the same frames give the same file.

    Raises `DcganError` where ffmpeg fails.
    """
    colour = np.repeat(frames, 3, axis=3) if frames.shape[3] == 1 else frames
    height, width = (side + side % 2 for side in colour.shape[1:3])
    pads = ((0, 0), (0, height - colour.shape[1]), (0, width - colour.shape[2]), (0, 0))
    colour = np.pad(colour, pads, mode="edge")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "walk.mp4"
        raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", f"{fps:g}", "-i", "-"]
        coded = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", "18", "-threads", "1"]
        exact = [
            "-fflags",
            "+bitexact",
            "-flags:v",
            "+bitexact",
            "-map_metadata",
            "-1",
            "-movflags",
            "+faststart",
        ]
        command = [_encoder(), "-v", "error", "-y", *raw, *coded, *exact, str(file)]
        try:
            done = subprocess.run(command, input=colour.tobytes(), capture_output=True, check=False)
        except OSError as error:
            raise DcganError(
                f"{command[0]} cannot be run: {error.strerror}. Choose --format gif or webp"
            ) from None
        if done.returncode or not file.is_file():
            said = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise DcganError(
                f"{command[0]} could not write an mp4: {' '.join(said)[:200]}. Choose --format gif or webp"
            )
        return file.read_bytes()
