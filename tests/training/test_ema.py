"""The moving average: what it is after each step, with a decay and without."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dcgan.training.ema import Average


def moved(module: nn.Module, by: float) -> None:
    with torch.no_grad():
        for tensor in module.state_dict().values():
            tensor.add_(1 if tensor.dtype == torch.int64 else by)


@pytest.mark.parametrize("decay", [0.0, 0.05, 0.9])
def test_it_is_the_sum_that_its_decay_says(decay: float) -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    average = Average(module, decay)
    expected = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    for step in range(5):
        moved(module, 0.5 + step)
        average.update(step)
        weight = min(decay, (1 + step) / (10 + step))
        for name, tensor in module.state_dict().items():
            mixed = weight * expected[name] + (1 - weight) * tensor
            expected[name] = mixed if tensor.is_floating_point() else tensor.clone()
        if step != 2:  # who does not look at every step sees the same later
            for name, tensor in average.module.state_dict().items():
                assert torch.allclose(tensor, expected[name]), name
    assert not average.module.training and module.training
    assert not any(weight.requires_grad for weight in average.module.parameters())


def test_what_was_loaded_stays_until_the_next_step() -> None:
    module = nn.Linear(2, 2)
    average = Average(module, 0.0)
    average.update(0)
    loaded = {name: torch.full_like(tensor, 7.0) for name, tensor in module.state_dict().items()}
    average.module.load_state_dict(loaded)
    moved(module, 1.0)
    assert torch.equal(average.module.weight, loaded["weight"])
    average.update(1)
    assert torch.equal(average.module.weight, module.weight)
