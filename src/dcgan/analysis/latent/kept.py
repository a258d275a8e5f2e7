"""Points and directions as NPZ files, for another command to take up: numbers and names, never a pickle."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcgan.analysis.latent.points import Points
from dcgan.errors import DcganError
from dcgan.files import open_file, write_atomic
from dcgan.model import Model

LARGEST = 64 * 2**20
"""Bytes that the arrays of a file may unpack to."""

Arrays = dict[str, NDArray[Any]]


def fingerprint(model: Model) -> str:
    """Hash of the generator's weights: a z means nothing to another generator."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.generator.state_dict().items()):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(tensor.cpu().numpy()).tobytes())
    return digest.hexdigest()


def write_points(path: Path, model: Model, points: Points, rmse: NDArray[np.float64] | None = None) -> None:
    """Points with their errors, for `read_points`."""
    arrays: Arrays = {"z": points.z, "names": np.array(points.names)}
    if points.mixture is not None:
        arrays["mixture"] = points.mixture
        arrays["label"] = points.mixture.argmax(1).astype(np.int64)
    if rmse is not None:
        arrays["rmse"] = rmse
    write_arrays(path, model, arrays)


def read_points(path: Path, model: Model) -> tuple[Points, str]:
    """The points in a file, and a note, or "", where it was made with other weights.

    Raises `DcganError` for a file that holds no points, or none that this model can have.
    """
    arrays = read_arrays(path)
    recipe = model.recipe
    z = _numbers(path, arrays, "z", (None, recipe.z_dim), model)
    mixture = None
    if recipe.conditional:
        mixture = _numbers(path, arrays, "mixture", (len(z), recipe.classes), model)
    if len(z) == 0:
        raise DcganError(f"{path} holds no points")
    names = arrays.get("names")
    if names is None or names.shape != (len(z),) or names.dtype.kind != "U":
        names = np.array([f"{path.name}:{row}" for row in range(len(z))])
    return Points(z, mixture, tuple(map(str, names))), note(path, arrays, model)


def write_arrays(path: Path, model: Model, arrays: Arrays) -> None:
    """Arrays of numbers and of text, with which model they belong to. The same arrays give the same bytes."""
    buffer = io.BytesIO()
    np.savez(
        buffer,
        allow_pickle=False,
        **arrays,
        model=np.array(model.name),
        generator=np.array(fingerprint(model)),
    )
    write_atomic(path, buffer.getvalue())


def read_arrays(path: Path) -> Arrays:
    """All arrays of an NPZ file of a bounded size. Raises `DcganError` for anything else."""
    try:
        with open_file(path) as file:
            content = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        raise DcganError(f"cannot open {path}: {getattr(error, 'strerror', None) or error}") from None
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if len(content) > LARGEST or sum(info.file_size for info in archive.infolist()) > LARGEST:
                raise DcganError(f"{path} holds more than {LARGEST >> 20} MB: not a file of `dcgan invert`")
            return {
                name.removesuffix(".npy"): np.lib.format.read_array(
                    io.BytesIO(archive.read(name)), allow_pickle=False
                )
                for name in archive.namelist()
            }
    except DcganError:
        raise
    except MemoryError:
        raise DcganError(f"{path} does not fit into memory") from None
    except Exception:  # what zipfile and NumPy raise for damaged bytes is open
        raise DcganError(
            f"{path} is not a whole NPZ file, such as `dcgan invert` and `dcgan directions` write"
        ) from None


def note(path: Path, arrays: Arrays, model: Model) -> str:
    """A note where a file was made with another generator than this one."""
    if "generator" not in arrays or str(arrays["generator"]) == fingerprint(model):
        return ""
    whose = str(arrays.get("model", "another model"))[:80]
    same = " of other weights" if whose == model.name else ""
    return f"{path} was made with {whose}{same}: its z may mean something else to {model.name}"


def _numbers(
    path: Path, arrays: Arrays, name: str, shape: tuple[int | None, int], model: Model
) -> NDArray[np.float32]:
    values = arrays.get(name)
    if values is None:
        raise DcganError(f"{path} holds no array called {name}: {model.name} needs one for a point")
    fits = values.ndim == 2 and values.shape[1] == shape[1] and shape[0] in (None, len(values))
    if not fits or values.dtype.kind not in "fiu" or not np.isfinite(values).all():
        wanted = f"({'N' if shape[0] is None else shape[0]}, {shape[1]})"
        raise DcganError(
            f"{path}: {name} is {values.dtype} {values.shape}, expected finite numbers {wanted} for {model.name}"
        )
    return np.asarray(values, np.float32)
