"""Checkpoints: everything a run needs to go on, on disk, such that no crash, flipped bit or hostile file does harm.

A checkpoint is two files, `STEP.safetensors` and `STEP.json`. The manifest is written last and names the weights' size
and sha256: without it there is no checkpoint. Loading reads the header against the tensors that the recipe calls for
before it reads a byte of them, and runs no code.
"""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from torch import Tensor

from dcgan.errors import DcganError
from dcgan.files import clean_temporaries, make_folder, remove, sync_directory, write_atomic, write_json
from dcgan.recipe import Recipe

FORMAT = 1
HEADER_LIMIT = MANIFEST_LIMIT = 4 << 20
"""Bytes; the names of 100,000 classes take 3 MB."""


class Damaged(DcganError):
    """A checkpoint that is not what was written, or not one of ours."""


@dataclass(frozen=True)
class Manifest:
    """What a checkpoint says of itself. `number` counts the run's checkpoints; `score` is lower for better."""

    step: int
    images: int
    seconds: float
    number: int
    recipe: Recipe
    classes: tuple[str, ...]
    counts: tuple[int, ...]
    weights_sha256: str
    weights_bytes: int
    made_with: Mapping[str, Any]
    score: float | None = None
    data_sha256: str | None = None  # of the pictures; the first version of the format did not say
    format: int = FORMAT


def save_checkpoint(
    folder: Path,
    tensors: Mapping[str, Tensor],
    *,
    step: int,
    images: int,
    seconds: float,
    recipe: Recipe,
    classes: tuple[str, ...],
    counts: tuple[int, ...],
    made_with: Mapping[str, Any],
    score: float | None = None,
    data_sha256: str | None = None,
) -> Path:
    """Write a checkpoint of `tensors` and remove those no longer kept. Returns the manifest's path.

    Kept: the two newest, so that a damaged one has a forerunner; every `recipe.keep_every`-th; the best score; and
    those of later steps, which the run has passed over as damaged.
    """
    make_folder(folder)
    clean_temporaries(folder)
    kept = list_manifests(folder)
    number = 1 + max((manifest.number for _, manifest in kept), default=0)
    content = save_safetensors({name: tensor.contiguous() for name, tensor in tensors.items()})
    manifest = Manifest(
        step=step,
        images=images,
        seconds=seconds,
        number=number,
        recipe=recipe,
        classes=classes,
        counts=counts,
        weights_sha256=hashlib.sha256(content).hexdigest(),
        weights_bytes=len(content),
        made_with=made_with,
        score=score,
        data_sha256=data_sha256,
    )
    path = folder / f"{step:010d}.json"
    write_atomic(path.with_suffix(".safetensors"), content)
    write_json(path, _sealed(manifest))
    _forget(folder, step, recipe.keep_every)
    return path


def list_manifests(folder: Path) -> list[tuple[Path, Manifest]]:
    """The readable checkpoints of a folder, oldest first; damaged manifests are passed over."""
    found = []
    for path in sorted(folder.glob("[0-9]*.json")):
        try:
            found.append((path, read_manifest(path)))
        except DcganError:
            continue
    return found


def reseal_manifest(path: Path, manifest: Manifest) -> None:
    """Write `manifest` over the one at `path`; its weights stay as they are."""
    write_json(path, _sealed(manifest))


def best_manifest(folder: Path) -> Manifest | None:
    """The checkpoint of the lowest score in a folder, the later one of equals; None where none was scored."""
    scored = [
        (found.score, -found.step, found) for _, found in list_manifests(folder) if found.score is not None
    ]
    return min(scored, key=lambda entry: entry[:2])[2] if scored else None


def manifest_paths(folder: Path) -> list[Path]:
    """All manifests of a folder, newest first, readable or not."""
    return sorted(folder.glob("[0-9]*.json"), reverse=True)


def read_manifest(path: Path) -> Manifest:
    """The manifest in a file, its own checksum and format version verified. Raises `Damaged` in one line."""
    try:
        if _size(path) > MANIFEST_LIMIT:
            raise Damaged(f"{path}: too large for a checkpoint's manifest")
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise Damaged(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise Damaged(f"{path}: not a checkpoint's manifest: not valid JSON") from None
    if not isinstance(value, dict) or not isinstance(value.get("format"), int):
        raise Damaged(f"{path}: not a checkpoint's manifest: it states no format version")
    if value["format"] != FORMAT:
        raise Damaged(
            f"{path}: checkpoint format {value['format']}, and this version of dcgan reads format {FORMAT}: "
            "use the version that wrote it"
        )
    seal = value.pop("sha256", None)
    if seal != _digest(value):
        raise Damaged(f"{path}: damaged: its contents do not match its checksum")
    try:
        recipe = Recipe.from_dict(value["recipe"])
        if not _sound(value):
            raise Damaged("a field has a value that it cannot have")
        lists = {"classes": tuple(value["classes"]), "counts": tuple(value["counts"])}
        return Manifest(**{**value, **lists, "recipe": recipe})
    except DcganError as error:
        raise Damaged(f"{path}: not a checkpoint's manifest: {error}") from None
    except (KeyError, TypeError):
        raise Damaged(f"{path}: not a checkpoint's manifest: fields are missing or unknown") from None


def load_checkpoint(path: Path, expected: Mapping[str, Tensor]) -> tuple[Manifest, dict[str, Tensor]]:
    """Manifest and tensors of the checkpoint whose manifest is `path`.

    expected: tensors of the right names, shapes and dtypes (on the meta device will do). Raises `Damaged`.
    """
    manifest = read_manifest(path)
    weights = path.with_suffix(".safetensors")
    content = read_weights(weights, expected)
    if (
        len(content) != manifest.weights_bytes
        or hashlib.sha256(content).hexdigest() != manifest.weights_sha256
    ):
        raise Damaged(f"{weights}: damaged: its bytes do not match the checksum in {path.name}")
    return manifest, load_safetensors(content)


def read_metadata(path: Path) -> dict[str, str]:
    """The words in a safetensors file's header; its tensors are not read. Raises `Damaged`."""
    try:
        _check_header(path)
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}
    except OSError as error:
        raise Damaged(f"{path}: cannot be read: {error.strerror or error}") from None
    except SafetensorError as error:
        raise Damaged(f"{path}: not a whole safetensors file: {error}") from None


def read_weights(path: Path, expected: Mapping[str, Tensor], *, half: bool = False) -> bytes:
    """A safetensors file that holds exactly the `expected` names, shapes and dtypes.

    half: accept float16 where float32 is expected. The header is compared before the tensors are read.
    """
    wanted = sum(tensor.numel() * tensor.element_size() for tensor in expected.values())
    try:
        size = _size(path)
        if size > wanted + HEADER_LIMIT:
            raise Damaged(f"{path}: {size:,} bytes are too large for its recipe, which calls for {wanted:,}")
        _check_header(path)
        with safe_open(path, framework="pt") as file:
            names = set(file.keys())
            _compare_names(path, names, set(expected))
            for name, tensor in expected.items():
                piece = file.get_slice(name)
                shape, dtype = list(piece.get_shape()), piece.get_dtype()
                allowed = {_DTYPES[tensor.dtype]} | (
                    {"F16"} if half and tensor.dtype == torch.float32 else set()
                )
                if shape != list(tensor.shape) or dtype not in allowed:
                    raise Damaged(
                        f"{path}: '{name}' is {dtype} {shape}, and its recipe calls for "
                        f"{_DTYPES[tensor.dtype]} {list(tensor.shape)}"
                    )
        content = path.read_bytes()
    except OSError as error:
        raise Damaged(f"{path}: cannot be read: {error.strerror or error}") from None
    except SafetensorError as error:
        raise Damaged(f"{path}: not a whole safetensors file: {error}") from None
    return content


def sound_classes(classes: object, counts: object) -> bool:
    """Whether these are lists of class names and of images per class, from a file that may say anything."""
    return (
        isinstance(classes, list)
        and isinstance(counts, list)
        and len(classes) == len(counts)
        and all(isinstance(name, str) for name in classes)
        and all(type(count) is int and count >= 0 for count in counts)
        and (not counts or 0 < sum(counts) < 2**63)
    )


_DTYPES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64"}


def _compare_names(path: Path, names: set[str], expected: set[str]) -> None:
    if names != expected:
        missing, extra = sorted(expected - names), sorted(names - expected)
        parts = [f"lacks {missing[0]}"] if missing else []
        parts += [f"holds {extra[0]:.80}"] if extra else []
        raise Damaged(f"{path}: not the weights of its recipe: it {' and '.join(parts)}")


def _size(path: Path) -> int:
    """Bytes of a plain file. A pipe or a device, which has no size and may have no end, is refused."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise Damaged(f"{path}: not a file")
    return status.st_size


def _check_header(path: Path) -> None:
    """Refuse a header that is too long to be ours before it is parsed."""
    _size(path)
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
    if length > HEADER_LIMIT:
        raise Damaged(f"{path}: not one of ours: its header claims {length:,} bytes")


def _sound(value: Mapping[str, Any]) -> bool:
    wholes = [value[name] for name in ("step", "images", "number", "weights_bytes", "format")]
    numbers = [value["seconds"], *([] if value["score"] is None else [value["score"]])]
    return (
        all(type(whole) is int and 0 <= whole < 2**63 for whole in wholes)
        and all(type(number) in (int, float) and abs(number) < 1e300 for number in numbers)
        and isinstance(value["weights_sha256"], str)
        and isinstance(value.get("data_sha256"), str | None)
        and isinstance(value["made_with"], dict)
        and sound_classes(value["classes"], value["counts"])
    )


def _sealed(manifest: Manifest) -> dict[str, Any]:
    value = json.loads(json.dumps(asdict(manifest), allow_nan=False))
    return {**value, "sha256": _digest(value)}


def _digest(value: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _forget(folder: Path, step: int, keep_every: int) -> None:
    manifests = [(path, manifest) for path, manifest in list_manifests(folder) if manifest.step <= step]
    # Newest is what was written last: what a run passed over as damaged has a later step and a lower number.
    keep = {path for path, _ in sorted(manifests, key=lambda found: found[1].number)[-2:]}
    keep |= {path for path, manifest in manifests if manifest.number % keep_every == 0}
    scored = [(manifest.score, path) for path, manifest in manifests if manifest.score is not None]
    keep |= {min(scored)[1]} if scored else set()
    for path, _ in manifests:
        if path not in keep:
            # The manifest goes first: weights without one are no checkpoint, and the next line or save removes them.
            remove(path)
            remove(path.with_suffix(".safetensors"))
    for weights in folder.glob("[0-9]*.safetensors"):
        if not weights.with_suffix(".json").exists():
            remove(weights)
    sync_directory(folder)
