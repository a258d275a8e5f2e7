"""A finished model as one safetensors file, its recipe inside: written whole, checked before it is believed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from torch import Tensor

from dcgan.errors import DcganError
from dcgan.files import write_atomic
from dcgan.recipe import Recipe
from dcgan.training.checkpoint import Damaged, read_metadata, read_weights, sound_classes
from dcgan.training.state import expected_model

FORMAT = "dcgan-model-1"


class Portable(NamedTuple):
    """What a file holds. tensors: by `ROLE.name`. classes, counts: in label order. facts: JSON-ready."""

    recipe: Recipe
    tensors: Mapping[str, Tensor]
    classes: Sequence[str]
    counts: Sequence[int]
    facts: Mapping[str, Any]


def write_portable(path: Path, contents: Portable) -> None:
    """Write a model; its float32 weights are rounded to float16."""
    tensors = {
        name: (tensor.half() if tensor.dtype == torch.float32 else tensor).cpu().contiguous()
        for name, tensor in contents.tensors.items()
    }
    metadata = {
        "format": FORMAT,
        "recipe": json.dumps(contents.recipe.to_dict()),
        "classes": json.dumps(list(contents.classes)),
        "counts": json.dumps(list(contents.counts)),
        "facts": json.dumps(dict(contents.facts)),
    }
    write_atomic(path, save_safetensors(tensors, {**metadata, "sha256": digest(tensors, metadata)}))


def read_portable(path: Path) -> Portable:
    """What `write_portable` wrote, in float32. Raises `Damaged` in one line for anything else."""
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
    if digest(tensors, metadata) != metadata.get("sha256"):
        raise Damaged(f"{path}: damaged: its contents do not match its checksum")
    whole = {
        name: tensor.float() if tensor.dtype == torch.float16 else tensor for name, tensor in tensors.items()
    }
    return Portable(recipe, whole, classes, counts, facts)


def _metadata(path: Path) -> dict[str, str]:
    metadata = read_metadata(path)
    if metadata.get("format") != FORMAT:
        raise Damaged(
            f"{path}: not a model of this version of dcgan: its metadata says format "
            f"{metadata.get('format', 'nothing')!r:.40}, expected {FORMAT!r}"
        )
    return metadata


def digest(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
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
