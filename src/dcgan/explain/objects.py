"""The page's section on designs drawn without an object."""

from __future__ import annotations

from dcgan.analysis.inside.drop_object import CONTROLS, Dropped, Without
from dcgan.explain.drawing import Picture, cell_side, framed, shown, tiled
from dcgan.report.inside import Figure, Section, Table

DESIGNS = 7


def without_object(found: Dropped | None, kind: str, by: str, given: bool) -> Section:
    """The paper's experiment. kind: the designs' class, or "". by: where the boxes are from. given: in a file."""
    title = "Designs without an object"
    if found is None:
        return Section(
            title,
            ("This generator is fully connected: there are no maps to drop an object from.",),
        )
    count = len(found.weights)
    words = (
        "The DCGAN paper's experiment: boxes mark an object on designs; logistic regression on the maps of G's second "
        f"highest layer ({found.layer}) learns which maps are active inside the boxes (1) rather than at random "
        "other places of the same designs (0); all maps of weight above 0 are dropped everywhere, and the designs are "
        "drawn again from the same z. The paper dropped windows from bedrooms so.",
        f"{len(found.marked)} boxes on designs{f' of {kind}' if kind else ''}, {'given by ' if given else ''}{by}. "
        f"The regression puts {found.accuracy:.0%} of the places right in designs that it was not fitted to "
        f"({found.places:,} places in all; a coin's toss is 50 %).",
        "How sure can one be? As many maps chosen at random are dropped as well. Where that changes the box and "
        "the rest as much, and the score as well, the maps that were "
        "found do not draw the object in particular. A box holds more than its "
        "object, and everywhere else is mostly background: the regression may find the maps that draw anything at all.",
    )
    return Section(title, words, ((_figure(found),), _table(found, count)))


def _figure(found: Dropped) -> Figure:
    height, width = found.images.shape[1:3]
    size = (height, width)
    cell = cell_side(size, 48)
    some = range(min(DESIGNS, len(found.images)))
    marked: list[Picture] = [
        framed(shown(found.images[one], cell), found.marked[one].box, size) for one in some
    ]
    rows: list[list[Picture]] = [marked]
    for way in (found.positive, found.random_positive, found.strongest, found.random_strongest):
        rows.append([shown(way.images[one], cell) for one in some])
    designs = ", ".join(f"{one.index}" for one in found.marked[: len(some)])
    return Figure(
        "With and without",
        tiled(rows),
        f"From top: as made, with the box; without the {len(found.positive.numbers)} maps of weight above 0 (the "
        f"paper's way); without as many at random; without the {len(found.strongest.numbers)} of largest weight; "
        "without as many at random. "
        f"Designs {designs} of seed {found.marked[0].seed}, the first ones, not chosen.",
        "Designs with the object marked, without its maps, and without random maps",
    )


def _table(found: Dropped, count: int) -> Table:
    ways = {
        f"weight above 0: {len(found.positive.numbers)}": found.positive,
        "as many at random": found.random_positive,
        f"largest weight: {len(found.strongest.numbers)}": found.strongest,
        "as many, at random": found.random_strongest,
    }
    rows = tuple((name, *_cells(way, found.before)) for name, way in ways.items())
    columns: tuple[str, ...] = ("change in the box", "elsewhere", "times as much")
    if found.before is not None:
        columns = (*columns, "score")
    return Table(
        columns,
        rows,
        f"Of {count} maps, those dropped; mean absolute change of the pixels, 100 % being black to white. Random maps "
        f"are means of {CONTROLS} draws, with the smallest and largest of them. An object that these maps alone draw "
        "would change in the box far more times than at random.",
    )


def _cells(way: Without, before: float | None) -> tuple[str, ...]:
    ratio = f"{way.inside / way.outside:.1f}" if way.outside > 0 else "–"
    if len(way.ratios) > 1:
        ratio += f" ({min(way.ratios):.1f} to {max(way.ratios):.1f})"
    cells = (f"{way.inside:.1%}", f"{way.outside:.1%}", ratio)
    if way.score is None or before is None:
        return cells
    score = f"{before:.2f} → {way.score:.2f}"
    if len(way.scores) > 1:
        score += f" ({min(way.scores):.2f} to {max(way.scores):.2f})"
    return (*cells, score)
