"""The plain way to train the models: eager float32 PyTorch, as a good engineer writes a GAN training script.

Torch's own layers in NCHW, fused Adam, pictures on the device as float32, a moving average by foreach, and no pass, no
gradient and no wait for the device that the maths does not ask for. It shares with dcgan the networks' layers, which
`assert_plain` looks at, and nothing else: losses, penalties, the order of the updates and the average are written out.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits, softplus
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.utils._python_dispatch import TorchDispatchMode

from dcgan.networks import build_networks
from dcgan.networks.layers import in_place
from dcgan.recipe import Recipe

Losses = tuple[Tensor | None, Tensor | None]
"""D's loss without its penalty and G's, 0-d; None where the step did not need it."""


class Reference:
    """A recipe's networks and optimizers, and the step that trains them.

    images: float32 (N, C, H, W) in [-1, 1] on the device. labels: int64 (N,), or None for a model without classes.
    Raises `ValueError` for a recipe with something in it that this script does not do.
    """

    def __init__(self, recipe: Recipe, images: Tensor, labels: Tensor | None) -> None:
        self.recipe, self.images, self.labels = recipe, images, labels
        self.networks = {role: network.to(images.device) for role, network in build_networks(recipe).items()}
        for network in self.networks.values():
            in_place(network)
        self.generator, self.discriminator = self.networks["generator"], self.networks["discriminator"]
        self.optimizers = {
            "generator": adam(self.generator, recipe.g_lr, recipe),
            "discriminator": adam(self.discriminator, recipe.d_lr, recipe),
        }
        if "encoder" in self.networks:
            self.optimizers["encoder"] = adam(self.networks["encoder"], recipe.g_lr, recipe)
        self.average = copy.deepcopy(self.generator).requires_grad_(False) if recipe.ema else None
        self.loss_d, self.loss_g = LOSSES[recipe.objective]
        self.normed = any(isinstance(module, _BatchNorm) for module in self.discriminator.modules())
        self.number = 0
        orders = {"d-then-g": self._d_then_g, "together": self._together, "in-turn": self._in_turn}
        self._step = self._regularized if recipe.method == "regularized" else orders[recipe.updates]
        if not self._can(recipe):
            raise ValueError(f"{recipe.preset}: the plain reference has no such step")

    def _can(self, recipe: Recipe) -> bool:
        """Whether this script does all that the recipe asks for."""
        simple = recipe.gamma == 0 and recipe.d_batches == "separate" and recipe.objective != "relativistic"
        regularized = recipe.method == "regularized"
        return (
            not recipe.flip
            and (simple or (recipe.updates == "d-then-g" and not regularized))
            and not (recipe.gamma and self.normed)
        )

    def advance(self) -> Losses:
        """One step on a batch of its own drawing."""
        device, batch = self.images.device, self.recipe.batch
        chosen = torch.randint(len(self.images), (batch,), device=device)
        z = torch.randn(batch, self.recipe.z_dim, device=device)
        if self.recipe.prior == "uniform":
            z.uniform_(-1, 1)
        return self.step(self.images[chosen], None if self.labels is None else self.labels[chosen], z)

    def step(self, real: Tensor, labels: Tensor | None, z: Tensor) -> Losses:
        """One step on this batch."""
        losses = self._step(real, labels, z)
        if self.average is not None:
            decay = min(self.recipe.ema, (1 + self.number) / (10 + self.number))
            move_average(self.average, self.generator, decay)
        self.number += 1
        return losses

    def _d_then_g(self, real: Tensor, labels: Tensor | None, z: Tensor) -> Losses:
        """D steps, then G, by the same fakes as the new D sees them."""
        fake = self.generator(z, labels)
        loss_d = self._train_discriminator(real, fake.detach(), labels, self.number)

        self.discriminator.requires_grad_(False)
        if self.recipe.d_batches == "joined":
            loss_g = self.loss_g(*self._judge_together(real, fake, labels))
        else:
            fake_out = self.discriminator(fake, labels)
            # The relativistic loss alone looks at the real images, whose logits have no gradient to pass on.
            real_out = (
                self.discriminator(real, labels) if self.recipe.objective == "relativistic" else fake_out
            )
            loss_g = self.loss_g(real_out, fake_out)
        self._descend("generator", loss_g, self.number)
        self.discriminator.requires_grad_(True)
        return loss_d, loss_g

    def _together(self, real: Tensor, labels: Tensor | None, z: Tensor) -> Losses:
        """Both gradients by the same fakes and the old weights, then both step."""
        # Two passes through D: G's gradient then runs back through the half that comes from G, not through both.
        fake = self.generator(z, labels)
        real_out, fake_out = self.discriminator(real, labels), self.discriminator(fake, labels)
        loss_d, loss_g = self.loss_d(real_out, fake_out), self.loss_g(real_out, fake_out)
        for optimizer in self.optimizers.values():
            optimizer.zero_grad()
        loss_d.backward(inputs=list(self.discriminator.parameters()), retain_graph=True)
        loss_g.backward(inputs=list(self.generator.parameters()))
        self._apply("discriminator", self.number)
        self._apply("generator", self.number)
        return loss_d, loss_g

    def _in_turn(self, real: Tensor, labels: Tensor | None, z: Tensor) -> Losses:
        """G steps on even batches, D on odd ones; neither computes what only the other needs."""
        turn = self.number // 2
        if self.number % 2:
            with torch.no_grad():
                fake = self.generator(z, labels)
            return self._train_discriminator(real, fake, labels, turn), None
        self.discriminator.requires_grad_(False)
        fake_out = self.discriminator(self.generator(z, labels), labels)
        loss_g = self.loss_g(fake_out, fake_out)
        self._descend("generator", loss_g, turn)
        self.discriminator.requires_grad_(True)
        return None, loss_g

    def _regularized(self, real: Tensor, labels: Tensor | None, z: Tensor) -> Losses:
        """D steps; then, twice, E by BCE(D(G(E(x))), 1) + λ‖x − G(E(x))‖², and G by BCE(D(G(z)), 1) + the same.

        What only the other would need has no gradient; batch norm sees each pass all the same.
        """
        fake = self.generator(z, labels)
        loss_d = self._train_discriminator(real, fake.detach(), labels, self.number)
        encoder = self.networks["encoder"]
        self.discriminator.requires_grad_(False)
        for number in range(2):
            if number:
                fake = self.generator(z, labels)
            self.generator.requires_grad_(False)
            self._descend("encoder", self._loss_e(real, labels, encoder(real)), self.number)
            self.generator.requires_grad_(True)
            with torch.no_grad():
                found = encoder(real)
            again = self._loss_e(real, labels, found)
            fake_out = self.discriminator(fake, labels)
            loss_g: Tensor = self.loss_g(fake_out, fake_out)
            self._descend("generator", loss_g + again, self.number)
        self.discriminator.requires_grad_(True)
        return loss_d, loss_g

    def _loss_e(self, real: Tensor, labels: Tensor | None, found: Tensor) -> Tensor:
        """How D takes G's pictures of the z that were found for `real`, and how far they are from them."""
        drawn = self.generator(found, labels)
        out = self.discriminator(drawn, labels)
        squares = (real - drawn).square()
        error = squares.sum((1, 2, 3)).mean() if self.recipe.reduction == "sum" else squares.mean()
        loss: Tensor = self.loss_g(out, out) + self.recipe.reconstruction * error
        return loss

    def _descend(self, role: str, loss: Tensor, turn: int) -> None:
        self.optimizers[role].zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._apply(role, turn)

    def _train_discriminator(self, real: Tensor, fake: Tensor, labels: Tensor | None, turn: int) -> Tensor:
        """D's step; every few steps with γ/2 · (E‖∇D(x)‖² + E‖∇D(G(z))‖²), which takes the same forward pass."""
        penalised = self.recipe.gamma > 0 and turn % self.recipe.penalty_every == 0
        if penalised:
            real, fake = real.requires_grad_(True), fake.requires_grad_(True)
        if self.normed and self.recipe.d_batches == "separate":
            real_out, fake_out = self.discriminator(real, labels), self.discriminator(fake, labels)
        else:
            real_out, fake_out = self._judge_together(real, fake, labels)
        loss: Tensor = self.loss_d(real_out, fake_out)
        total = loss
        if penalised:
            logits = real_out.sum() + fake_out.sum()
            gradients = torch.autograd.grad(logits, (real, fake), create_graph=True)
            penalty = sum(gradient.square().sum((1, 2, 3)).mean() for gradient in gradients)
            total = loss + self.recipe.penalty_every * self.recipe.gamma / 2 * penalty
        self.optimizers["discriminator"].zero_grad()
        total.backward(inputs=list(self.discriminator.parameters()))  # type: ignore[no-untyped-call]
        self._apply("discriminator", turn)
        return loss

    def _judge_together(self, real: Tensor, fake: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        """D's outputs for real and fake images of one pass."""
        both = self.discriminator(torch.cat([real, fake]), None if labels is None else labels.repeat(2))
        real_out, fake_out = both.chunk(2)
        return real_out, fake_out

    def _apply(self, role: str, turn: int) -> None:
        """Let Adam step. Keras adds ε to √v, PyTorch to √(v / (1 − β2ᵗ)): the same step has a larger ε in PyTorch."""
        if self.recipe.adam_form == "keras":
            eps = self.recipe.adam_eps / (1 - self.recipe.beta2 ** (turn + 1)) ** 0.5
            self.optimizers[role].param_groups[0]["eps"] = eps
        self.optimizers[role].step()


def adam(network: nn.Module, lr: float, recipe: Recipe) -> torch.optim.Adam:
    return torch.optim.Adam(
        network.parameters(),
        lr,
        betas=(recipe.beta1, recipe.beta2),
        eps=recipe.adam_eps,
        weight_decay=recipe.weight_decay,
        fused=True,
    )


@torch.no_grad()
def move_average(average: nn.Module, source: nn.Module, decay: float) -> None:
    """Parameters and running statistics move towards the source by 1 − decay; counts are copied."""
    pairs = list(zip(average.state_dict().values(), source.state_dict().values(), strict=True))
    moving = [pair for pair in pairs if pair[0].is_floating_point()]
    counts = [pair for pair in pairs if not pair[0].is_floating_point()]
    torch._foreach_lerp_([mine for mine, _ in moving], [theirs for _, theirs in moving], 1 - decay)
    if counts:
        torch._foreach_copy_([mine for mine, _ in counts], [theirs for _, theirs in counts])


def _cross_entropy(loss: Callable[[Tensor, Tensor], Tensor]) -> tuple[Any, Any]:
    def discriminator(real: Tensor, fake: Tensor) -> Tensor:
        return loss(real, torch.ones_like(real)) + loss(fake, torch.zeros_like(fake))

    def generator(real: Tensor, fake: Tensor) -> Tensor:
        return loss(fake, torch.ones_like(fake))

    return discriminator, generator


LOSSES: dict[str, tuple[Any, Any]] = {
    "bce": _cross_entropy(binary_cross_entropy_with_logits),
    "bce-probability": _cross_entropy(binary_cross_entropy),
    "hinge": (
        lambda real, fake: (1 - real).relu().mean() + (1 + fake).relu().mean(),
        lambda real, fake: -fake.mean(),
    ),
    "relativistic": (
        lambda real, fake: softplus(fake - real).mean(),
        lambda real, fake: softplus(real - fake).mean(),
    ),
}
"""D's and G's loss of D's outputs for real and for fake images, (N,) each."""


class _Convolutions(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While entered, notes the convolutions that are carried out: (shape of the weights, stride, transposed)."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen: list[tuple[tuple[int, ...], tuple[int, ...], bool]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.convolution.default:
            self.seen.append((tuple(args[1].shape), tuple(args[3]), bool(args[6])))
        return func(*args, **(kwargs or {}))


@torch.no_grad()
def assert_plain(reference: Reference) -> None:
    """Raise `AssertionError` unless every layer is torch's own and each convolution is carried out as it stands."""
    recipe = reference.recipe
    labels = None if reference.labels is None else reference.labels[:2]
    z = torch.zeros(2, recipe.z_dim, device=reference.images.device)
    inputs = {"generator": z, "discriminator": reference.images[:2], "encoder": reference.images[:2]}
    for role, network in reference.networks.items():
        for name, module in network.named_modules():
            where = f"{recipe.preset}: {role}.{name} is not plain"
            assert type(module).__module__.startswith(("torch.nn.", "dcgan.networks.")), where
            assert "forward" not in vars(module) and module._compiled_call_impl is None, where
        told = [
            (tuple(module.weight.shape), tuple(module.stride), module.transposed)
            for module in network.modules()
            if isinstance(module, _ConvNd)
        ]
        twin = copy.deepcopy(network).eval()
        with _Convolutions() as done:
            twin(inputs[role], labels)
        assert done.seen == told, (
            f"{recipe.preset}: {role} carries out other convolutions than its layers say"
        )
