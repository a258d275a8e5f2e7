"""From a picture back to a point: the z whose picture is nearest, found by gradient descent on z.

    z* = argmin  mean (G(z, y) − x)²  +  prior · |z|² / d  +  feature · mean (φ(G(z, y)) − φ(x))²

over several starts, by Adam, as in Zhu et al. (2016), section 3.1. The prior term is the negative logarithm of a normal
prior, up to a factor: without it z goes to where G has never been, and its edits fall apart. A uniform z is kept within
its cube after each step (Lipton & Tripathi 2017). The loss has many minima: so the starts are the best of many random
z, of every class that is allowed, and where the model has an encoder, what it says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dcgan.analysis.latent.points import Images, Points, decoded, joined, one_hot
from dcgan.data.sampling import Stream, latent
from dcgan.errors import DcganError
from dcgan.evaluation.extractors.fixed import SHORTEST, Fixed
from dcgan.model import Model
from dcgan.networks.layers import TwoParts

Progress = Callable[[int, int], None]

POOL = 512
"""Random z that the starts are the best of, shared out over the classes."""


@dataclass(frozen=True)
class Settings:
    """starts: how many z it goes on from, of which the best quarter is left after a third of the steps. steps: of Adam.

    rate: Adam's learning rate, which goes to 0 by half a cosine. prior, feature: weights of the terms above, of pixels
    in [-1, 1]. Chosen on 7 test pictures of Fashion-MNIST and its shipped model, one seed: docs/latent.md.
    """

    starts: int = 32
    steps: int = 300
    rate: float = 0.2
    prior: float = 0.002
    feature: float = 0.0

    def check(self) -> None:
        """Raises `DcganError` for what cannot be."""
        for name, value, least, most in (
            ("--starts", self.starts, 1, POOL),
            ("--steps", self.steps, 0, 100_000),
            ("--rate", self.rate, 1e-6, 10),
            ("--prior", self.prior, 0, 1e6),
            ("--feature", self.feature, 0, 1e6),
        ):
            if not least <= value <= most:
                raise DcganError(f"{name} is {value}: must be from {least} to {most}")


@dataclass(frozen=True, eq=False)
class Inverted:
    """points: the N pictures' points. pictures: uint8 (N, H, W, C), what the model makes of them.

    Errors, float64 (N,), are root mean squares of pixels, 0 … 255: rmse of `pictures`; start of the best of the random
    z, and mean of the mean of their pictures, both of which need no gradient; encoded of the encoder, or None.
    """

    points: Points
    pictures: Images
    rmse: NDArray[np.float64]
    start: NDArray[np.float64]
    mean: NDArray[np.float64]
    encoded: NDArray[np.float64] | None


def invert(
    model: Model,
    images: Images,
    names: tuple[str, ...],
    *,
    label: int | None = None,
    settings: Settings | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Inverted:
    """The points of pictures, uint8 (N, H, W, C). label: their class; None tries all that the model has.

    A picture's point is the same whatever other pictures stand beside it. progress: (pictures done, of how many).
    """
    chosen = settings or Settings()
    chosen.check()
    pool, pictures = _pool(model, label, seed)
    mean = pictures.astype(np.float64).mean(0)
    found: list[Points] = []
    starts, encoded = np.empty(len(images)), np.empty(len(images))
    for at, image in enumerate(images):
        errors = rmse(pictures, image)
        rows = _best(errors, pool, chosen.starts)
        begin = pool[rows]
        guess = _guessed(model, image, begin, label)
        if guess is not None:
            encoded[at] = rmse(decoded(model, guess), image).min()
            begin = joined([guess, begin])
        first = chosen.steps // 3
        half = _descend(model, image, begin, chosen, range(first))
        half = _nearest(model, half, image, -(-len(half) // 4))
        ended = _descend(model, image, half, chosen, range(first, chosen.steps))
        # The starts stand beside what became of them: where descent made it worse, it is not taken.
        point = _nearest(model, joined([ended, begin]), image, 1)
        if progress:
            progress(at + 1, len(images))
        found.append(Points(point.z, point.mixture, (names[at],)))
        starts[at] = errors[rows].min()
    points = joined(found)
    made = decoded(model, points)
    return Inverted(
        points,
        made,
        np.array([rmse(made[at : at + 1], image)[0] for at, image in enumerate(images)]),
        starts,
        np.array([rmse(mean[None], image)[0] for image in images]),
        None if model.encoder is None else encoded,
    )


def rmse(pictures: NDArray[Any], image: Images) -> NDArray[np.float64]:
    """Root mean square of the difference to one picture (H, W, C), of each of (N, H, W, C): float64 (N,)."""
    difference = pictures.astype(np.float64) - image.astype(np.float64)
    values: NDArray[np.float64] = np.sqrt((difference**2).mean((1, 2, 3)))
    return values


def _pool(model: Model, label: int | None, seed: int) -> tuple[Points, Images]:
    """Random points, every class in turn or all of one, and their pictures."""
    recipe = model.recipe
    z = latent(seed, 5, 0, POOL, recipe.z_dim, recipe.prior, Stream.ANALYSIS)
    labels = None
    if recipe.conditional:
        turns = np.arange(POOL, dtype=np.int64) % recipe.classes
        labels = turns if label is None else np.full(POOL, label, np.int64)
    pool = Points(z, one_hot(model, labels), ("",) * POOL)
    return pool, decoded(model, pool)


def _best(errors: NDArray[np.float64], pool: Points, count: int) -> NDArray[np.intp]:
    """The rows to start from: the best of each class, of the best classes, and then the best of the rest."""
    order = np.argsort(errors, kind="stable")
    if pool.mixture is None:
        return order[:count]
    classes = pool.mixture[order].argmax(1)
    firsts = np.sort(np.unique(classes, return_index=True)[1])
    rest = np.setdiff1d(np.arange(len(order)), firsts)
    chosen: NDArray[np.intp] = order[np.concatenate([firsts, rest])[:count]]
    return chosen


def _guessed(model: Model, image: Images, begin: Points, label: int | None) -> Points | None:
    """What the model's encoder says, where it has one: its z, with each class that the starts have."""
    if model.encoder is None:
        return None
    engine = model.engine
    with torch.inference_mode():
        pixels = np.ascontiguousarray(image.transpose(2, 0, 1)[None])
        z = model.encoder(engine.scaled(engine.tensor(pixels))).float().cpu().numpy()
    if begin.mixture is None:
        return Points(z, None, ("",))
    classes = np.unique(begin.mixture.argmax(1)) if label is None else np.array([label])
    mixture = one_hot(model, classes.astype(np.int64))
    return Points(np.repeat(z, len(classes), 0), mixture, ("",) * len(classes))


def _descend(model: Model, image: Images, begin: Points, chosen: Settings, steps: range) -> Points:
    """These of all steps of Adam, on the z of all starts at once; their classes stay."""
    engine, recipe = model.engine, model.recipe
    generator = cast("TwoParts", model.generator)
    wanted = engine.scaled(engine.tensor(np.ascontiguousarray(image.transpose(2, 0, 1)[None])))
    mixture = None if begin.mixture is None else engine.tensor(begin.mixture)
    features = Fixed() if chosen.feature and min(image.shape[:2]) >= SHORTEST else None
    aim = features.tensor_features((wanted + 1) / 2) if features else None
    z = engine.tensor(begin.z.copy()).requires_grad_(True)
    optimizer = torch.optim.Adam([z], lr=chosen.rate)
    with torch.enable_grad():
        for step in steps:
            optimizer.param_groups[0]["lr"] = chosen.rate * (1 + np.cos(np.pi * step / chosen.steps)) / 2
            made = generator.body(generator.head(z, mixture)).float()
            loss = (made - wanted).square().mean((1, 2, 3))
            if recipe.prior == "normal":
                loss = loss + chosen.prior * z.square().mean(1)
            if features and aim is not None:
                off = features.tensor_features((made + 1) / 2) - aim
                loss = loss + chosen.feature * off.square().mean(1)
            (z.grad,) = torch.autograd.grad(loss.sum(), [z])
            optimizer.step()
            if recipe.prior == "uniform":
                _clamp(z)
    return Points(z.detach().cpu().numpy(), begin.mixture, begin.names)


def _nearest(model: Model, points: Points, image: Images, count: int) -> Points:
    """The `count` points whose pictures are nearest, the nearest first."""
    return points[np.argsort(rmse(decoded(model, points), image), kind="stable")[:count]]


@torch.no_grad()
def _clamp(z: Tensor) -> None:
    z.clamp_(-1, 1)
