"""A recipe: everything that decides what a training run computes, as one frozen dataclass and as JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dcgan.errors import DcganError, one_of

LARGEST_SEED = 2**63 - 1
NO_BUDGET: dict[str, Any] = {"epochs": 0.0, "images": 0, "minutes": 0.0}

FREE: dict[str, Any] = {**NO_BUDGET, "keep_every": 1, "evaluate_every": 0.0, "stop_on_collapse": False}
"""Fields that no step depends on, each with a value that it can have."""
FIXED = frozenset(
    ("preset", "network", "method", "height", "width", "channels", "classes", "z_dim", "prior", "batch")
)
"""Fields beside the networks' switches that a run keeps from its first step to its last."""

REGULARIZED = frozenset({"reconstruction", "reduction"})
"""Fields that only the regularized method obeys."""

PROBABILITY_OBJECTIVES = frozenset({"bce-probability"})
"""Objectives that take a discriminator's probabilities; all others take its logits."""


def _key(
    default: Any,
    help: str,
    *,
    range: tuple[float, float] | None = None,
    choices: tuple[str, ...] = (),
    architecture: bool = False,
) -> Any:
    metadata = {"help": help, "range": range, "choices": choices, "architecture": architecture}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Recipe:
    """One training run, with the weights, the data and the clock left out.

    Two runs with the same recipe, data and number of threads are the same run, bit for bit. The size of
    an image and the number of classes are 0 in a preset and filled in from the data by `for_data`.
    """

    preset: str = _key("custom", "the row of the preset table that this recipe started from")
    network: str = _key("fast", "family of generator and discriminator")
    method: str = _key("adversarial", "what one training step does")
    objective: str = _key("bce", "adversarial loss")

    height: int = _key(0, "image height in pixels; follows the data", range=(0, 128))
    width: int = _key(0, "image width in pixels; follows the data", range=(0, 128))
    channels: int = _key(0, "1 grey, 3 colour; follows the data", range=(0, 3))
    classes: int = _key(0, "number of classes; 0 is an unconditional model", range=(0, 100_000))

    z_dim: int = _key(64, "length of the latent vector", range=(1, 4096))
    prior: str = _key("normal", "distribution of the latent vector", choices=("normal", "uniform"))

    # The switches of the networks. Each family obeys some of them and refuses the others by name.
    g_maps: int = _key(32, "G: feature maps at the finest level", range=(1, 1024), architecture=True)
    d_maps: int = _key(32, "D: feature maps at the finest level", range=(1, 1024), architecture=True)
    g_mix: int = _key(
        0, "G: 5×5 convolutions on its smallest maps, before they grow", range=(0, 8), architecture=True
    )
    paint: str = _key(
        "pixels",
        "G: whether its last level is a convolution of pixels, or of 2×2 phases at half the size",
        choices=("pixels", "phases"),
        architecture=True,
    )
    spectral_norm: bool = _key(False, "D: spectral normalisation of the weights", architecture=True)
    variant: str = _key("", "which reading of the paper", choices=("", "table", "prose"), architecture=True)
    slope: float = _key(0.2, "slope of the leaky ReLU below zero", range=(0.0, 1.0), architecture=True)
    batch_norm: str = _key(
        "published", "where batch norm stands", choices=("published", "none", "everywhere"), architecture=True
    )
    output: str = _key(
        "tanh", "G: what its last layer ends in", choices=("tanh", "sigmoid"), architecture=True
    )
    head: str = _key(
        "logits", "D: what its last layer gives", choices=("logits", "sigmoid"), architecture=True
    )
    pool: str = _key("max", "D: from maps to its last layer", choices=("max", "flatten"), architecture=True)
    g_layers: int = _key(2, "G: transposed convolutions, 2 or 4", range=(2, 4), architecture=True)
    d_layers: int = _key(2, "D: convolutions, 2 or 4", range=(2, 4), architecture=True)

    maps: int = _key(8, "G, D and E: feature maps at the finest level", range=(1, 1024), architecture=True)
    encoder: str = _key(
        "tanh", "E: what its last layer ends in", choices=("tanh", "linear"), architecture=True
    )

    updates: str = _key(
        "d-then-g",
        "order of the updates",
        choices=("d-then-g", "together", "in-turn"),
    )
    d_batches: str = _key(
        "separate",
        "how D's batch norm sees real and fake images",
        choices=("separate", "joined"),
    )
    batch: int = _key(32, "images in a minibatch", range=(2, 65_536))
    g_lr: float = _key(4e-4, "generator's learning rate", range=(0.0, 1e3))
    d_lr: float = _key(4e-4, "discriminator's learning rate", range=(0.0, 1e3))
    beta1: float = _key(0.0, "Adam's beta1", range=(0.0, 0.999999))
    beta2: float = _key(0.99, "Adam's beta2", range=(0.0, 0.999999))
    adam_eps: float = _key(1e-8, "Adam's epsilon", range=(0.0, 1.0))
    adam_form: str = _key(
        "pytorch",
        "whose Adam: where epsilon is added",
        choices=("pytorch", "keras"),
    )
    weight_decay: float = _key(0.0, "L2 on every weight, added to its gradient", range=(0.0, 1.0))
    gamma: float = _key(0.0, "weight of the zero-centred gradient penalties R1 and R2", range=(0.0, 1e6))
    penalty_every: int = _key(
        4, "steps from one penalty to the next; its weight grows as much", range=(1, 1000)
    )
    reconstruction: float = _key(1.0, "weight λ of the encoder's reconstruction error", range=(0.0, 1e6))
    reduction: str = _key(
        "sum", "the squared reconstruction error over the numbers of an image", choices=("sum", "mean")
    )
    anneal: int = _key(
        0,
        "images over which the rates and gamma go to their last values, by half a cosine; 0: never",
        range=(0, 10**15),
    )
    last_lr: float = _key(
        1.0,
        "share of g_lr and d_lr that is left after anneal, from where they fall as 1/√images",
        range=(0.0, 1.0),
    )
    last_gamma: float = _key(1.0, "share of gamma that is left after anneal", range=(0.0, 1.0))
    ema: float = _key(0.998, "decay of the generator's moving average, per step", range=(0.0, 0.999999))
    flip: bool = _key(False, "mirror half of the real images left to right")
    augment: str = _key(
        "none",
        "changes through which D sees real and generated images alike; for few pictures",
        choices=("none", "translation", "translation,cutout", "color,translation,cutout"),
    )

    seed: int = _key(0, "seed of every random draw", range=(0, LARGEST_SEED))
    precision: str = _key("auto", "arithmetic of the training step", choices=("auto", "bf16", "float32"))
    evaluate_every: float = _key(
        30.0, "seconds from one score to the next, 5 % of the time at most; 0: none", range=(0.0, 1e7)
    )
    stop_on_collapse: bool = _key(False, "end the run when the doctor finds a failure that does not mend")
    keep_every: int = _key(10, "every k-th checkpoint is kept for good", range=(1, 1_000_000))
    epochs: float = _key(0.0, "budget: passes over the data", range=(0.0, 1e9))
    images: int = _key(0, "budget: real images seen", range=(0, 10**15))
    minutes: float = _key(0.0, "budget: minutes of training", range=(0.0, 1e7))

    def __post_init__(self) -> None:
        for name, spec in FIELDS.items():
            _check(name, getattr(self, name), spec)
        if sum(bool(value) for value in (self.epochs, self.images, self.minutes)) > 1:
            raise DcganError(
                "recipe: epochs, images and minutes are three ways to say one budget: give one of them"
            )
        self._match_head_and_loss()

    def _match_head_and_loss(self) -> None:
        """Refuse a sigmoid under a loss of logits (a floor at ln 2) and a linear head under one of probabilities
        (which goes below 0): both train without complaint, and to nothing."""
        takes_probabilities = self.objective in PROBABILITY_OBJECTIVES
        if self.head == "sigmoid" and not takes_probabilities:
            raise DcganError(
                f"head=sigmoid gives probabilities, and objective={self.objective} takes logits: "
                "add --set objective=bce-probability, or leave head=logits"
            )
        if self.head == "logits" and takes_probabilities:
            raise DcganError(
                f"objective={self.objective} takes probabilities, and head=logits gives logits: "
                "add --set head=sigmoid, or use objective=bce"
            )

    @property
    def conditional(self) -> bool:
        """Whether the model is asked for a class."""
        return self.classes > 0

    def for_data(self, size: tuple[int, int], channels: int, classes: int) -> Recipe:
        """The recipe with the image's (height, width), its channels and the number of classes filled in."""
        return dataclasses.replace(self, height=size[0], width=size[1], channels=channels, classes=classes)

    def with_budget(
        self, *, epochs: float | None = None, images: int | None = None, minutes: float | None = None
    ) -> Recipe:
        """The recipe with another budget; unchanged when none is given."""
        given = {
            k: v for k, v in (("epochs", epochs), ("images", images), ("minutes", minutes)) if v is not None
        }
        if not given:
            return self
        if len(given) > 1:
            raise DcganError(f"--{' and --'.join(given)} are ways to say one budget: give one of them")
        ((name, value),) = given.items()
        if not value > 0 or not math.isfinite(value):
            raise DcganError(f"--{name} is {value}: a budget must be above 0")
        return self.with_changes({**NO_BUDGET, **given})

    def with_settings(self, settings: Iterable[str]) -> Recipe:
        """The recipe with `key=value` strings applied, each value read as its field's type."""
        changes: dict[str, Any] = {}
        for setting in settings:
            name, equals, text = setting.partition("=")
            if not equals:
                raise DcganError(f"--set {setting[:80]}: write key=value, for example --set batch=128")
            changes[name.strip()] = _parse(name.strip(), text.strip())
        return self.with_changes(changes)

    def with_changes(self, changes: Mapping[str, Any]) -> Recipe:
        """The recipe with fields replaced; an unknown field is refused by name."""
        for name in changes:
            if name not in FIELDS:
                raise one_of("recipe key", name, FIELDS)
        # A budget among the changes takes the place of the one there is, whichever way that is said.
        cleared = NO_BUDGET if changes.keys() & NO_BUDGET.keys() else {}
        return dataclasses.replace(self, **{**cleared, **changes})

    def same_model(self, other: Recipe) -> bool:
        """Whether both recipes compute the same steps; budget, scoring and keeping may differ."""
        return self.with_changes(FREE) == other.with_changes(FREE)

    def fixed_changes(self, other: Recipe) -> list[str]:
        """The fields in which `other` differs and that a run keeps for good: its weights or its place in the data
        depend on them."""
        return [
            name
            for name, spec in FIELDS.items()
            if (spec.metadata["architecture"] or name in FIXED)
            and getattr(self, name) != getattr(other, name)
        ]

    def to_dict(self) -> dict[str, Any]:
        """All fields by name, JSON-ready."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, value: object, where: str = "recipe") -> Recipe:
        """The recipe in a JSON object. Raises `DcganError` naming the unknown, missing or wrong field."""
        if not isinstance(value, dict):
            raise DcganError(f"{where}: expected a JSON object with the fields of a recipe")
        for name in value:
            if name not in FIELDS:
                raise one_of(f"field in {where}:", str(name), FIELDS)
        try:
            return cls(**value)
        except DcganError as error:
            raise DcganError(f"{where}: {error}") from None

    @classmethod
    def from_json(cls, text: str | bytes, where: str = "recipe") -> Recipe:
        """`from_dict` of a JSON text."""
        try:
            return cls.from_dict(json.loads(text), where)
        except (ValueError, RecursionError):
            raise DcganError(f"{where}: not valid JSON") from None


FIELDS = {spec.name: spec for spec in dataclasses.fields(Recipe)}
"""The recipe's fields by name; each has `help`, `range` and `choices` in its metadata."""


def _check(name: str, value: Any, spec: dataclasses.Field[Any]) -> None:
    expected = type(spec.default)
    if type(value) is not expected and not (expected is float and type(value) is int):
        raise DcganError(f"{name} is {value!r:.80}: expected {_article(expected)}")
    bounds, choices = spec.metadata["range"], spec.metadata["choices"]
    if choices and value not in choices:
        between = "; " if any("," in choice for choice in choices) else ", "
        raise DcganError(f"{name} is {value!r:.80}: expected one of {between.join(filter(None, choices))}")
    if bounds and not bounds[0] <= value <= bounds[1]:
        least, most = (f"{bound}" if type(bound) is int else f"{bound:g}" for bound in bounds)
        raise DcganError(f"{name} is {str(value)[:80]}: must be from {least} to {most}")


def _article(kind: type) -> str:
    return {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}[kind]


def _parse(name: str, text: str) -> Any:
    if name not in FIELDS:
        raise one_of("recipe key", name, FIELDS, "`dcgan presets show` lists them all." if not name else "")
    kind: type[Any] = type(FIELDS[name].default)
    try:
        if kind is bool:
            return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[
                text.lower()
            ]
        return kind(text)
    except (KeyError, ValueError):
        raise DcganError(f"--set {name}={text[:40]}: expected {_article(kind)}") from None
