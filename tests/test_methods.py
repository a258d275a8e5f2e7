"""The adversarial step: which weights each loss sees, in which order, for every preset; and that the penalty counts."""

from __future__ import annotations

import copy
import math
from contextlib import nullcontext

import pytest
import torch
from torch import nn

from dcgan.errors import DcganError
from dcgan.methods import METHODS, Batch, build_method
from dcgan.networks import build_networks
from dcgan.objectives import objective
from dcgan.presets import PRESETS, preset
from dcgan.recipe import Recipe


def tiny(name: str = "fast-28", **changes: object) -> Recipe:
    """A preset at its smallest size, plain of everything a test does not ask for."""
    row = preset(name)
    if row.labels:
        base = row.recipe.for_data((8, 8), 1, 3).with_changes({"g_maps": 4, "d_maps": 4, "z_dim": 8})
    else:
        base = row.recipe.for_data((8, 8) if row.size == 28 else (64, 64), 1, 0)
    return base.with_changes({"batch": 4 if row.size == 64 else 8, "gamma": 0.0, **changes})


def batch(recipe: Recipe) -> Batch:
    torch.manual_seed(1)
    labels = torch.arange(recipe.batch) % 3 if recipe.conditional else None
    shape = (recipe.batch, recipe.channels, recipe.height, recipe.width)
    return Batch(torch.rand(shape) * 2 - 1, labels, torch.randn(recipe.batch, recipe.z_dim))


def method(recipe: Recipe):  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    one = build_method(recipe, build_networks(recipe), nullcontext)
    for module in one.networks["discriminator"].modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0  # so that two computations see the same units
    return one


@pytest.mark.parametrize("name", PRESETS)
def test_two_steps_of_every_preset_change_every_weight(name: str) -> None:
    # Not with the hinge: while every logit is inside the margin, real and fake cancel in D's last bias exactly.
    recipe = tiny(name)
    one = method(recipe)
    before = {role: copy.deepcopy(module.state_dict()) for role, module in one.networks.items()}
    for step in range(2):
        values = one.step(batch(recipe), one.turn(step))
        assert {"loss_d", "loss_g", "real_score", "fake_score"} <= set(values)
        assert all(value.ndim == 0 and torch.isfinite(value) for value in values.values())
        assert all(0 <= values[score] <= 1 for score in ("real_score", "fake_score"))
    for role, module in one.networks.items():
        for weight_name, weight in module.named_parameters():
            if weight.ndim > 1:  # a bias before batch norm has no say
                assert not torch.equal(weight, before[role][weight_name]), f"{role}.{weight_name}"


def step_by_hand(recipe: Recipe, one, data: Batch, step: int) -> dict[str, torch.Tensor]:  # type: ignore[no-untyped-def]
    """One training step as the recipe's words say it, on copies of the networks; their weights afterwards.

    With an epsilon of 1 Adam's first step is all but lr·g. With a small one it is lr·sign(g), which rounding decides.
    """
    generator, discriminator = (copy.deepcopy(one.networks[role]) for role in ("generator", "discriminator"))
    for module in (generator, discriminator):
        module.requires_grad_(True)
    loss = objective(recipe.objective)
    joined = recipe.d_batches == "joined"

    def judge(fake: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if joined:
            real_out, fake_out = discriminator(torch.cat([data.real, fake]), data.labels).chunk(2)
            return real_out, fake_out
        return discriminator(data.real, data.labels), discriminator(fake, data.labels)

    def move(module: nn.Module, gradients: list[torch.Tensor], rate: float) -> None:
        # Whatever the step's number, it is the optimizer's first.
        keras = (1 - recipe.beta2) ** 0.5
        eps = recipe.adam_eps / (keras if recipe.adam_form == "keras" else 1.0)
        with torch.no_grad():
            for parameter, gradient in zip(module.parameters(), gradients, strict=True):
                decayed = gradient + recipe.weight_decay * parameter
                parameter -= rate * decayed / (decayed.abs() + eps)

    def gradients(of: torch.Tensor, module: nn.Module) -> list[torch.Tensor]:
        return list(torch.autograd.grad(of, list(module.parameters()), retain_graph=True))

    def move_d(fake: torch.Tensor) -> None:
        move(discriminator, gradients(loss.discriminator(*judge(fake.detach())), discriminator), recipe.d_lr)

    def move_g(fake: torch.Tensor) -> None:
        move(generator, gradients(loss.generator(*judge(fake)), generator), recipe.g_lr)

    fake = generator(data.z, data.labels)
    if recipe.updates == "together":
        old = copy.deepcopy(discriminator.state_dict())
        move_d(fake)
        new = copy.deepcopy(discriminator.state_dict())
        discriminator.load_state_dict(old)
        move_g(fake)
        discriminator.load_state_dict(new)
    elif recipe.updates == "in-turn":
        (move_d if step % 2 else move_g)(fake)
    else:
        move_d(fake)
        move_g(fake)
    return {
        f"{role}.{name}": parameter.detach()
        for role, module in (("generator", generator), ("discriminator", discriminator))
        for name, parameter in module.named_parameters()
    }


@pytest.mark.parametrize("step", [0, 1])
@pytest.mark.parametrize(
    ("name", "changes"),
    [
        *((name, {}) for name in PRESETS if preset(name).recipe.method == "adversarial"),
        ("rdcgan", {"method": "adversarial"}),
        ("fast-28", {"objective": "bce"}),
        ("fast-28", {"objective": "hinge"}),
        ("fast-28", {"updates": "together"}),
        ("fast-28", {"updates": "in-turn"}),
        ("fashion-maxpool", {"d_batches": "joined", "updates": "together"}),
        ("mnist-2018", {"d_batches": "separate", "updates": "in-turn"}),
    ],
)
def test_update_order(name: str, changes: dict[str, object], step: int) -> None:
    """Which weights each loss sees: done by hand beside it."""
    recipe = tiny(name, **{"adam_eps": 1.0, "g_lr": 0.02, "d_lr": 0.02, **changes})
    ours, data = method(recipe), batch(recipe)
    before = {
        f"{role}.{key}": value.detach().clone()
        for role, module in ours.networks.items()
        for key, value in module.named_parameters()
    }
    expected = step_by_hand(recipe, ours, data, step)
    ours.step(data, ours.turn(step))
    moved = {"generator": 0.0, "discriminator": 0.0}
    for role, module in ours.networks.items():
        for key, parameter in module.named_parameters():
            full = f"{role}.{key}"
            assert torch.allclose(parameter, expected[full], rtol=1e-4, atol=2e-6), full
            moved[role] += (parameter - before[full]).abs().sum().item()
    still = {"in-turn": ["discriminator", "generator"][step : step + 1]}.get(recipe.updates, [])
    assert [role for role, distance in moved.items() if distance == 0] == still


def test_the_penalty_comes_every_kth_step_with_its_weight() -> None:
    plain, penalised = method(tiny()), method(tiny(gamma=100.0, penalty_every=2))
    data = batch(tiny())

    def weights(one) -> torch.Tensor:  # type: ignore[no-untyped-def]
        return torch.cat([p.detach().flatten() for p in one.networks["discriminator"].parameters()])

    plain.step(data, plain.turn(1)), penalised.step(data, penalised.turn(1))
    assert torch.equal(weights(plain), weights(penalised))
    plain.step(data, plain.turn(2)), penalised.step(data, penalised.turn(2))
    assert not torch.equal(weights(plain), weights(penalised))


def test_kerass_adam_differs_from_pytorchs_by_its_epsilon() -> None:
    """lr·√(1−β2ᵗ)/(1−β1ᵗ) · m/(√v + ε), three steps of it, against the same computed here."""
    recipe = tiny(
        "mnist-gan-2018", adam_eps=1e-2, g_lr=0.0, d_lr=1e-2, beta1=0.5, beta2=0.9, adam_form="keras"
    )
    one, data = method(recipe), batch(recipe)
    (weight, *_) = [p for p in one.networks["discriminator"].parameters() if p.ndim == 2]
    mean, square, expected = torch.zeros_like(weight), torch.zeros_like(weight), weight.detach().clone()
    for step in range(3):
        one.step(data, one.turn(step))
        gradient = weight.grad
        assert gradient is not None
        mean = 0.5 * mean + 0.5 * gradient
        square = 0.9 * square + 0.1 * gradient**2
        rate = 1e-2 * (1 - 0.9 ** (step + 1)) ** 0.5 / (1 - 0.5 ** (step + 1))
        expected = expected - rate * mean / (square.sqrt() + 1e-2)
        assert torch.allclose(weight, expected, rtol=1e-5, atol=1e-6)


def test_learning_rate_zero_freezes_a_network() -> None:
    one = method(tiny(g_lr=0.0))
    before = copy.deepcopy(dict(one.networks["generator"].named_parameters()))
    one.step(batch(tiny()), one.turn(0))
    assert all(torch.equal(p, before[name]) for name, p in one.networks["generator"].named_parameters())


def test_every_method_is_reachable_from_a_recipe() -> None:
    for name in METHODS:
        preset_name = "rdcgan" if name == "regularized" else "fast-28"
        assert method(tiny(preset_name, method=name)).networks.keys() >= {"generator", "discriminator"}


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_the_regularized_step_is_the_papers(reduction: str) -> None:
    """D once, then E and G twice, each from the weights that the one before has left (L_D, L_E, L_G of the method)."""
    recipe = tiny("rdcgan", adam_eps=1.0, g_lr=0.02, d_lr=0.03, reconstruction=0.7, reduction=reduction)
    ours, data = method(recipe), batch(recipe)
    g, d, e = (copy.deepcopy(ours.networks[role]) for role in ("generator", "discriminator", "encoder"))
    optimizers = {
        network: torch.optim.Adam(network.parameters(), rate, betas=(0.5, 0.999), eps=1.0)
        for network, rate in ((g, 0.02), (d, 0.03), (e, 0.02))
    }
    bce = nn.functional.binary_cross_entropy_with_logits

    def said(images: torch.Tensor, target: float) -> torch.Tensor:
        logits = d(images)
        return bce(logits, torch.full_like(logits, target))

    def encoded() -> torch.Tensor:
        drawn = g(e(data.real))
        squares = (data.real - drawn) ** 2
        error = squares.sum((1, 2, 3)).mean() if reduction == "sum" else squares.mean()
        return said(drawn, 1) + 0.7 * error

    def move(network: nn.Module, loss: torch.Tensor) -> None:
        optimizers[network].zero_grad()
        loss.backward(inputs=list(network.parameters()))
        optimizers[network].step()

    fake = g(data.z)
    move(d, said(data.real, 1) + said(fake.detach(), 0))
    for number in range(2):
        if number:
            fake = g(data.z)
        move(e, encoded())
        again = encoded()
        move(g, said(fake, 1) + again)
    told = ours.step(data, ours.turn(0))
    for role, network in (("generator", g), ("discriminator", d), ("encoder", e)):
        for (name, expected), actual in zip(
            network.named_parameters(), ours.networks[role].parameters(), strict=True
        ):
            assert torch.allclose(actual, expected, rtol=1e-3, atol=2e-5), f"{role}.{name}"
    assert 0 <= told["reconstruction"] <= 4
    assert told["loss_e"] > 0.7 * told["reconstruction"]


def test_what_the_regularized_method_cannot_do() -> None:
    with pytest.raises(DcganError, match="network=fast has none: use rdcgan"):
        method(tiny(method="regularized"))
    with pytest.raises(DcganError, match="updates=together: method=regularized has one order"):
        method(tiny("rdcgan", updates="together"))


def test_a_dcgan_of_the_same_shape_has_no_encoder() -> None:
    assert method(tiny("rdcgan", method="adversarial")).networks.keys() == {"generator", "discriminator"}


@pytest.mark.parametrize("updates", ["d-then-g", "together", "in-turn"])
def test_rates_fall_with_the_images_seen_by_half_a_cosine_and_then_slowly(updates: str) -> None:
    recipe = tiny(updates=updates, batch=8, anneal=80, last_lr=0.2, g_lr=0.5, d_lr=0.25)
    one, data = method(recipe), batch(recipe)
    for step, share in ((0, 1.0), (4, None), (5, 0.6), (10, 0.2), (11, None), (40, 0.1), (90, 0.2 / 3)):
        one.step(data, one.turn(step))
        done = min(1.0, step / 10)
        expected = 0.2 + 0.8 * (1 + math.cos(math.pi * done)) / 2
        expected /= math.sqrt(max(1.0, step / 10))
        assert share is None or expected == pytest.approx(share)
        role = "generator" if updates != "in-turn" or step % 2 == 0 else "discriminator"
        full = recipe.g_lr if role == "generator" else recipe.d_lr
        found = one.optimizers[role].param_groups[0]["lr"]
        assert found == pytest.approx(full * expected), step


@pytest.mark.parametrize("name", [*PRESETS, "fast-28 in turn"])
def test_a_step_asks_for_no_number_but_those_of_its_turn(name: str) -> None:
    """With its numbers as tensors it is the same step; so a recording of it can be repeated with others."""
    changes = {
        "adam_eps": 0.1,
        "gamma": 1.0,
        "penalty_every": 2,
        "anneal": 100,
        "last_lr": 0.1,
        "last_gamma": 0.2,
    }
    if name.endswith("in turn"):
        changes["updates"] = "in-turn"
    recipe = tiny(name.removesuffix(" in turn"), **changes)
    data, found = batch(recipe), []
    for kind in (float, torch.tensor):
        one = method(recipe)
        for step in (0, 1, 2, 7):
            turn = one.turn(step)
            assert 0.1 < turn.rate <= 1 and 0.2 < turn.gamma <= 1 and (turn.rate < 1) == (step > 0)
            torch.manual_seed(step)
            told = one.step(data, turn.with_numbers(kind(turn.rate), kind(turn.gamma)))
        found.append([*told.values(), *(p.detach() for n in one.networks.values() for p in n.parameters())])
    for with_floats, with_tensors in zip(*found, strict=True):
        assert torch.allclose(with_floats, with_tensors, rtol=1e-4, atol=1e-5)


def test_steps_of_one_kind_are_the_same_operations() -> None:
    kinds = [method(tiny(gamma=1.0, penalty_every=4)).turn(step).kind for step in range(9)]
    assert kinds == [("both", step % 4 == 0) for step in range(9)]
    kinds = [method(tiny(gamma=1.0, penalty_every=2, updates="in-turn")).turn(step).kind for step in range(6)]
    assert [whose for whose, _ in kinds] == ["generator", "discriminator"] * 3
    assert [penalised for _, penalised in kinds] == [False, True, False, False, False, True]
    assert method(tiny(gamma=0.0)).turn(0).kind == ("both", False)
