"""The table of presets: one row a model. A new model is one network file and one row here."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Any

from dcgan.errors import one_of
from dcgan.recipe import Recipe

OURS = "this project"
"""In place of a paper, of presets that no paper has."""
FEW, AUGMENT = 500, "translation"
"""Of fewer pictures D knows each by heart, and designs come to lie near to them: D is then shown changed ones. What it
gives, by the number of pictures: docs/results/few-pictures.md."""


@dataclass(frozen=True)
class Preset:
    """A recipe with a name, and what it is for.

    size: the edge in pixels it is meant for, used when the pictures leave it open. channels: 1 or 3, of its paper.
    labels: whether it can learn classes. paper: who published it.
    counts_statistics: whether the paper counts batch norm's running mean and variance as parameters, as Keras does.
    """

    recipe: Recipe
    size: int
    purpose: str
    paper: str = ""
    channels: int = 1
    labels: bool = False
    counts_statistics: bool = False

    @property
    def ours(self) -> bool:
        """Whether it is a fast preset: no paper says what it is trained on and how."""
        return self.paper == OURS


def _fast(name: str, size: int, purpose: str, **fields: Any) -> tuple[str, Preset]:
    return name, Preset(Recipe(preset=name, **fields), size, purpose, OURS, labels=True)


def _published(
    name: str, size: int, channels: int, paper: str, purpose: str, *, keras: bool = True, **fields: Any
) -> tuple[str, Preset]:
    """A published model: its network is called as the preset, there is no moving average, classes are not learned."""
    recipe = Recipe(preset=name, network=name, ema=0.0, **fields)
    return name, Preset(recipe, size, purpose, paper, channels, counts_statistics=keras)


# Found by search (docs/results/search.md): a 5×5 convolution on the smallest maps in place of the last level, and high
# rates under a strong penalty, both of which fall away over the first images. The relativistic pairing loss with both
# penalties kept twice the variety within a class that the hinge with spectral norm did.
_SOONEST: dict[str, Any] = {
    "network": "fast",
    "objective": "relativistic",
    "g_mix": 1,
    "paint": "phases",
    "gamma": 0.3,
    "g_lr": 2e-3,
    "d_lr": 2e-3,
    "anneal": 90_000,
    "last_lr": 0.2,
    "last_gamma": 0.3,
}
# Of 24 maps a step takes two thirds of the time that it takes of 32, and teaches nearly as much.
_NARROW: dict[str, Any] = {"g_maps": 24, "d_maps": 24}
# Larger pictures ask for more of a penalty, which is a sum over pixels, and do not bear these rates.
_LARGE: dict[str, Any] = {**_SOONEST, "gamma": 1.0, "g_lr": 1e-3, "d_lr": 1e-3}


def _adam(rate: float, beta1: float, beta2: float = 0.999, **fields: Any) -> dict[str, Any]:
    return {"g_lr": rate, "d_lr": rate, "beta1": beta1, "beta2": beta2, **fields}


_KERAS: dict[str, Any] = {"adam_eps": 1e-7, "adam_form": "keras"}
_SIGMOID: dict[str, Any] = {"objective": "bce-probability", "head": "sigmoid"}

# fmt: off
PRESETS = dict([
    _fast("fast-28", 28, "small pictures, 8 to 31 px, soonest", **_SOONEST, **_NARROW, images=280_000),
    _fast("fast-32", 32, "pictures of 32 to 47 px, soonest", **_SOONEST, images=200_000),
    _fast("fast-64", 64, "pictures of 48 to 128 px, soonest", **_LARGE, images=100_000),

    _published("fashion-2020", 28, 1, "TensorFlow's tutorial", "the DCGAN of most tutorials and studies on 28x28",
        **_adam(1e-4, 0.9), **_KERAS, z_dim=100, slope=0.3, batch=256, epochs=50.0, updates="together"),
    _published("mnist-2018", 28, 1, "Chakkarwar et al. 2018", "the DCGAN of DCGAN against GAN on digits",
        **_adam(2e-4, 0.5), **_KERAS, **_SIGMOID, z_dim=100, batch=128, epochs=60.0, variant="table",
        d_batches="joined"),
    _published("mnist-gan-2018", 28, 1, "Chakkarwar et al. 2018", "the fully connected GAN beside it",
        **_adam(2e-4, 0.5), **_KERAS, **_SIGMOID, z_dim=100, batch=32, images=32 * 30_000),
    _published("fashion-maxpool", 28, 1, "Cuesta Córdova", "global max pooling in D, and its failures",
        **_adam(3e-4, 0.9), **_KERAS, z_dim=128, batch=64, epochs=30.0),
    _published("paper-64", 64, 3, "Radford et al. 2016", "the DCGAN paper's faces and bedrooms",
        **_adam(2e-4, 0.5), **_SIGMOID, z_dim=100, batch=128, epochs=25.0, prior="uniform", updates="in-turn",
        weight_decay=1e-5, keras=False),
    _published("pytorch-64", 64, 3, "PyTorch's example", "what most people start from",
        **_adam(2e-4, 0.5), **_SIGMOID, z_dim=100, batch=64, epochs=25.0, keras=False),
    _published("rdcgan", 28, 1, "Mehralian & Karasfi 2018", "a DCGAN with an encoder: features and reconstructions",
        **_adam(2e-4, 0.5), method="regularized", z_dim=100, batch=64, epochs=100.0, keras=False),
])
# fmt: on


def preset(name: str) -> Preset:
    """The preset called `name`; an unknown one names its nearest."""
    if name not in PRESETS:
        raise one_of("preset", name, PRESETS)
    return PRESETS[name]


def for_few(row: Preset, pictures: int, given: Container[str]) -> dict[str, Any]:
    """The settings that a fast preset takes for so few pictures, unless `given` ones say otherwise; else none."""
    few = row.ours and pictures < FEW
    return {"augment": AUGMENT} if few and "augment" not in given else {}


def preset_for(size: tuple[int, int]) -> str:
    """The name of the fast preset for images of (height, width) pixels."""
    edge = max(size)
    return "fast-28" if edge < 32 else "fast-32" if edge < 48 else "fast-64"
