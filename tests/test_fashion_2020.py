"""`fashion-2020` against a computation of its own: NumPy, float64, layers and gradients written out.

Nothing here calls torch but to build the two networks and to run the step under test. Weights, images, z and the
dropout masks are copied out; the forward pass of both networks and every weight after one training step must agree.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from dcgan.methods import Batch, build_method
from dcgan.networks import build_networks
from dcgan.presets import preset
from dcgan.training.engine import Engine

Array = NDArray[np.float64]
N = 6
SLOPE, KEEP, EPS = 0.3, 0.7, 1e-3
RATE, BETA1, BETA2, ADAM_EPS = 1e-4, 0.9, 0.999, 1e-7


def before_after(side: int, stride: int, kernel: int = 5) -> tuple[int, int]:
    """TensorFlow's "same" padding."""
    total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
    return total // 2, total - total // 2


def windows(padded: Array, i: int, j: int, outputs: int, stride: int) -> Array:
    """A view: what tap (i, j) of the kernel sees at every output."""
    return padded[:, :, i : i + stride * outputs : stride, j : j + stride * outputs : stride][
        :, :, :outputs, :outputs
    ]


def conv(x: Array, w: Array, stride: int) -> Array:
    """x (N, C, S, S), w (D, C, 5, 5) → (N, D, ⌈S/s⌉, ⌈S/s⌉)."""
    outputs = -(-x.shape[2] // stride)
    pads = before_after(x.shape[2], stride)
    padded = np.pad(x, ((0, 0), (0, 0), pads, pads))
    y = np.zeros((len(x), len(w), outputs, outputs))
    for i in range(5):
        for j in range(5):
            y += np.einsum("nchw,dc->ndhw", windows(padded, i, j, outputs, stride), w[:, :, i, j])
    return y


def conv_input_gradient(dy: Array, w: Array, stride: int, side: int) -> Array:
    """The gradient by x of `conv`; it is also the transposed convolution of dy."""
    pads = before_after(side, stride)
    outputs = dy.shape[2]
    extent = max(sum(pads) + side, stride * (outputs - 1) + 5)
    padded = np.zeros((len(dy), w.shape[1], extent, extent))
    for i in range(5):
        for j in range(5):
            windows(padded, i, j, outputs, stride)[...] += np.einsum("ndhw,dc->nchw", dy, w[:, :, i, j])
    return padded[:, :, pads[0] : pads[0] + side, pads[0] : pads[0] + side]


def conv_weight_gradient(x: Array, dy: Array, stride: int) -> Array:
    """The gradient by w of `conv`."""
    pads = before_after(x.shape[2], stride)
    padded = np.pad(x, ((0, 0), (0, 0), pads, pads))
    dw = np.zeros((dy.shape[1], x.shape[1], 5, 5))
    for i in range(5):
        for j in range(5):
            seen = windows(padded, i, j, dy.shape[2], stride)
            dw[:, :, i, j] = np.einsum("ndhw,nchw->dc", dy, seen)
    return dw


def leaky(x: Array) -> Array:
    return np.where(x > 0, x, SLOPE * x)


def leaky_gradient(x: Array, dy: Array) -> Array:
    return np.where(x > 0, dy, SLOPE * dy)


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


class Norm:
    """Batch norm by the batch's own statistics, and its gradient."""

    def __init__(self, x: Array, gain: Array, shift: Array) -> None:
        self.axes = (0,) if x.ndim == 2 else (0, 2, 3)
        self.shape = (1, -1) if x.ndim == 2 else (1, -1, 1, 1)
        self.gain = gain.reshape(self.shape)
        self.deviation = np.sqrt(x.var(self.axes, keepdims=True) + EPS)
        self.normal = (x - x.mean(self.axes, keepdims=True)) / self.deviation
        self.y = self.normal * self.gain + shift.reshape(self.shape)

    def gradient(self, dy: Array) -> tuple[Array, Array, Array]:
        """By x, by the gain, by the shift."""
        dn = dy * self.gain
        means = dn.mean(self.axes, keepdims=True), (dn * self.normal).mean(self.axes, keepdims=True)
        dx = (dn - means[0] - self.normal * means[1]) / self.deviation
        return dx, (dy * self.normal).sum(self.axes), dy.sum(self.axes)


class Generator:
    """Dense → BN → leaky → 7×7×256 → convT 128 → BN → leaky → convT 64 → BN → leaky → convT 1 → tanh."""

    def __init__(self, weights: list[Array]) -> None:
        self.weights = weights

    def forward(self, z: Array) -> Array:
        dense, gain0, shift0, up1, gain1, shift1, up2, gain2, shift2, up3 = self.weights
        self.z = z
        self.norm0 = Norm(z @ dense.T, gain0, shift0)
        self.x0 = leaky(self.norm0.y).reshape(-1, 256, 7, 7)
        self.norm1 = Norm(conv_input_gradient(self.x0, up1, 1, 7), gain1, shift1)
        self.x1 = leaky(self.norm1.y)
        self.norm2 = Norm(conv_input_gradient(self.x1, up2, 2, 14), gain2, shift2)
        self.x2 = leaky(self.norm2.y)
        self.images = np.tanh(conv_input_gradient(self.x2, up3, 2, 28))
        return self.images

    def gradients(self, dimages: Array) -> list[Array]:
        _, _, _, up1, _, _, up2, _, _, up3 = self.weights
        d = dimages * (1 - self.images**2)
        dup3 = conv_weight_gradient(d, self.x2, 2)
        d, dgain2, dshift2 = self.norm2.gradient(leaky_gradient(self.norm2.y, conv(d, up3, 2)))
        dup2 = conv_weight_gradient(d, self.x1, 2)
        d, dgain1, dshift1 = self.norm1.gradient(leaky_gradient(self.norm1.y, conv(d, up2, 2)))
        dup1 = conv_weight_gradient(d, self.x0, 1)
        d = conv(d, up1, 1).reshape(len(d), -1)
        d, dgain0, dshift0 = self.norm0.gradient(leaky_gradient(self.norm0.y, d))
        return [d.T @ self.z, dgain0, dshift0, dup1, dgain1, dshift1, dup2, dgain2, dshift2, dup3]


class Discriminator:
    """Conv 64 → leaky → dropout → conv 128 → leaky → dropout → dense 1; the masks are given."""

    def __init__(self, weights: list[Array], masks: list[Array]) -> None:
        self.weights, self.masks = weights, masks

    def forward(self, images: Array) -> Array:
        w1, b1, w2, b2, w3, b3 = self.weights
        self.images = images
        self.a1 = conv(images, w1, 2) + b1[:, None, None]
        self.x1 = leaky(self.a1) * self.masks[0]
        self.a2 = conv(self.x1, w2, 2) + b2[:, None, None]
        self.x2 = (leaky(self.a2) * self.masks[1]).reshape(len(images), -1)
        return (self.x2 @ w3.T + b3)[:, 0]

    def gradients(self, dlogits: Array) -> tuple[list[Array], Array]:
        """By the weights, and by the images."""
        w1, _, w2, _, w3, _ = self.weights
        d = dlogits[:, None]
        dw3, db3 = d.T @ self.x2, d.sum(0)
        d = leaky_gradient(self.a2, (d @ w3).reshape(self.a2.shape) * self.masks[1])
        dw2, db2 = conv_weight_gradient(self.x1, d, 2), d.sum((0, 2, 3))
        d = leaky_gradient(self.a1, conv_input_gradient(d, w2, 2, 14) * self.masks[0])
        dw1, db1 = conv_weight_gradient(self.images, d, 2), d.sum((0, 2, 3))
        return [dw1, db1, dw2, db2, dw3, db3], conv_input_gradient(d, w1, 2, 28)


def first_adam_step(weight: Array, gradient: Array) -> Array:
    """Keras: lr·√(1−β2)/(1−β1) · m/(√v + ε) with m = (1−β1)·g and v = (1−β2)·g²."""
    rate = RATE * np.sqrt(1 - BETA2) / (1 - BETA1)
    return weight - rate * (1 - BETA1) * gradient / (np.sqrt((1 - BETA2) * gradient**2) + ADAM_EPS)


def copied(tensors: Any) -> list[Array]:
    return [tensor.detach().double().numpy().copy() for tensor in tensors]


@pytest.fixture(scope="module", params=["as torch computes", "rewritten"])
def step(request: pytest.FixtureRequest) -> dict[str, Any]:
    """One real step, and all that went into it; once more with the convolutions as the engine has them on a CPU."""
    recipe = preset("fashion-2020").recipe.for_data((28, 28), 1, 0).with_changes({"batch": N})
    torch.manual_seed(0)
    networks = build_networks(recipe)
    if request.param == "rewritten":
        networks = {role: Engine.choose("float32", "cpu").place(module) for role, module in networks.items()}
    with torch.no_grad():  # gains and shifts that are all alike would hide a mix-up
        for parameter in networks["generator"].parameters():
            if parameter.ndim == 1:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    method = build_method(recipe, networks, nullcontext)
    masks: list[Array] = []

    def note(module: torch.nn.Module, inputs: Any, output: torch.Tensor) -> None:
        masks.append(np.where(output.detach().numpy() == 0, 0.0, 1 / KEEP))

    for module in networks["discriminator"].modules():
        if isinstance(module, torch.nn.Dropout):
            assert module.p == pytest.approx(1 - KEEP)
            module.register_forward_hook(note)
    weights = {role: copied(module.parameters()) for role, module in networks.items()}
    real, z = torch.rand(N, 1, 28, 28) * 2 - 1, torch.randn(N, 100)
    values = method.step(Batch(real, None, z), method.turn(0))
    return {
        "weights": weights,
        "after": {role: copied(module.parameters()) for role, module in networks.items()},
        "masks": masks,
        "real": real.double().numpy(),
        "z": z.double().numpy(),
        "values": {name: value.item() for name, value in values.items()},
        "networks": networks,
    }


def test_one_training_step_agrees_with_numpy(step: dict[str, Any]) -> None:
    """Both gradients on the same fakes, from the weights before the step; then both networks move."""
    generator = Generator(step["weights"]["generator"])
    assert len(step["masks"]) == 2, "D runs once, over real and fake images together"
    discriminator = Discriminator(step["weights"]["discriminator"], step["masks"])
    fake = generator.forward(step["z"])
    logits = discriminator.forward(np.concatenate([step["real"], fake]))
    real_logits, fake_logits = logits[:N], logits[N:]

    loss_d = -np.log(sigmoid(real_logits)).mean() - np.log(1 - sigmoid(fake_logits)).mean()
    loss_g = -np.log(sigmoid(fake_logits)).mean()
    assert step["values"]["loss_d"] == pytest.approx(loss_d, abs=1e-5)
    assert step["values"]["loss_g"] == pytest.approx(loss_g, abs=1e-5)
    assert step["values"]["real_score"] == pytest.approx(sigmoid(real_logits).mean(), abs=1e-5)
    assert step["values"]["fake_score"] == pytest.approx(sigmoid(fake_logits).mean(), abs=1e-5)

    by_logits = np.concatenate([sigmoid(real_logits) - 1, sigmoid(fake_logits)]) / N
    by_weights, _ = discriminator.gradients(by_logits)
    _, by_images = discriminator.gradients(np.concatenate([np.zeros(N), (sigmoid(fake_logits) - 1) / N]))
    for role, gradients in (
        ("discriminator", by_weights),
        ("generator", generator.gradients(by_images[N:])),
    ):
        for number, (weight, gradient, after) in enumerate(
            zip(step["weights"][role], gradients, step["after"][role], strict=True)
        ):
            expected = first_adam_step(weight, gradient)
            assert np.abs(after - expected).max() < 1e-5, f"{role}, parameter {number}"
            # The step itself, a tenth as large as that tolerance and more: it must be the same step.
            assert (
                np.abs((after - weight) - (expected - weight)).mean()
                < 0.01 * np.abs(expected - weight).mean()
            )


def test_the_forward_pass_agrees_with_numpy_in_evaluation_too(step: dict[str, Any]) -> None:
    """Stored statistics in G, no dropout in D."""
    networks = step["networks"]
    generator, discriminator = (networks[role].eval() for role in ("generator", "discriminator"))
    z = np.random.default_rng(0).normal(size=(3, 100))
    with torch.no_grad():
        images = generator(torch.from_numpy(z).float())
        logits = discriminator(images)

    dense, gain0, shift0, up1, gain1, shift1, up2, gain2, shift2, up3 = copied(generator.parameters())
    norms = [
        module for module in generator if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d)
    ]
    stored = [copied([norm.running_mean, norm.running_var]) for norm in norms]

    def norm(x: Array, number: int, gain: Array, shift: Array) -> Array:
        shape = (1, -1) if x.ndim == 2 else (1, -1, 1, 1)
        mean, variance = (part.reshape(shape) for part in stored[number])
        return (x - mean) / np.sqrt(variance + EPS) * gain.reshape(shape) + shift.reshape(shape)

    x = leaky(norm(z @ dense.T, 0, gain0, shift0)).reshape(-1, 256, 7, 7)
    x = leaky(norm(conv_input_gradient(x, up1, 1, 7), 1, gain1, shift1))
    x = leaky(norm(conv_input_gradient(x, up2, 2, 14), 2, gain2, shift2))
    x = np.tanh(conv_input_gradient(x, up3, 2, 28))
    assert np.abs(images.numpy() - x).max() < 1e-5
    whole = [np.ones((1, 1, 1, 1))] * 2
    expected = Discriminator(copied(discriminator.parameters()), whole).forward(x)
    assert np.abs(logits.numpy() - expected).max() < 1e-5
