"""The adversarial step: which weights each loss sees, in which order, and that the penalty counts."""

from __future__ import annotations

import copy
from contextlib import nullcontext

import pytest
import torch

from dcgan.methods import METHODS, Batch, build_method
from dcgan.networks import build_networks
from dcgan.objectives import objective
from dcgan.presets import PRESETS, preset
from dcgan.recipe import Recipe


def tiny(**changes: object) -> Recipe:
    base = preset("fast-28").recipe.for_data((8, 8), 1, 3)
    return base.with_changes({"g_maps": 4, "d_maps": 4, "z_dim": 8, "batch": 8, "gamma": 0.0, **changes})


def batch(recipe: Recipe) -> Batch:
    torch.manual_seed(1)
    labels = torch.arange(recipe.batch) % 3 if recipe.conditional else None
    shape = (recipe.batch, recipe.channels, recipe.height, recipe.width)
    return Batch(torch.rand(shape) * 2 - 1, labels, torch.randn(recipe.batch, recipe.z_dim))


def method(recipe: Recipe):  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    return build_method(recipe, build_networks(recipe), nullcontext)


@pytest.mark.parametrize("name", PRESETS)
def test_a_step_of_every_preset_changes_every_weight(name: str) -> None:
    # Not with the hinge: while every logit is inside the margin, real and fake cancel in D's last bias exactly.
    recipe = preset(name).recipe.for_data((16, 16), 1, 0)
    recipe = recipe.with_changes({"batch": 4, "g_maps": 4, "d_maps": 4, "objective": "bce"})
    one = method(recipe)
    before = {role: copy.deepcopy(module.state_dict()) for role, module in one.networks.items()}
    values = one.step(batch(recipe), 0)
    assert {"loss_d", "loss_g", "real_score", "fake_score"} <= set(values)
    assert all(value.ndim == 0 and torch.isfinite(value) for value in values.values())
    for role, module in one.networks.items():
        for weight_name, weight in module.named_parameters():
            assert not torch.equal(weight, before[role][weight_name]), f"{role}.{weight_name}"


@pytest.mark.parametrize("objective_name", ["bce", "hinge", "relativistic"])
def test_update_order(objective_name: str) -> None:
    """D is trained on fakes of the old G; G is trained against the new D on the same fakes. Done by hand beside it."""
    # With an epsilon of 1 Adam's first step is all but lr·g. With a small one it is lr·sign(g), which rounding decides.
    recipe = tiny(objective=objective_name, adam_eps=1.0, g_lr=0.5, d_lr=0.5)
    ours, data = method(recipe), batch(recipe)
    generator, discriminator = (copy.deepcopy(ours.networks[role]) for role in ("generator", "discriminator"))
    adam = {"lr": recipe.d_lr, "betas": (recipe.beta1, recipe.beta2), "eps": recipe.adam_eps}
    loss = objective(objective_name)

    fake = generator(data.z, data.labels)
    loss_d = loss.discriminator(
        discriminator(data.real, data.labels), discriminator(fake.detach(), data.labels)
    )
    optimizer = torch.optim.Adam(discriminator.parameters(), **adam)
    loss_d.backward()
    optimizer.step()
    loss_g = loss.generator(discriminator(data.real, data.labels), discriminator(fake, data.labels))
    optimizer = torch.optim.Adam(generator.parameters(), **adam)
    loss_g.backward()
    optimizer.step()

    values = ours.step(data, 0)
    assert values["loss_d"].item() == pytest.approx(loss_d.item(), rel=1e-5)
    assert values["loss_g"].item() == pytest.approx(loss_g.item(), rel=1e-5)
    for role, module in (("generator", generator), ("discriminator", discriminator)):
        for mine, theirs in zip(ours.networks[role].parameters(), module.parameters(), strict=True):
            assert torch.allclose(mine, theirs, rtol=1e-4, atol=1e-6)


def test_the_penalty_comes_every_kth_step_with_its_weight() -> None:
    plain, penalised = method(tiny()), method(tiny(gamma=100.0, penalty_every=2))
    data = batch(tiny())

    def weights(one) -> torch.Tensor:  # type: ignore[no-untyped-def]
        return torch.cat([p.detach().flatten() for p in one.networks["discriminator"].parameters()])

    plain.step(data, 1), penalised.step(data, 1)
    assert torch.equal(weights(plain), weights(penalised))
    plain.step(data, 2), penalised.step(data, 2)
    assert not torch.equal(weights(plain), weights(penalised))


def test_learning_rate_zero_freezes_a_network() -> None:
    one = method(tiny(g_lr=0.0))
    before = copy.deepcopy(dict(one.networks["generator"].named_parameters()))
    one.step(batch(tiny()), 0)
    assert all(torch.equal(p, before[name]) for name, p in one.networks["generator"].named_parameters())


def test_every_method_is_reachable_from_a_recipe() -> None:
    for name in METHODS:
        assert method(tiny(method=name)).networks.keys() >= {"generator", "discriminator"}
