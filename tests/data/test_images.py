"""Image files: every kind is shown as a person would see it, and no bytes bring more than a reason."""

from __future__ import annotations

import io
import os
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import encoded, picture, png, tries
from PIL import Image, ImageOps, PngImagePlugin

from dcgan.data import images
from dcgan.data.images import UnreadableError, decode, fit, fit_all, measure, read_file, with_channels

RAW = {"PNG": {}, "WEBP": {"lossless": True}, "BMP": {}, "PPM": {}}


@pytest.mark.parametrize("format", RAW)
@pytest.mark.parametrize("colour", [False, True])
def test_lossless_formats_give_the_pixels(format: str, colour: bool) -> None:
    original = picture(9, 13, colour)
    content = encoded(original, format, **RAW[format])
    seen = decode(content)
    assert seen.mode in ("L", "RGB") and measure(content)[:2] == (9, 13)
    assert np.array_equal(np.asarray(seen.convert("RGB")), np.asarray(original.convert("RGB")))


def test_transparency_lies_on_white() -> None:
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[..., 0] = 200
    pixels[0, :, 3], pixels[1, :, 3] = 255, 128
    seen = np.asarray(decode(encoded(Image.fromarray(pixels))))
    assert seen[0, 0].tolist() == [200, 0, 0] and seen[2, 0].tolist() == [255, 255, 255]
    assert abs(int(seen[1, 0, 1]) - 127) <= 1


def test_palette_with_and_without_a_transparent_colour() -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([255, 0, 0, 0, 0, 255])
    assert np.asarray(decode(encoded(image)))[0, 0].tolist() == [0, 0, 255]
    assert np.asarray(decode(encoded(image, transparency=1)))[0, 0].tolist() == [255, 255, 255]
    assert np.asarray(decode(encoded(image, "GIF", transparency=1)))[0, 0].tolist() == [255, 255, 255]


def test_one_bit_and_grey_with_alpha() -> None:
    assert np.asarray(decode(encoded(Image.new("1", (3, 3), 1)))).tolist() == [[255] * 3] * 3
    grey = np.asarray(decode(encoded(Image.new("LA", (3, 3), (10, 0)))))
    assert (grey == 255).all()


@pytest.mark.parametrize("format", ["PNG", "PPM"])
def test_sixteen_bit_grey_is_scaled_not_clipped(format: str) -> None:
    values = np.array([[0, 257, 128 * 257], [1000, 60_000, 65_535]], np.uint16)
    seen = decode(encoded(Image.fromarray(values), format))
    assert seen.mode == "L" and np.asarray(seen).tolist() == [[0, 1, 128], [4, 233, 255]]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    stored = Image.new("RGB", (40, 24))
    stored.paste("white", (0, 0, 20, 12))  # one corner tells all eight apart, with the sides
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(stored, "JPEG", exif=exif, quality=95)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    assert measure(content)[:2] == (upright.height, upright.width)
    for near in (None, 8):
        seen = fit(decode(content, near), measure(content)[:2]).convert("L")
        assert np.array_equal(np.asarray(seen) > 128, np.asarray(upright.convert("L")) > 128)


def test_animations_give_their_first_frame() -> None:
    frames = [Image.new("RGB", (6, 6), colour) for colour in ("red", "lime", "blue")]
    for format in ("GIF", "PNG", "WEBP"):
        content = encoded(frames[0], format, save_all=True, append_images=frames[1:], duration=50)
        red, green, blue = np.asarray(decode(content))[3, 3].tolist()
        assert red > 240 and green < 15 and blue < 15, format


@pytest.mark.parametrize("format", ["TIFF", "ICO", "TGA", "PCX"])
def test_other_formats_are_refused(format: str) -> None:
    with pytest.raises(UnreadableError, match="known format"):
        decode(encoded(picture(16, 16), format))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"hello, I am text", "known format"),
        (png(20_000, 20_000), "megapixels"),
        (png(9_000, 8_000), "megapixels"),
        (png(2**31 - 1, 2**31 - 1), "megapixels"),
        (png(1, 1, body=b"\0\0"), "too small: 1×1"),
        (png(1, 50, body=b"\0\0" * 50), "too small: 1×50"),
        (b"Pf\n4 4\n-1.0\n" + bytes(64), "floating-point"),
        (encoded(picture(40, 40), "JPEG")[:-60], "damaged"),
        (encoded(picture(40, 40))[:-900], "damaged"),
    ],
)
def test_says_why_a_file_is_not_used(content: bytes, reason: str) -> None:
    with pytest.raises(UnreadableError, match=reason):
        decode(content)


def test_a_huge_picture_is_refused_before_memory_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(self: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", never)
    with pytest.raises(UnreadableError, match="megapixels"):
        decode(png(8001, 8000))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damaged_exif_does_not_cost_the_picture() -> None:
    content = encoded(picture(20, 20), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01")
    assert decode(content).size == (20, 20)


def test_files_are_bounded_and_regular(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "LARGEST_FILE", 2**20)
    (tmp_path / "empty").touch()
    (tmp_path / "large").write_bytes(bytes(2**20 + 1))
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "nowhere").symlink_to("gone")
    for name, reason in [
        ("empty", "empty"),
        ("large", "larger than 1 MB"),
        ("pipe", "regular"),
        ("nowhere", "No such file"),
        (".", "directory"),
    ]:
        with pytest.raises(UnreadableError, match=reason):
            read_file(tmp_path / name)


SEEDS = [
    encoded(picture(24, 24), "JPEG"),
    encoded(picture(24, 24)),
    encoded(picture(24, 24).quantize(16)),
    encoded(picture(24, 24), "WEBP"),
    encoded(picture(24, 24), "GIF"),
    encoded(picture(24, 24), "BMP"),
    encoded(picture(24, 24), "PPM"),
    b"P2\n3 3\n9\n1 2 3 4 5 6 7 8 9\n",
]


@pytest.mark.parametrize("seed", range(len(SEEDS)))
def test_no_mutation_gives_more_than_a_reason(seed: int) -> None:
    chance = random.Random(seed)
    outcomes = set()
    for _ in range(150):
        content = bytearray(SEEDS[seed])
        for _ in range(chance.randint(1, 4)):
            # mostly in the headers: there the sizes, modes and lengths are
            at = chance.randrange(min(len(content), chance.choice([60, 200, len(content)])))
            match chance.randrange(4):
                case 0:
                    content[at] = chance.randrange(256)
                case 1:
                    content[at] ^= 1 << chance.randrange(8)
                case 2:
                    del content[at : at + chance.randint(1, 8)]
                case 3:
                    content[at:at] = chance.randbytes(chance.randint(1, 8))
        for read in (measure, lambda bytes_: fit(decode(bytes_, near=8), (8, 8))):
            try:
                read(bytes(content))
                outcomes.add("read")
            except UnreadableError as error:
                assert str(error) and "\n" not in str(error)
                outcomes.add("refused")
    assert outcomes == {"read", "refused"}


@tries(150)
@given(
    st.sampled_from(
        [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"P5 ", b"RIFF\0\0\0\0WEBPVP8 "]
    ),
    st.binary(),
)
def test_random_bytes_give_a_reason(magic: bytes, tail: bytes) -> None:
    for read in (measure, decode):
        try:
            read(magic + tail)
        except UnreadableError as error:
            assert str(error)


SIDES = st.integers(2, 200)


@tries(150)
@given(SIDES, SIDES, st.integers(8, 128), st.integers(8, 128))
def test_fit_gives_the_size_asked_for(height: int, width: int, to_height: int, to_width: int) -> None:
    plain = Image.new("L", (width, height), 77)
    seen = fit(plain, (to_height, to_width))
    assert seen.size == (to_width, to_height) and set(np.unique(np.asarray(seen))) == {77}


def test_fit_crops_the_centre_and_keeps_the_shape() -> None:
    wide = np.zeros((20, 60), np.uint8)
    wide[:, 20:40] = 255
    assert (np.asarray(fit(Image.fromarray(wide), (20, 20))) == 255).all()
    assert (np.asarray(fit(Image.fromarray(wide.T), (20, 20))) == 255).all()


def test_fit_averages_when_it_shrinks() -> None:
    checks = np.indices((256, 256)).sum(0) % 2 * 255
    seen = np.asarray(fit(Image.fromarray(checks.astype(np.uint8)), (8, 8)))
    assert np.abs(seen.astype(int) - 127).max() <= 2


def test_a_reduced_jpeg_looks_like_the_whole_one() -> None:
    rough = picture(16, 16).resize((800, 640), Image.Resampling.BICUBIC)
    content = encoded(rough, "JPEG", quality=90)
    small = decode(content, near=32)
    assert small.width < 800  # decoded at a fraction
    whole, reduced = (np.asarray(fit(image, (32, 32))).astype(int) for image in (decode(content), small))
    assert np.abs(whole - reduced).mean() < 1.0


def test_arrays_are_fitted_like_pictures() -> None:
    colour = picture(10, 14)
    planes = np.asarray(colour).transpose(2, 0, 1)[None]
    assert np.array_equal(fit_all(planes, (8, 8))[0].transpose(1, 2, 0), np.asarray(fit(colour, (8, 8))))


def test_channels_are_changed_as_pillow_does() -> None:
    colour = picture(30, 30)
    planes = np.asarray(colour).transpose(2, 0, 1)[None]
    grey = with_channels(planes, 1)
    assert np.array_equal(grey[0, 0], np.asarray(colour.convert("L")))
    again = with_channels(grey, 3)
    assert again.shape == planes.shape and np.array_equal(with_channels(again, 1), grey)


def test_pad_shows_the_whole_picture_on_white() -> None:
    wide = Image.fromarray(np.full((10, 40, 3), 50, np.uint8))
    seen = np.asarray(fit(wide, (20, 20), "pad"))
    assert (seen[:7] == 255).all() and (seen[8:12] == 50).all() and (seen[13:] == 255).all()
    tall = np.asarray(fit(wide.transpose(Image.Transpose.ROTATE_90).convert("L"), (20, 20), "pad"))
    assert (tall[:, :7] == 255).all() and (tall[:, 8:12] == 50).all() and (tall[:, 13:] == 255).all()


def test_stretch_shows_the_whole_picture_distorted() -> None:
    halves = np.zeros((10, 40), np.uint8)
    halves[:, 20:] = 200
    seen = np.asarray(fit(Image.fromarray(halves), (20, 20), "stretch")).astype(int)
    assert (seen[:, :8] < 10).all() and (seen[:, 12:] > 190).all()


@tries(100)
@given(SIDES, SIDES, st.integers(8, 128), st.integers(8, 128), st.sampled_from(images.FITS))
def test_every_fit_gives_the_size_and_no_new_greys(height: int, width: int, h: int, w: int, how: str) -> None:
    seen = fit(Image.new("L", (width, height), 77), (h, w), how)
    assert seen.size == (w, h) and set(np.unique(np.asarray(seen))) <= ({77, 255} if how == "pad" else {77})


@pytest.mark.parametrize(
    ("mode", "told"),
    [
        ("1", "grey"),
        ("L", "grey"),
        ("RGB", "colour"),
        ("P", "colour"),
        ("RGBA", "transparent"),
        ("LA", "transparent"),
    ],
)
def test_the_header_tells_the_mode(mode: str, told: str) -> None:
    assert measure(encoded(picture(9, 9).convert(mode))).mode == told


def test_cmyk_is_seen_in_its_colours() -> None:
    content = encoded(Image.new("CMYK", (9, 9), (0, 255, 255, 0)), "JPEG", quality=95)
    red, green, blue = np.asarray(decode(content))[4, 4].tolist()
    assert red > 240 and green < 15 and blue < 15 and measure(content).mode == "colour"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "empty"),
        (b"text", "wrong type"),
        (png(20_000, 20_000), "too large"),
        (png(1, 1, body=b"\0\0"), "too small"),
        (encoded(picture(40, 40), "JPEG")[:-60], "corrupt"),
    ],
)
def test_a_reason_has_a_kind(content: bytes, kind: str) -> None:
    with pytest.raises(UnreadableError) as error:
        decode(images.bounded(content))
    assert error.value.kind == kind
