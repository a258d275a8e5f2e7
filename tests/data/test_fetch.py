"""Where a file comes from, in which order, and that only right content is ever kept or used."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from making import file_of, set_of, zipped

from dcgan.data.named import fetch as fetch_module
from dcgan.data.named.archives import UNPACKERS
from dcgan.data.named.bounded import UnavailableError
from dcgan.data.named.catalog import SETS
from dcgan.data.named.fetch import describe_sets, fetch, present
from dcgan.data.named.rows import Archive, File, Npm, Source, Web
from dcgan.errors import DcganError

RIGHT, WRONG = b"the right content", b"the wrong content"
FILE = file_of(RIGHT)
TOY = set_of(FILE)
Answer = bytes | UnavailableError
Install = Callable[[dict[str, Answer]], list[str]]


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Answer for the sources by their base address; returns the list of those that were asked."""

    def install(answers: dict[str, Answer]) -> list[str]:
        asked: list[str] = []

        def fetch_from(source: Source, files: Sequence[File]) -> Iterator[tuple[File, bytes]]:
            assert isinstance(source, Web)
            asked.append(source.base)
            answer = answers.get(source.base, UnavailableError("no answer"))
            if isinstance(answer, UnavailableError):
                raise answer
            for file in files:
                yield file, answer

        monkeypatch.setattr(fetch_module, "fetch_from", fetch_from)
        return asked

    return install


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_order_of_places(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, web: Install) -> None:
    """Each place is used when, and only when, the ones before it have nothing."""
    data, installed = tmp_path / "data", tmp_path / "installed"
    monkeypatch.setenv("DCGAN_DATA", str(data))
    asked = web({"https://two/": RIGHT})
    named = set_of(FILE)
    object.__setattr__(named, "folders", (str(installed),))
    places = [cache / "toy", data / "toy", data, installed]
    files = [folder / name for folder in places for name in ("a-file", "a-file.gz")]
    for path in files:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(zipped(RIGHT) if path.suffix else RIGHT)
    opened: list[Path] = []
    real = fetch_module._read_local

    def read_local(path: Path, file: File) -> bytes:
        content = real(path, file)
        opened.append(path)
        return content

    monkeypatch.setattr(fetch_module, "_read_local", read_local)
    for path in files:
        assert present(named) and fetch(named, [FILE]).contents == {"a-file": RIGHT}
        assert opened == [path]
        opened.clear()
        path.unlink()
    assert not asked and not present(named)
    assert fetch(named, [FILE]).contents == {"a-file": RIGHT}
    assert asked == ["https://one/", "https://two/"]
    assert (cache / "toy/a-file").read_bytes() == RIGHT and present(named)
    fetch(named, [FILE])
    assert len(asked) == 2


def test_wrong_content_leaves_nothing_and_the_next_source_is_tried(cache: Path, web: Install) -> None:
    asked = web({"https://one/": WRONG, "https://two/": WRONG})
    with pytest.raises(DcganError) as error:
        fetch(TOY, [FILE])
    assert asked == ["https://one/", "https://two/"] and files_in(cache.parent) == []
    told = str(error.value)
    assert "\n" not in told and told.count("wrong sha256") == 2
    assert f"put a-file (or each with .gz), into {cache / 'toy'}" in told
    web({"https://one/": WRONG, "https://two/": RIGHT})
    assert fetch(TOY, [FILE]).contents == {"a-file": RIGHT}


def test_the_way_by_hand_works(cache: Path, web: Install) -> None:
    web({})
    (cache / "toy").mkdir(parents=True)
    (cache / "toy/a-file.gz").write_bytes(zipped(RIGHT))
    assert fetch(TOY, [FILE]).contents == {"a-file": RIGHT}


@pytest.mark.parametrize("damaged", [WRONG, RIGHT[:-1], RIGHT + b"x", b""])
def test_a_damaged_cache_is_told_and_fetched_again(cache: Path, web: Install, damaged: bytes) -> None:
    asked = web({"https://one/": RIGHT})
    (cache / "toy").mkdir(parents=True)
    (cache / "toy/a-file").write_bytes(damaged)
    assert present(TOY) == (len(damaged) == len(RIGHT)), "a list looks at sizes only"
    fetched = fetch(TOY, [FILE])
    assert fetched.contents == {"a-file": RIGHT} and asked == ["https://one/"]
    assert len(fetched.notes) == 1 and str(cache / "toy/a-file") in fetched.notes[0]
    assert fetch(TOY, [FILE]).notes == [] and (cache / "toy/a-file").read_bytes() == RIGHT


def test_another_set_of_the_same_file_names_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, web: Install
) -> None:
    web({"https://one/": RIGHT})
    monkeypatch.setenv("DCGAN_DATA", str(tmp_path))
    (tmp_path / "a-file").write_bytes(WRONG)
    assert len(WRONG) == len(RIGHT)
    for name, content in (("toy", RIGHT), ("twin", WRONG)):
        monkeypatch.setitem(SETS, name, set_of(file_of(content), name=name))  # type: ignore[arg-type]
    assert not present(TOY) and present(SETS["twin"]) and fetch(TOY, [FILE]).notes == []


def test_only_what_is_missing_is_asked_for(cache: Path, web: Install) -> None:
    asked = web({"https://one/": RIGHT})
    other = file_of(WRONG, "other")
    (cache / "toy").mkdir(parents=True)
    (cache / "toy/other").write_bytes(WRONG)
    lines: list[str] = []
    fetched = fetch(set_of(FILE, other), [FILE, other], lines.append)
    assert fetched.contents == {"a-file": RIGHT, "other": WRONG}
    assert asked == ["https://one/"] and lines == ["toy: fetching 1 file from https://one/"]


def test_a_pipe_or_a_folder_in_the_cache_does_not_hang(cache: Path, web: Install) -> None:
    web({"https://one/": RIGHT})
    (cache / "toy").mkdir(parents=True)
    os.mkfifo(cache / "toy/a-file.gz")
    fetched = fetch(TOY, [FILE])
    assert fetched.contents == {"a-file": RIGHT} and "not a regular file" in fetched.notes[0]


def test_a_cache_that_cannot_be_written_is_a_note(cache: Path, web: Install) -> None:
    web({"https://one/": RIGHT})
    cache.write_text("a file where the folder should be")
    fetched = fetch(TOY, [FILE])
    assert fetched.contents == {"a-file": RIGHT}
    assert any("not kept for next time" in note for note in fetched.notes)


def test_old_leftovers_of_dead_saves_are_removed_and_young_ones_stay(cache: Path, web: Install) -> None:
    web({"https://one/": RIGHT})
    (cache / "toy").mkdir(parents=True)
    for name, age in (("old", 2 * 86_400), ("young", 60)):
        (cache / "toy" / f".tmp-1-{name}").touch()
        os.utime(cache / "toy" / f".tmp-1-{name}", (time.time() - age,) * 2)
    fetch(TOY, [FILE])
    assert files_in(cache) == ["toy/.tmp-1-young", "toy/a-file"]


def _fetch_often(results: multiprocessing.Queue[object], cache: Path) -> None:
    try:
        for turn in range(30):
            fetched = fetch(TOY, [FILE])
            assert fetched.contents == {"a-file": RIGHT} and fetched.notes == [], fetched.notes
            if turn % 3 == os.getpid() % 3:
                (cache / "toy/a-file").unlink(missing_ok=True)
        results.put("good")
    except BaseException as error:
        results.put(repr(error))


def test_processes_that_fetch_at_once_do_no_harm(cache: Path, web: Install) -> None:
    web({"https://one/": RIGHT})
    context = multiprocessing.get_context("fork")  # so that the children have the fake source too
    results = context.Queue()
    children = [context.Process(target=_fetch_often, args=(results, cache)) for _ in range(4)]
    for child in children:
        child.start()
    assert [results.get(timeout=60) for _ in children] == ["good"] * 4
    for child in children:
        child.join()
    fetch(TOY, [FILE])
    assert files_in(cache) == ["toy/a-file"]


def test_without_a_home_the_error_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("DCGAN_CACHE")
    monkeypatch.setattr(Path, "home", nowhere)
    with pytest.raises(DcganError, match="DCGAN_CACHE"):
        fetch(TOY, [FILE])


@pytest.mark.parametrize("name", SETS)
def test_rows_of_the_catalog(name: str) -> None:
    row = SETS[name]
    assert row.name == name and row.title and row.licence and set(row.images) <= {"train", "val", "test"}
    assert len(set(row.classes)) == len(row.classes) and row.channels in (1, 3)
    assert bool(row.files) == bool(row.sources or row.home)
    for file in row.files:
        assert (
            file.split in ("", *row.images)
            and len(bytes.fromhex(file.sha256)) == hashlib.sha256().digest_size
        )
    for source in row.sources:
        if isinstance(source, Web):
            assert source.base.startswith("https://") and source.base.endswith("/")
        if isinstance(source, Npm | Archive):
            assert source.unpack in UNPACKERS and len(bytes.fromhex(source.file.sha256)) == 32
            assert source.file.size > 0 and not source.file.split
        if isinstance(source, Archive):
            assert source.url == "" or source.url.startswith("https://")
    assert row.splits("all") == tuple(row.images) and row.splits("train") == ("train",)
    with pytest.raises(DcganError, match="has no split 'valid'"):
        row.splits("valid")


def test_the_list_of_sets_is_json_and_says_what_is_present() -> None:
    rows = {str(row["name"]): row for row in describe_sets()}
    assert rows.keys() == SETS.keys()
    assert [name for name, row in rows.items() if row["present"]] == ["digits"]
