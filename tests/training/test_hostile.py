"""Promises 9 and 10: no checkpoint and no model file, however made, runs code, takes memory or breaks the reader."""

from __future__ import annotations

import ast
import copy
import json
import os
import pickle
import resource
import shutil
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save

import dcgan
from dcgan.errors import DcganError
from dcgan.model import Model, load_model
from dcgan.portable import digest
from dcgan.recipe import Recipe
from dcgan.run import checkpoint_model
from dcgan.training.checkpoint import (
    HEADER_LIMIT,
    Damaged,
    Manifest,
    list_manifests,
    load_checkpoint,
    read_manifest,
    read_metadata,
    read_weights,
)
from dcgan.training.checkpoint import _digest as seal
from dcgan.training.state import expected_model, expected_state

from .tiny import (
    ENGINE,
    assert_one_line,
    checkpoints,
    digits,
    good_steps,
    numbered,
    save_numbered,
    start,
    tiny,
    trained,
)

SMALL = 50
MEMORY = 1 << 28
FUZZ = settings(max_examples=200, deadline=None, derandomize=True, database=None)
Spoil = Callable[[Path], object]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manifest of a checkpoint of a few small tensors, to be overwritten by every test."""
    folder = tmp_path_factory.mktemp("hostile")
    save_numbered(folder, 1, SMALL)
    return folder / "0000000001.json"


@pytest.fixture(scope="module")
def weights(checkpoint: Path) -> Iterator[tuple[Path, bytes]]:
    """Where its weights lie, and what they are."""
    path = checkpoint.with_suffix(".safetensors")
    whole = path.read_bytes()
    yield path, whole
    path.write_bytes(whole)


def assert_damaged(work: Callable[[], object]) -> None:
    with pytest.raises(Damaged) as refusal:
        work()
    assert_one_line(refusal.value)


def assert_refused_everywhere(path: Path) -> None:
    """By every function that opens weights or a model."""
    assert_damaged(lambda: read_weights(path, numbered(0, SMALL)))
    assert_damaged(lambda: load_checkpoint(path.with_suffix(".json"), numbered(0, SMALL)))
    assert_damaged(lambda: load_model(path, ENGINE))


def with_header(header: Any, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def header_of(content: bytes) -> dict[str, Any]:
    return dict(json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")]))


def data_of(content: bytes) -> bytes:
    return content[8 + int.from_bytes(content[:8], "little") :]


FLOAT = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
MALFORMED = {
    "nothing": b"",
    "seven bytes": b"\0" * 7,
    "no header": (0).to_bytes(8, "little"),
    "a header longer than the file": (1000).to_bytes(8, "little") + b"{}",
    "a header of 2**63 bytes": (2**63).to_bytes(8, "little") + b"{}",
    "a header of 2**64 - 1 bytes": b"\xff" * 8 + b"{}",
    "a header that is no JSON": with_header(b"not json"),
    "a header that is no text": with_header(b"\xff\xfe\xfd"),
    "a header nested a million deep": with_header(b"[" * 1_000_000),
    "a list for a header": with_header([]),
    "an empty header": with_header({}),
    "overlapping tensors": with_header({"a": FLOAT, "b": {**FLOAT, "data_offsets": [4, 12]}}, bytes(12)),
    "one tensor twice": with_header({"a": FLOAT, "b": FLOAT}, bytes(8)),
    "a hole": with_header({"a": FLOAT, "b": {**FLOAT, "data_offsets": [12, 20]}}, bytes(20)),
    "trailing bytes": with_header({"a": FLOAT}, bytes(9)),
    "a tensor beyond the end": with_header(
        {"a": {**FLOAT, "data_offsets": [0, 800], "shape": [200]}}, bytes(8)
    ),
    "offsets backwards": with_header({"a": {**FLOAT, "data_offsets": [8, 0]}}, bytes(8)),
    "negative offsets": with_header({"a": {**FLOAT, "data_offsets": [-8, 0]}}, bytes(8)),
    "a shape whose size overflows": with_header({"a": {**FLOAT, "shape": [2**62, 2**62]}}, bytes(8)),
    "a shape larger than its data": with_header({"a": {**FLOAT, "shape": [2**31]}}, bytes(8)),
    "an unknown dtype": with_header({"a": {**FLOAT, "dtype": "OBJECT"}}, bytes(8)),
    "terminal codes for a name": with_header({"\x1b[2J\n" * 400: FLOAT}, bytes(8)),
    "metadata that is no text": with_header({"__metadata__": {"format": {}}, "a": FLOAT}, bytes(8)),
    "a pickle": pickle.dumps({"a": 1}),
    "a zip": b"PK\x03\x04" + bytes(60),
    "a JSON recipe": b'{"preset": "fast-28"}',
}


@pytest.mark.parametrize("content", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_weights_are_refused_in_one_line(weights: tuple[Path, bytes], content: bytes) -> None:
    path, _ = weights
    path.write_bytes(content)
    assert_refused_everywhere(path)
    assert_damaged(
        lambda: read_weights(path, {}) if content != with_header({}) else read_weights(path, numbered(0))
    )


def test_no_terminal_codes_reach_the_reader(weights: tuple[Path, bytes]) -> None:
    path, _ = weights
    path.write_bytes(with_header({"\x1b[2J": FLOAT}, bytes(8)))
    with pytest.raises(Damaged) as refusal:
        read_weights(path, numbered(0))
    assert str(refusal.value).isprintable()


@FUZZ
@given(st.binary(max_size=400))
def test_random_bytes_are_refused(weights: tuple[Path, bytes], content: bytes) -> None:
    path, _ = weights
    path.write_bytes(content)
    assert_refused_everywhere(path)


WORD = st.text(max_size=8)
LEAF = st.none() | st.booleans() | st.integers() | st.floats() | WORD | st.sampled_from([2**63, -1, 0, 1])
JSON = (
    LEAF | st.lists(LEAF, max_size=4) | st.dictionaries(WORD, LEAF | st.lists(LEAF, max_size=2), max_size=4)
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every part of a JSON value."""
    yield path
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield from places(part, (*path, key))


@st.composite
def mutated(draw: st.DrawFn, value: Any) -> Any:
    """`value` with one part replaced, removed, doubled under another name, or moved to the top."""
    path = draw(st.sampled_from([place for place in places(value) if place]))
    value = copy.deepcopy(value)
    home = value
    for key in path[:-1]:
        home = home[key]
    key, old = path[-1], home[path[-1]]
    kind = draw(st.sampled_from(["replace", "remove", "rename", "nudge"]))
    if kind == "replace" or (kind == "nudge" and type(old) not in (int, float)):
        home[key] = draw(JSON)
    elif kind == "nudge":
        home[key] = old + draw(st.sampled_from([-1, 1, 4, 2**31, 2**64]))
    elif kind == "remove" or not isinstance(home, dict):
        del home[key]
    else:
        home[draw(WORD)] = home.pop(key)
    return value


@FUZZ
@given(st.data())
def test_mutated_headers_are_refused_or_mean_the_same(
    weights: tuple[Path, bytes], data: st.DataObject
) -> None:
    path, whole = weights
    header = data.draw(mutated(header_of(whole)))
    path.write_bytes(with_header(header, data_of(whole)))
    try:
        content = read_weights(path, numbered(0, SMALL))
    except Damaged as refusal:
        assert_one_line(refusal)
    else:
        tensors = load(content)
        assert {name: tensor.shape for name, tensor in tensors.items()} == {
            name: tensor.shape for name, tensor in numbered(0, SMALL).items()
        }
    if header != header_of(whole):
        assert_damaged(lambda: load_checkpoint(path.with_suffix(".json"), numbered(0, SMALL)))


@pytest.mark.parametrize(
    "change",
    [
        {"first": torch.zeros(SMALL, dtype=torch.float64)},
        {"first": torch.zeros(SMALL, dtype=torch.float16)},
        {"first": torch.zeros(SMALL, dtype=torch.int64)},
        {"first": torch.zeros(SMALL + 1)},
        {"first": torch.zeros(SMALL, 1)},
        {"first": torch.zeros(0)},
        {"third": torch.zeros(1)},
        {"fourth": torch.zeros(1)},
        {"": torch.zeros(1)},
        {"first": None},
    ],
)
def test_other_tensors_than_the_recipe_calls_for_are_refused(
    weights: tuple[Path, bytes], change: dict[str, torch.Tensor | None]
) -> None:
    path, _ = weights
    tensors = {
        name: tensor for name, tensor in {**numbered(0, SMALL), **change}.items() if tensor is not None
    }
    path.write_bytes(save(tensors))
    with pytest.raises(Damaged) as refusal:
        read_weights(path, numbered(0, SMALL))
    assert_one_line(refusal.value)
    assert next(iter(change)) in str(refusal.value)


def sealed(value: Any) -> bytes:
    """A manifest with a checksum that is right: anyone can compute it."""
    if isinstance(value, dict):
        value = {name: part for name, part in value.items() if name != "sha256"}
        value["sha256"] = seal(value)
    return json.dumps(value).encode()


def sealed_model(tensors: dict[str, torch.Tensor], words: dict[str, str]) -> bytes:
    """A model file with a checksum that is right."""
    return save(tensors, {**words, "sha256": digest(tensors, words)})


@pytest.fixture(scope="module")
def manifest(checkpoint: Path) -> Iterator[dict[str, Any]]:
    """What the manifest says, with classes and facts."""
    whole = checkpoint.read_bytes()
    value = json.loads(whole)
    del value["sha256"]
    value |= {"classes": ["a", "b"], "counts": [3, 4], "made_with": {"threads": 1}}
    value["recipe"]["classes"] = 2
    yield value
    checkpoint.write_bytes(whole)


@FUZZ
@given(st.data())
def test_mutated_manifests_are_refused_or_of_use(
    checkpoint: Path, manifest: dict[str, Any], data: st.DataObject
) -> None:
    """Even with a checksum that is right. What is accepted can be listed, compared and written again."""
    checkpoint.write_bytes(sealed(data.draw(mutated(manifest))))
    try:
        found = read_manifest(checkpoint)
    except Damaged as refusal:
        assert_one_line(refusal)
        return
    assert isinstance(found, Manifest)
    assert len(found.classes) == len(found.counts)
    wholes = (found.step, found.images, found.number, found.weights_bytes)
    assert all(type(whole) is int and 0 <= whole < 2**63 for whole in wholes)
    assert isinstance(found.recipe, Recipe) and isinstance(found.weights_sha256, str)
    assert found.data_sha256 is None or isinstance(found.data_sha256, str)
    folder = checkpoint.parent / "again"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(checkpoint.parent, folder)
    save_numbered(folder, 2, SMALL)
    assert good_steps(folder, SMALL)[0] == 2


@FUZZ
@given(JSON | st.binary(max_size=200))
def test_random_manifests_are_refused(checkpoint: Path, manifest: dict[str, Any], value: Any) -> None:
    checkpoint.write_bytes(value if isinstance(value, bytes) else sealed(value))
    assert_damaged(lambda: read_manifest(checkpoint))
    assert list_manifests(checkpoint.parent) == []


@FUZZ
@given(st.data())
def test_mutated_model_files_are_refused_or_of_use(
    model_file: bytes,
    model_words: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
) -> None:
    """A whole file with sealed lies in its metadata: refused in one line, or a model that makes pictures."""
    words = {name: json.dumps(word) for name, word in data.draw(mutated(model_words)).items()}
    words["format"] = "dcgan-model-1"
    tensors = load(model_file)
    path = tmp_path_factory.getbasetemp() / "mutated.safetensors"
    path.write_bytes(sealed_model(tensors, words))
    try:
        model = load_model(path, ENGINE)
    except Damaged as refusal:
        assert_one_line(refusal)
        return
    images, labels = model.generate(3)
    assert images.shape == (3, 8, 8, 1)
    assert labels is not None and labels.max() < len(model.classes)


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = trained(tmp_path_factory.mktemp("model"), digits(40), 2, spectral_norm=False)
    path = folder / "model.safetensors"
    checkpoint_model(checkpoints(folder)[0], ENGINE).save(path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def model_words(model_file: bytes) -> dict[str, Any]:
    words = header_of(model_file)["__metadata__"]
    return {name: json.loads(words[name]) for name in ("recipe", "classes", "counts", "facts")}


def test_a_network_without_classes_that_are_asked_for_is_refused() -> None:
    recipe = tiny(digits(40), 1)
    tensors = {name: torch.zeros(tensor.shape) for name, tensor in expected_model(recipe).items()}
    for classes, counts in ((["a"], [1]), (list("0123456789"), [1]), ([], [])):
        assert_damaged(
            partial(Model, "model", recipe, tensors, classes=classes, counts=counts, engine=ENGINE)
        )


def spoiled(spoil: str, manifest: Path, weights: Path, model: Path) -> Recipe:
    """Make the files what `spoil` says. Returns the recipe that the reader goes by."""
    recipe = read_manifest(manifest).recipe
    if spoil == "a file of 8 GiB":
        os.truncate(weights, 8 << 30)
        os.truncate(model, 8 << 30)
    elif spoil == "a manifest of 8 GiB":
        os.truncate(manifest, 8 << 30)
    elif spoil == "a header of 50 MiB":
        name = b'"%07d":{"dtype":"F32","shape":[],"data_offsets":[0,0]},'
        header = b"{" + b"".join(name % number for number in range(900_000)) + b'"":0}'
        for path in (weights, model):
            path.write_bytes(with_header(header))
    elif spoil == "a gigantic recipe":
        largest = {
            "g_maps": 1024,
            "d_maps": 1024,
            "z_dim": 4096,
            "height": 128,
            "width": 128,
            "classes": 100_000,
        }
        recipe = recipe.with_changes(largest)
        tensors, words = load(model.read_bytes()), header_of(model.read_bytes())["__metadata__"]
        words["recipe"] = json.dumps(recipe.to_dict())
        words["classes"], words["counts"] = json.dumps(["x"] * 100_000), json.dumps([1] * 100_000)
        model.write_bytes(sealed_model(tensors, words))
    else:
        for path in (manifest, weights, model):
            path.unlink()
            if spoil == "a pipe":
                os.mkfifo(path)
            else:
                path.symlink_to("/dev/zero")
    return recipe


def refuse_within_bounds(spoil: str, folder: Path) -> None:
    """Refuse what `spoil` names in a process that may take little more memory than it has."""
    manifest, model = checkpoints(folder)[0], folder / "model.safetensors"
    weights = manifest.with_suffix(".safetensors")
    recipe = spoiled(spoil, manifest, weights, model)
    spent = int(Path("/proc/self/status").read_text().partition("VmData:")[2].split()[0]) * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (spent + MEMORY, spent + MEMORY))
    expected = expected_state(recipe)
    assert_damaged(lambda: load_checkpoint(manifest, expected))
    if spoil != "a manifest of 8 GiB":
        assert_damaged(lambda: load_model(model, ENGINE))
        assert_damaged(lambda: read_weights(weights, expected))
        assert_damaged(lambda: read_weights(weights, numbered(0)))
    sys.exit(42)


@pytest.mark.parametrize(
    "spoil",
    [
        "a file of 8 GiB",
        "a manifest of 8 GiB",
        "a header of 50 MiB",
        "a gigantic recipe",
        "a pipe",
        "a device without an end",
    ],
)
def test_what_claims_much_memory_is_refused_without_taking_it(
    tmp_path: Path, model_file: bytes, spoil: str, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = trained(tmp_path, digits(40), 1)
    (folder / "model.safetensors").write_bytes(model_file)
    child = start(refuse_within_bounds, spoil, folder)
    child.join(60)
    assert child.exitcode == 42, capfd.readouterr().err


def test_as_many_classes_as_a_recipe_may_have_fit_into_a_manifest_and_a_header(tmp_path: Path) -> None:
    from dcgan.training.checkpoint import save_checkpoint

    names = tuple(f"class {number}" for number in range(100_000))
    recipe = tiny(digits(40), 1).with_changes({"classes": len(names)})
    counts = (1000,) * len(names)
    path = save_checkpoint(
        tmp_path,
        {"a": torch.zeros(1)},
        step=1,
        images=1,
        seconds=0.0,
        recipe=recipe,
        classes=names,
        counts=counts,
        made_with={},
    )
    manifest, _ = load_checkpoint(path, {"a": torch.zeros(1)})
    assert manifest.classes == names
    assert len(json.dumps(json.dumps([names, counts]))) < HEADER_LIMIT
    read_metadata(path.with_suffix(".safetensors"))


def test_a_file_larger_than_its_recipe_is_refused_by_its_size_alone(
    weights: tuple[Path, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, whole = weights
    path.write_bytes(whole)
    os.truncate(path, 8 << 30)
    for name in ("open", "read_bytes"):
        monkeypatch.setattr(Path, name, lambda *args: pytest.fail("the file was opened"))
    with pytest.raises(Damaged, match="are too large for its recipe, which calls for") as refusal:
        read_weights(path, numbered(0, SMALL))
    assert_one_line(refusal.value)


class Payload:
    """Unpickled, it makes a file: the proof that code ran."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("kind", ["pickle", "torch", "torch-old"])
def test_a_pickle_under_any_name_is_refused_and_not_run(tmp_path: Path, kind: str) -> None:
    mark = tmp_path / "ran"
    folder = trained(tmp_path, digits(40), 1)
    content = pickle.dumps(Payload(mark))
    if kind.startswith("torch"):
        torch.save(Payload(mark), tmp_path / "payload", _use_new_zipfile_serialization=kind == "torch")
        content = (tmp_path / "payload").read_bytes()
    manifest = checkpoints(folder)[0]
    expected = expected_state(read_manifest(manifest).recipe)
    for path in (
        manifest.with_suffix(".safetensors"),
        folder / "model.safetensors",
        folder / "model.pt",
        manifest,
    ):
        path.write_bytes(content)
    refusals: list[Callable[[], object]] = [
        lambda: load_checkpoint(manifest, expected),
        lambda: read_weights(manifest.with_suffix(".safetensors"), expected),
        lambda: load_model(folder / "model.safetensors", ENGINE),
        lambda: load_model(folder / "model.pt", ENGINE),
        lambda: checkpoint_model(manifest, ENGINE),
    ]
    for refused in refusals:
        assert_damaged(refused)
    (folder / "recipe.json").write_bytes(content)
    with pytest.raises(DcganError) as refusal:
        dcgan.Recipe.from_json(content)
    assert_one_line(refusal.value)
    assert not mark.exists()
    pickle.loads(pickle.dumps(Payload(mark)))  # noqa: S301
    assert mark.exists(), "the payload is harmless: the test proves nothing"


FORBIDDEN_MODULES = {
    "pickle",
    "cPickle",
    "_pickle",
    "cloudpickle",
    "dill",
    "joblib",
    "marshal",
    "shelve",
    "yaml",
}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "extractall", "extract", "system", "popen"}
FORBIDDEN_NAMES = {("torch", "load"), ("torch", "save"), ("np", "load"), ("numpy", "load")}
FORBIDDEN_OPTIONS = {"weights_only": True, "allow_pickle": False, "shell": False}


def dangers(source: str) -> Iterator[str]:
    """What in a module could run code from a file: imports, calls and options, whatever the comments say."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.partition(".")[0] in FORBIDDEN_MODULES)
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in FORBIDDEN_MODULES:
            yield node.module or ""
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if (node.value.id, node.attr) in FORBIDDEN_NAMES:
                yield f"{node.value.id}.{node.attr}"
            if node.value.id == "re":
                continue
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            owner = getattr(getattr(node.func, "value", None), "id", "")
            method = isinstance(node.func, ast.Attribute)
            if (
                name in FORBIDDEN_CALLS
                and owner not in ("re", "torch")
                and not (method and name in ("eval", "compile"))
            ):
                yield name
            for option in node.keywords:
                wanted = FORBIDDEN_OPTIONS.get(option.arg or "")
                if wanted is not None and getattr(option.value, "value", None) is not wanted:
                    yield f"{option.arg}={ast.unparse(option.value)}"


SOURCES = sorted(Path(dcgan.__file__).parent.rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(SOURCES[0].parent).as_posix())
def test_no_module_could_run_code_from_a_file(path: Path) -> None:
    assert list(dangers(path.read_text())) == []


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "import numpy, pickle as data",
        "from pickle import loads",
        "import joblib.memory",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "read(path, weights_only=flag)",
        "np.load(path)",
        "read(path, allow_pickle=True)",
        "archive.extractall(folder)",
        "archive.extract(name)",
        "subprocess.run(line, shell=True)",
        "os.system(line)",
        "eval(text)",
        "exec(text)",
        "__import__(name)",
    ],
)
def test_the_search_finds_what_it_searches_for(line: str) -> None:
    assert list(dangers(line))


@pytest.mark.parametrize(
    "line", ["model.eval()", "re.compile(text)", "torch.compile(net)", "# eval(x)", '"pickle"']
)
def test_the_search_passes_what_is_harmless(line: str) -> None:
    assert not list(dangers(line))
