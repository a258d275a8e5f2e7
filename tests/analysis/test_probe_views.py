"""Features as the mean over a picture's copies."""

from __future__ import annotations

import numpy as np
import pytest

import dcgan
from dcgan.analysis.probe.layers import model_features
from dcgan.analysis.probe.views import VIEWS, copies
from dcgan.data import Dataset
from dcgan.errors import DcganError
from dcgan.features import DiscriminatorFeatures


def test_copies_are_moved_by_a_pixel_and_mirrored() -> None:
    picture = np.arange(9, dtype=np.uint8).reshape(1, 1, 3, 3)

    def made(*views: str) -> list[list[list[int]]]:
        return [copy(picture)[0, 0].tolist() for copy in copies(views)]

    assert made() == [[[0, 1, 2], [3, 4, 5], [6, 7, 8]]]
    assert made("mirrored") == [*made(), [[2, 1, 0], [5, 4, 3], [8, 7, 6]]]
    assert made("shifted") == [
        *made(),
        [[0, 1, 2], [0, 1, 2], [3, 4, 5]],
        [[3, 4, 5], [6, 7, 8], [6, 7, 8]],
        [[0, 0, 1], [3, 3, 4], [6, 6, 7]],
        [[1, 2, 2], [4, 5, 5], [7, 8, 8]],
    ]
    both = made(*VIEWS)
    assert both == made(*reversed(VIEWS)) and len(both) == 10
    assert sorted(both) == sorted(made("shifted") + [[row[::-1] for row in one] for one in made("shifted")])


def test_features_are_the_mean_over_the_copies(trained: dcgan.Run, digits: Dataset) -> None:
    model, images = trained.model(), digits.images[:70]
    plain = model_features(model)
    each = np.stack([plain(np.ascontiguousarray(copy(images))) for copy in copies(VIEWS)])
    assert each.std(0).max() > 0.01, "copies differ"
    found = model_features(model, views=VIEWS)(images)
    assert found.shape == plain(images).shape and found.dtype == np.float32
    assert np.abs(found - each.mean(0)).max() < 1e-5
    assert np.array_equal(model_features(model, views=())(images), plain(images))
    rows = model_features(model, views=VIEWS)(images)
    assert np.array_equal(rows[66:], model_features(model, views=VIEWS)(images[66:]))
    assert model_features(model, views=VIEWS).names == plain.names


def test_views_that_there_are_not(trained: dcgan.Run, digits: Dataset) -> None:
    with pytest.raises(DcganError, match=r"unknown view 'sideways': known: mirrored, shifted\."):
        copies(["shifted", "sideways"])
    with pytest.raises(DcganError, match="views is 'shifted': must be a list of shifted, mirrored"):
        DiscriminatorFeatures(trained, views="shifted").fit(digits.images[:5])
