"""A trained model: makes pictures from seeds and scores them; kept as one safetensors file with its recipe inside."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from torch import Tensor

from dcgan.data.sampling import BLOCK, generation_block, generation_labels
from dcgan.errors import DcganError, enough_memory, expect, one_of
from dcgan.files import write_atomic
from dcgan.networks import build_networks
from dcgan.objectives import objective
from dcgan.recipe import Recipe
from dcgan.training.checkpoint import Damaged, read_metadata, read_weights, sound_classes
from dcgan.training.engine import Engine, to_uint8
from dcgan.training.state import expected_model, part

MODEL_FORMAT = "dcgan-model-1"
MOST = 100_000_000


class Generated(NamedTuple):
    """images: uint8 (N, H, W, C). labels: int64 (N,), indices of the model's classes, or None."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None


@dataclass(frozen=True)
class Block:
    """Consecutive designs. index: int64 (n,). scores: float32 (n,), D's logits: higher looks more real to D."""

    index: NDArray[np.int64]
    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None
    scores: NDArray[np.float32]


class Model:
    """The averaged generator and the discriminator of a run, in evaluation mode and float32.

    Image i of seed s is the same pixels however many are made: images are computed in fixed blocks of 64, so that
    no kernel sees another shape, and batch norm uses stored statistics.
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
        for module, role in ((self.generator, "ema"), (self.discriminator, "discriminator")):
            module.load_state_dict(part(tensors, role))
            self.engine.place(module).eval().requires_grad_(False)

    def generate(
        self, count: int, *, label: str | Sequence[str] | None = None, seed: int = 0, balanced: bool = False
    ) -> Generated:
        """`count` new images. label: one class name, or several to take in turn; balanced: every class in turn.

        Without either, a conditional model draws labels by their frequency in its data.
        """
        with enough_memory():
            blocks = list(self.blocks(count, label=label, seed=seed, balanced=balanced))
            images = np.concatenate([block.images for block in blocks])
        labels = [block.labels for block in blocks if block.labels is not None]
        return Generated(images, np.concatenate(labels) if labels else None)

    def blocks(
        self, count: int, *, label: str | Sequence[str] | None = None, seed: int = 0, balanced: bool = False
    ) -> Iterator[Block]:
        """The same images as `generate`, at most 64 at a time, with D's scores; memory does not grow with `count`."""
        expect("n", count, (int, np.integer), "a whole number")
        expect("seed", seed, (int, np.integer), "a whole number")
        if not 1 <= count <= MOST:
            raise DcganError(f"-n is {count}: must be from 1 to {MOST:,}")
        if not 0 <= seed < 2**63:
            raise DcganError(f"--seed is {seed}: must be from 0 to {2**63 - 1}")
        wanted = self._wanted(label, balanced)
        return self._blocks(count, seed, wanted)

    def _blocks(self, count: int, seed: int, wanted: NDArray[np.int64] | None) -> Iterator[Block]:
        for start in range(0, count, BLOCK):
            number = start // BLOCK
            index = np.arange(start, start + BLOCK, dtype=np.int64)
            z = generation_block(seed, number, self.recipe.z_dim, self.recipe.prior)
            labels = None
            if self.recipe.conditional:
                labels = (
                    generation_labels(seed, number, self.counts)
                    if wanted is None
                    else wanted[index % len(wanted)]
                )
            images, scores = self._compute(z, labels)
            size = min(BLOCK, count - start)
            yield Block(index[:size], images[:size], None if labels is None else labels[:size], scores[:size])

    @torch.inference_mode()
    def _compute(
        self, z: NDArray[np.float32], labels: NDArray[np.int64] | None
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        y = None if labels is None else self.engine.tensor(labels)
        images = self.generator(self.engine.tensor(z), y)
        # D sees the picture that is kept, rounded to 8 bits, so that a score can be computed again from the file.
        pixels = to_uint8(images)
        seen = self.engine.scaled(self.engine.tensor(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))))
        scores: NDArray[np.float32] = self.objective.logits(self.discriminator(seen, y)).cpu().numpy()
        return pixels, scores

    def _wanted(self, label: str | Sequence[str] | None, balanced: bool) -> NDArray[np.int64] | None:
        expect("balanced", balanced, bool, "true or false")
        if label is None and not balanced:
            return None
        if label is not None and balanced:
            raise DcganError("--label and --balanced are two ways to say which classes: give one of them")
        if not self.recipe.conditional:
            raise DcganError(
                f"{self.name} was trained without labels, so it cannot be asked for a class: train with --labels"
            )
        if label is None:
            return np.arange(len(self.classes), dtype=np.int64)
        expect("label", label, (str, Sequence), "the name of a class, or several")
        names = [label] if isinstance(label, str) else list(label)
        if not names:
            raise DcganError(f"label is {label!r:.80}: expected the name of a class, or several")
        for name in names:
            expect("label", name, str, "the name of a class")
        return np.array([class_index(name, self.classes) for name in names], np.int64)

    def save(self, path: Path, facts: Mapping[str, Any] | None = None) -> None:
        """Write the model as one file: weights in float16, recipe and classes in its metadata."""
        modules = {"ema": self.generator, "discriminator": self.discriminator}
        tensors = {
            f"{role}.{name}": (tensor.half() if tensor.dtype == torch.float32 else tensor).cpu().contiguous()
            for role, module in modules.items()
            for name, tensor in module.state_dict().items()
        }
        metadata = {
            "format": MODEL_FORMAT,
            "recipe": json.dumps(self.recipe.to_dict()),
            "classes": json.dumps(list(self.classes)),
            "counts": json.dumps(self.counts.tolist()),
            "facts": json.dumps({**self.facts, **(facts or {})}),
        }
        write_atomic(path, save_safetensors(tensors, {**metadata, "sha256": _digest(tensors, metadata)}))


def class_index(name: str, classes: Sequence[str]) -> int:
    """The index of a class by name; case counts only where two classes differ in nothing else."""
    if name in classes:
        return list(classes).index(name)
    folded = [known.casefold() for known in classes]
    if folded.count(name.casefold()) == 1:
        return folded.index(name.casefold())
    raise one_of("label", name, classes)


def load_model(path: Path, engine: Engine | None = None) -> Model:
    """The model in a file written by `Model.save`. Raises `Damaged` in one line for anything else."""
    metadata = _metadata(path)
    try:
        recipe = Recipe.from_json(metadata["recipe"])
        expected = expected_model(recipe)
        classes, counts, facts = (json.loads(metadata[name]) for name in ("classes", "counts", "facts"))
    except DcganError as error:
        raise Damaged(f"{path}: not a dcgan model: {error}") from None
    except (KeyError, ValueError, RecursionError):
        facts = None
    if not isinstance(facts, dict) or not sound_classes(classes, counts):
        raise Damaged(f"{path}: not a dcgan model: its metadata is incomplete")
    tensors = load_safetensors(read_weights(path, expected, half=True))
    if _digest(tensors, metadata) != metadata.get("sha256"):
        raise Damaged(f"{path}: damaged: its contents do not match its checksum")
    whole = {
        name: tensor.float() if tensor.dtype == torch.float16 else tensor for name, tensor in tensors.items()
    }
    return Model(path.stem, recipe, whole, classes=classes, counts=counts, facts=facts, engine=engine)


def _metadata(path: Path) -> dict[str, str]:
    metadata = read_metadata(path)
    if metadata.get("format") != MODEL_FORMAT:
        raise Damaged(
            f"{path}: not a model of this version of dcgan: its metadata says format "
            f"{metadata.get('format', 'nothing')!r:.40}, expected {MODEL_FORMAT!r}"
        )
    return metadata


def _digest(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    """sha256 of all that a model file says but this checksum itself."""
    words = {name: word for name, word in metadata.items() if name != "sha256"}
    digest = hashlib.sha256(json.dumps(words, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(
            tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data if tensor.numel() else b""
        )
    return digest.hexdigest()
