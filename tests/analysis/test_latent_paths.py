"""Points decode to the designs they are; paths end where they should and keep to where z lives; jumps are seen."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import dcgan
from dcgan.analysis.latent import animation, walk
from dcgan.analysis.latent.interpolation import legs, lerp, slerp
from dcgan.analysis.latent.points import Points, decoded, design, designs, many_designs, told
from dcgan.analysis.latent.sharpness import sharpness
from dcgan.errors import DcganError
from dcgan.evaluation.extractors.pixels import Pixels
from dcgan.model import Model

T = np.linspace(0, 1, 9)


@pytest.fixture(scope="module")
def mnist() -> Model:
    model = dcgan.load("mnist")
    assert isinstance(model, Model)
    return model


def test_designs_are_the_pictures_that_generate_makes(mnist: Model) -> None:
    made = mnist.generate(70, seed=5)
    assert decoded(mnist, many_designs(mnist, 70, 5)).tobytes() == made.images.tobytes()
    asked = mnist.generate(3, seed=5, label="7").images
    assert decoded(mnist, many_designs(mnist, 3, 5, "7")).tobytes() == asked.tobytes()
    one = design(mnist, "5:69")
    assert one is not None and made.labels is not None
    assert decoded(mnist, one)[0].tobytes() == made.images[69].tobytes()
    assert one.names == (f"5:69@{mnist.classes[made.labels[69]]}",)
    assert design(mnist, one.names[0]) is not None, "what a point is called can be typed again"
    assert design(mnist, "shoe.png") is None


def test_a_half_of_two_classes_is_neither(mnist: Model) -> None:
    z, _ = mnist.latents([(0, 3)])
    corners = np.eye(10, dtype=np.float32)
    one, other = (mnist.decode(z, corners[[k]]) for k in (1, 8))
    half = mnist.decode(z, (corners[[1]] + corners[[8]]) / 2)
    assert one.tobytes() == mnist.decode(z, np.array([1])).tobytes()
    assert half.tobytes() not in (one.tobytes(), other.tobytes())
    assert told((corners[1] + corners[8]) / 2, mnist.classes) == "0.5 1 + 0.5 8"
    assert told(corners[1] - corners[8], mnist.classes) == "1 − 8"
    for wrong in (corners[[1]][:, :9], corners[[1]].astype(np.int64), np.array([1.0], np.float32), None):
        with pytest.raises(DcganError, match="one class for each z"):
            mnist.decode(z, wrong)


def test_gradients_reach_z_after_pictures_were_made(mnist: Model) -> None:
    """What is kept from call to call must not have been made in inference mode."""
    mnist.generate(4)
    z = torch.zeros(16, 64, requires_grad=True)
    images = mnist.generator(z, torch.zeros(16, dtype=torch.int64))
    (gradient,) = torch.autograd.grad(images.sum(), [z])
    assert gradient.abs().sum() > 0


def test_an_arc_keeps_the_length_that_a_line_loses() -> None:
    a, b = np.random.default_rng(0).standard_normal((2, 64)).astype(np.float32)
    b *= np.linalg.norm(a) / np.linalg.norm(b)
    lengths = np.linalg.norm(slerp(a, b, T), axis=1)
    assert np.abs(lengths / np.linalg.norm(a) - 1).max() < 1e-5
    assert np.linalg.norm(lerp(a, b, T), axis=1).min() < 0.8 * np.linalg.norm(a)
    steps = np.linalg.norm(np.diff(slerp(a, b, T), axis=0), axis=1)
    assert steps.max() / steps.min() < 1.0001, "it turns at a constant rate"


@pytest.mark.parametrize("way", [slerp, lerp])
@pytest.mark.parametrize("case", ["usual", "same", "opposite", "zero"])
def test_a_path_is_exact_at_its_ends(way: object, case: str) -> None:
    a, b = np.random.default_rng(1).standard_normal((2, 16)).astype(np.float32)
    b = {"usual": b, "same": a.copy(), "opposite": -a, "zero": np.zeros_like(a)}[case]
    path = way(a, b, T)  # type: ignore[operator]
    assert path.dtype == np.float32 and np.isfinite(path).all()
    assert path[0].tobytes() == a.tobytes() and path[-1].tobytes() == b.tobytes()
    if way is slerp and case == "opposite":
        assert np.abs(np.linalg.norm(path, axis=1) / np.linalg.norm(a) - 1).max() < 1e-5


def test_a_loop_ends_where_it_began_and_frames_never_jump(mnist: Model) -> None:
    assert legs(3) == [(0, 1), (1, 2)] and legs(3, True) == [(0, 1), (1, 2), (2, 0)]
    points = many_designs(mnist, 3)
    loop = walk.through(mnist, points, True)
    images = walk.sampled(loop, mnist, 4)
    assert images.shape == (1, 3, 5, 28, 28, 1)
    assert images[0, 2, -1].tobytes() == images[0, 0, 0].tobytes()
    assert images[0, 0, -1].tobytes() == decoded(mnist, points)[1].tobytes()
    closed = walk.frames(images, True)
    back = walk.frames(walk.sampled(walk.through(mnist, points), mnist, 4), False)
    assert closed.shape == (12, 1, 28, 28, 1) and back.shape == (16, 1, 28, 28, 1)
    whole = back[:, 0].astype(int)
    assert whole[9].tolist() == whole[7].tolist() and whole[-1].tolist() == whole[1].tolist()


def test_a_walk_across_classes_keeps_z(mnist: Model) -> None:
    points = designs(mnist, [(0, 3), (0, 4)])
    across = walk.across(mnist, points, [7, 8])
    images = walk.sampled(across, mnist, 2)
    assert images.shape[:3] == (2, 1, 3)
    asked = mnist.decode(points.z, np.array([8, 8]))
    assert images[:, 0, -1].tobytes() == asked.tobytes()
    assert np.array_equal(across.tracks[1][0].way(T).z, np.repeat(points.z[1:], len(T), 0))


def test_a_walk_along_a_direction_passes_the_design_in_the_middle(mnist: Model) -> None:
    points, direction = many_designs(mnist, 2), np.eye(64, dtype=np.float32)[5]
    way = walk.along(points, direction, "five").tracks[1][0].way(np.array([0, 0.5, 1]))
    assert np.allclose(way.z - points.z[1], np.outer([-3, 0, 3], direction), atol=1e-6)
    assert way.z[1].tobytes() == points.z[1].tobytes()


def test_sharpness_sees_a_jump_and_where_it_is() -> None:
    ramp = np.linspace(0, 64, 65).round().astype(np.uint8)
    even = np.broadcast_to(ramp[:, None, None, None], (65, 8, 8, 1)).copy()
    plain = sharpness(even, Pixels())
    assert plain.value == pytest.approx(1, abs=1e-3) and plain.fade == pytest.approx(1, abs=1e-3)
    assert plain.length == pytest.approx(1, abs=1e-3)
    jump = even.copy()
    jump[49:] += 100
    found = sharpness(jump, Pixels())
    assert found.value == pytest.approx(101, rel=1e-3) and found.at == pytest.approx(48.5 / 64)
    assert found.fade < 2.1
    still = sharpness(np.zeros((9, 8, 8, 1), np.uint8), Pixels())
    assert still.value == 1 and still.as_json()["length"] is None
    once = np.zeros((9, 8, 8, 1), np.uint8)
    once[5:] = 9
    assert sharpness(once, Pixels()).as_json()["sharpness"] is None


@pytest.mark.parametrize("name", ["gif", "webp"])
@pytest.mark.parametrize(("tracks", "channels"), [(1, 1), (3, 3)])
def test_an_animation_holds_every_frame(name: str, tracks: int, channels: int) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (5, tracks, 8, 8, channels), dtype=np.uint8)
    content = animation.animation(frames, name, 10)
    assert content == animation.animation(frames, name, 10)
    with Image.open(io.BytesIO(content)) as image:
        assert image.n_frames == 5 and image.info["loop"] == 0  # type: ignore[attr-defined]
        if name == "webp" and tracks == 1:
            image.seek(3)
            scale = image.width // 8
            seen = np.asarray(image.convert("L"))[::scale, ::scale]
            assert np.array_equal(seen, frames[3, 0, :, :, 0]), "lossless"


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg on this machine")
@pytest.mark.parametrize(("tracks", "side", "channels"), [(1, 8, 1), (3, 9, 3)])
def test_an_mp4_holds_every_frame_in_its_order(tracks: int, side: int, channels: int) -> None:
    """Each frame of one brightness, so that what H.264 loses does not matter; odd sides too."""
    levels = np.array([10, 90, 170, 250, 50], np.uint8)
    frames = np.broadcast_to(levels[:, None, None, None, None], (5, tracks, side, side, channels)).copy()
    content = animation.animation(frames, "mp4", 10)
    assert content == animation.animation(frames, "mp4", 10)
    decode = ["ffmpeg", "-v", "error", "-i", "pipe:", "-f", "rawvideo", "-pix_fmt", "gray", "pipe:"]
    grey = subprocess.run(decode, input=content, capture_output=True, check=True).stdout
    seen = np.frombuffer(grey, np.uint8).reshape(5, -1)
    assert np.abs(np.median(seen, axis=1) - levels).max() < 8


def test_an_encoder_that_fails_is_told_of_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "ffmpeg"
    broken.write_text("#!/bin/sh\necho 'Unknown encoder libx264' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(animation, "_encoder", lambda: str(broken))
    frames = np.zeros((3, 1, 8, 8, 1), np.uint8)
    with pytest.raises(
        DcganError, match=r"could not write an mp4: Unknown encoder libx264\. Choose --format gif"
    ):
        animation.animation(frames, "mp4", 10)
    broken.chmod(0o644)
    with pytest.raises(DcganError, match="cannot be run: Permission denied"):
        animation.animation(frames, "mp4", 10)


def test_mp4_without_an_encoder_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(animation.shutil, "which", lambda name: None)
    monkeypatch.setattr(animation, "import_module", lambda name: (_ for _ in ()).throw(ImportError()))
    with pytest.raises(DcganError, match="install ffmpeg"):
        animation.check_format("mp4", 10)
    with pytest.raises(DcganError, match="did you mean webp"):
        animation.check_format("webm", 10)


def test_too_few_points_and_too_many_pictures_are_refused(mnist: Model) -> None:
    with pytest.raises(DcganError, match="2 points at least"):
        walk.through(mnist, many_designs(mnist, 1))
    with pytest.raises(DcganError, match="--steps is 0"):
        walk.sampled(walk.through(mnist, many_designs(mnist, 2)), mnist, 0)
    with pytest.raises(DcganError, match="a seed is 0"):
        design(mnist, f"{2**63}:1")
    with pytest.raises(DcganError, match="an index below"):
        design(mnist, "9" * 5000)
    assert isinstance(many_designs(mnist, 2)[[1]], Points)
