"""`dcgan.explain`: a model looked into from all sides, as one page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dcgan import arguments
from dcgan.analysis.inside.ablation import Body, Effects, ablate
from dcgan.analysis.inside.boxes import Marked, read_boxes
from dcgan.analysis.inside.drop_object import Dropped, check_enough, drop_object
from dcgan.analysis.inside.filters import filters
from dcgan.analysis.inside.layers import STEPS, generator_layers
from dcgan.analysis.inside.maps import of_discriminator, of_generator
from dcgan.analysis.inside.objects import Found, find_objects
from dcgan.analysis.inside.responses import Responses, check_pictures, responses
from dcgan.analysis.latent.points import asked_class
from dcgan.data import Dataset
from dcgan.data.sampling import Stream, stream
from dcgan.errors import DcganError, enough_memory, one_of
from dcgan.evaluation.kept import Labeller
from dcgan.explain.discriminator import activation_section, filter_section, looks_for, mean_share
from dcgan.explain.generator import draws_what
from dcgan.explain.objects import without_object
from dcgan.files import filled_folder
from dcgan.labels import known_labeller, labeller_for
from dcgan.model import Model
from dcgan.report.inside import PAGE, write_inside
from dcgan.run import Run
from dcgan.subject import subject

PICTURES = 2000
"""Real pictures that D is shown."""
ROWS = 4
"""Pictures beside activation maps."""
NARROW = 64
"""The layer below the second highest is looked into too where it has no more maps than this: each costs a round of
designs through the rest of G."""
FEWEST, MOST = 2, 10_000
"""Designs."""


@dataclass(frozen=True)
class Explained:
    """page: the file. lines: the most telling results, a sentence each."""

    page: Path
    lines: tuple[str, ...]


@enough_memory()
def explain(
    source: str | Path | Run | Model,
    data: str | Path | Dataset | None = None,
    *,
    n: int = 200,
    layers: Sequence[str] = (),
    boxes: str | Path | None = None,
    label: str | None = None,
    labeller: str | Path | Dataset | None = None,
    seed: int = 0,
    start: str | int = "best",
    out: str | Path | None = None,
    runs_dir: str | Path = "runs",
    tell: Callable[[str], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Explained:
    """Look inside a run or model and write `inside.html`, which says what is seen and how to read it.

    data: real pictures, by default those it learned from. n: designs that G's maps are turned off in. layers: names of
    G's stages whose maps are, by default the second highest and, where it is narrow, the one below. boxes: a CSV or
    JSON file of seed, index, top, left, height, width, on designs of the class `label` where one is asked for; without
    it they are found, for the class `label`.
    labeller: labelled pictures to learn classes from; without it only a kept one is used. out: a folder, by default the
    run's own, or the working one. The same arguments give the same file. Raises `DcganError` for whatever is wrong.
    """
    arguments.check_path("runs_dir", runs_dir)
    arguments.check_numbers(n=n, seed=seed)
    if not FEWEST <= n <= MOST:
        raise DcganError(f"-n is {n}: must be from {FEWEST} to {MOST:,}")
    if seed < 0:
        raise DcganError(f"--seed is {seed}: must be 0 or more")
    told = tell or (lambda line: None)
    looked_at = subject(source, start, Path(runs_dir))
    model = looked_at.model
    if model is None:
        raise DcganError(f"{source} holds pictures: give a run or a model to look into")
    for note in looked_at.run.notes if looked_at.run else ():
        told(f"warning: {note}")
    names = generator_layers(model)
    for name in layers:
        if name not in names:
            raise one_of("layer", name, names)
    given = None if boxes is None else read_boxes(Path(boxes), (model.recipe.height, model.recipe.width))
    if given is not None:
        check_enough(given)
    real = looked_at.real(data, "train", told)
    check_pictures(model, real)
    if labeller is not None:
        judge: Labeller | None = labeller_for(labeller, tell=tell, progress=progress)
    else:
        judge = known_labeller(looked_at.run or model)
    place = Path(out) if out is not None else looked_at.run.folder if looked_at.run else Path()
    with filled_folder(place) as folder:
        # First, as what is wrong with boxes and label is told here.
        found, dropped = _without_object(model, judge, names, given, label, seed, told)
        told(f"what D responds to, of {min(PICTURES, len(real)):,} pictures of {real.name}")
        some = drawn(real, seed)
        seen = responses(model, some, seed=seed)
        z, labels = model.latents([(seed, index) for index in range(n)])
        pairs: list[tuple[Body, Effects]] = []
        for name in layers or _default(model, names):
            told(f"each map of G's {name} off and up, in {n} designs")
            body = Body(model, name, z, labels)
            pairs.append((body, ablate(body, judge, progress)))
        first = None if labels is None else labels[:ROWS]
        designs = model.decode(z[:ROWS], first)
        pictures = np.ascontiguousarray(some.images[:ROWS])
        sections = [
            looks_for(seen, real.name),
            filter_section(filters(model, seed=seed)),
            activation_section(
                designs,
                of_generator(model, z[:ROWS], first),
                pictures.transpose(0, 2, 3, 1),
                of_discriminator(model, pictures),
            ),
            draws_what(pairs, judge.accuracy if judge else None),
            without_object(dropped, found.kind, found.by, boxes is not None),
        ]
        page = folder / PAGE
        write_inside(page, f"Inside {model.name}", _facts(model, real, seed), _WORDS, sections)
        return Explained(page, tuple(_lines(seen, pairs, dropped, found)))


_WORDS = (
    "What the discriminator D looks for, what the generator G's maps draw, and what a design loses without some of "
    "them. Each part says how to read it and how sure one can be.",
    "Stages are named in the order of computing. Maps, features and designs are counted from 0, designs as dcgan "
    "generate counts them.",
)


def drawn(real: Dataset, seed: int) -> Dataset:
    """`PICTURES` of them, drawn; all of fewer, in an order of their own."""
    order = stream(Stream.ANALYSIS, seed, STEPS["pictures"]).permutation(len(real))[:PICTURES]
    labels = None if real.labels is None else real.labels[order]
    return replace(
        real, images=np.ascontiguousarray(real.images[order]), labels=labels, captions=None, names=None
    )


def _default(model: Model, names: list[str]) -> list[str]:
    """The second highest layer, and the one below where it is narrow, in the order of computing."""
    if len(names) < 2:
        return names[-1:]
    z, labels = model.latents([(0, 0)])
    narrow = Body(model, names[-2], z, labels).maps.shape[1] <= NARROW
    return names[-2:] if narrow else names[-1:]


def _without_object(
    model: Model,
    judge: Labeller | None,
    names: list[str],
    drawn: list[Marked] | None,
    label: str | None,
    seed: int,
    told: Callable[[str], None],
) -> tuple[Found, Dropped | None]:
    if not names:
        return Found((), "", ""), None
    asked = None if drawn is None or label is None else asked_class(model, label)
    told("designs without an object")
    if drawn is None:
        found = find_objects(model, judge, label, seed=seed)
    else:
        found = Found(tuple(drawn), "" if asked is None else model.classes[asked], "a person")
    z, labels = model.latents([(one.seed, one.index) for one in found.marked])
    if asked is not None:  # as `generate --label` makes them
        labels = np.full(len(z), asked, np.int64)
    return found, drop_object(Body(model, names[-1], z, labels), found.marked, judge, seed=seed)


def _facts(model: Model, real: Dataset, seed: int) -> list[tuple[str, str]]:
    step, images = model.facts.get("step"), model.facts.get("images")
    facts = [("Model", model.name), ("Pictures", real.name), ("Preset", model.recipe.preset)]
    if isinstance(step, int):
        facts.append(("Checkpoint", f"step {step:,}"))
    if isinstance(images, int):
        facts.append(("Images seen", f"{images:,}"))
    return [*facts, ("Seed", str(seed))]


def _lines(
    seen: Responses | None, pairs: list[tuple[Body, Effects]], dropped: Dropped | None, found: Found
) -> list[str]:
    """What a person would tell first."""
    lines = []
    if seen and seen.trained:
        trained, random = mean_share(seen.trained), mean_share(seen.random)
        sharpest = max(seen.trained, key=lambda one: one.share or 0.0)
        if trained is not None and random is not None and sharpest.most is not None:
            lines.append(
                f"D {seen.layer}: feature {sharpest.number} is excited most by {sharpest.most} ({sharpest.share:.0%} "
                f"of its {seen.among} strongest); share of one class in the mean {trained:.0%}, of random features "
                f"{random:.0%}"
            )
    for _, effects in pairs:
        largest = int(effects.by_area()[0])
        area = float(effects.off.area[largest].mean())
        line = f"G {effects.layer}: map {largest} draws most: without it {area:.0%} of the pixels change"
        if area == 0:
            line = f"G {effects.layer}: no map alone changes a picture visibly"
        drawers = effects.drawers()
        if drawers and drawers[0].error and drawers[0].fall > 2 * drawers[0].error:
            one = drawers[0]
            line += (
                f"; {one.name} needs map {one.number} most: its log-odds fall by {one.fall:.2f} ± {one.error:.2f} "
                f"(score {one.before:.2f} → {one.after:.2f})"
            )
        lines.append(line)
    if dropped:
        own, random_ones = dropped.positive.ratios[0], dropped.random_positive.ratios
        what = f" of {found.kind}" if found.kind else ""
        lines.append(
            f"G {dropped.layer}: without the {len(dropped.positive.numbers)} maps of the box{what} it changes "
            f"{own:.1f} times as much as the rest, without as many at random {min(random_ones):.1f} to "
            f"{max(random_ones):.1f} times"
            + (
                f"; score {dropped.before:.2f} → {dropped.positive.score:.2f}, at random "
                f"{min(dropped.random_positive.scores):.2f} to {max(dropped.random_positive.scores):.2f}"
                if dropped.before is not None and dropped.positive.score is not None
                else ""
            )
        )
    return lines
