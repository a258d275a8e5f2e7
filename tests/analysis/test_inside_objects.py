"""Boxes from files and found ones, and the maps that an object is dropped with: on a G that draws a known object."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch

from dcgan.analysis.inside.ablation import Body
from dcgan.analysis.inside.boxes import (
    KEYS,
    Marked,
    found_by_class,
    found_by_difference,
    read_boxes,
    windows,
)
from dcgan.analysis.inside.drop_object import drop_object, places, within
from dcgan.analysis.inside.fields import Box
from dcgan.analysis.inside.objects import BOXES, find_objects
from dcgan.errors import DcganError
from dcgan.evaluation.kept import Labeller
from inside_models import Brightness, untrained

PICTURE = (28, 28)
HEAD = ",".join(KEYS)


def body_with_an_object() -> tuple[Body, list[Marked]]:
    """10 designs; map 3 is active only in a spot of each design, map 0 everywhere else, the others at random."""
    model = untrained("fast-28")
    body = Body(model, "up1", *model.latents([(0, index) for index in range(10)]))
    draw = np.random.default_rng(0)
    maps = draw.random((10, 8, 14, 14), np.float32)
    marked = []
    for number in range(10):
        top, left = (int(place) for place in draw.integers(0, 10, 2))
        maps[number, 3], maps[number, 0] = 0, 1
        maps[number, 3, top : top + 4, left : left + 4] = 1
        maps[number, 0, top : top + 4, left : left + 4] = 0
        marked.append(Marked(0, number, Box(2 * top, 2 * left, 8, 8)))
    with torch.no_grad():
        model.generator.paint.weight.zero_()
        model.generator.paint.bias.fill_(-1)
        model.generator.paint.weight[:, 3, 1, 1] = 3.0
    body.maps = torch.from_numpy(maps)
    body.images = body.drawn(body.maps)
    return body, marked


def test_the_maps_of_the_object_are_found_and_only_the_object_goes() -> None:
    body, marked = body_with_an_object()
    found = drop_object(body, marked)
    assert found.weights[3] == found.weights.max() > 0 > found.weights.min() == found.weights[0]
    assert found.accuracy == 1.0 and found.places == 10 * 2 * 16 and found.before is None
    assert 3 in found.positive.numbers and 0 not in found.positive.numbers
    assert found.strongest.numbers.tolist() == [3] and found.strongest.score is None
    assert found.strongest.inside > 0.5 and found.strongest.outside == 0
    assert len(found.random_strongest.numbers) == 1 and len(found.random_positive.ratios) == 5
    assert found.random_strongest.inside < found.strongest.inside
    without = found.strongest.images
    assert np.array_equal(without, np.full_like(without, without[0, 0, 0, 0])), "nothing is left to see"


def test_the_labellers_score_is_of_the_class_seen_before() -> None:
    body, marked = body_with_an_object()
    with_it = drop_object(body, marked, cast("Labeller", Brightness()))
    assert with_it.before is not None and with_it.strongest.score is not None
    assert with_it.strongest.score > with_it.before > 0.5, "without the bright spot it is darker still"


def test_places_outside_are_of_the_same_design_and_drawn_by_the_seed() -> None:
    body, marked = body_with_an_object()
    maps = body.maps.numpy()
    x, y, design = places(maps, marked, PICTURE)
    assert y.mean() == 0.5 and np.array_equal(np.unique(design), np.arange(10))
    assert (x[y == 1, 3] == 1).all() and (x[y == 0, 3] == 0).all()
    again, other = places(maps, marked, PICTURE)[0], places(maps, marked, PICTURE, seed=1)[0]
    assert np.array_equal(x, again) and not np.array_equal(x, other)


def test_a_box_on_the_map() -> None:
    inside = within(Box(4, 0, 4, 28), (7, 14), PICTURE)
    assert np.argwhere(inside.any(1)).ravel().tolist() == [1] and inside.any(0).all()
    assert within(Box(0, 0, 1, 1), (7, 7), PICTURE).sum() == 1, "a box smaller than a place has one"


def test_too_few_boxes_and_one_that_leaves_nothing() -> None:
    body, marked = body_with_an_object()
    with pytest.raises(DcganError, match="4 marked designs: mark 5 at least"):
        drop_object(body, marked[:4])
    whole = [*marked[:9], Marked(3, 9, Box(0, 0, 28, 28))]
    with pytest.raises(DcganError, match="the box on design 9 of seed 3 fills the picture"):
        drop_object(body, whole)


def test_boxes_are_read_from_csv_and_json(tmp_path: Path) -> None:
    expected = [Marked(0, 5, Box(1, 2, 3, 4)), Marked(7, 0, Box(0, 0, 28, 28))]
    csv, other = tmp_path / "boxes.csv", tmp_path / "boxes.json"
    csv.write_text("note,height, seed,index,top,left,width\nx,3,0,5,1,2, 4\ny,28,7,0,0,0,28\n")
    rows = [dict(zip(KEYS, (one.seed, one.index, *one.box), strict=True)) for one in expected]
    other.write_text(json.dumps(rows))
    assert read_boxes(csv, PICTURE) == read_boxes(other, PICTURE) == expected


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("b.csv", "seed,index,top,left,height\n0,0,0,0,4\n", "line 1 has no column width"),
        ("b.csv", "", "line 1 has no column seed"),
        (
            "b.csv",
            f"{HEAD}\n0,0,0,0,4,4\n0,1,x,0,4,4\n",
            "line 3: top is 'x': expected a whole number from 0",
        ),
        ("b.csv", f"{HEAD}\n0,0,0,0,4\n", "line 2: width is None"),
        ("b.csv", f"{HEAD}\n0,0,0,0,0,4\n", "line 2: height is '0': expected a whole number from 1"),
        ("b.csv", f"{HEAD}\n0,-1,0,0,4,4\n", "line 2: index is '-1'"),
        ("b.csv", f"{HEAD}\n0,0,1.5,0,4,4\n", "line 2: top is '1.5'"),
        (
            "b.csv",
            f"{HEAD}\n0,0,20,0,9,4\n",
            "line 2: the box ends before row 29, outside the picture of 28x28",
        ),
        ("b.csv", f"{HEAD}\n0,0,0,25,4,4\n", "line 2: the box ends before column 29"),
        ("b.csv", f"{HEAD}\n" + "0,0,0,0,4,4\n" * 1001, "more than 1,000 boxes"),
        ("b.csv", f"{HEAD}\n{'9' * 5000},0,0,0,4,4\n", "line 2: seed is '999"),
        ("b.csv", b"\xff\xfe\x00", "is not a text file"),
        ("b.csv", " " * (2**20 + 1), "larger than 1 MB"),
        ("b.json", "[{", "is not JSON: line 1"),
        ("b.json", "{}", "expected a list of objects"),
        ("b.json", "[" * 100_000, "is not JSON"),
        ("b.json", "[3]", "entry 1 is 3: expected an object"),
        ("b.json", '[{"seed": 0}]', "entry 1 has no index"),
        ("b.json", json.dumps([dict.fromkeys(KEYS, True)]), "entry 1: seed is True"),
        ("b.json", json.dumps([dict.fromkeys(KEYS, 1.0)]), "entry 1: seed is 1.0"),
    ],
)
def test_a_bad_file_of_boxes_is_one_line(tmp_path: Path, name: str, content: str | bytes, says: str) -> None:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DcganError) as caught:
        read_boxes(path, PICTURE)
    assert says in str(caught.value) and name in str(caught.value) and len(str(caught.value)) < 300


def test_a_missing_file_of_boxes(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.csv", tmp_path):
        with pytest.raises(DcganError, match="cannot open"):
            read_boxes(path, PICTURE)


def test_windows_cover_the_picture() -> None:
    for picture in (PICTURE, (64, 48), (8, 8)):
        covered = np.zeros(picture, bool)
        for top, left, height, width in windows(picture):
            assert top + height <= picture[0] and left + width <= picture[1]
            covered[top : top + height, left : left + width] = True
        assert covered.all()


def test_the_window_that_the_class_needs_is_found() -> None:
    """Bright enough for its class by one patch alone, which lies elsewhere in each design."""
    images = np.zeros((6, 28, 28, 1), np.uint8)
    places = [(0, 0), (2, 4), (10, 5), (18, 2), (19, 5), (7, 0)]
    for image, (top, left) in zip(images, places, strict=True):
        image[top : top + 9, left : left + 9] = 255
    labels = np.zeros(6, np.int64)
    boxes, fall = found_by_class(images, labels, cast("Labeller", Brightness()))
    for box, (top, left) in zip(boxes, places, strict=True):
        assert abs(box.top - top) <= 1 and abs(box.left - left) <= 1 and box[2:] == (9, 9)
    assert fall.min() > 0
    for box, (top, left) in zip(found_by_difference(images), places, strict=True):
        assert abs(box.top - top) <= 2 and abs(box.left - left) <= 2


def test_objects_are_found_without_a_labeller_and_with_one() -> None:
    plain, classes = untrained("fast-28"), untrained("fast-28", 3)
    found = find_objects(plain)
    assert len(found.marked) == BOXES and found.kind == "" and found == find_objects(plain)
    assert found.marked != find_objects(plain, seed=1).marked
    of_class = find_objects(classes, label="B")
    labels = classes.latents([(one.seed, one.index) for one in of_class.marked])[1]
    assert labels is not None and (labels == 1).all() and of_class.kind == "b"
    assert find_objects(plain, cast("Labeller", Brightness())) == found, "nothing there that a class needs"
    with torch.no_grad():
        plain.generator.paint.weight.mul_(100)
    seen = find_objects(plain, cast("Labeller", Brightness()))
    assert seen.kind in Brightness.classes and "labeller" in seen.by
    with pytest.raises(DcganError, match="knows no classes, and no labeller"):
        find_objects(plain, label="a")
    with pytest.raises(DcganError, match="unknown label 'zebra'"):
        find_objects(plain, cast("Labeller", Brightness()), "zebra")
    missing = next(name for name in Brightness.classes if name != seen.kind)
    with pytest.raises(DcganError, match=f"of 640 designs . are seen as {missing}: 5 at least"):
        find_objects(plain, cast("Labeller", Brightness()), missing)
