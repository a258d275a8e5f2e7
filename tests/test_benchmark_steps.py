"""The benchmark of the training step: its reference and dcgan do the same maths, and it notices when they do not."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

import steps
from dcgan.data.dataset import Dataset
from dcgan.networks.layers import SameConvTranspose2d
from dcgan.recipe import Recipe
from dcgan.training.engine import Engine
from speed import agreement, contests, peer
from speed.contest import quartiles, race
from speed.entries import ENTRIES
from speed.reference import Reference, assert_plain
from speed.roofline import operations
from speed.sketch import Sketch

ENGINE = Engine.choose("float32", "cpu")


def small(name: str, **changes: object) -> tuple[Recipe, Dataset]:
    """An entry at few pixels and maps, and noise to train it on."""
    entry = ENTRIES[name]
    if name.startswith("fast"):
        changes = {"g_maps": 8, "d_maps": 8, **changes}
    size = 64 if name.endswith("64") and not name.startswith("fast") else 16 if name == "fast-32" else 8
    if name == "rdcgan":
        size = 28  # of the taps of its deepest kernels, some see an image at last
    recipe = entry.recipe(size=size, batch=8, **changes)
    return recipe, entry.data(recipe, 32)


def reference(name: str, **changes: object) -> Reference:
    recipe, data = small(name, **changes)
    return Reference(recipe, *agreement.on_device(data, ENGINE))


@pytest.mark.parametrize("name", ENTRIES)
def test_the_reference_and_dcgan_take_the_same_steps(name: str) -> None:
    recipe, data = small(name)
    found = agreement.deviation(recipe, data, ENGINE)
    assert found.within(agreement.FLOAT32), found


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("fast-28", {"gamma": 0.0}),
        ("fast-28", {"penalty_every": 1}),
        ("fast-28", {"objective": "hinge"}),
        ("fast-28", {"beta2": 0.98}),
        ("fast-28", {"ema": 0.1}),
        ("fast-28", {"d_lr": 6e-4}),
        ("fashion-2020", {"updates": "d-then-g"}),
        ("fashion-2020", {"beta1": 0.8}),
        ("mnist-2018", {"d_batches": "separate"}),
        ("mnist-gan-2018", {"adam_form": "pytorch"}),
        ("mnist-gan-2018", {"weight_decay": 1e-2}),
        ("rdcgan", {"reconstruction": 0.5}),
        ("rdcgan", {"g_lr": 3e-4}),
    ],
    ids=str,
)
def test_other_maths_is_noticed(
    name: str, change: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def other(recipe: Recipe, *data: torch.Tensor) -> Reference:
        return Reference(recipe.with_changes(change), *data)

    # Adam's ε shows where gradients are as small as it: raised for both, so that two steps show it.
    recipe, data = small(name, **({"adam_eps": 1e-4} if "adam_form" in change else {}))
    assert agreement.deviation(recipe, data, ENGINE).within(agreement.FLOAT32)
    monkeypatch.setattr(agreement, "Reference", other)
    assert not agreement.deviation(recipe, data, ENGINE).within(agreement.FLOAT32)


def test_a_nan_is_no_agreement() -> None:
    found = agreement.Deviation()
    found.note("loss", torch.tensor(torch.nan))
    found.note("loss", torch.tensor(0.0))
    assert not found.within(agreement.FLOAT32)


@pytest.mark.parametrize("name", ["fast-28-classes", "fashion-2020", "pytorch-64", "rdcgan"])
def test_the_reference_is_plain(name: str) -> None:
    assert_plain(reference(name))


def test_a_rewritten_convolution_is_not_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    one = reference("fast-28", spectral_norm=True)
    assert_plain(one)
    one.generator.paint.forward = one.generator.paint.forward  # type: ignore[union-attr, assignment]
    with pytest.raises(AssertionError, match=r"generator.paint is not plain"):
        assert_plain(one)

    def padded(self: SameConvTranspose2d, x: torch.Tensor, output_size: object = None) -> torch.Tensor:
        weight = nn.functional.pad(self.weight, (0, 1, 0, 1))
        y = nn.functional.conv_transpose2d(x, weight, self.bias, self.stride, self.crop)
        return y[:, :, : self.size[0], : self.size[1]]

    monkeypatch.setattr(SameConvTranspose2d, "forward", padded)
    with pytest.raises(AssertionError, match="other convolutions"):
        assert_plain(reference("fashion-2020"))


def test_what_the_reference_cannot_do_is_refused() -> None:
    with pytest.raises(ValueError, match="no such step"):
        reference("fast-28", flip=True)


def test_operations_are_those_counted_by_hand() -> None:
    entry = ENTRIES["fashion-2020"]
    recipe = entry.recipe(batch=2)
    one = Reference(recipe, *agreement.on_device(entry.data(recipe, 4), ENGINE))
    # Multiplications of one image's forward pass: the dense layer, then positions × 5 × 5 × maps in × maps out.
    dense = 100 * 12544
    ups = 49 * 25 * 256 * 128 + 49 * 25 * 128 * 64 + 196 * 25 * 64
    first, second, judge = 196 * 25 * 64, 49 * 25 * 64 * 128, 6272
    generator = 3 * (dense + ups) - dense  # forward, weights' gradient, input's gradient: z needs none
    d_forward = 2 * (first + second + judge)
    loss_d = 2 * (first + 2 * second + 2 * judge)  # real images and fakes need no gradient of D's loss
    loss_g = first + second + judge
    by_hand = 2 * (generator + d_forward + loss_d + loss_g)
    assert operations(one.advance, 1, recipe.batch) == pytest.approx(by_hand, rel=1e-3)


def test_a_penalty_costs_its_double_backward() -> None:
    every, never = reference("fast-28", penalty_every=4), reference("fast-28", gamma=0.0)
    step = operations(never.advance, 4, 8)
    assert 1.02 * step < operations(every.advance, 4, 8) < 1.5 * step


def test_the_sketch_is_the_one_described() -> None:
    entry = ENTRIES["fast-28"]
    images, _ = agreement.on_device(entry.data(entry.recipe(), 64), ENGINE)
    one = Sketch(images, bf16=False)
    counts = [sum(p.numel() for p in network.parameters()) for network in (one.generator, one.discriminator)]
    assert counts == [565_985, 370_657]
    before = [p.clone() for p in one.generator.parameters()]
    assert all(torch.isfinite(loss) for loss in one.advance())
    assert not any(torch.equal(a, b) for a, b in zip(before, one.generator.parameters(), strict=True))


def test_contestants_step_in_turn_by_whole_cycles() -> None:
    told: list[str] = []

    def contestant(name: str) -> tuple[Callable[[], object], int]:
        return lambda: told.append(name), 10

    times = race({name: contestant(name) for name in "ab"}, rounds=3, cycle=4, shortest=0.0)
    # Two cycles each before it starts, then a b, b a, a b.
    assert "".join(told) == "aaaaaaaabbbbbbbb" + "aaaabbbb" + "bbbbaaaa" + "aaaabbbb"
    assert all(len(one.seconds) == 3 and one.images == 40 for one in times.values())
    low, middle, high = times["a"].rates
    assert 0 < low <= middle <= high
    assert quartiles([1.0, 2.0, 3.0, 4.0, 5.0]) == (2.0, 3.0, 4.0)


SERVES = "import json, sys; print(json.dumps({'ready': 'x 1'}), flush=True)\n" + (
    "for line in sys.stdin: print(json.dumps({'seconds': int(line) / 10}), flush=True)"
)


def test_programs_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer, "REST", 0.0)
    with peer.Program("one", [sys.executable, "-c", SERVES]) as one:
        assert one.version == "x 1"
        times = peer.race([one], batch=5, rounds=2, shortest=0.15)
    assert times["one"].seconds == (0.2, 0.2) and times["one"].images == 10


def test_a_program_that_dies_is_one_line() -> None:
    dies = "import json; print(json.dumps({'ready': ''}), flush=True); input(); raise SystemExit('out of\\nluck')"
    with (
        peer.Program("TensorFlow", [sys.executable, "-c", dies]) as one,
        pytest.raises(RuntimeError, match=r"^TensorFlow ended: luck$"),
    ):
        one.turn(1)
    with (
        pytest.raises(RuntimeError, match=r"^TensorFlow ended: no luck$"),
        peer.Program("TensorFlow", [sys.executable, "-c", "raise SystemExit('no luck')"]),
    ):
        pass


def test_the_command_prints_a_table_and_refuses_what_differs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rates = {"matrix product, float32": 1e11, "convolution, float32": 2e11, "copy": 1e10}
    monkeypatch.setattr(steps, "ceilings", lambda device, bf16: rates)
    command = ["steps.py", "--presets", "mnist-gan-2018", "--rounds", "2", "--turn", "0", "--threads", "1"]
    files = ["--precision", "float32", "--json", str(tmp_path / "a.json"), "--out", str(tmp_path / "a.md")]
    peer_words = ["--peer", "tensorflow", "--peer-python", str(tmp_path / "none")]
    monkeypatch.setattr(sys, "argv", [*command, *files, *peer_words])
    with pytest.raises(SystemExit) as ended:
        steps.main()
    assert ended.value.code == 0
    printed = capsys.readouterr()
    assert printed.out == (tmp_path / "a.md").read_text() and "| `mnist-gan-2018` | 32 |" in printed.out
    assert "none: No such file or directory" in printed.err
    row = json.loads((tmp_path / "a.json").read_text())["rows"][0]
    assert len(row["times"]["dcgan"]["seconds"]) == 2 and row["ratio"] > 0

    monkeypatch.setattr(agreement, "FLOAT32", replace(agreement.FLOAT32, compared=2.0))
    monkeypatch.setattr(sys, "argv", [*command, "--precision", "float32"])
    with pytest.raises(SystemExit) as ended:
        steps.main()
    assert ended.value.code == 1
    assert "not timed: dcgan does not do the reference's maths" in capsys.readouterr().out


def test_two_programs_can_be_timed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each is its own process, and one that dies leaves a line and not a time."""
    monkeypatch.setattr(
        steps, "ceilings", lambda device, bf16: {"matrix product, float32": 1e11, "copy": 1e10}
    )
    monkeypatch.setattr(peer, "REST", 0.0)
    command = ["steps.py", "--presets", "mnist-gan-2018", "--rounds", "2", "--turn", "0", "--threads", "1"]
    monkeypatch.setattr(sys, "argv", [*command, "--precision", "float32", "--apart"])
    for dies, code in (False, 0), (True, 1):
        if dies:
            monkeypatch.setattr(contests, "COMMAND", Path("/no/such/steps.py"))
        with pytest.raises(SystemExit) as ended:
            steps.main()
        assert ended.value.code == code
        assert ("not timed: eager float32 ended: " in capsys.readouterr().out) == dies


def test_a_preset_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        steps.arguments(["--presets", "fast-29"])
    assert ended.value.code == 2
    assert "unknown preset 'fast-29'" in capsys.readouterr().err
