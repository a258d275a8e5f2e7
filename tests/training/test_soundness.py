"""The question asked of every convolution in bf16: a wrong one and a slow one stay in float32; nothing else changes."""

from __future__ import annotations

import json
import shutil
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from dcgan.networks.convolution import Conv2d, ConvTranspose2d
from dcgan.presets import preset
from dcgan.training import soundness
from dcgan.training.engine import Engine
from dcgan.training.memory import keep_memory
from dcgan.training.restore import changes
from dcgan.training.soundness import Answer, ask, keep_sound, sooner
from dcgan.training.trainer import Trainer
from training.tiny import digits, tiny


class Wrong(Conv2d):
    """A kernel that is off by one row in bf16 alone, as a real one was."""

    def convolve(self, x: Tensor, pads: tuple[int, int, int, int]) -> Tensor:
        y = super().convolve(x, pads)
        return y.roll(1, 2) if torch.is_autocast_enabled("cpu") and not self.exact else y


def networks(layer: nn.Module) -> dict[str, nn.Module]:
    torch.manual_seed(0)
    return {"discriminator": nn.Sequential(layer, nn.BatchNorm2d(8), ConvTranspose2d(8, 2, 4, 2, 1))}


def asked(parts: dict[str, nn.Module], file: Path) -> dict[str, Answer]:
    x = torch.randn(4, 3, 8, 8)
    return keep_sound(parts, lambda: parts["discriminator"](x), "here", file)


def test_a_wrong_kernel_is_found_and_avoided(tmp_path: Path) -> None:
    parts = networks(Wrong(3, 8, 3, padding=1))
    before = {name: value.clone() for name, value in parts["discriminator"].state_dict().items()}
    answers = asked(parts, tmp_path / "kept.json")
    assert answers["discriminator.0"].error > 0.5 and not answers["discriminator.0"].good
    assert answers["discriminator.2"].error < soundness.TOLERANCE
    wrong = parts["discriminator"][0]
    assert wrong.exact
    assert all(
        torch.equal(value, before[name]) for name, value in parts["discriminator"].state_dict().items()
    )
    assert parts["discriminator"].training, "asking leaves no trace, in statistics or mode"
    x = torch.randn(2, 3, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        y = wrong(x)
    assert y.dtype == torch.float32
    assert torch.allclose(y, nn.functional.conv2d(x, wrong.weight, wrong.bias, padding=1), atol=1e-5)


@pytest.mark.parametrize(
    ("layer", "gradients"),
    [
        (Conv2d(16, 16, 4, 2, 1), {"transpose", "kernel"}),
        (ConvTranspose2d(16, 16, 4, 2, 1), {"convolve", "kernel"}),
    ],
)
def test_each_pass_is_computed_in_the_sooner_way(
    layer: Conv2d | ConvTranspose2d, gradients: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here bf16's convolution is good forwards alone, and its products are good at gradients, as on a real CPU."""
    layer.rewrite = True
    seconds = {"forward": (1.0, 0.25, 0.5), "images": (1.0, 2.0, 0.5), "weights": (1.0, 4.0, 0.5)}
    truly, wrong = soundness._timed, set()

    def timed(layer: Conv2d | ConvTranspose2d, x: Tensor, part: str) -> tuple[Tensor, float]:
        found, _ = truly(layer, x, part)
        way = 0 if layer.exact else 2 if layer.as_products else 1
        return (found.flip(0) if way == 2 and part in wrong else found), seconds[part][way]

    monkeypatch.setattr(soundness, "_timed", timed)
    answer = ask(layer, torch.Size((5, 16, 8, 8)))
    assert answer.good and answer.taken == gradients and answer.ratio == round(1.25 / 3, 4)
    assert answer.error < soundness.TOLERANCE / 2
    assert not layer.exact and not layer.as_products, "asking leaves no trace"
    wrong.add("weights")
    answer = ask(layer, torch.Size((5, 16, 8, 8)))
    assert answer.error > 0.5 and not answer.good and not answer.taken, "a wrong product is not taken"


def test_a_layer_of_computed_weights_is_asked_too() -> None:
    layer = spectral_norm(Conv2d(16, 16, 4, 2, 1)).eval()
    layer.rewrite = True
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    assert ask(layer, torch.Size((4, 16, 8, 8))).error < soundness.TOLERANCE
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())


def test_what_is_no_product_is_not_called_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A layer in the frequency domain, and one of few maps, are the same whatever is said of products."""
    monkeypatch.setattr("dcgan.networks.frequency.GAIN_BF16", 0.0)
    for layer in (Conv2d(16, 16, 5, 1, 2), Conv2d(3, 16, 4, 2, 1)):
        layer.rewrite = True
        assert all(not ask(layer, torch.Size((4, layer.in_channels, 8, 8))).products for _ in range(4))


def test_a_trial_is_of_as_many_images_as_it_can_afford() -> None:
    small, large = Conv2d(3, 8, 3, padding=1), Conv2d(512, 1024, 5, 2, 2)
    assert soundness._images(small, torch.Size((8, 3, 16, 16))) == 8
    assert soundness._images(small, torch.Size((256, 3, 16, 16))) == soundness.IMAGES
    few = soundness._images(large, torch.Size((256, 512, 16, 16)))
    assert 1 <= few < soundness.IMAGES
    assert 2 * few * large.weight.numel() * 8 * 8 <= soundness.WORK


@pytest.mark.parametrize(
    ("answer", "good"),
    [((1e-3, 0.5), True), ((0.1, 0.5), False), ((1e-3, 4.0), False), ((float("nan"), 0.5), False)],
)
def test_both_must_hold(answer: tuple[float, float], good: bool) -> None:
    assert Answer(*answer).good is good


def test_answers_are_kept_and_a_spoilt_file_only_costs_the_question(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, calls = tmp_path / "kernels" / "kept.json", []

    def ask(layer: nn.Module, shape: torch.Size) -> Answer:
        calls.append(tuple(shape))
        return Answer(0.001, 0.25, "kernel")

    monkeypatch.setattr(soundness, "ask", ask)
    first = asked(networks(Conv2d(3, 8, 3, padding=1)), file)
    assert calls == [(4, 3, 8, 8), (4, 8, 8, 8)]
    assert asked(networks(Conv2d(3, 8, 3, padding=1)), file) == first and len(calls) == 2
    file.write_text('{"a": [1, "x"], "b": 3')
    assert asked(networks(Conv2d(3, 8, 3, padding=1)), file) == first and len(calls) == 4
    assert len(json.loads(file.read_text())) == 2


def test_a_trainer_in_bf16_tells_which_layers_stay(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DCGAN_CACHE", str(tmp_path))
    monkeypatch.setattr(
        soundness, "ask", lambda layer, shape: Answer(1.0 if layer.in_channels == 1 else 0.0, 0.5)
    )
    data = digits(40)
    recipe = tiny(data, 2, precision="bf16")
    trainer = Trainer(recipe, data, Engine.choose("bf16", "cpu"))
    assert trainer.describe()["float32_layers"] == ["discriminator.convs.0"]
    assert all(torch.isfinite(value) for value in trainer.advance().values())
    assert "float32_layers" not in Trainer(recipe, data, Engine.choose("float32", "cpu")).describe()


def test_all_networks_together_are_asked_once(tmp_path: Path) -> None:
    file, calls = tmp_path / "kept.json", []

    def passes(slow: bool, bf16: bool) -> None:
        calls.append(bf16)
        time.sleep(0.02 if bf16 == slow else 0.001)

    for slow in (True, False):
        parts = networks(Conv2d(3, 8 + 8 * slow, 3, padding=1))
        calls.clear()
        assert sooner(parts, partial(passes, slow), "here", file) is not slow
        assert sorted(calls) == [False] * soundness.TRIES + [True] * soundness.TRIES
        assert sooner(parts, partial(passes, not slow), "here", file) is not slow, "it is kept"
    assert len(json.loads(file.read_text())) == 2


@pytest.mark.parametrize("name", ["fast-28", "rdcgan", "fashion-2020"])
def test_where_bf16_gains_nothing_a_run_is_in_float32(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.setenv("DCGAN_CACHE", str(tmp_path))
    monkeypatch.setattr(soundness, "ask", lambda layer, shape: Answer(0.0, 0.5))
    data = digits(40)
    if name == "fast-28":
        recipe = tiny(data, 2, precision="auto")
    else:
        recipe = preset(name).recipe.for_data(data.size, 1, 0).with_changes({"batch": 8})
    for gain, expected in ((0.5, "bf16"), (1.1, "float32")):
        seconds = iter([1.0, gain] * soundness.TRIES)
        clock = iter(np.cumsum([0.0, *(part for each in seconds for part in (each, 0.0))]).tolist())
        shutil.rmtree(tmp_path / "kernels", ignore_errors=True)
        with monkeypatch.context() as patch:
            patch.setattr(soundness.time, "perf_counter", lambda clock=clock: next(clock))
            trainer = Trainer(recipe, data, Engine(torch.device("cpu"), bf16=True))
        assert trainer.describe()["precision"] == expected
        assert all(torch.isfinite(value) for value in trainer.advance().values())
    asked_for = Trainer(recipe.with_changes({"precision": "bf16"}), data, Engine.choose("bf16", "cpu"))
    assert asked_for.describe()["precision"] == "bf16", "who asks for bf16 gets it"


def test_a_resumption_with_other_kernels_says_so() -> None:
    plain = {"precision": "bf16", "ranks": 1}
    others = [
        {**plain, "products": {"discriminator.5": ["kernel"]}},
        {**plain, "products": {"discriminator.5": ["kernel", "transpose"]}},
        {**plain, "float32_layers": ["discriminator.5"]},
    ]
    for then in (plain, *others):
        assert changes(then, then) == "" and changes({}, then) == ""
        for now in (plain, *others):
            if now is not then:
                assert changes(then, now).startswith("not bit-identical to an uninterrupted run")
    assert changes(others[0], plain).endswith("products was {'discriminator.5': ['kernel']} and is none")


def test_a_name_that_is_no_pass_is_not_taken() -> None:
    assert Answer(0.001, 0.5, "kernel nonsense kernel").taken == {"kernel"}


def test_memory_is_kept_where_glibc_is() -> None:
    import platform

    assert keep_memory() == (platform.libc_ver()[0] == "glibc")
    assert keep_memory() == (platform.libc_ver()[0] == "glibc")
