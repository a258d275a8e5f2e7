"""What tests share: real 8×8 digits, and a run trained on them once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

import dcgan
from dcgan.cli import main
from dcgan.data.dataset import Dataset

# Networks this small are faster on one thread, and bits depend on the number of threads.
torch.set_num_threads(1)
os.environ["OMP_NUM_THREADS"] = "1"

# What a shell starts in the background ignores Ctrl-C, and so would every child that a test interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

TINY = {"g_maps": 4, "d_maps": 4, "z_dim": 8, "precision": "float32"}


@pytest.fixture(scope="session")
def digits() -> Dataset:
    bunch = load_digits()
    images = np.round(bunch.images * 255 / 16).astype(np.uint8)[:, None]
    return Dataset(
        "digits",
        images,
        bunch.target.astype(np.int64),
        tuple("0123456789"),
        {"source": "digits", "split": "train"},
    )


@pytest.fixture(scope="session")
def trained(digits: Dataset, tmp_path_factory: pytest.TempPathFactory) -> dcgan.Run:
    """A conditional run of a few dozen tiny steps; read it, do not write it."""
    runs = tmp_path_factory.mktemp("runs")
    return dcgan.train(digits, name="tiny", images=640, batch=16, settings=TINY, runs_dir=runs)


@pytest.fixture(autouse=True)
def private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or fills the user's own cache."""
    monkeypatch.setenv("DCGAN_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def command(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    """Runs `dcgan …` in an empty working directory; returns (status, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            main(list(arguments))
        output = capsys.readouterr()
        return int(caught.value.code or 0), output.out, output.err

    return run
