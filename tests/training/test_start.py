"""What a start does not load, and that it changes nothing: torch's compiler takes a second to say it is not needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import torch
from torch import nn

from dcgan.methods.adam import Adam
from dcgan.networks import build_networks
from dcgan.networks.outline import outline
from dcgan.presets import PRESETS


def test_a_training_from_start_to_end_loads_no_compiler(tmp_path: Path) -> None:
    code = """
import sys
import numpy as np
import dcgan
from dcgan.data import Dataset
images = np.zeros((40, 1, 8, 8), np.uint8)
data = Dataset("grey", images, np.arange(40) % 2, ("a", "b"))
small = {"g_maps": 2, "d_maps": 2, "evaluate_every": 0.0}
dcgan.train(data, images=32, batch=16, settings=small, runs_dir=sys.argv[1])
print(*sorted({"torch._dynamo", "torch._inductor", "sympy", "sklearn", "scipy"} & set(sys.modules)))
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_adam_is_torchs_adam_bit_for_bit() -> None:
    found = []
    for kind in (Adam, torch.optim.Adam):
        torch.manual_seed(0)
        layer, x = nn.Linear(20, 3), torch.randn(8, 20)
        optimizer = kind(layer.parameters(), 1e-2, betas=(0.5, 0.99), weight_decay=1e-3, fused=True)
        for _ in range(5):
            optimizer.zero_grad()
            layer(x).square().sum().backward()
            optimizer.step()
        found.append((layer.weight.detach(), optimizer.state_dict()["state"][0]["exp_avg_sq"]))
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(*found, strict=True))


def test_an_outline_has_every_shape_and_no_number() -> None:
    for row in PRESETS.values():
        recipe = row.recipe.for_data((row.size, row.size), row.channels, 3 if row.labels else 0)
        with outline():
            drawn = build_networks(recipe)
        real = build_networks(recipe)
        for role, module in real.items():
            sketch = drawn[role].state_dict()
            assert {tensor.device.type for tensor in sketch.values()} == {"meta"}
            for name, tensor in module.state_dict().items():
                assert (sketch[name].shape, sketch[name].dtype) == (tensor.shape, tensor.dtype)
        assert torch.rand(1).device.type == "cpu"
