"""What excites D, which maps of G draw what, and the filters: on networks where the answer is known."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
import torch
from torch import nn

from dcgan.analysis.inside.ablation import OFF, Body, ablate, agreement
from dcgan.analysis.inside.fields import Box
from dcgan.analysis.inside.filters import filters, first_layer, stamps
from dcgan.analysis.inside.layers import discriminator_layers, generator_layers, heads
from dcgan.analysis.inside.maps import of_discriminator, of_generator
from dcgan.analysis.inside.responses import random_discriminator, responses
from dcgan.errors import DcganError
from dcgan.evaluation.kept import Labeller
from dcgan.model import Model
from inside_models import Brightness, pictures, untrained


def two_spots() -> Model:
    """fast-28 with 8 maps before the picture, bright but where map 2 darkens the left and map 5 a spot.

    Map 6 darkens a square enough to be seen, and map 7 another one too little for it.
    """
    model = untrained("fast-28")
    g = cast("nn.Module", model.generator)
    with torch.no_grad():
        g.paint.weight.zero_()
        g.paint.bias.fill_(2.0)
        g.paint.weight[:, 2, 1, 1] = -4.0
        g.paint.weight[:, 5, 1, 1] = -4.0
        g.paint.weight[:, 6, 1, 1] = -1.35
        g.paint.weight[:, 7, 1, 1] = -0.3
    return model


def spotted_body(model: Model, count: int = 8) -> Body:
    z, labels = model.latents([(0, index) for index in range(count)])
    body = Body(model, "up1", z, labels)
    body.maps = torch.zeros_like(body.maps)
    body.maps[:, 2, :, :4] = 1.0
    body.maps[:, 5, 2:4, 12:] = 1.0
    body.maps[:, 6, 8:12, 8:12] = 1.0
    body.maps[:, 7, 4:8, 8:12] = 1.0
    body.images = body.drawn(body.maps)
    return body


def test_the_body_draws_what_generate_draws() -> None:
    model = untrained("fast-28", 3)
    z, labels = model.latents([(4, index) for index in range(70)])
    for layer in generator_layers(model):
        assert np.array_equal(Body(model, layer, z, labels).images, model.generate(70, seed=4).images)


def test_each_maps_area_is_where_it_draws() -> None:
    body = spotted_body(two_spots())
    effects = ablate(body)
    assert effects.by_area()[:3].tolist() == effects.order[:3].tolist() == [2, 6, 5]
    assert np.allclose(effects.off.area[2], 8 * 28 / 784) and np.allclose(effects.off.area[5], 4 * 4 / 784)
    assert effects.off.area[[0, 1, 3, 4, 7]].max() == 0
    assert np.allclose(effects.off.area[6], 8 * 8 / 784) and effects.off.where[7].max() > 0
    where = effects.off.where[5]
    rows, columns = np.nonzero(where)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (4, 7, 24, 27)
    assert effects.seen is None and effects.drawers() == [] and effects.fall(effects.off) is None


def test_with_a_labeller_maps_are_ranked_by_what_their_loss_costs_the_class() -> None:
    """Map 5 changes the picture, but nothing that the labeller looks at."""
    effects = ablate(spotted_body(two_spots(), 12), cast("Labeller", Brightness()))
    assert effects.seen is not None and effects.score is not None and effects.off.score is not None
    fall = effects.fall(effects.off)
    assert fall is not None and effects.order[0] == 2
    assert (effects.seen == 1).all(), "the left half is more dark than bright"
    assert np.allclose(fall[5], 0, atol=1e-4) and fall[2].min() > 1
    assert effects.by_area()[:3].tolist() == [2, 6, 5], "by area they matter"


def test_a_class_is_told_its_map_from_designs_that_did_not_choose_it() -> None:
    body = spotted_body(two_spots(), 12)
    body.maps[:, 2] = 1.0  # dark all over
    body.images = body.drawn(body.maps)
    (one,) = ablate(body, cast("Labeller", Brightness())).drawers()
    assert (one.name, one.number, one.designs, one.then) == ("dark", 2, 6, "bright")
    assert one.before > 0.9 > 0.1 > one.after and one.fall > 3


def test_ranks_that_are_chance_agree_to_nothing_and_real_ones_to_one() -> None:
    draw = np.random.default_rng(0)
    real = np.arange(64.0)[:, None] + draw.normal(0, 0.1, (64, 40))
    assert agreement(real.astype(np.float32)) == pytest.approx(1, abs=0.01)
    assert abs(agreement(draw.normal(size=(64, 40)).astype(np.float32)) or 1) < 0.4
    assert agreement(np.zeros((64, 40), np.float32)) is None
    tied = np.array([[1, 1], [1, 1], [2, 2], [0, 0]], np.float32)
    assert agreement(np.concatenate([tied, tied], 1)) == pytest.approx(1)
    curved = np.stack([np.arange(9.0), np.arange(9.0) ** 5] * 2, 1).astype(np.float32)
    assert agreement(curved) == pytest.approx(1), "of ranks, not of numbers"


def test_up_and_off_are_told_from_each_other() -> None:
    body = spotted_body(two_spots())
    assert np.array_equal(body.scaled([], OFF), body.images)
    off, up = body.scaled([2], OFF).astype(int), body.scaled([2], 2.0).astype(int)
    assert off[:, :, :8].mean() > body.images[:, :, :8].mean() > up[:, :, :8].mean()
    assert np.array_equal(off[:, :, 8:], body.images[:, :, 8:])


def test_an_unknown_layer_is_named_with_those_there_are() -> None:
    model = untrained("fast-28")
    with pytest.raises(DcganError, match="unknown layer 'paint': known: base, mix1, up1"):
        Body(model, "paint", *model.latents([(0, 0)]))


@pytest.mark.parametrize("name", ["fast-28", "fashion-2020", "fashion-maxpool", "pytorch-64"])
def test_the_picture_is_the_sum_of_the_stamps(name: str) -> None:
    """One unit of one map turned up a little changes the picture, before tanh, by that map's stamp."""
    model = untrained(name)
    layer = generator_layers(model)[-1]
    body = Body(model, layer, *model.latents([(0, 0)]))
    stages = model.generator.stages()
    last = [part for part in model.generator.modules() if isinstance(part, nn.Conv2d | nn.ConvTranspose2d)][
        -1
    ]
    with torch.no_grad():
        if last.bias is not None:
            last.bias.add_(1.0)  # where tanh is no longer steep
        x = body.maps
        here = 3, x.shape[2] // 2, x.shape[3] // 2
        changed = x.clone()
        changed[(0, *here)] += 0.5
        pixels = [torch.atanh(stages[-1].compute(one).double()) for one in (x, changed)]
    difference = ((pixels[1] - pixels[0]) / 0.5)[0].numpy()
    stamp = stamps(model)[3]
    rows, columns = (np.flatnonzero(np.abs(difference).max(axes) > 1e-4) for axes in ((0, 2), (0, 1)))
    seen = difference[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    assert np.abs(stamp).max() == pytest.approx(np.abs(seen).max(), rel=0.02)
    tall, wide = (np.flatnonzero(np.abs(stamp).max(axes) > 1e-4) for axes in ((0, 2), (0, 1)))
    stamp = stamp[:, tall[0] : tall[-1] + 1, wide[0] : wide[-1] + 1]
    assert stamp.shape == seen.shape and np.allclose(stamp, seen, atol=0.02 * np.abs(seen).max())


def test_first_filters_are_the_first_layers_weights() -> None:
    model = untrained("fast-28")
    found = filters(model)
    assert np.array_equal(found.read, model.discriminator.convs[0].weight.numpy()) and not found.dense
    assert found.random.shape == found.read.shape and not np.array_equal(found.random, found.read)
    assert np.array_equal(found.random, filters(model).random) and found.layer == "up1"
    assert not np.array_equal(found.random, filters(model, seed=1).random)
    dense = filters(untrained("mnist-gan-2018"))
    assert dense.dense and dense.read.shape == (512, 1, 28, 28) and dense.written is None


def test_drawing_a_random_d_leaves_torchs_own_draws_alone() -> None:
    model = untrained("fast-28")
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    random_discriminator(model, 0)
    assert torch.equal(torch.rand(3), expected)


def test_the_pictures_that_excite_a_feature_are_found_with_the_patch() -> None:
    """D's first feature looks for a bright pixel; one picture has it, at a known place."""
    model = untrained("fashion-maxpool")
    data = pictures(model, 20, labels=True)
    data.images[:] = 0
    data.images[7, 0, 15, 23] = 255
    data.images[11, 0, 7, 7] = 128
    convolutions = [part for part in model.discriminator.modules() if isinstance(part, nn.Conv2d)]
    with torch.no_grad():
        for convolution in convolutions:
            convolution.bias.zero_()
            convolution.weight[0].zero_()
            convolution.weight[0, 0, 1, 1] = 1.0
        convolutions[0].bias[0] = 1.1  # black is −1
        convolutions[1].weight[1] = 0
        convolutions[1].bias[1] = -1  # never above 0
    found = responses(model, data)
    assert found is not None and found.layer == "conv2" and found.field.size == (7, 7)
    assert found.maps == 128 and found.silent >= 1
    feature = found.trained[0]
    assert feature.number == 0 and np.array_equal(feature.images[0], data.images[7])
    assert np.array_equal(feature.images[1], data.images[11])
    assert feature.boxes[0] == Box(12, 20, 7, 7) and feature.boxes[1] == Box(4, 4, 7, 7)
    assert feature.response[0] > feature.response[1] > feature.response[2]
    seen = np.abs(feature.gradients[0, 0])
    assert np.argwhere(seen > 1e-6 * seen.max()).tolist() == [[15, 23]], "but for rounding"
    assert 1 not in [one.number for one in found.trained]
    assert feature.most in data.classes and feature.share == pytest.approx(7 / 20)


def test_pictures_that_do_not_fit_are_one_line() -> None:
    model = untrained("fast-28")
    colour = pictures(untrained("fast-28", channels=3, size=16))
    with pytest.raises(DcganError, match=r"16x16 colour, fast-28 sees 28x28 grey: .*size=\(28, 28\).*--data"):
        responses(model, colour)
    with pytest.raises(DcganError, match="noise has 5 pictures: 6 at least"):
        responses(model, pictures(model, 5))


def test_activation_maps_are_the_stages_own() -> None:
    model = untrained("fast-28", 3)
    z, labels = model.latents([(0, 0), (0, 1)])
    drawn = of_generator(model, z, labels)
    assert [one.layer for one in drawn] == ["base", "mix1", "up1"]
    x = heads(model, z, labels)
    for stage, one in zip(model.generator.stages(), drawn, strict=False):
        with torch.no_grad():
            x = stage.compute(x)
        assert one.count == x.shape[1] and one.idle == int((x.abs().amax((0, 2, 3)) == 0).sum())
        first = x[:, one.numbers[0]].numpy()
        assert np.allclose(one.values[:, 0], first / np.abs(first).max())
    images = pictures(model, 4).images
    assert [one.layer for one in of_discriminator(model, images)] == discriminator_layers(model)
    mlp = untrained("mnist-gan-2018")
    assert of_generator(mlp, *mlp.latents([(0, 0)])) == [] == of_discriminator(mlp, images)
    assert first_layer(mlp, mlp.discriminator)[1]
