"""Features of pictures from what a trained discriminator has learned: as a scikit-learn transformer, and as a file."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from dcgan import api
from dcgan.analysis.probe.layers import LayerFeatures, Progress, model_features
from dcgan.asked import check_start
from dcgan.data import Dataset, open_dataset
from dcgan.errors import DcganError
from dcgan.files import replacing
from dcgan.model import Model
from dcgan.run import Run

if TYPE_CHECKING:
    from typing import Self


class DiscriminatorFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Pictures to the outputs of a trained discriminator's layers (Radford et al. 2016, section 5.1).

    run: a run or a model: its name, its path, a `Run` or a `Model`. layers: "all", "last" or names, as "conv2".
    pool: each map is max-pooled to a grid of at most pool × pool; 0 keeps it whole. views: of "shifted" (by a pixel
    each way) and "mirrored": the mean of the features of a picture's copies, which takes as many times as long.

    Pictures are uint8, 0 … 255, of the model's size and channels: (N, C, H, W), (N, H, W, C), (N, H, W) where they are
    grey, or rows (N, C·H·W) of numbers in that order. Features are float32 (N, d); a row does not depend on its
    neighbours. Nothing is learned by `fit` but what the model has learned already.

    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn.svm import LinearSVC
    >>> pipeline = make_pipeline(DiscriminatorFeatures("fashion-mnist"), StandardScaler(), LinearSVC(C=1e-3))
    """

    def __init__(
        self,
        run: str | Path | Run | Model = "fashion-mnist",
        layers: str | Sequence[str] = "all",
        pool: int = 4,
        views: Sequence[str] = (),
    ) -> None:
        self.run = run
        self.layers = layers
        self.pool = pool
        self.views = views

    def fit(self, X: ArrayLike, y: Any = None) -> Self:  # noqa: N803 - scikit-learn's name
        """Open the model and see that the pictures are of its shape. Sets `features_`, `n_features_in_`."""
        features = model_features(opened(self.run), self.layers, self.pool, self.views)
        _pictures(X, features.shape)
        self.features_ = features
        self.n_features_in_ = int(np.prod(features.shape))
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float32]:  # noqa: N803
        """float32 (N, d). Raises `DcganError`, a `ValueError`, for pictures of another shape."""
        check_is_fitted(self)
        return self.features_(_pictures(X, self.features_.shape))

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """LAYER.MAP@ROW,COLUMN of each number: object (d,)."""
        check_is_fitted(self)
        return np.array(self.features_.names, dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = True
        tags.input_tags.two_d_array = False
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def opened(run: str | Path | Run | Model, start: str | int = "best", runs_dir: str | Path = "runs") -> Model:
    """The model that `run` names or is; of a run that of the checkpoint `start`."""
    found = run if isinstance(run, Run | Model) else api.load(run, runs_dir=runs_dir)
    if isinstance(found, Run):
        return found.model(start=start)
    check_start(found.name, start)
    return found


def pictures_for(
    model: Model, data: str | Path | Dataset, *, split: str = "train", resize: bool = False, **options: Any
) -> Dataset:
    """The pictures of `data` as the model's networks take them.

    resize: bring those of another size or other channels to the model's. Raises `DcganError` otherwise, and as
    `open_dataset` does, to which the other options go.
    """
    recipe = model.recipe
    size, channels = (recipe.height, recipe.width), recipe.channels
    if isinstance(data, Dataset):
        found = data
    elif resize:
        return open_dataset(data, split=split, size=size, channels=channels, **options)
    else:
        found = open_dataset(data, split=split, fallback=max(size), **options)
    if (found.size, found.channels) != (size, channels):
        raise DcganError(
            f"{found.name} is {_shape(found.size, found.channels)}, and {model.name} takes {_shape(size, channels)}: "
            "add --resize to bring the pictures to that"
        )
    return found


def write_features(
    path: Path, features: LayerFeatures, data: Dataset, progress: Progress | None = None
) -> None:
    """Write features.npy (float32 (N, d)), names.npy, layers.npy and, where there are classes, labels.npy, classes.npy.

    One .npz, which `numpy.load` reads without pickle; the features go to the file block by block.
    """
    with replacing(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        with archive.open("features.npy", "w", force_zip64=True) as member:
            header = {"descr": "<f4", "fortran_order": False, "shape": (len(data), features.width)}
            np.lib.format.write_array_header_2_0(member, header)
            for _, rows in features.blocks(data.images, progress):
                member.write(np.ascontiguousarray(rows, "<f4").tobytes())
        others: dict[str, NDArray[Any]] = {
            "names": np.array(features.names),
            "layers": np.array([json.dumps(vars(layer)) for layer in features.layers]),
        }
        if data.labels is not None:
            others |= {"labels": data.labels, "classes": np.array(data.classes)}
        for name, array in others.items():
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def _pictures(pictures: ArrayLike, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """uint8 (N, C, H, W), whatever of the accepted forms they come in."""
    images = np.asarray(pictures)
    channels, height, width = shape
    if images.shape[1:] == (channels * height * width,):
        images = images.reshape(-1, *shape)
    elif images.shape[1:] == (height, width, channels):
        images = images.transpose(0, 3, 1, 2)
    elif images.shape[1:] == (height, width) and channels == 1:
        images = images[:, None]
    if images.shape[1:] != shape or not len(images):
        raise WrongPictures(
            f"pictures are {images.shape}: expected (N, {channels}, {height}, {width}), "
            f"(N, {height}, {width}, {channels}) or rows of {channels * height * width} numbers, at least one"
        )
    if images.dtype != np.uint8:
        if not np.issubdtype(images.dtype, np.number) or np.issubdtype(images.dtype, np.complexfloating):
            raise WrongPictures(f"pictures are {images.dtype}: expected numbers from 0 to 255")
        if not np.isfinite(images).all() or images.min() < 0 or images.max() > 255:
            raise WrongPictures("pictures hold NaN, infinity or numbers outside 0 to 255: expected 0 to 255")
        images = np.rint(images).astype(np.uint8)
    return images


class WrongPictures(DcganError, ValueError):
    """What was given to the transformer cannot be pictures; a `ValueError` as scikit-learn expects."""


def _shape(size: tuple[int, int], channels: int) -> str:
    return f"{size[0]}x{size[1]} {'grey' if channels == 1 else 'colour'}"
