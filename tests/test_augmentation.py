"""Augmentation of what D sees: each change against its definition, the gradient through it, and its place in a step."""

from __future__ import annotations

import copy
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import dcgan
from dcgan.data import Dataset
from dcgan.data.sampling import chances
from dcgan.methods import CHANCES, Batch, build_method
from dcgan.methods.augmentation import augmented
from dcgan.networks import build_networks
from dcgan.objectives import objective
from dcgan.presets import AUGMENT, FEW, for_few, preset
from dcgan.recipe import FIELDS, Recipe
from dcgan.training.engine import Engine
from dcgan.training.trainer import Trainer

POLICIES = [choice for choice in FIELDS["augment"].metadata["choices"] if choice != "none"]


def draws(count: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(chances(seed, 0, 0, count, CHANCES))[0]


def pictures(count: int, channels: int = 3, height: int = 16, width: int = 24) -> Tensor:
    return torch.rand(count, channels, height, width, generator=torch.Generator().manual_seed(7)) * 2 - 1


def test_translation_shifts_each_image_by_up_to_an_eighth_and_repeats_its_edge() -> None:
    images = pictures(600)
    shifted = augmented("translation", images, draws(600))
    found = set()
    for before, after in zip(images.numpy(), shifted.numpy(), strict=True):
        padded = np.pad(before, ((0, 0), (2, 2), (3, 3)), mode="edge")
        fits = [
            (down - 2, right - 3)
            for down in range(5)
            for right in range(7)
            if np.array_equal(padded[:, down : down + 16, right : right + 24], after)
        ]
        assert len(fits) == 1
        found.add(fits[0])
    assert len(found) == 5 * 7  # every shift, of 16/8 pixels down and 24/8 across at most


def test_cutout_hides_one_rectangle_of_half_the_sides_and_nothing_else() -> None:
    images = pictures(2_000)
    cut = augmented("cutout", images, draws(2_000))
    hidden = (cut == 0).all(1)
    assert torch.equal(cut[~hidden[:, None].expand_as(cut)], images[~hidden[:, None].expand_as(cut)])
    rows, columns = hidden.any(2).sum(1), hidden.any(1).sum(1)
    assert torch.equal(hidden.sum((1, 2)), rows * columns)  # a rectangle
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (4, 8, 6, 12)
    often = hidden.float().mean(0)
    assert abs(often.flip(0) - often).max() < 0.06  # as often above as below
    assert abs(often.flip(1) - often).max() < 0.06  # and left as right


def test_colour_is_brightness_then_saturation_then_contrast() -> None:
    images, numbers = pictures(5).double(), draws(5).double()
    for channels in (3, 1):
        some = images[:, :channels]
        changed = augmented("color", some, numbers)
        for before, after, (bright, colourful, strong, *_) in zip(some, changed, numbers, strict=True):
            x = before + (bright - 0.5)
            if channels == 3:
                x = x.mean(0) + (x - x.mean(0)) * 2 * colourful
            x = x.mean() + (x - x.mean()) * (strong + 0.5)
            torch.testing.assert_close(after, x)


@pytest.mark.parametrize("policy", POLICIES)
def test_the_gradient_runs_through(policy: str) -> None:
    images = pictures(3, height=6, width=8).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: augmented(policy, x, draws(3).double()), images)


@pytest.mark.parametrize("policy", POLICIES)
def test_an_image_is_changed_by_its_own_numbers_alone(policy: str) -> None:
    images, numbers = pictures(6), draws(6)
    whole = augmented(policy, images, numbers)
    torch.testing.assert_close(augmented(policy, images[4:], numbers[4:]), whole[4:])
    assert not torch.equal(whole, images)
    moved = augmented(policy, images.contiguous(memory_format=torch.channels_last), numbers)
    assert moved.is_contiguous(memory_format=torch.channels_last)


def recipe(**changes: object) -> Recipe:
    calm = {"g_maps": 4, "d_maps": 4, "z_dim": 8, "batch": 8, "gamma": 0.0, "adam_eps": 1.0}
    row = preset("fast-28").recipe.for_data((8, 8), 1, 0)
    return row.with_changes({**calm, "augment": "translation,cutout", **changes})


@pytest.mark.parametrize("updates", ["d-then-g", "together"])
def test_a_step_shows_d_changed_images_of_both_kinds_and_g_learns_through_the_change(updates: str) -> None:
    """By hand: with an epsilon of 1 Adam's first step is all but rate · gradient / (|gradient| + 1)."""
    one = recipe(updates=updates)
    torch.manual_seed(0)
    method = build_method(one, build_networks(one), nullcontext)
    generator, judge = (copy.deepcopy(method.networks[role]) for role in ("generator", "discriminator"))
    real, z = pictures(8, 1, 8, 8), torch.randn(8, 8)
    numbers = torch.from_numpy(chances(0, 0, 0, 8, CHANCES))
    method.step(Batch(real, None, z, numbers), method.turn(0))

    loss = objective(one.objective)
    shown, fake = (augmented(one.augment, x, c) for x, c in zip((real, generator(z)), numbers, strict=True))
    by_d = torch.autograd.grad(
        loss.discriminator(judge(shown), judge(fake.detach())), list(judge.parameters())
    )
    old = copy.deepcopy(judge)
    with torch.no_grad():
        for weight, gradient in zip(judge.parameters(), by_d, strict=True):
            weight -= one.d_lr * gradient / (gradient.abs() + 1)
    seen_by_g = old if updates == "together" else judge
    by_g = torch.autograd.grad(
        loss.generator(seen_by_g(shown), seen_by_g(fake)), list(generator.parameters())
    )
    with torch.no_grad():
        for weight, gradient in zip(generator.parameters(), by_g, strict=True):
            weight -= one.g_lr * gradient / (gradient.abs() + 1)
    for role, expected in (("generator", generator), ("discriminator", judge)):
        for got, wanted in zip(method.networks[role].parameters(), expected.parameters(), strict=True):
            torch.testing.assert_close(got, wanted, atol=2e-7, rtol=1e-4)


def test_an_encoder_sees_the_pictures_as_they_are_and_d_what_was_changed() -> None:
    one = preset("rdcgan").recipe.for_data((28, 28), 1, 0)
    one = one.with_changes({"maps": 2, "z_dim": 4, "batch": 4, "augment": "translation,cutout"})
    method = build_method(one, build_networks(one), nullcontext)
    seen: dict[str, list[Tensor]] = {"encoder": [], "discriminator": [], "generator": []}
    for role, found in seen.items():
        keep = (lambda kept: lambda _, given, made: kept.append((given[0], made)))(found)
        method.networks[role].register_forward_hook(keep)
    real = pictures(4, 1, 28, 28)
    numbers = torch.from_numpy(chances(0, 0, 0, 4, CHANCES))
    method.step(Batch(real, None, torch.randn(4, 4), numbers), method.turn(0))

    changed = [augmented(one.augment, real, numbers[0])]
    changed += [augmented(one.augment, made, numbers[1]) for _, made in seen["generator"]]
    assert len(seen["encoder"]) == 4 and all(given is real for given, _ in seen["encoder"])
    assert len(seen["generator"]) == 6  # designs and reconstructions of two rounds
    judged = [given for given, _ in seen["discriminator"]]
    assert all(any(torch.equal(given, one) for one in changed) for given in judged)
    assert all(any(torch.equal(given, one) for given in judged) for one in changed)


def test_the_changes_of_a_step_are_drawn_from_seed_and_step(digits: Dataset) -> None:
    def batch(seed: int, step: int, augment: str = "translation") -> Batch:
        return Trainer(recipe(seed=seed, augment=augment), digits, Engine.choose()).batch(step)

    first = batch(0, 3).chances
    assert first is not None
    assert first.shape == (2, 8, CHANCES)
    assert not torch.equal(first[0], first[1])  # real and generated images go their own ways
    again, other, later = batch(0, 3).chances, batch(1, 3).chances, batch(0, 4).chances
    assert again is not None and torch.equal(first, again)
    assert other is not None and not torch.equal(first, other)
    assert later is not None and not torch.equal(first, later)
    assert batch(0, 3, "none").chances is None


def test_a_fast_preset_augments_few_pictures_unless_told_otherwise(digits: Dataset, tmp_path: Path) -> None:
    few = replace(digits, images=digits.images[: FEW - 1], labels=None, classes=(), origin={})
    told: list[str] = []

    def trained(data: Dataset, name: str, **settings: object) -> str:
        small = {"z_dim": 8, "evaluate_every": 0.0, **settings}
        run = dcgan.train(
            data,
            name=name,
            images=16,
            batch=8,
            settings=small,
            preset="fast-28",
            runs_dir=tmp_path,
            tell=told.append,
        )
        return run.recipe.augment

    assert trained(few, "few") == AUGMENT
    assert told[-1] == f"augment={AUGMENT}: for fewer than {FEW} pictures; --set augment=none leaves it out"
    assert trained(few, "plain", augment="none") == "none"
    told.clear()
    assert trained(digits, "many") == "none"
    assert not any("augment" in line for line in told)
    assert not for_few(preset("fashion-2020"), 20, {})  # a published model stays what was published
