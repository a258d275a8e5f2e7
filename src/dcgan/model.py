"""A trained model: makes pictures from seeds and scores them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dcgan.asked import check_count, check_shape, wanted_classes
from dcgan.data.sampling import BLOCK, generation_block, generation_labels
from dcgan.errors import DcganError, enough_memory
from dcgan.generated import Block, Generated
from dcgan.networks import build_networks, take_statistics
from dcgan.networks.convolution import freeze
from dcgan.networks.layers import TwoParts
from dcgan.objectives import objective
from dcgan.portable import Portable, read_portable, write_portable
from dcgan.portions import FEW, Portions
from dcgan.recipe import Recipe
from dcgan.training.checkpoint import Damaged
from dcgan.training.engine import Engine, to_uint8
from dcgan.training.state import part
from dcgan.training.threads import in_order

T = TypeVar("T")
Asked = NDArray[np.int64] | NDArray[np.float32] | None

REDRAWN = 512
"""Designs whose encodings give G its statistics for reconstructions."""


class Model:
    """The averaged generator and the discriminator of a run, in evaluation mode and float32.

    Image i of seed s is the same pixels however many are made. z goes through the generator's head in fixed blocks of
    64 and through its body in fixed parts of them, so that no kernel sees another shape but one that was found to give
    the same bits (`Portions`); on a CPU one thread computes a block, so that no sum is split; and batch norm uses
    stored statistics.
    """

    def __init__(
        self,
        name: str,
        recipe: Recipe,
        tensors: Mapping[str, Tensor],
        *,
        classes: Sequence[str] = (),
        counts: Sequence[int] = (),
        facts: Mapping[str, Any] | None = None,
        engine: Engine | None = None,
    ) -> None:
        if not len(classes) == len(counts) == recipe.classes:
            raise Damaged(f"{name}: {len(classes)} class names for a recipe of {recipe.classes} classes")
        self.name, self.recipe = name, recipe
        self.classes, self.counts = tuple(classes), np.asarray(counts, np.int64)
        self.facts = dict(facts or {})
        self.engine = engine or Engine.choose("float32")
        self.objective = objective(recipe.objective)
        networks = build_networks(recipe)
        self.generator, self.discriminator = networks["generator"], networks["discriminator"]
        self.encoder = networks.get("encoder")
        for role, module in self.networks.items():
            module.load_state_dict(part(tensors, role))
            freeze(self.engine.place(module))
        self.portions = Portions(self.generator, recipe, self.engine)

    @property
    def networks(self) -> dict[str, nn.Module]:
        """Its networks by the names under which a checkpoint keeps them."""
        kept = {"ema": self.generator, "discriminator": self.discriminator}
        return kept if self.encoder is None else {**kept, "encoder": self.encoder}

    def generate(
        self, count: int, *, label: str | Sequence[str] | None = None, seed: int = 0, balanced: bool = False
    ) -> Generated:
        """`count` new images. label: one class name, or several to take in turn; balanced: every class in turn.

        Without either, a conditional model draws labels by their frequency in its data.
        """
        made = self.stream(count, label=label, seed=seed, balanced=balanced)
        recipe = self.recipe
        with enough_memory():
            images = np.empty((count, recipe.height, recipe.width, recipe.channels), np.uint8)
            labels = np.empty(count, np.int64) if recipe.conditional else None
            for number, part in enumerate(made):
                here = slice(number * BLOCK, number * BLOCK + len(part.images))
                images[here] = part.images
                if labels is not None and part.labels is not None:
                    labels[here] = part.labels
        return Generated(images, labels)

    def stream(
        self, count: int, *, label: str | Sequence[str] | None = None, seed: int = 0, balanced: bool = False
    ) -> Iterator[Generated]:
        """The same images as `generate`, at most 64 at a time; memory does not grow with `count`."""
        wanted = self._asked(count, seed, label, balanced)
        return (Generated(images, labels) for images, labels, _ in self._made(count, seed, wanted, False))

    def blocks(
        self, count: int, *, label: str | Sequence[str] | None = None, seed: int = 0, balanced: bool = False
    ) -> Iterator[Block]:
        """The same as `stream`, with each image's index and D's score of it."""
        wanted = self._asked(count, seed, label, balanced)
        return (
            Block(np.arange(number * BLOCK, number * BLOCK + len(images)), images, labels, scores)
            for number, (images, labels, scores) in enumerate(self._made(count, seed, wanted, True))
        )

    def latents(
        self, designs: Sequence[tuple[int, int]]
    ) -> tuple[NDArray[np.float32], NDArray[np.int64] | None]:
        """z, float32 (N, z_dim), and class, int64 (N,) or None, of designs given by (seed, index).

        `decode` makes of them what `generate` makes of the seed at that index, where no class is asked for.
        """
        recipe = self.recipe
        z = np.empty((len(designs), recipe.z_dim), np.float32)
        labels = np.empty(len(designs), np.int64) if recipe.conditional else None
        for row, (seed, index) in enumerate(designs):
            block, at = divmod(index, BLOCK)
            z[row] = generation_block(seed, block, recipe.z_dim, recipe.prior)[at]
            if labels is not None:
                labels[row] = generation_labels(seed, block, self.counts)[at]
        return z, labels

    def decode(self, z: NDArray[np.float32], labels: Asked = None) -> NDArray[np.uint8]:
        """The images, uint8 (N, H, W, C), of any z, float32 (N, z_dim), and, of a model with classes, each z's class,
        int64 (N,), or mixture of the classes' embeddings, float32 (N, classes).

        The same z gives the same pixels whatever stands beside it, as in `generate`.
        """
        recipe = self.recipe
        if z.ndim != 2 or z.shape[1] != recipe.z_dim:
            raise DcganError(f"z is {z.shape}: {self.name} takes (N, {recipe.z_dim})")
        given = None if labels is None else (labels.shape, labels.dtype.kind)
        if given not in (
            [((len(z),), "i"), ((len(z), recipe.classes), "f")] if recipe.conditional else [None]
        ):
            raise DcganError(
                f"{self.name} takes {'one class for each z' if recipe.conditional else 'no classes'}"
            )
        return self._decoded(z, labels, self.generator)

    def _decoded(self, z: NDArray[np.float32], labels: Asked, generator: nn.Module) -> NDArray[np.uint8]:
        recipe = self.recipe

        def block(number: int) -> NDArray[np.uint8]:
            here = slice(number * BLOCK, (number + 1) * BLOCK)
            count = len(z[here])
            filled = np.zeros((BLOCK, recipe.z_dim), np.float32)
            filled[:count] = z[here]
            wanted = None
            if labels is not None:
                wanted = np.zeros((BLOCK, *labels.shape[1:]), labels.dtype)
                wanted[:count] = labels[here]
            return self._compute(filled, wanted, count, False, generator)[0][:count]

        made = self._by_blocks(block, -(-len(z) // BLOCK))
        return np.concatenate([np.empty((0, recipe.height, recipe.width, recipe.channels), np.uint8), *made])

    def _made(
        self, count: int, seed: int, wanted: NDArray[np.int64] | None, scored: bool
    ) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64] | None, NDArray[np.float32]]]:
        """Block after block: images, labels, and scores where they are asked for."""

        def block(
            number: int,
        ) -> tuple[NDArray[np.uint8], NDArray[np.int64] | None, NDArray[np.float32]]:
            start = number * BLOCK
            size = min(BLOCK, count - start)
            z = generation_block(seed, number, self.recipe.z_dim, self.recipe.prior)
            labels = None
            if self.recipe.conditional:
                labels = (
                    generation_labels(seed, number, self.counts)
                    if wanted is None
                    else wanted[np.arange(start, start + BLOCK) % len(wanted)]
                )
            images, scores = self._compute(z, labels, BLOCK if scored else size, scored)
            return images[:size], None if labels is None else labels[:size], scores[:size]

        return self._by_blocks(block, -(-count // BLOCK))

    def _by_blocks(self, block: Callable[[int], T], count: int) -> Iterator[T]:
        return in_order(block, count) if self.engine.device.type == "cpu" else map(block, range(count))

    @torch.inference_mode()
    def _compute(
        self,
        z: NDArray[np.float32],
        labels: Asked,
        size: int,
        scored: bool,
        drawn_by: nn.Module | None = None,
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """A block's first `size` images or a few more, and, where all of them are made, their scores."""
        unit = self.portions.of(size)
        if unit == FEW:
            z, labels = z[:FEW], None if labels is None else labels[:FEW]
        y = None if labels is None else self.engine.tensor(labels)
        generator = cast("TwoParts", drawn_by or self.generator)
        maps = generator.head(self.engine.tensor(z), y)
        pixels = np.concatenate(
            [to_uint8(generator.body(maps[at : at + unit])) for at in range(0, size, unit)]
        )
        if not scored:
            return pixels, np.empty(0, np.float32)
        # D sees the picture that is kept, rounded to 8 bits, so that a score can be computed again from the file.
        seen = self.engine.scaled(self.engine.tensor(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))))
        scores: NDArray[np.float32] = self.objective.logits(self.discriminator(seen, y)).cpu().numpy()
        return pixels, scores

    def _asked(
        self, count: int, seed: int, label: str | Sequence[str] | None, balanced: bool
    ) -> NDArray[np.int64] | None:
        check_count(count, seed)
        return wanted_classes(self.name, self.classes, label, balanced)

    def encode(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """z, float32 (N, z_dim), that the encoder finds for uint8 (N, C, H, W) or (N, H, W, C).

        Raises `DcganError` for a model without an encoder, or pictures of another shape.
        """
        encoder = self._encoder()
        recipe = self.recipe
        images = np.asarray(images)
        shape = recipe.channels, recipe.height, recipe.width
        if images.shape[1:] == (*shape[1:], shape[0]):
            images = images.transpose(0, 3, 1, 2)
        check_shape(images, shape)

        @torch.inference_mode()
        def block(number: int) -> NDArray[np.float32]:
            some = images[number * BLOCK : (number + 1) * BLOCK]
            filled = np.zeros((BLOCK, *shape), np.uint8)
            filled[: len(some)] = some
            found: Tensor = encoder(self.engine.scaled(self.engine.tensor(filled)))
            z: NDArray[np.float32] = found[: len(some)].float().cpu().numpy()
            return z

        parts = self._by_blocks(block, -(-len(images) // BLOCK))
        return np.concatenate([np.empty((0, recipe.z_dim), np.float32), *parts])

    def reconstruct(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """G(E(x)), uint8 (N, H, W, C), of uint8 (N, C, H, W) or (N, H, W, C), as G learned to draw it: batch norm has
        the statistics of encodings. `decode` has those of the prior's z, from which an encoder's may be far."""
        return self._decoded(self.encode(images), None, self._redrawing)

    @cached_property
    def _redrawing(self) -> nn.Module:
        """The generator with the statistics of the encodings of its own first designs: the model has no others."""
        z = self.engine.tensor(self.encode(self.generate(REDRAWN).images))
        generator = copy.deepcopy(self.generator)
        blocks = [z[start : start + BLOCK] for start in range(0, REDRAWN, BLOCK)]
        list(self._by_blocks(lambda _: take_statistics(generator, blocks), 1))
        return generator

    def _encoder(self) -> nn.Module:
        if self.encoder is None:
            raise DcganError(
                f"{self.name} has no encoder: train one with `dcgan train DATA --preset rdcgan`, or find the z of an "
                "image with `dcgan invert`"
            )
        return self.encoder

    def save(self, path: Path, facts: Mapping[str, Any] | None = None) -> None:
        """Write the model as one file: weights in float16, recipe and classes in its metadata."""
        tensors = {
            f"{role}.{name}": tensor
            for role, module in self.networks.items()
            for name, tensor in module.state_dict().items()
        }
        contents = self.recipe, tensors, self.classes, self.counts.tolist(), {**self.facts, **(facts or {})}
        write_portable(path, Portable(*contents))


def load_model(path: Path, engine: Engine | None = None) -> Model:
    """The model in a file written by `Model.save`. Raises `Damaged` in one line for anything else."""
    read = read_portable(path)
    return Model(
        path.stem,
        read.recipe,
        read.tensors,
        classes=read.classes,
        counts=read.counts,
        facts=read.facts,
        engine=engine,
    )
