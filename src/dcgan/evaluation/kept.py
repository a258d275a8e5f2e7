"""A labeller as an object and as a file: what class a picture is, how sure, and 128 numbers that describe it.

A kept labeller is `labellers/SHA256-SEED-VERSION.safetensors` in the cache folder, SHA256 being that of the pictures it
learned from. It is written whole or not at all, and checked before it is believed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from torch import Tensor

from dcgan.data.images import fit_all, with_channels
from dcgan.data.named.fetch import cache_folder
from dcgan.data.options import LARGEST, SMALLEST
from dcgan.errors import DcganError
from dcgan.evaluation.classifier import FEATURES, Classifier, Progress, on_device
from dcgan.files import exists, is_file, make_folder, write_atomic
from dcgan.training.checkpoint import Damaged, read_metadata, read_weights
from dcgan.training.engine import Engine

VERSION = 1
"""Of classifier and training together. A change that gives another labeller must raise it."""

FORMAT = "dcgan-labeller-1"

BLOCK = 64
"""Pictures computed at a time, the last ones filled up with black: no kernel sees another shape."""

Report = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Labeller:
    """A trained classifier for pictures of one size.

    classes: names, in label order. size: (height, width). channels: 1 or 3. sha256: of the weights.
    facts: `trained_on` (name), `data_sha256`, `source`, `kind`, `images`, `test_accuracy` (0 … 1), `test_images`,
    `tested_on` ("the test split" or "held out of the training pictures"), `seed`, `version`.
    Pictures of another size are stretched to the labeller's (antialiased), grey is repeated and colour becomes its
    luma where it sees other channels.
    """

    network: Classifier
    classes: tuple[str, ...]
    size: tuple[int, int]
    channels: int
    facts: Mapping[str, Any]
    sha256: str
    device: torch.device

    def probabilities(
        self, images: NDArray[np.uint8], progress: Progress | None = None
    ) -> NDArray[np.float32]:
        """uint8 (N, C, H, W) → float32 (N, K), rows sum to 1."""
        return self._computed(images, len(self.classes), progress, probabilities=True)

    def features(self, images: NDArray[np.uint8], progress: Progress | None = None) -> NDArray[np.float32]:
        """uint8 (N, C, H, W) → float32 (N, 128), each of mean 0 and variance 1 over the training pictures."""
        return self._computed(images, FEATURES, progress, probabilities=False)

    @property
    def accuracy(self) -> str:
        """The sentence that goes with every label: how often it is right, and how that is known."""
        facts = self.facts
        return (
            f"right on {facts['test_accuracy']:.1%} of {facts['test_images']:,} pictures of {facts['trained_on']} "
            f"({facts['tested_on']})"
        )

    @torch.inference_mode()
    def _computed(
        self, images: NDArray[np.uint8], width: int, progress: Progress | None, *, probabilities: bool
    ) -> NDArray[np.float32]:
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1] not in (1, 3):
            raise DcganError(
                f"pictures are {images.dtype} {images.shape}: this labeller takes uint8 (N, {self.channels}, "
                f"{self.size[0]}, {self.size[1]})"
            )
        result = np.empty((len(images), width), np.float32)
        for start in range(0, len(images), BLOCK):
            part = with_channels(fit_all(images[start : start + BLOCK], self.size, "stretch"), self.channels)
            block = np.zeros((BLOCK, self.channels, *self.size), np.uint8)
            block[: len(part)] = part
            values = self.network.features(torch.from_numpy(block).to(self.device))
            if probabilities:
                values = self.network.classes(values).softmax(1)
            result[start : start + BLOCK] = values[: len(part)].cpu().numpy()
            if progress:
                progress(start + len(part), len(images))
        return result


def keep_labeller(labeller: Labeller) -> None:
    """Write `labeller` into the cache folder."""
    metadata = {
        "format": FORMAT,
        "facts": json.dumps(dict(labeller.facts), allow_nan=False),
        "classes": json.dumps(labeller.classes),
        "shape": json.dumps([labeller.channels, *labeller.size]),
    }
    tensors = _tensors(labeller.network)
    make_folder(_folder())
    path = _path(labeller.facts["data_sha256"], labeller.facts["seed"])
    write_atomic(path, save_safetensors(tensors, {**metadata, "sha256": _seal(metadata, tensors)}))


def find_labeller(data_sha256: str, *, seed: int = 0, tell: Report | None = None) -> Labeller | None:
    """The kept labeller of the pictures whose `Dataset.sha256` this is, or None. Trains nothing.

    A damaged one is as good as none, with a word to `tell`.
    """
    if len(data_sha256) != 64 or not data_sha256.isalnum():
        return None
    try:
        path = _path(data_sha256, seed)
        if not is_file(path):
            return None
        labeller = load_labeller(path)
        if labeller.facts["data_sha256"] != data_sha256 or labeller.facts["version"] != VERSION:
            raise Damaged(f"{path}: the labeller of other pictures")
    except DcganError as error:
        if tell:
            tell(f"the labeller in the cache cannot be used: {error}")
        return None
    return labeller


def find_named_labeller(name: str, classes: tuple[str, ...]) -> Labeller | None:
    """The kept labeller of the set called `name` in the catalog with just these classes, or None."""
    try:
        files = sorted(_folder().glob("*.safetensors")) if exists(_folder()) else []
    except (OSError, DcganError):
        return None
    for file in files:
        try:
            facts, found, *_ = _words(file)
            if (facts["kind"], facts["source"], found) != ("a named set", name, classes):
                continue
            # A file that moved is not believed: its name is the key.
            if labeller := find_labeller(facts["data_sha256"]):
                return labeller
        except DcganError:
            continue
    return None


def load_labeller(path: Path) -> Labeller:
    """The labeller in a file. Raises `Damaged` in one line for anything else than what was written."""
    facts, classes, size, channels, metadata = _words(path)
    with torch.device("meta"):
        expected = Classifier(channels, size, len(classes)).state_dict()
    content = read_weights(path, expected)
    tensors = load_safetensors(content)
    if metadata.get("sha256") != _seal(metadata, tensors):
        raise Damaged(f"{path}: damaged: its contents do not match its checksum")
    network = Classifier(channels, size, len(classes))
    network.load_state_dict(tensors)
    device = Engine.choose("float32").device
    on_device(network, device).eval().requires_grad_(False)
    return Labeller(network, classes, size, channels, facts, weights_sha256(network), device)


def weights_sha256(network: Classifier) -> str:
    """sha256 of the weights, in the order of their names."""
    return hashlib.sha256(save_safetensors(_tensors(network))).hexdigest()


def _folder() -> Path:
    return cache_folder("labellers")


def _path(data_sha256: str, seed: int) -> Path:
    return _folder() / f"{data_sha256}-{seed}-{VERSION}.safetensors"


def _words(path: Path) -> tuple[dict[str, Any], tuple[str, ...], tuple[int, int], int, dict[str, str]]:
    """Facts, classes, size, channels and the metadata they stand in, each of its type and within bounds."""
    metadata = read_metadata(path)
    try:
        facts, classes, shape = (json.loads(metadata[key]) for key in ("facts", "classes", "shape"))
        sound = (
            metadata["format"] == FORMAT
            and isinstance(classes, list)
            and len(classes) >= 2
            and all(isinstance(name, str) for name in classes)
            and [type(side) for side in shape] == [int] * 3
            and shape[0] in (1, 3)
            and all(SMALLEST <= side <= LARGEST for side in shape[1:])
            and all(isinstance(facts[key], str) for key in ("trained_on", "data_sha256", "source", "kind"))
            and type(facts["test_accuracy"]) is float
            and 0 <= facts["test_accuracy"] <= 1
            and all(type(facts[key]) is int for key in ("images", "test_images", "seed", "version"))
            and isinstance(facts["tested_on"], str)
            and isinstance(facts["test_sha256"], str | None)
        )
    except (KeyError, TypeError, ValueError, RecursionError):
        sound = False
    if not sound:
        raise Damaged(f"{path}: not a labeller of this version of dcgan")
    return facts, tuple(classes), (shape[1], shape[2]), shape[0], metadata


def _tensors(network: Classifier) -> dict[str, Tensor]:
    return {name: tensor.cpu().contiguous() for name, tensor in network.state_dict().items()}


def _seal(metadata: Mapping[str, str], tensors: Mapping[str, Tensor]) -> str:
    """sha256 of all that a file says but this checksum itself."""
    words = {name: word for name, word in metadata.items() if name != "sha256"}
    digest = hashlib.sha256(json.dumps(words, sort_keys=True).encode())
    digest.update(save_safetensors(dict(tensors)))
    return digest.hexdigest()
