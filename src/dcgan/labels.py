"""`dcgan.label`: pictures, new or one's own, each with its class, how sure that is, and the next likely class."""

from __future__ import annotations

import csv
from pathlib import Path

from dcgan import api, arguments, designs
from dcgan.data import SETS, Dataset, open_dataset
from dcgan.errors import DcganError, enough_memory
from dcgan.evaluation.labeller import Labeller, find_labeller, find_named_labeller, train_labeller
from dcgan.evaluation.labelling import Tally
from dcgan.files import exists, is_file
from dcgan.labelled import Labelled, Progress, Report, label_pictures
from dcgan.model import Model
from dcgan.run import Run
from dcgan.training import folder as layout


@enough_memory()
def label(
    source: str | Path | Run | Model,
    data: str | Path | Dataset | None = None,
    *,
    n: int = 1000,
    seed: int = 0,
    out: str | Path | None = None,
    folders: bool = False,
    fit: str = "crop",
    runs_dir: str | Path = "runs",
    tell: Report | None = None,
    progress: Progress | None = None,
) -> Labelled:
    """Label `n` new designs of a run or model, or the pictures of a folder, a zip or any other data.

    data: the labelled pictures to learn the classes from; by default those a run learned from. The labeller is trained
    once and kept. out: a new folder, by default designs/NAME-1 for designs, and NAME-labels beside the pictures.
    folders: copies in a folder per class. fit: how pictures of another shape come to the labeller's size.
    Raises `DcganError` in one line for whatever is wrong.
    """
    arguments.check_path("runs_dir", runs_dir)
    if out is not None:
        arguments.check_path("out", out)
    arguments.check_calls(tell=tell, progress=progress)
    target = None if out is None else Path(out)
    if target is not None:
        designs.check_place(target)
    if isinstance(source, str | Path) and _is_pictures(source, Path(runs_dir)):
        if data is None:
            raise DcganError(f"{source}: say with --data which labelled pictures to learn the classes from")
        place = target or _beside(source)
        designs.check_place(place)
        labelled = open_labelled(data, fit=fit, tell=tell, progress=progress)
        # Opened before anything is learned: what is wrong with them is told at once.
        pictures = open_dataset(
            source,
            split="all" if source in SETS else "train",
            size=labelled.size,
            channels=labelled.channels,
            fit=fit,
            report=tell,
        )
        labeller = labeller_for(data, labelled, fit=fit, tell=tell, progress=progress)
        return label_pictures(source, pictures, labeller, place, folders, tell, progress)
    if not isinstance(source, Model):
        arguments.check_source("source", source, Run)
    found = source if isinstance(source, Run | Model) else api.load(source, runs_dir=runs_dir)
    model = found if isinstance(found, Model) else found.model()
    for note in () if isinstance(found, Model) else found.notes:
        if tell:
            tell(f"warning: {note}")
    model.blocks(n, seed=seed)  # refuses what cannot be made
    labeller = labeller_for(_own_data(found) if data is None else data, fit=fit, tell=tell, progress=progress)
    tally = Tally(labeller)
    folder = designs.write_designs(
        model,
        target or designs.new_folder(Path("designs"), model),
        n,
        seed=seed,
        tally=tally,
        by_class=True,
        folders=folders,
        progress=progress,
    )
    return Labelled(
        folder,
        folder / designs.MANIFEST,
        labeller,
        tally.counts,
        tally.doubtful,
        *_agreement(folder, labeller),
    )


def open_labelled(
    data: str | Path | Dataset,
    *,
    fit: str = "crop",
    tell: Report | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Pictures to learn classes from. Raises `DcganError` for those without labels."""
    opened = (
        data if isinstance(data, Dataset) else open_dataset(data, fit=fit, report=tell, progress=progress)
    )
    if opened.labels is None:
        raise DcganError(
            f"{opened.name} has no labels: give --data that has, for example a folder of pictures per class"
        )
    return opened


def labeller_for(
    data: str | Path | Dataset,
    opened: Dataset | None = None,
    *,
    fit: str = "crop",
    tell: Report | None = None,
    progress: Progress | None = None,
) -> Labeller:
    """The labeller of `data`, tested on its test split where it has one; see `train_labeller`.

    opened: what `open_labelled` made of it, where that was done before.
    """
    opened = opened or open_labelled(data, fit=fit, tell=tell, progress=progress)
    if find_labeller(opened.sha256) is None and tell:
        tell(f"learning the classes of {opened.name}, once; the labeller is kept")
    test = None
    only_train = isinstance(data, str) and data in SETS and "test" not in SETS[data].images
    if not isinstance(data, Dataset) and not only_train:
        try:
            test = open_dataset(
                data, split="test", size=opened.size, channels=opened.channels, fit=fit, report=tell
            )
        except DcganError:  # no test split: a tenth is held out
            test = None
    if test is not None and (test.classes != opened.classes or test.sha256 == opened.sha256):
        test = None
    return train_labeller(opened, test, progress=progress, tell=tell)


def known_labeller(found: Run | Model) -> Labeller | None:
    """The kept labeller of the pictures that a run or model learned from, where it can be told; trains nothing."""
    model = found if isinstance(found, Model) else None
    try:
        sha256 = model.facts.get("data_sha256") if model else found.data.get("sha256")  # type: ignore[union-attr]
    except DcganError:
        return None
    if isinstance(sha256, str):
        return find_labeller(sha256)
    if model and model.classes and (name := model.facts.get("data")) in SETS:
        return find_named_labeller(str(name), model.classes)
    return None


def _own_data(found: Run | Model) -> str | Path:
    """Where the pictures that a run or model learned from are, if they have labels."""
    facts = {"source": found.facts.get("data")} if isinstance(found, Model) else found.data
    classes = found.classes if isinstance(found, Model) else facts.get("classes")
    name = found.name
    if not classes:
        raise DcganError(f"{name} learned from pictures without labels: say with --data which ones have them")
    if facts.get("path"):
        return Path(str(facts["path"]))
    if facts.get("source") in SETS:
        return str(facts["source"])
    raise DcganError(f"{name} does not say where its pictures are: give labelled ones with --data")


def _is_pictures(source: str | Path, runs: Path) -> bool:
    """Whether `source` is data to label, and neither a run nor a model, which go first as in `dcgan.load`."""
    arguments.check_path("source", source)
    path, word = Path(source), isinstance(source, str)
    if is_file(path / layout.RECIPE) or (word and is_file(runs / path / layout.RECIPE)):
        return False
    shipped = (
        word and layout.NAME.fullmatch(str(source)) and is_file(api.PRETRAINED / f"{source}.safetensors")
    )
    if shipped or path.suffix in (".safetensors", ".json"):
        return False
    return exists(path) or (word and source in SETS)


def _beside(source: str | Path) -> Path:
    """NAME-labels beside the pictures; in the working folder for a named set."""
    path = Path(source).absolute() if exists(Path(source)) else Path(source)
    return path.with_name(f"{path.stem if is_file(path) else path.name or 'pictures'}-labels")


def _agreement(folder: Path, labeller: Labeller) -> tuple[int, int]:
    """How many designs were asked for by class, and how many of them are seen as that class."""
    with (folder / designs.MANIFEST).open(encoding="utf-8", newline="") as file:
        pairs = [(row["label"], row["class"]) for row in csv.DictReader(file) if row["label"]]
    known = {name.casefold() for name in labeller.classes}
    pairs = [(asked.casefold(), seen.casefold()) for asked, seen in pairs if asked.casefold() in known]
    return len(pairs), sum(asked == seen for asked, seen in pairs)
