"""Arguments of a wrong type are a `DcganError` in one line, like any other mistake, and leave nothing behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dcgan
from dcgan.data.dataset import Dataset


def assert_one_line(error: BaseException, says: str) -> None:
    message = str(error)
    assert says in message and message == " ".join(message.split()) and len(message) < 300


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"data": 3}, "data is 3"),
        ({"data": None}, "data is None"),
        ({"data": np.zeros((3, 3))}, "data is array"),
        ({"data": b"digits"}, "data is b'digits'"),
        ({"data": "a\0b"}, "no zero bytes"),
        ({"preset": 3}, "preset is 3"),
        ({"name": 5}, "name is 5"),
        ({"name": ""}, "run name ''"),
        ({"name": Path("a")}, "name is"),
        ({"labels": "no"}, "labels is 'no'"),
        ({"labels": 1}, "labels is 1"),
        ({"epochs": "3"}, "epochs is '3'"),
        ({"epochs": True}, "epochs is True"),
        ({"images": 3.5}, "images is 3.5"),
        ({"minutes": "3"}, "minutes is '3'"),
        ({"minutes": [3]}, "minutes is [3]"),
        ({"minutes": float("nan")}, "minutes is nan"),
        ({"batch": "16"}, "batch is '16'"),
        ({"batch": 16.0}, "batch is 16.0"),
        ({"seed": 1.5}, "seed is 1.5"),
        ({"size": 5}, "size is 5"),
        ({"size": "32"}, "size is '32'"),
        ({"size": (32,)}, "size is (32,)"),
        ({"size": (32.0, 32)}, "size is (32.0, 32)"),
        ({"size": ("32", "32")}, "size is"),
        ({"runs_dir": 5}, "runs_dir is 5"),
        ({"runs_dir": None}, "runs_dir is None"),
        ({"runs_dir": "a\0b"}, "no zero bytes"),
        ({"settings": 5}, "settings is 5"),
        ({"settings": ["batch=5"]}, "settings is ['batch=5']"),
        ({"settings": {"batch": "5"}}, "batch is '5'"),
        ({"settings": {5: 5}}, "unknown recipe key '5'"),
        ({"settings": {"network": 5}}, "network is 5"),
        ({"settings": {"height": 32}}, "--size"),
        ({"settings": {"classes": 32}}, "--labels"),
        ({"watch": 5}, "watch is 5"),
        ({"tell": "loudly"}, "tell is 'loudly'"),
        ({"progress": True}, "progress is True"),
    ],
)
def test_train(digits: Dataset, tmp_path: Path, wrong: dict[str, Any], says: str) -> None:
    right: dict[str, Any] = {"data": digits, "runs_dir": tmp_path / "runs"}
    with pytest.raises(dcgan.DcganError) as refusal:
        dcgan.train(**{**right, **wrong})
    assert_one_line(refusal.value, says)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"run": 5}, "run is 5"),
        ({"run": None}, "run is None"),
        ({"run": "a\0b"}, "no zero bytes"),
        ({"data": 5}, "data is 5"),
        ({"minutes": "3"}, "minutes is '3'"),
        ({"images": "3"}, "images is '3'"),
        ({"runs_dir": 5}, "runs_dir is 5"),
        ({"watch": 5}, "watch is 5"),
    ],
)
def test_resume(digits: Dataset, trained: dcgan.Run, wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(dcgan.DcganError) as refusal:
        dcgan.resume(**{"run": trained, "data": digits, **wrong})
    assert_one_line(refusal.value, says)


@pytest.mark.parametrize("wrong", [5, None, b"mnist", ["mnist"], "a\0b"])
def test_load_and_open(wrong: Any) -> None:
    for door in (dcgan.load, dcgan.open_dataset):
        with pytest.raises(dcgan.DcganError) as refusal:
            door(wrong)
        assert_one_line(refusal.value, "")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"count": "3"}, "n is '3'"),
        ({"count": 3.0}, "n is 3.0"),
        ({"count": True}, "n is True"),
        ({"count": None}, "n is None"),
        ({"seed": "1"}, "seed is '1'"),
        ({"seed": 1.5}, "seed is 1.5"),
        ({"label": 5}, "label is 5"),
        ({"label": ["3", 5]}, "label is 5"),
        ({"label": []}, "label is []"),
    ],
)
def test_generate(trained: dcgan.Run, wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(dcgan.DcganError) as refusal:
        trained.generate(**{"count": 3, **wrong})
    assert_one_line(refusal.value, says)


def test_numpys_whole_numbers_count(trained: dcgan.Run) -> None:
    assert len(trained.generate(np.int64(3), seed=np.int64(1)).images) == 3  # type: ignore[arg-type]
