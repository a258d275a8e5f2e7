"""A zip archive as a tree of files: read in place, never unpacked; traps are skipped by name."""

from __future__ import annotations

import re
import stat
import struct
import threading
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from dcgan.data.findings import Findings, printable
from dcgan.data.formats.tree import Entry, Tree, hidden, in_order
from dcgan.data.images import LARGEST_FILE, UnreadableError, bounded
from dcgan.errors import DcganError

MOST_MEMBERS = 500_000
"""Files in one archive."""

LARGEST_DIRECTORY = 64 * 2**20
"""Bytes of the archive's own list of members, which is read whole: more than half a million ordinary names."""

LARGEST_RATIO = 200
"""How many times its packed size a member, or the whole archive, may unpack to."""

FREE_BYTES = 2**20
"""Below this a member may have any ratio: a small picture of one colour has a thousandfold."""

LARGEST_TOTAL = 2**40
"""Bytes of all members together, unpacked."""

BROKEN = (
    *(OSError, EOFError, ValueError, NotImplementedError, RuntimeError, LookupError, OverflowError),
    *(struct.error, zlib.error, zipfile.BadZipFile),
)
"""What zipfile raises for archives that are not as they should be. (It tells encryption by RuntimeError.)"""


def is_zip(path: Path) -> bool:
    """Whether the file is a zip archive by name or by its first bytes."""
    if not path.is_file() or path.suffix.lower() in (".npz", ".npy"):
        return False
    if path.suffix.lower() == ".zip":
        return True
    try:
        with path.open("rb") as stream:
            return stream.read(4) in (b"PK\3\4", b"PK\5\6")
    except OSError:
        return False


@contextmanager
def zip_tree(path: Path) -> Iterator[Tree]:
    """The archive's files while it is open.

    Skipped by name: absolute names, `..`, backslashes, links and devices, names that come twice, encrypted members,
    members that are too large or unpack to more than 200 times their packed size. Refused whole with a `DcganError`:
    what is no zip, too many members, and an archive whose members together are a bomb.
    """
    shown = printable(str(path))
    with ExitStack() as stack:
        try:
            stream = stack.enter_context(path.open("rb"))
            check_directory(stream, shown)
            archive = stack.enter_context(zipfile.ZipFile(stream))
            facts = path.stat()
            infos, findings = _members(archive.infolist(), facts.st_size, shown)
        except BROKEN as error:
            reason = " ".join(str(error).split())[:160] or type(error).__name__
            raise DcganError(f"{shown} is not a readable zip archive: {reason}") from error

        counting = threading.Lock()  # zipfile counts its open members without one

        def read(entry: Entry) -> bytes:
            try:
                with counting:
                    member = archive.open(infos[entry.name])
                try:
                    content = member.read(LARGEST_FILE + 1)
                finally:
                    with counting:
                        member.close()
            except BROKEN as error:
                reason = " ".join(str(error).split())[:120] or type(error).__name__
                raise UnreadableError(f"cannot be unpacked: {reason}") from error
            return bounded(content)

        stamp = (facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)
        entries = [Entry(name, info.file_size, (*stamp, info.CRC)) for name, info in infos.items()]
        yield Tree(path, in_order(entries), read, wrapped=True, findings=findings)


def check_directory(stream: IO[bytes], shown: str) -> None:
    """Refuse an archive whose list of members would take much memory, before anything reads it."""
    # The end record is 22 bytes and a comment of at most 65,535; the 64-bit one and its pointer, 76, lie before it.
    stream.seek(max(0, stream.seek(0, 2) - 65_557 - 76))
    tail = stream.read()
    plain = tail[-22:-18] == b"PK\5\6" and tail[-2:] == b"\0\0"
    at = len(tail) - 22 if plain else tail.rfind(b"PK\5\6")
    if at < 0:
        raise DcganError(f"{shown} is not a zip archive, or it is cut off")
    size = int.from_bytes(tail[at + 12 : at + 16], "little")
    large = tail.rfind(b"PK\6\6", 0, at)
    if large >= 0:  # the 64-bit end record
        size = max(size if size != 0xFFFFFFFF else 0, int.from_bytes(tail[large + 40 : large + 48], "little"))
    if size > LARGEST_DIRECTORY:
        raise DcganError(f"{shown}: its list of members is {size:,} bytes, more than {LARGEST_DIRECTORY:,}")
    stream.seek(0)


def _members(
    members: list[zipfile.ZipInfo], archive_size: int, shown: str
) -> tuple[dict[str, zipfile.ZipInfo], Findings]:
    """The members to use by name, and what was skipped."""
    if len(members) > MOST_MEMBERS:
        raise DcganError(f"{shown} holds {len(members):,} files, more than {MOST_MEMBERS:,}")
    findings = Findings()
    files = [info for info in members if not info.filename.endswith("/")]
    total = sum(info.file_size for info in files)
    if total > LARGEST_TOTAL or total > max(LARGEST_RATIO * archive_size, 256 * FREE_BYTES):
        raise DcganError(
            f"{shown} would unpack to {total:,} bytes, {total // max(1, archive_size):,} times its size: "
            "a zip bomb, not read"
        )
    times = Counter(info.filename for info in files)
    used: dict[str, zipfile.ZipInfo] = {}
    for info in files:
        name = info.filename
        if reason := _trap(info):
            findings.skip(name, reason, "unsafe")
        elif any(hidden(part) for part in name.split("/")):
            continue
        elif times[name] > 1:
            findings.skip(name, f"{times[name]} members have this name", "unsafe")
        elif info.flag_bits & 1:
            findings.skip(name, "it is encrypted", "unreadable")
        elif info.file_size > LARGEST_FILE:
            findings.skip(name, f"the file is larger than {LARGEST_FILE >> 20} MB", "too large")
        elif info.file_size > max(FREE_BYTES, LARGEST_RATIO * info.compress_size):
            findings.skip(name, f"it would unpack to {LARGEST_RATIO} times its size or more", "unsafe")
        else:
            used[name] = info
    return used, findings


def _trap(info: zipfile.ZipInfo) -> str | None:
    """Why a member's name or kind is not to be trusted."""
    # zipfile cuts names at a NUL: what it kept is not what the archive says.
    if "\0" in info.orig_filename or not info.filename:
        return "its name holds a NUL or is empty"
    if info.filename.startswith("/") or re.match(r"[A-Za-z]:", info.filename):
        return "its name is absolute"
    if "\\" in info.filename:
        return "its name holds a backslash"
    if any(part in ("", ".", "..") for part in info.filename.split("/")):
        return "its name holds '.', '..' or an empty part"
    if len(info.filename) > 4096:
        return "its name is longer than 4,096 letters"
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        return "it is a link" if kind == stat.S_IFLNK else "it is not a regular file"
    return None
