"""Packages and web servers: bounded, in place, https only, whatever the other side sends."""

from __future__ import annotations

import gzip
import io
import shutil
import subprocess
import sys
import urllib.request
import zipfile
from email.message import Message
from pathlib import Path
from urllib.response import addinfourl

import pytest
from making import file_of, zipped

from dcgan.data.named import sources
from dcgan.data.named.bounded import UnavailableError, read_bounded
from dcgan.data.named.rows import Debian, File, Web, Wheel
from dcgan.data.named.sources import fetch_from, read_deb, read_wheel, web_opener

CONTENT = bytes(range(256)) * 40
FILE = file_of(CONTENT)
OTHER = file_of(b"other", "other")


def test_reads_gzip_and_plain() -> None:
    assert read_bounded(io.BytesIO(zipped(CONTENT)), FILE, compressed=True) == CONTENT
    assert read_bounded(io.BytesIO(CONTENT), FILE, compressed=False) == CONTENT


@pytest.mark.parametrize(
    ("packed", "reason"),
    [
        (zipped(CONTENT + b"x"), "more than the 10,240 bytes"),
        (zipped(bytes(10_000_000)), "more than the 10,240 bytes"),  # 10 kB that would be 10 MB
        (zipped(bytes(100_000_000)), "more than the"),  # no honest gzip of 10 kB is this long
        (zipped(b"") * 5_000, "more than the"),  # no content at all, for ever
        (zipped(CONTENT)[:-9], "ended before"),
        (zipped(CONTENT)[:-5] + b"12345", "cannot be read"),
        (b"<html>not found</html>", "Not a gzip"),
        (b"\x1f\x8b\x08\0\0\0\0\0\0\0\xff\xff\xff", "invalid block"),
    ],
)
def test_broken_or_endless_gzip_is_refused(packed: bytes, reason: str) -> None:
    with pytest.raises(UnavailableError, match=reason):
        read_bounded(io.BytesIO(packed), FILE, compressed=True)


def test_a_bomb_stops_at_the_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    read = 0

    class Counting(gzip.GzipFile):
        def read1(self, size: int = -1) -> bytes:
            nonlocal read
            part = super().read1(size)
            read += len(part)
            return part

    monkeypatch.setattr(gzip, "GzipFile", Counting)
    with pytest.raises(UnavailableError):
        read_bounded(io.BytesIO(zipped(bytes(10_000_000))), FILE, compressed=True)
    assert 0 < read <= FILE.size + 1


class Server(urllib.request.HTTPSHandler):
    """Answers for https://one/, by path: (status, headers, body)."""

    def __init__(self, answers: dict[str, tuple[int, dict[str, str], bytes]]) -> None:
        super().__init__()
        self.answers = answers

    def https_open(self, req: urllib.request.Request) -> addinfourl:  # type: ignore[override]
        status, fields, body = self.answers[req.full_url]
        headers = Message()
        for name, value in fields.items():
            headers[name] = value
        answer = addinfourl(io.BytesIO(body), headers, req.full_url, status)
        answer.msg = "told"  # type: ignore[attr-defined]
        return answer


def ask(
    monkeypatch: pytest.MonkeyPatch, answers: dict[str, tuple[int, dict[str, str], bytes]]
) -> list[tuple[File, bytes]]:
    monkeypatch.setattr(sources, "web_opener", lambda: web_opener(Server(answers)))
    return list(fetch_from(Web("https://one/"), [FILE]))


def test_web(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask(monkeypatch, {"https://one/a-file.gz": (200, {}, zipped(CONTENT))}) == [(FILE, CONTENT)]


def test_redirects_lead_to_https_only(monkeypatch: pytest.MonkeyPatch) -> None:
    good = {
        "https://one/a-file.gz": (302, {"Location": "https://far/x"}, b""),
        "https://far/x": (200, {}, zipped(CONTENT)),
    }
    assert ask(monkeypatch, good) == [(FILE, CONTENT)]
    for bad in ("http://far/x", "ftp://far/x", "HTTP://far/x"):
        with pytest.raises(UnavailableError, match="which is not https"):
            ask(monkeypatch, {"https://one/a-file.gz": (302, {"Location": bad}, b"")})
    with pytest.raises(UnavailableError, match="302"):
        ask(monkeypatch, {"https://one/a-file.gz": (302, {"Location": "file:///etc/passwd"}, b"")})
    with pytest.raises(UnavailableError, match="302"):
        ask(monkeypatch, {"https://one/a-file.gz": (302, {"Location": "https://one/a-file.gz"}, b"")})


def test_web_errors_are_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnavailableError, match="404"):
        ask(monkeypatch, {"https://one/a-file.gz": (404, {}, b"")})
    with pytest.raises(UnavailableError, match="more than the"):
        ask(monkeypatch, {"https://one/a-file.gz": (200, {}, bytes(100_000))})


@pytest.mark.parametrize("base", ["http://one/", "ftp://one/", "file:///etc/"])
def test_nothing_but_https_is_known(base: str) -> None:
    with pytest.raises(UnavailableError, match="unknown url type"):
        list(fetch_from(Web(base), [FILE]))


def wheel(path: Path, *members: tuple[str, bytes]) -> Path:
    with zipfile.ZipFile(path / "a-1.whl", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path / "a-1.whl"


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_wheel(tmp_path: Path) -> None:
    member = ("a/data/a-file.gz", zipped(CONTENT))
    assert list(read_wheel(wheel(tmp_path, member), "a/data", [FILE])) == [(FILE, CONTENT)]
    for members, reason in [
        ([("a-file.gz", b""), ("../a/data/a-file.gz", b"")], "holds 0 files"),
        ([member, member], "holds 2 files"),
        ([("a/data/a-file.gz", zipped(bytes(10**7)))], "more than the"),
        ([("a/data/a-file.gz", bytes(10**7))], "more than the"),
    ]:
        with pytest.raises(UnavailableError, match=reason):
            list(read_wheel(wheel(tmp_path, *members), "a/data", [FILE]))
    (tmp_path / "a-1.whl").write_bytes(b"no zip")
    with pytest.raises(UnavailableError, match="not a zip"):
        list(read_wheel(tmp_path / "a-1.whl", "a/data", [FILE]))
    assert [path.name for path in tmp_path.iterdir()] == ["a-1.whl"]  # nothing was extracted


def test_a_damaged_wheel_is_a_reason(tmp_path: Path) -> None:
    good = wheel(tmp_path, ("a/data/a-file.gz", zipped(CONTENT))).read_bytes()
    for at in range(0, len(good), 3):
        (tmp_path / "a-1.whl").write_bytes(good[:at] + bytes([good[at] ^ 0x5A]) + good[at + 1 :])
        try:
            contents = [content for _, content in read_wheel(tmp_path / "a-1.whl", "a/data", [FILE])]
        except UnavailableError:
            continue
        assert contents == [CONTENT]  # a flip in a date or a comment


def deb(path: Path, link: bool = False) -> Path:
    root = path / "package"
    inside = root / "usr/share/toys"
    inside.mkdir(parents=True)
    (root / "DEBIAN").mkdir()
    (root / "DEBIAN/control").write_text(
        "Package: toys\nVersion: 1\nArchitecture: all\nMaintainer: me <m@e>\nDescription: toys\n"
    )
    if link:
        (inside / "a-file.gz").symlink_to("/etc/passwd")
    else:
        (inside / "a-file.gz").write_bytes(zipped(CONTENT))
    (inside / "other.gz").write_bytes(zipped(b"other"))
    subprocess.run(
        ["dpkg-deb", "-Zgzip", "--build", root, path / "toys.deb"], check=True, capture_output=True
    )
    return path / "toys.deb"


@pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="no dpkg-deb on this machine")
def test_deb(tmp_path: Path) -> None:
    package = deb(tmp_path)
    assert dict(read_deb(package, "usr/share/toys", [OTHER, FILE])) == {FILE: CONTENT, OTHER: b"other"}
    assert list(read_deb(package, "usr/share", [FILE])) == []
    for _ in read_deb(package, "usr/share/toys", [FILE, OTHER]):
        break  # leaving early ends the program too
    package.write_bytes(package.read_bytes()[:-300])
    with pytest.raises(UnavailableError):
        list(read_deb(package, "usr/share/toys", [FILE, OTHER]))


@pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="no dpkg-deb on this machine")
def test_a_link_in_a_deb_is_not_followed(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="not a regular file"):
        list(read_deb(deb(tmp_path, link=True), "usr/share/toys", [FILE]))


def test_pip_is_asked_for_one_wheel_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def run(arguments: list[str], folder: Path) -> None:
        asked.append(arguments)
        wheel(folder, ("a/a-file.gz", zipped(CONTENT)))

    monkeypatch.setattr(sources, "_run", run)
    assert list(fetch_from(Wheel("a", "1", "a"), [FILE])) == [(FILE, CONTENT)]
    assert asked[0][:4] == [sys.executable, "-m", "pip", "download"]
    assert {"--no-deps", "--only-binary=:all:", "a==1"} <= set(asked[0]) and len(asked) == 1


def test_apt_reads_lists_of_its_own_when_the_system_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def run(arguments: list[str], folder: Path) -> None:
        asked.append(" ".join(arguments).replace(str(folder), "TMP"))
        own = "Dir::State::Lists" in asked[-1]
        if "download" in arguments and not own:
            raise UnavailableError("apt-get: unable to locate package toys")
        if "download" in arguments:
            (folder / "toys.deb").touch()

    monkeypatch.setattr(sources, "_run", run)
    monkeypatch.setattr(sources, "read_deb", lambda package, folder, files: iter([(FILE, CONTENT)]))
    assert list(fetch_from(Debian("toys", "usr/share/toys"), [FILE])) == [(FILE, CONTENT)]
    own = "-o Dir::State::Lists=TMP/lists -o Dir::Cache=TMP/cache"
    assert asked[1:] == [
        "apt-get download toys",
        f"apt-get update {own} -o Acquire::Languages=none",
        f"apt-get download {own} toys",
    ]


def test_programs_that_fail_are_reasons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "PROGRAM_SECONDS", 0.2)
    for arguments, reason in [
        (["no-such-program"], "this machine has no no-such-program"),
        (["sleep", "5"], "sleep was not done after"),
        (["sh", "-c", "echo one; echo two >&2; exit 3"], "sh: two"),
    ]:
        with pytest.raises(UnavailableError, match=reason):
            sources._run(arguments, tmp_path)
