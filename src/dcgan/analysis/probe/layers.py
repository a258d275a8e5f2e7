"""What a trained network's layers say of pictures, a row of numbers each (Radford et al. 2016, section 5.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import adaptive_max_pool2d

from dcgan.analysis.probe.views import copies
from dcgan.asked import check_shape
from dcgan.errors import DcganError, expect
from dcgan.model import Model
from dcgan.networks.stages import Staged
from dcgan.training.engine import Engine
from dcgan.training.threads import in_order

Progress = Callable[[int, int], None]

BLOCK = 64
"""Pictures computed at a time, the last ones filled up with black: no kernel sees another shape."""
ENCODER = "encoder."
"""What the names of an encoder's layers begin with; a discriminator's have no such beginning."""


@dataclass(frozen=True)
class Layer:
    """One layer's share of a row: maps · height · width numbers, in that order. name: "conv2" or "encoder.conv2"."""

    name: str
    maps: int
    height: int
    width: int

    @property
    def numbers(self) -> int:
        return self.maps * self.height * self.width


class LayerFeatures:
    """Pictures, uint8 (N, C, H, W), to the outputs of chosen layers, float32 (N, d).

    Each map is max-pooled to a grid of at most `pool` × `pool` (0: as it is), flattened, and set beside those of the
    other layers; a layer without maps is taken as it is. The networks are in evaluation mode, so a picture's row does
    not depend on its neighbours. No class is told to a conditional discriminator: its hidden layers see none.

    views: of `VIEWS`; a row is then the mean of the rows of the picture's copies.
    """

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        engine: Engine,
        shape: tuple[int, int, int],
        layers: str | Sequence[str] = "all",
        pool: int = 4,
        views: Sequence[str] = (),
    ) -> None:
        """networks: by the beginning of their layers' names, "" or `ENCODER`. shape: (C, H, W) of the pictures.

        layers: "all", "last" (of each network) or names. Raises `DcganError` for an unknown one, with all there are.
        """
        expect("pool", pool, (int, np.integer), "a whole number")
        expect("layers", layers, (str, Sequence), "all, last, or names of layers")
        if not 0 <= pool <= 128:
            raise DcganError(
                f"pool is {pool}: must be from 1 to 128, the side of the grid, or 0 for whole maps"
            )
        self.engine, self.shape, self.pool = engine, shape, pool
        self.copies = copies(views)
        self.networks = {prefix: cast(Staged, network) for prefix, network in networks.items()}
        self.wanted = _chosen(self.networks, layers)
        with torch.inference_mode():
            blank = engine.tensor(np.zeros((1, *shape), np.uint8))
            self.layers = tuple(_layer(name, maps) for name, maps in self._maps(blank))
        self.width = sum(layer.numbers for layer in self.layers)

    @property
    def names(self) -> list[str]:
        """One name for each number of a row: LAYER.MAP@ROW,COLUMN."""
        return [
            f"{layer.name}.{number}" + (f"@{row},{column}" if layer.height * layer.width > 1 else "")
            for layer in self.layers
            for number in range(layer.maps)
            for row in range(layer.height)
            for column in range(layer.width)
        ]

    def __call__(self, images: NDArray[np.uint8], progress: Progress | None = None) -> NDArray[np.float32]:
        result = np.empty((len(images), self.width), np.float32)
        for start, rows in self.blocks(images, progress):
            result[start : start + len(rows)] = rows
        return result

    def blocks(
        self, images: NDArray[np.uint8], progress: Progress | None = None
    ) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """(index of the first picture, float32 (n, d)) by blocks, in order: memory does not grow with the pictures.

        Raises `DcganError` for pictures of another shape than the networks'.
        """
        check_shape(images, self.shape)
        count = len(images)

        def block(number: int) -> tuple[int, NDArray[np.float32]]:
            start = number * BLOCK
            return start, self._rows(images[start : start + BLOCK])

        numbers = -(-count // BLOCK)
        on_cpu = self.engine.device.type == "cpu"
        for start, rows in in_order(block, numbers) if on_cpu else map(block, range(numbers)):
            if progress:
                progress(start + len(rows), count)
            yield start, rows

    @torch.inference_mode()
    def _rows(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        filled = np.zeros((BLOCK, *self.shape), np.uint8)
        filled[: len(images)] = images
        rows = [
            torch.cat(
                [maps.float().flatten(1) for _, maps in self._maps(self.engine.tensor(copy(filled)))], 1
            )
            for copy in self.copies
        ]
        mean: NDArray[np.float32] = sum(rows[1:], rows[0]).div_(len(rows))[: len(images)].cpu().numpy()
        return mean

    def _maps(self, pictures: Tensor) -> Iterator[tuple[str, Tensor]]:
        """(name, pooled output) of each wanted layer; uint8 (n, C, H, W)."""
        for prefix, network in self.networks.items():
            x = self.engine.scaled(pictures)
            left = self.wanted[prefix]
            for stage in network.stages():
                if not left:
                    break
                x = stage.compute(x)
                if stage.name in left:
                    left = left - {stage.name}
                    yield prefix + stage.name, self._pooled(x)

    def _pooled(self, maps: Tensor) -> Tensor:
        if maps.ndim != 4 or not self.pool:
            return maps
        height, width = (min(self.pool, side) for side in maps.shape[2:])
        return adaptive_max_pool2d(maps.contiguous(), (height, width))


def model_features(
    model: Model, layers: str | Sequence[str] = "all", pool: int = 4, views: Sequence[str] = ()
) -> LayerFeatures:
    """The features of a model's discriminator and, where it has one, of its encoder."""
    networks: dict[str, nn.Module] = {"": model.discriminator}
    if model.encoder is not None:
        networks[ENCODER] = model.encoder
    recipe = model.recipe
    shape = recipe.channels, recipe.height, recipe.width
    return LayerFeatures(networks, model.engine, shape, layers, pool, views)


def _chosen(networks: Mapping[str, Staged], layers: str | Sequence[str]) -> dict[str, frozenset[str]]:
    """The wanted stages of each network."""
    known = {prefix: [stage.name for stage in network.stages()] for prefix, network in networks.items()}
    if layers == "all":
        return {prefix: frozenset(names) for prefix, names in known.items()}
    if layers == "last":
        return {prefix: frozenset(names[-1:]) for prefix, names in known.items()}
    everything = [prefix + name for prefix, names in known.items() for name in names]
    asked = [layers] if isinstance(layers, str) else list(layers)
    if not asked:
        raise DcganError(f"no layer is asked for: choose of {_listed(everything)}")
    for name in asked:
        if name in ("all", "last"):
            raise DcganError(f"layers: {name} stands alone, without other names")
        if name not in everything:
            raise DcganError(
                f"unknown layer '{name!s:.80}': the layers are {_listed(everything)}, or all, or last"
            )
    return {
        prefix: frozenset(name for name in names if prefix + name in asked) for prefix, names in known.items()
    }


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _layer(name: str, maps: Tensor) -> Layer:
    shape = tuple(maps.shape[1:])
    return Layer(name, *shape) if len(shape) == 3 else Layer(name, shape[0], 1, 1)
