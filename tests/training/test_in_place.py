"""In training, units write over what they are given; the numbers are those of a network whose units do not."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dcgan.data import Dataset
from dcgan.presets import PRESETS
from dcgan.training.engine import Engine
from dcgan.training.trainer import Trainer


@pytest.mark.parametrize(
    "name", ["pytorch-64", "fashion-2020", "fashion-maxpool", "mnist-gan-2018", "rdcgan"]
)
def test_the_same_bits(name: str) -> None:
    row = PRESETS[name]
    recipe = row.recipe.for_data((row.size, row.size), row.channels, 0).with_changes({"batch": 4})
    images = torch.randint(
        256, (8, row.channels, row.size, row.size), generator=torch.Generator().manual_seed(0)
    )
    data = Dataset("noise", images.to(torch.uint8).numpy())
    over, apart = (Trainer(recipe, data, Engine.choose("float32", "cpu")) for _ in range(2))
    units = [
        [
            unit
            for network in trainer.method.networks.values()
            for unit in network.modules()
            if isinstance(unit, nn.ReLU | nn.LeakyReLU)
        ]
        for trainer in (over, apart)
    ]
    assert units[0] and all(unit.inplace for unit in units[0])
    for unit in units[1]:
        unit.inplace = False
    for _ in range(2):
        ours, theirs = over.advance(), apart.advance()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)
