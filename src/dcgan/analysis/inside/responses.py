"""The pictures that excite D's features most, the patch of each that does, and what of the patch the feature saw."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dcgan.analysis.inside.fields import Box, Field, receptive_field
from dcgan.analysis.inside.layers import STEPS, discriminator_layers, stages_of, upto
from dcgan.analysis.inside.saliency import guided_gradients
from dcgan.data.dataset import Dataset
from dcgan.data.sampling import Stream, stream
from dcgan.errors import DcganError
from dcgan.model import Model
from dcgan.networks import build_networks
from dcgan.networks.convolution import freeze

FEATURES, SHOWN = 6, 6
"""The paper's first six features, of those that respond to any picture, and the pictures of each."""
AMONG = 50
"""Pictures of highest response whose classes are counted."""
BLOCK = 64


@dataclass(frozen=True)
class Feature:
    """One map of D's last convolution, and the pictures that excite it most, the strongest first.

    number: from 0. response: float32 (K,). boxes: what the unit of highest response sees of each picture.
    images: uint8 (K, C, H, W). gradients: float32 (K, C, H, W), the guided gradient of that unit by the pixels.
    most, share, usual: the commonest class among the `AMONG` strongest, its part of them and its part of all pictures;
    None where the pictures have no labels.
    """

    number: int
    response: NDArray[np.float32]
    boxes: tuple[Box, ...]
    images: NDArray[np.uint8]
    gradients: NDArray[np.float32]
    most: str | None = None
    share: float | None = None
    usual: float | None = None


@dataclass(frozen=True)
class Responses:
    """layer: D's stage. field: what a unit of it sees. trained, random: the same features of D and of a D of random
    weights. pictures: how many were looked at; among: of how many the classes are counted."""

    layer: str
    field: Field
    trained: tuple[Feature, ...]
    random: tuple[Feature, ...]
    silent: int
    random_silent: int
    maps: int
    pictures: int
    among: int


def responses(model: Model, data: Dataset, *, seed: int = 0) -> Responses | None:
    """The first features of D's last convolution over `data`; None for a D without maps.

    Raises `DcganError` for pictures of another shape than D's, or fewer than are shown.
    """
    check_pictures(model, data)
    names = discriminator_layers(model)
    if not names:
        return None
    others = random_discriminator(model, seed)
    stages = stages_of(model.discriminator)[: upto(stages_of(model.discriminator), names[-1])]
    blank = torch.zeros(1, *data.images.shape[1:], device=model.engine.device)
    field = receptive_field(model.discriminator, stages, blank)
    trained, silent, count = strongest(model, model.discriminator, names[-1], field, data)
    random, random_silent, _ = strongest(model, others, names[-1], field, data)
    return Responses(
        names[-1],
        field,
        trained,
        random,
        silent,
        random_silent,
        count,
        len(data),
        min(AMONG, len(data)),
    )


def random_discriminator(model: Model, seed: int) -> nn.Module:
    """A D of the same shape with the weights it would begin training with, drawn by `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(stream(Stream.ANALYSIS, seed, STEPS["random"]).integers(2**63)))
        network = build_networks(model.recipe)["discriminator"]
    freeze(model.engine.place(network))
    return network


def check_pictures(model: Model, data: Dataset) -> None:
    """Raise `DcganError` unless D can see the pictures and there are enough of them."""
    recipe = model.recipe
    wanted = recipe.channels, recipe.height, recipe.width
    if data.images.shape[1:] != wanted:
        kinds = {1: "grey", 3: "colour"}
        raise DcganError(
            f"the pictures of {data.name} are {data.size[0]}x{data.size[1]} {kinds[data.channels]}, {model.name} sees "
            f"{wanted[1]}x{wanted[2]} {kinds[wanted[0]]}: open them with size=({wanted[1]}, {wanted[2]}) and "
            f"channels={wanted[0]}, or give their path with --data, which does that"
        )
    if len(data) < SHOWN:
        raise DcganError(
            f"{data.name} has {len(data)} pictures: {SHOWN} at least are needed to look inside with"
        )


@torch.no_grad()
def strongest(
    model: Model, discriminator: nn.Module, layer: str, field: Field, data: Dataset
) -> tuple[tuple[Feature, ...], int, int]:
    """The first features of `discriminator` at `layer`, each with the pictures of its largest responses.

    A feature that is 0 or less for every picture is passed over: guided backpropagation shows nothing of it. Returns
    the features, how many of all are silent so, and how many there are.
    """
    stages = stages_of(discriminator)
    stages = stages[: upto(stages, layer)]
    highest, places = [], []
    width = 1
    for start in range(0, len(data), BLOCK):
        values = _seen(model, data.images[start : start + BLOCK])
        for stage in stages:
            values = stage.compute(values)
        width = values.shape[3]
        best = values.flatten(2).max(2)
        highest.append(best.values.cpu().numpy())
        places.append(best.indices.cpu().numpy())
    response, place = np.concatenate(highest), np.concatenate(places)
    features = []
    loud = np.flatnonzero(response.max(0) > 0)
    for number in loud[:FEATURES].tolist():
        order = np.argsort(-response[:, number], kind="stable")
        chosen = order[:SHOWN]
        rows, columns = np.divmod(place[chosen, number], width)
        images = np.ascontiguousarray(data.images[chosen])
        units = [torch.from_numpy(part.astype(np.int64)).to(model.engine.device) for part in (rows, columns)]
        gradient = guided_gradients(
            stages, _seen(model, images), torch.full_like(units[0], number), units[0], units[1]
        )
        boxes = [
            field.box(int(row), int(column), data.size) for row, column in zip(rows, columns, strict=True)
        ]
        features.append(
            Feature(
                number,
                response[chosen, number],
                tuple(boxes),
                images,
                gradient.float().cpu().numpy(),
                *_commonest(data, order[:AMONG]),
            )
        )
    return tuple(features), response.shape[1] - len(loud), response.shape[1]


def _commonest(data: Dataset, strongest: NDArray[np.intp]) -> tuple[str | None, float | None, float | None]:
    if data.labels is None:
        return None, None, None
    label, count = Counter(data.labels[strongest].tolist()).most_common(1)[0]
    return data.classes[label], count / len(strongest), float(data.counts[label] / len(data))


def _seen(model: Model, images: NDArray[np.uint8]) -> Tensor:
    return model.engine.scaled(model.engine.tensor(np.ascontiguousarray(images)))
