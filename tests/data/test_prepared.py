"""Prepared pictures: found again, made anew when damaged or changed, bounded, and never half there."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from making import encoded, picture
from PIL import Image

from dcgan.data import Dataset, decoding, memory, open_dataset, prepared
from dcgan.data.formats import folder as folder_module
from dcgan.errors import DcganError

Make = Callable[[dict[str, bytes | Image.Image]], Path]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even the smallest folder is worth a place in the cache."""
    monkeypatch.setattr(folder_module, "CACHED_FROM_FILES", 1)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pictures were decoded, as the length of a list."""
    seen: list[int] = []
    real = decoding.decode

    def counting(content: bytes, near: int | None = None) -> Image.Image:
        seen.append(len(content))
        return real(content, near)

    monkeypatch.setattr(decoding, "decode", counting)
    return seen


def some(count: int = 7, colour: bool = True) -> dict[str, bytes | Image.Image]:
    return {f"{'ab'[at % 2]}/{at:02}.png": picture(10, 12, colour, seed=at) for at in range(count)}


def kept(cache: Path) -> list[Path]:
    return sorted(path for path in (cache / "prepared").iterdir() if path.name != ".lock")


def same(one: Dataset, other: Dataset) -> bool:
    labels = (one.labels is None) == (other.labels is None) and (
        one.labels is None or np.array_equal(one.labels, other.labels)
    )
    return (
        np.array_equal(one.images, other.images)
        and labels
        and one.classes == other.classes
        and one.captions == other.captions
        and one.names == other.names is not None
        and one.sha256 == other.sha256
        and one.origin == other.origin
    )


def uncached(root: Path, monkeypatch: pytest.MonkeyPatch, **options: object) -> Dataset:
    with monkeypatch.context() as patch:
        patch.setenv("DCGAN_CACHE_LIMIT", "0")
        return open_dataset(root, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("options", [{}, {"size": (8, 16), "fit": "pad"}, {"channels": 1}, {"channels": 3}])
def test_the_second_opening_decodes_nothing_and_is_the_same(
    folder: Make,
    decoded: list[int],
    monkeypatch: pytest.MonkeyPatch,
    mapped: bool,
    colour: bool,
    options: dict[str, object],
) -> None:
    """In memory, mapped, from the cache or without one: the same pixels, labels and facts."""
    files = some(colour=colour)
    files["a/bad.jpg"] = encoded(picture(), "JPEG")[:-40]  # a good header: it is found out when decoded
    files["a/01x.png"] = picture(10, 12, colour=False).convert("RGB")
    files["captions.csv"] = b"file,caption\na/00.png,hello\n"
    root = folder(files)
    monkeypatch.setattr(memory, "MAPPED_FROM", 0 if mapped else 2**30)
    plain = uncached(root, monkeypatch, **options)
    first = open_dataset(root, **options)  # type: ignore[arg-type]
    before = len(decoded)
    second = open_dataset(root, **options)  # type: ignore[arg-type]
    assert len(decoded) == before and same(plain, first) and same(plain, second)
    assert first.mapped == second.mapped == mapped and not plain.mapped
    assert second.images.flags.writeable != mapped and second.images.flags.c_contiguous
    fresh = Dataset("", second.images, second.labels, second.classes, {}, second.captions)
    assert fresh.sha256 == second.sha256 and second.origin["skipped_kinds"] == {"corrupt": 1}


def test_a_hash_is_not_computed_again(folder: Make) -> None:
    root = folder(some())
    first = open_dataset(root).sha256
    assert open_dataset(root).__dict__["sha256"] == first


def test_what_a_resume_asks_for_is_there(folder: Make, decoded: list[int], cache: Path) -> None:
    root = folder(some(colour=False))
    first = open_dataset(root)
    before = len(decoded)
    again = open_dataset(root, size=first.size, channels=first.channels)
    assert len(decoded) == before and first.sha256 == again.sha256
    assert len([path for path in kept(cache) if path.suffix == ".npy"]) == 1


def test_pictures_that_moved_are_known_by_their_content(folder: Make, decoded: list[int]) -> None:
    root = folder(some())
    first = open_dataset(root)
    before = len(decoded)
    moved = open_dataset(shutil.copytree(root, root.with_name("elsewhere")))
    assert len(decoded) == before and moved.sha256 == first.sha256 and moved.name == "elsewhere"
    assert moved.origin["path"].endswith("elsewhere")


def test_any_change_of_the_folder_is_seen(folder: Make) -> None:
    root = folder(some())
    hashes = [open_dataset(root).sha256]
    (root / "a" / "00.png").write_bytes(encoded(picture(10, 12, seed=50)))
    hashes.append(open_dataset(root).sha256)
    times = (root / "a" / "00.png").stat()
    other = encoded(Image.new("RGB", (12, 10), "red"))
    (root / "a" / "00.png").write_bytes(other + bytes(times.st_size - len(other)))  # the same size, too
    os.utime(root / "a" / "00.png", ns=(times.st_atime_ns, times.st_mtime_ns))  # as programs that copy do
    hashes.append(open_dataset(root).sha256)
    (root / "a" / "00.png").unlink()
    hashes.append(open_dataset(root).sha256)
    (root / "b" / "01.png").rename(root / "a" / "01.png")
    hashes.append(open_dataset(root).sha256)
    assert len(set(hashes)) == 5


def test_a_file_that_changes_between_two_looks_is_not_used(
    folder: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = folder(some())
    real = decoding.decode_all

    def slow(*arguments: object, **options: object) -> object:
        (root / "a" / "00.png").write_bytes(encoded(picture(10, 12, seed=99)))
        return real(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(folder_module, "decode_all", slow)
    data = open_dataset(root)
    assert len(data) == 6 and data.origin["skipped"] == [
        {"file": "a/00.png", "reason": "it changed while it was being read", "kind": "unreadable"}
    ]


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("ending", ["npy", "json", "listing"])
@pytest.mark.parametrize("damage", ["flip", "cut", "long", "empty", "gone"])
def test_damage_is_noticed_and_mended(
    folder: Make, cache: Path, monkeypatch: pytest.MonkeyPatch, mapped: bool, ending: str, damage: str
) -> None:
    monkeypatch.setattr(memory, "MAPPED_FROM", 0 if mapped else 2**30)
    root = folder(some())
    first = open_dataset(root)
    (path,) = (
        path
        for path in kept(cache)
        if (path.name.startswith("listing") if ending == "listing" else path.suffix == f".{ending}")
        and (ending == "listing" or not path.name.startswith("listing"))
    )
    content = bytearray(path.read_bytes())
    match damage:
        case "flip":
            content[len(content) * 2 // 3] ^= 4
        case "cut":
            del content[-1:]
        case "long":
            content += b"\0"
        case "empty":
            content.clear()
    path.unlink()
    if damage != "gone":
        path.write_bytes(content)
    second = open_dataset(root)
    assert second.sha256 == first.sha256 and np.array_equal(second.images, first.images)
    third = open_dataset(root)
    assert same(first, third)
    assert damage == "gone" or any("damaged" in note for note in second.origin["notes"])


def test_least_recently_used_go_when_there_is_no_room(
    folder: Make, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = folder(some())
    size = 7 * 3 * 16 * 16 + prepared.HEADER
    monkeypatch.setenv("DCGAN_CACHE_LIMIT", str(3 * size))
    fits = [{"fit": "crop"}, {"fit": "pad"}, {"fit": "stretch"}]
    for at, options in enumerate(fits):
        open_dataset(root, size=(16, 16), **options)  # type: ignore[arg-type]
        for path in kept(cache):
            if (
                path.suffix == ".json"
                and not path.name.startswith("listing")
                and path.stat().st_mtime > 10**9
            ):
                os.utime(path, (at, at))
    open_dataset(root, size=(16, 16), fit="crop")  # used just now
    open_dataset(root, size=(16, 16), channels=1)  # needs a place
    arrays = [path for path in kept(cache) if path.suffix == ".npy"]
    assert sum(path.stat().st_size for path in arrays) <= 3 * size and len(arrays) == 3
    listings = [path for path in kept(cache) if path.name.startswith("listing")]
    assert len(listings) == 3  # the one of the dropped pictures went with them
    monkeypatch.setattr(decoding, "decode", None)
    for options in ({"fit": "crop"}, {"fit": "stretch"}, {"channels": 1}):
        open_dataset(root, size=(16, 16), **options)  # type: ignore[arg-type]


def test_what_is_too_large_for_the_cache_is_told(
    folder: Make, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DCGAN_CACHE_LIMIT", "100B")
    data = open_dataset(folder(some()))
    assert len(data) == 7 and "the limit is" in data.origin["notes"][-1] and not (cache / "prepared").exists()


@pytest.mark.parametrize(
    ("text", "limit"),
    [("0", 0), ("500", 500), ("2kB", 2000), ("1.5 GB", 1_500_000_000), ("", prepared.DEFAULT_LIMIT)],
)
def test_the_limit(text: str, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DCGAN_CACHE_LIMIT", text)
    assert prepared.cache_limit() == limit


def test_a_limit_that_is_none_is_one_line(folder: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DCGAN_CACHE_LIMIT", "lots")
    with pytest.raises(DcganError, match="DCGAN_CACHE_LIMIT is 'lots': write"):
        open_dataset(folder(some()))


def test_a_cache_that_cannot_be_written_costs_time_not_the_run(
    folder: Make, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = folder(some())
    plain = uncached(root, monkeypatch)
    cache.mkdir()
    (cache / "prepared").write_text("in the way")
    data = open_dataset(root)
    assert data.sha256 == plain.sha256 and "were not kept for next time" in data.origin["notes"][-1]


@pytest.mark.parametrize("call", ["posix_fallocate", "fsync"])
def test_a_full_disk_costs_time_not_the_run(
    folder: Make, cache: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def full(*arguments: int) -> None:
        raise OSError(28, "No space left on device")

    root = folder({**some(), "a/bad.jpg": encoded(picture(), "JPEG")[:-40]})
    plain = uncached(root, monkeypatch)
    monkeypatch.setattr(os, call, full)
    data = open_dataset(root)
    assert data.sha256 == plain.sha256 and data.origin["skipped_count"] == 1 and kept(cache) == []
    assert "No space left on device" in data.origin["notes"][-1]


def test_more_than_memory_without_a_cache_is_one_line(folder: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DCGAN_CACHE_LIMIT", "0")
    monkeypatch.setattr(memory, "physical_memory", lambda: 1000)
    with pytest.raises(
        DcganError, match=r"7 images of 10×12 need .* choose a smaller size, or give the cache room"
    ):
        open_dataset(folder(some()))


def test_nothing_usable_leaves_nothing(folder: Make, cache: Path) -> None:
    with pytest.raises(DcganError, match="no usable image"):
        open_dataset(folder({"a.jpg": encoded(picture(), "JPEG")[:-40]}))
    assert not [path for path in kept(cache) if path.suffix in (".npy", ".json")]


def test_numpy_reads_the_file(folder: Make, cache: Path) -> None:
    data = open_dataset(folder(some()))
    (path,) = (path for path in kept(cache) if path.suffix == ".npy")
    assert np.array_equal(np.load(path), data.images)


PREPARE = """
import sys, time
from pathlib import Path
from dcgan.data import decoding, open_dataset, prepared
from dcgan.data.formats import folder
folder.CACHED_FROM_FILES = 1
where, root = sys.argv[1:]
def stop():
    print("here", flush=True)
    time.sleep(60)
if where == "decoding":
    decoding._close_gaps = lambda *arguments: stop()
elif where == "writing":
    prepared.os.fsync = lambda descriptor: stop()
elif where == "facts":
    prepared.Cache._write = lambda *arguments: stop()
open_dataset(Path(root))
"""


@pytest.mark.parametrize("where", ["decoding", "writing", "facts"])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_preparation_leaves_nothing_half(
    folder: Make, cache: Path, where: str, how: signal.Signals
) -> None:
    root = folder(some())
    with subprocess.Popen(
        [sys.executable, "-c", PREPARE, where, str(root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "DCGAN_CACHE": str(cache)},
        text=True,
    ) as program:
        assert program.stdout is not None and program.stdout.readline() == "here\n"
        leftovers = [path for path in kept(cache) if path.name.startswith(".tmp-")]
        alive = open_dataset(root)  # another process at work is left alone
        assert all(path.exists() for path in leftovers) and len(leftovers) == (where != "facts")
        for path in kept(cache):
            if path.suffix == ".json":
                path.unlink()
        program.send_signal(how)
        program.wait()
    assert not [path for path in kept(cache) if path.suffix == ".json"]
    data = open_dataset(root)
    assert data.sha256 == alive.sha256
    assert not [path for path in kept(cache) if path.name.startswith(".tmp-")]
    for path in kept(cache):
        if path.suffix == ".json":
            assert json.loads(path.read_bytes().split(b"\n", 1)[1])


def test_two_at_once_do_not_disturb_each_other(folder: Make, cache: Path) -> None:
    root = folder(some(40))
    code = "import sys; from pathlib import Path; from dcgan.data import open_dataset; "
    code += "from dcgan.data.formats import folder; "
    code += "folder.CACHED_FROM_FILES = 1; print(open_dataset(Path(sys.argv[1])).sha256)"
    command = [sys.executable, "-c", code, str(root)]
    env = {**os.environ, "DCGAN_CACHE": str(cache)}
    programs = [subprocess.Popen(command, stdout=subprocess.PIPE, env=env, text=True) for _ in range(3)]
    told = {program.communicate()[0] for program in programs}
    assert told == {open_dataset(root).sha256 + "\n"} and all(program.returncode == 0 for program in programs)


def test_looking_at_many_files_is_announced(folder: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_module, "MANY", 5)
    told: list[str] = []
    root = folder(some())
    open_dataset(root, report=told.append)
    assert len(told) == 1 and "looking at 7 files" in told[0]
    open_dataset(root, report=told.append)
    assert len(told) == 1  # it was there already
