"""Recipes: what is refused, by name, and that JSON loses nothing."""

from __future__ import annotations

import json

import pytest

from dcgan.errors import DcganError
from dcgan.presets import PRESETS, preset, preset_for
from dcgan.recipe import FIELDS, Recipe


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_survives_json(name: str) -> None:
    recipe = preset(name).recipe
    assert Recipe.from_json(json.dumps(recipe.to_dict())) == recipe
    assert recipe.preset == name


def test_settings_are_read_as_their_fields_types() -> None:
    recipe = Recipe().with_settings(["batch=32", "d_lr=2e-4", "spectral_norm=false", "prior=uniform"])
    assert (recipe.batch, recipe.d_lr, recipe.spectral_norm, recipe.prior) == (32, 2e-4, False, "uniform")


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("bacth=3", "did you mean batch"),
        ("batch", "write key=value"),
        ("batch=many", "expected a whole number"),
        ("batch=1", "must be from 2"),
        ("g_lr=nan", "must be from"),
        ("g_lr=inf", "must be from"),
        ("spectral_norm=maybe", "expected true or false"),
        ("prior=cauchy", "expected one of normal, uniform"),
        ("=3", "unknown recipe key"),
        ("seed=-1", "must be from 0"),
    ],
)
def test_a_wrong_setting_is_named(setting: str, says: str) -> None:
    with pytest.raises(DcganError, match=says) as caught:
        Recipe().with_settings([setting])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["[]", "nonsense", '{"batch": "64"}', '{"batch": true}', '{"colour": 3}', '{"z_dim": 1e99}']
)
def test_json_that_is_no_recipe_is_refused(text: str) -> None:
    with pytest.raises(DcganError, match=r"recipe\.json"):
        Recipe.from_json(text, "recipe.json")


def test_budgets_exclude_each_other_and_are_positive() -> None:
    with pytest.raises(DcganError, match="one budget"):
        Recipe().with_budget(epochs=1, minutes=1)
    with pytest.raises(DcganError, match="one budget"):
        Recipe(epochs=1, images=5)
    for bad in (0, -1, float("nan"), float("inf")):
        with pytest.raises(DcganError, match="above 0"):
            Recipe().with_budget(minutes=bad)
    assert Recipe(images=5).with_budget(minutes=2) == Recipe(minutes=2)


def test_only_budget_and_keeping_leave_the_model_the_same() -> None:
    one = Recipe(epochs=1)
    assert one.same_model(Recipe(images=7, keep_every=3))
    assert not one.same_model(Recipe(epochs=1, seed=1))


def test_every_field_is_explained() -> None:
    assert all(spec.metadata["help"] for spec in FIELDS.values())


@pytest.mark.parametrize(
    ("size", "name"),
    [((28, 28), "fast-28"), ((8, 8), "fast-28"), ((32, 24), "fast-32"), ((64, 64), "fast-64")],
)
def test_the_preset_follows_the_image(size: tuple[int, int], name: str) -> None:
    assert preset_for(size) == name
