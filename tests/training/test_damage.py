"""Promise 5: whatever happened to a checkpoint or a model file is found, and the last good one is used."""

from __future__ import annotations

import dataclasses
import json
import random
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load, save

from dcgan.errors import DcganError
from dcgan.model import load_model
from dcgan.portable import digest
from dcgan.run import Run
from dcgan.training.checkpoint import Damaged, load_checkpoint, read_manifest
from dcgan.training.journal import read_journal
from dcgan.training.state import expected_state

from .tiny import (
    ENGINE,
    assert_one_line,
    assert_same_run,
    checkpoints,
    digits,
    good_checkpoints,
    saved_state,
    train,
    trained,
)

FLIPS = 300
Harm = Callable[[Path], None]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with checkpoints at steps 1, 2, 3 and 4, all kept."""
    return trained(tmp_path_factory.mktemp("damage"), digits(40), 1, 2, 3, 4, keep_every=1)


@pytest.fixture
def folder(template: Path, tmp_path: Path) -> Path:
    """That run, this test's own."""
    return Path(shutil.copytree(template, tmp_path / "run"))


def flipped(data: bytes, position: int, bit: int) -> bytes:
    return data[:position] + bytes([data[position] ^ (1 << bit)]) + data[position + 1 :]


def weights_of(manifest: Path) -> Path:
    return manifest.with_suffix(".safetensors")


def test_any_flipped_bit_of_the_weights_is_found(folder: Path) -> None:
    draw = random.Random(5)
    path = checkpoints(folder)[0]
    expected = expected_state(read_manifest(path).recipe)
    load_checkpoint(path, expected)
    whole = weights_of(path).read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    flips = [(position, bit) for position in range(8) for bit in range(8)]
    flips += [(draw.randrange(8, header), draw.randrange(8)) for _ in range(FLIPS)]
    flips += [(draw.randrange(header, len(whole)), draw.randrange(8)) for _ in range(FLIPS)]
    flips += [(position, 0) for position in (header - 1, header, len(whole) - 1)]
    for position, bit in flips:
        weights_of(path).write_bytes(flipped(whole, position, bit))
        with pytest.raises(Damaged) as refusal:
            load_checkpoint(path, expected)
        assert_one_line(refusal.value)
        assert path.stem in str(refusal.value)


def test_a_flipped_bit_in_any_byte_of_the_manifest_is_found_or_changes_nothing(folder: Path) -> None:
    """One bit of every other byte. `1e-08` may become `1E-08`, which is the same number: no other flip may pass."""
    draw = random.Random(5)
    path = checkpoints(folder)[0]
    whole, manifest = path.read_bytes(), read_manifest(path)
    found = 0
    positions = range(draw.randrange(2), len(whole), 2)
    for position in positions:
        path.write_bytes(flipped(whole, position, draw.randrange(8)))
        try:
            assert read_manifest(path) == manifest
        except Damaged as refusal:
            assert_one_line(refusal)
            found += 1
    assert found >= len(positions) - 1 > 500


def broken_json(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def flip_weights(path: Path) -> None:
    weights_of(path).write_bytes(flipped(weights_of(path).read_bytes(), -9, 3))


def cut_weights(path: Path) -> None:
    weights_of(path).write_bytes(weights_of(path).read_bytes()[:-1])


def empty_weights(path: Path) -> None:
    weights_of(path).write_bytes(b"")


def longer_weights(path: Path) -> None:
    weights_of(path).write_bytes(weights_of(path).read_bytes() + b"\0")


def no_weights(path: Path) -> None:
    weights_of(path).unlink()


def empty_manifest(path: Path) -> None:
    path.write_bytes(b"")


def folder_for_manifest(path: Path) -> None:
    path.unlink()
    path.mkdir()


def folder_for_weights(path: Path) -> None:
    no_weights(path)
    weights_of(path).mkdir()


def weights_of_the_one_before(path: Path) -> None:
    """Each file is whole, and they do not belong together."""
    shutil.copy(weights_of(path).with_stem(f"{int(path.stem) - 1:010d}"), weights_of(path))


HARMS = [
    broken_json,
    flip_weights,
    cut_weights,
    empty_weights,
    longer_weights,
    no_weights,
    empty_manifest,
    folder_for_manifest,
    folder_for_weights,
    weights_of_the_one_before,
]


@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_newest_checkpoint_is_named_and_the_one_before_is_used(folder: Path, harm: Harm) -> None:
    newest, before, *_ = checkpoints(folder)
    harm(newest)

    run = Run(folder)
    assert run.model(ENGINE).facts["step"] == 3
    (note,) = run.notes
    assert newest.stem in note
    assert "using the one before" in note

    if newest.is_dir() or weights_of(newest).is_dir():
        return
    train(folder, digits(40), 5)
    warnings = [
        entry["message"] for entry in read_journal(folder / "journal.jsonl") if entry["event"] == "warning"
    ]
    assert len(warnings) == 1
    assert newest.stem in warnings[0]
    assert "going on from step 3" in warnings[0]
    assert before.exists()
    assert saved_state(folder)[0] == 5


def test_what_is_trained_after_damage_is_what_would_have_been(folder: Path, tmp_path: Path) -> None:
    for path in checkpoints(folder)[:3]:
        flip_weights(path)
    train(folder, digits(40), 6)
    assert_same_run(folder, trained(tmp_path, digits(40), 6, name="straight"))


@pytest.mark.parametrize(
    ("stops", "keep_every", "damaged", "later"),
    [
        ((1, 5, 7), 10, 1, (5, 6, 9)),
        ((1, 2, 3, 5, 6, 7), 3, 2, (3, 4, 5, 9)),
        ((1, 2, 3, 5, 6, 7), 3, 2, (3, 6, 7, 8)),
    ],
)
def test_a_checkpoint_saved_below_damaged_ones_is_kept_and_so_is_its_forerunner(
    tmp_path: Path, stops: tuple[int, ...], keep_every: int, damaged: int, later: tuple[int, ...]
) -> None:
    """Damaged checkpoints of later steps push out nothing that is written after them, overtaken or not.

    later: the step that is left to go on from, and the steps of the saves that follow.
    """
    folder = trained(tmp_path, digits(40), *stops, keep_every=keep_every, spectral_norm=False)
    for path in checkpoints(folder)[:damaged]:
        flip_weights(path)
    assert good_checkpoints(folder)[0] == later[0]
    for before, step in pairwise(later):
        train(folder, digits(40), step)
        assert good_checkpoints(folder)[:2] == [step, before]


@pytest.mark.parametrize("harm", HARMS)
def test_when_all_are_damaged_one_line_says_so_and_nothing_is_deleted(folder: Path, harm: Harm) -> None:
    if harm is weights_of_the_one_before:
        flip_weights(checkpoints(folder).pop())
    for path in checkpoints(folder)[: 3 if harm is weights_of_the_one_before else 4]:
        harm(path)
    before = snapshot(folder)
    for attempt in (lambda: train(folder, digits(40), 9), lambda: Run(folder).model(ENGINE)):
        with pytest.raises(DcganError, match="no checkpoint can be used") as refusal:
            attempt()
        assert_one_line(refusal.value)
        assert checkpoints(folder)[0].stem in str(refusal.value)
    assert snapshot(folder) == before


def snapshot(folder: Path) -> dict[str, bytes]:
    names = {str(path.relative_to(folder)): path for path in folder.rglob("*")}
    return {
        name: path.read_bytes() if path.is_file() else b"" for name, path in names.items() if name != ".lock"
    }


def test_a_run_without_a_checkpoint_says_how_to_make_one(folder: Path) -> None:
    shutil.rmtree(folder / "checkpoints")
    (folder / "journal.jsonl").unlink()
    with pytest.raises(DcganError, match="has no checkpoint yet") as refusal:
        Run(folder).model(ENGINE)
    assert_one_line(refusal.value)


@pytest.mark.parametrize(
    "line",
    [
        b'{"event": "interval", "step": "four"}',
        b'{"event": "interval", "step": null}',
        b'{"event": "interval", "step": NaN}',
        b'{"event": 7}',
        b"[1, 2]",
        b"null",
        b'{"event": "interval", "st',
        b"\xff\xfe\x00",
        b"[" * 100_000,
    ],
)
def test_a_damaged_journal_does_not_stop_a_run(folder: Path, line: bytes) -> None:
    journal = folder / "journal.jsonl"
    journal.write_bytes(journal.read_bytes() + line + b"\n")
    train(folder, digits(40), 5)
    assert saved_state(folder)[0] == 5
    assert Run(folder).state == "finished"


@pytest.fixture(scope="module")
def model_file(template: Path) -> bytes:
    path = template / "model.safetensors"
    Run(template).model(ENGINE).save(path)
    content = path.read_bytes()
    path.unlink()
    return content


def test_any_flipped_bit_of_a_model_file_is_found(model_file: bytes, tmp_path: Path) -> None:
    draw = random.Random(5)
    path = tmp_path / "model.safetensors"
    path.write_bytes(model_file)
    load_model(path, ENGINE)
    header = 8 + int.from_bytes(model_file[:8], "little")
    words = (
        model_file.index(b'"__metadata__"'),
        model_file.index(b"}}") if b"}}" in model_file[:header] else header,
    )
    flips = [(position, draw.randrange(8)) for position in range(8)]
    flips += [(draw.randrange(*words), draw.randrange(8)) for _ in range(FLIPS // 2)]
    flips += [(draw.randrange(header), draw.randrange(8)) for _ in range(FLIPS // 4)]
    flips += [(draw.randrange(header, len(model_file)), draw.randrange(8)) for _ in range(FLIPS // 4)]
    for position, bit in flips:
        path.write_bytes(flipped(model_file, position, bit))
        with pytest.raises(Damaged) as refusal:
            load_model(path, ENGINE)
        assert_one_line(refusal.value)


def metadata_of(content: bytes) -> dict[str, str]:
    return dict(json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"])


GIGANTIC = {"g_maps": 1024, "d_maps": 1024, "z_dim": 4096, "height": 128, "width": 128, "channels": 3}


@pytest.mark.parametrize(
    ("name", "lie"),
    [
        ("classes", "{}"),
        ("classes", '"0123456789"'),
        ("classes", "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]"),
        ("classes", '{"0":0,"1":0,"2":0,"3":0,"4":0,"5":0,"6":0,"7":0,"8":0,"9":0}'),
        ("classes", '["one"]'),
        ("classes", "7"),
        ("classes", "["),
        ("classes", "[" * 50_000),
        ("counts", "[-1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"),
        ("counts", "[1.5, 1, 1, 1, 1, 1, 1, 1, 1, 1]"),
        ("counts", "[true, 1, 1, 1, 1, 1, 1, 1, 1, 1]"),
        ("counts", "[0, 0, 0, 0, 0, 0, 0, 0, 0, 0]"),
        ("counts", "[9223372036854775807, 1, 1, 1, 1, 1, 1, 1, 1, 1]"),
        ("counts", "[99999999999999999999999999, 1, 1, 1, 1, 1, 1, 1, 1, 1]"),
        ("counts", "null"),
        ("counts", '"0123456789"'),
        ("facts", "[]"),
        ("facts", "NaN"),
        ("recipe", "{}"),
        ("recipe", "null"),
        ("recipe", "[" * 50_000),
        ("recipe", {"unknown_key": 1}),
        ("recipe", {"g_lr": 10**400}),
        ("recipe", {"g_lr": float("nan")}),
        ("recipe", {"network": "no-such-network"}),
        ("recipe", {"method": "no-such-method"}),
        ("recipe", {"objective": "no-such-objective"}),
        ("recipe", {"height": 7}),
        ("recipe", {"height": -8}),
        ("recipe", {"channels": 2}),
        ("recipe", {"channels": 0}),
        ("recipe", {"classes": 11}),
        ("recipe", {"classes": 0}),
        ("recipe", {"z_dim": True}),
        ("recipe", {"z_dim": 10**30}),
        ("recipe", {"seed": "0"}),
        ("recipe", GIGANTIC),
        ("recipe", {**GIGANTIC, "classes": 100_000}),
        ("format", "dcgan-model-999"),
        ("format", None),
        ("sha256", "0" * 64),
        ("sha256", None),
    ],
)
def test_a_model_file_that_lies_about_itself_is_refused(
    model_file: bytes, tmp_path: Path, name: str, lie: str | dict[str, Any] | None
) -> None:
    """The lie is sealed with a checksum of its own where the checksum itself is not the lie."""
    words = metadata_of(model_file)
    if isinstance(lie, dict):
        lie = json.dumps({**json.loads(words["recipe"]), **lie})
    words |= {name: lie or ""}
    if lie is None:
        del words[name]
    path = tmp_path / "model.safetensors"
    path.write_bytes(save(load(model_file), words) if name == "sha256" else sealed(load(model_file), words))
    with pytest.raises(Damaged) as refusal:
        load_model(path, ENGINE)
    assert_one_line(refusal.value)
    assert str(path) in str(refusal.value)


def sealed(tensors: dict[str, torch.Tensor], words: dict[str, str]) -> bytes:
    """A model file whose checksum is right: anyone can compute it."""
    return save(tensors, {**words, "sha256": digest(tensors, words)})


def test_a_model_file_with_other_tensors_is_refused(model_file: bytes, tmp_path: Path) -> None:
    whole, words = load(model_file), metadata_of(model_file)
    name, tensor = "ema.paint.weight", whole["ema.paint.weight"]
    path = tmp_path / "model.safetensors"
    path.write_bytes(sealed(whole, words))
    load_model(path, ENGINE)
    for change in (
        {name: tensor[:, :, :, :2].contiguous()},
        {name: tensor.flatten()},
        {name: tensor.double()},
        {name: tensor.to(torch.int64)},
        {"ema.extra": tensor.clone()},
        {name: torch.zeros(0, dtype=torch.float16)},
    ):
        path.write_bytes(sealed({**whole, **change}, words))
        with pytest.raises(Damaged) as refusal:
            load_model(path, ENGINE)
        assert_one_line(refusal.value)
        assert next(iter(change)) in str(refusal.value)
    del whole[name]
    path.write_bytes(sealed(whole, words))
    with pytest.raises(Damaged, match=f"lacks {name}"):
        load_model(path, ENGINE)


def test_a_model_is_the_same_after_a_trip_through_its_file(model_file: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(model_file)
    model = load_model(path, ENGINE)
    model.save(tmp_path / "again.safetensors")
    again = (tmp_path / "again.safetensors").read_bytes()
    assert metadata_of(again) == metadata_of(model_file)
    assert {name: tensor.tolist() for name, tensor in load(again).items()} == {
        name: tensor.tolist() for name, tensor in load(model_file).items()
    }
    assert dataclasses.asdict(model.recipe) == json.loads(metadata_of(model_file)["recipe"])
