"""Pictures for people: PNG bytes, grids, contact sheets."""

import io

import numpy as np
import pytest
from PIL import Image

from dcgan import pictures


def noise(count, height=6, width=5, channels=1):
    shape = (count, height, width, channels)
    return np.random.default_rng(0).integers(1, 200, shape, np.uint8)


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_png_keeps_every_pixel(channels, mode):
    image = noise(1, channels=channels)[0]
    read = Image.open(io.BytesIO(pictures.png(image)))
    assert read.mode == mode
    assert np.array_equal(np.asarray(read).reshape(image.shape), image)


def test_png_is_the_same_bytes_for_the_same_pixels():
    image = noise(1)[0]
    assert pictures.png(image) == pictures.png(np.asfortranarray(image))
    assert pictures.png(image) != pictures.png(image + 1)


def test_png_scale_repeats_pixels():
    image = noise(1, channels=3)[0]
    read = np.asarray(Image.open(io.BytesIO(pictures.png(image, scale=3))))
    assert read.shape == (18, 15, 3)
    assert np.array_equal(read[1::3, 1::3], image)
    assert np.array_equal(read[::3, ::3], read[2::3, 2::3])


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 1)),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((0, 4, 1), np.uint8),
    ],
)
def test_png_refuses_what_is_no_image(image):
    with pytest.raises(ValueError, match="uint8 HWC"):
        pictures.png(image)


def test_grid_places_each_image():
    images = noise(5)
    canvas = pictures.grid(images, columns=3, gap=2, background=255)
    assert canvas.shape == (2 * 8 + 2, 3 * 7 + 2, 1)
    assert np.array_equal(canvas[2:8, 9:14], images[1])
    assert np.array_equal(canvas[10:16, 2:7], images[3])
    assert (canvas == 255).sum() == canvas.size - images.size


def test_grid_is_nearly_square_by_default():
    assert pictures.grid(noise(64), gap=0).shape == (48, 40, 1)
    assert pictures.grid(noise(5), gap=0).shape == (12, 15, 1)


def test_grid_refuses_nonsense():
    for arguments in ({"columns": 0}, {"gap": -1}, {"background": 256}):
        with pytest.raises(ValueError, match="columns"):
            pictures.grid(noise(2), **arguments)
    with pytest.raises(ValueError, match="NHWC"):
        pictures.grid(noise(0))


def flat(values):
    """One flat 28 × 28 picture for each value."""
    return np.repeat(np.array(values, np.uint8), 28 * 28).reshape(-1, 28, 28, 1)


def columns_of(canvas, value):
    return np.flatnonzero((canvas[:, :, 0] == value).any(axis=0))


def rows_of(canvas, value):
    return np.flatnonzero((canvas[:, :, 0] == value).any(axis=1))


def test_sheet_sorts_by_class_and_enlarges():
    labels = np.array([1, 0, 1, 0])
    canvas = pictures.sheet(flat([11, 21, 12, 22]), labels, ["cat", "dog"])
    assert len(rows_of(canvas, 21)) == 56  # small pictures grow twofold
    assert rows_of(canvas, 21)[-1] < rows_of(canvas, 11)[0]
    assert np.array_equal(rows_of(canvas, 11), rows_of(canvas, 12))
    assert columns_of(canvas, 11)[-1] < columns_of(canvas, 12)[0]


def test_sheet_writes_the_names_at_the_left():
    images, labels = flat([11, 21]), np.array([0, 1])
    named = pictures.sheet(images, labels, ["cat", "dog"])
    left = named[:, : columns_of(named, 11)[0] - 4]
    for value in (11, 21):
        rows = rows_of(named, value)
        assert (left[rows] < 100).sum() > 50  # ink beside each row of pictures
    other = pictures.sheet(images, labels, ["cat", "dot"])
    assert not np.array_equal(named, other)


def test_sheet_cuts_a_name_that_is_too_long():
    canvas = pictures.sheet(flat([11]), np.array([0]), ["endless " * 40])
    assert columns_of(canvas, 11)[0] < 230


def test_sheet_draws_accents_not_boxes():
    """Pillow's own font has one and the same box for every letter that it lacks."""
    one, two = (pictures.sheet(flat([11]), np.array([0]), [name]) for name in ("é", "ж"))
    assert one.shape != two.shape or not np.array_equal(one, two)


def test_sheet_caps_each_class_fairly_and_says_so():
    labels = np.array([0] * 50 + [1] * 3 + [2] * 50)
    images = flat(labels * 10 + 10)
    canvas = pictures.sheet(images, labels, ["a", "b", "c"], limit=21, scale=1)
    shown = [int((canvas == value).sum()) // 784 for value in (10, 20, 30)]
    assert shown == [9, 3, 9]
    whole = pictures.sheet(images[:21], labels[:21], ["a", "b", "c"], limit=21, scale=1)
    assert rows_of(canvas, 10)[0] > rows_of(whole, 10)[0]  # the caption takes a line


def test_sheet_without_labels_is_one_plain_grid():
    canvas = pictures.sheet(flat(range(10, 40)), per_row=10, scale=1)
    assert canvas.shape[1] < 10 * 31 + 2 * 20
    assert rows_of(canvas, 10)[-1] < rows_of(canvas, 20)[0]
    captioned = pictures.sheet(flat(range(10, 40)), per_row=10, scale=1, caption="thirty")
    assert len(captioned) > len(canvas)


def test_sheet_keeps_colour():
    images = np.zeros((3, 28, 28, 3), np.uint8)
    images[..., 0] = 200
    canvas = pictures.sheet(images, np.array([0, 0, 0]), ["red"])
    assert canvas.shape[2] == 3
    assert ((canvas == (200, 0, 0)).all(axis=2)).sum() == 3 * 56 * 56


def test_sheet_has_no_row_for_an_absent_class():
    two = pictures.sheet(flat([10, 20]), np.array([0, 2]), ["a", "b", "c"])
    three = pictures.sheet(flat([10, 20, 30]), np.array([0, 2, 1]), ["a", "b", "c"])
    assert len(three) - len(two) > 56


def test_sheet_refuses_labels_without_names():
    for labels in (np.array([0, 1]), np.array([0, 1, 2]), np.array([-1, 0, 1])):
        with pytest.raises(ValueError, match="labels"):
            pictures.sheet(flat([1, 2, 3]), labels, ["a", "b"])
