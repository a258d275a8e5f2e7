"""The page's section on which of G's maps draw what."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dcgan.analysis.inside.ablation import OFF, UP, VISIBLE, Body, Change, Effects
from dcgan.explain.drawing import amount, cell_side, shown, tiled
from dcgan.report.inside import Figure, Section, Table

LISTED, DRAWN, DESIGNS = 8, 3, 5
"""Maps in the table, maps with pictures by each of the two rankings, and designs on each picture."""


def draws_what(pairs: Sequence[tuple[Body, Effects]], labeller: str | None) -> Section:
    """Each layer's maps, turned off and up. labeller: how often it is right, None without one."""
    title = "Which of G's maps draw what"
    if not pairs:
        return Section(
            title,
            (
                "This generator is fully connected: its last layer makes the picture from numbers that belong to no "
                "place, so there are no maps to turn off.",
            ),
        )
    designs = len(pairs[0][1].images)
    words = [
        f"Each map is turned off (× {OFF:g}) and up (× {UP:g}) everywhere, one at a time, in {designs} designs. Area "
        f"is the share of pixels that change by {VISIBLE} grey levels or more.",
    ]
    if labeller:
        words.append(
            "Score is the labeller's probability of the class that it saw in the unchanged design; what a map is "
            f"ranked by is the fall of that probability's log-odds, which tells .99 from .999. The labeller is "
            f"{labeller}, and it has not learned to judge damaged pictures."
        )
    else:
        words.append(
            "No labeller of this model's pictures is kept, so maps are ranked by area alone: dcgan label with labelled "
            "pictures, or --labeller, gives one."
        )
    words.append(
        "How sure can one be? The ranks were made twice, on the designs of even and of odd number: an agreement of 1 "
        "means the same order, 0 that the order is chance. One map does little where many maps draw the same thing."
    )
    parts: list[tuple[Figure, ...] | Table | str] = []
    for body, effects in pairs:
        parts += _layer(body, effects)
    return Section(title, tuple(words), tuple(parts))


def _layer(body: Body, effects: Effects) -> list[tuple[Figure, ...] | Table | str]:
    count = len(effects.order)
    by_area = effects.by_area()
    chosen = list(dict.fromkeys([*effects.order[:DRAWN].tolist(), *by_area[:DRAWN].tolist()]))
    height, width = body.maps.shape[2:]
    return [
        f"Layer {effects.layer}: {count} maps of {height} × {width}",
        _table(effects, by_area),
        tuple(_figure(body, effects, number, by_area) for number in chosen),
        *_classes(effects),
    ]


def _table(effects: Effects, by_area: NDArray[np.int64]) -> Table:
    rank = {int(number): place for place, number in enumerate(by_area, 1)}
    off, up = effects.fall(effects.off), effects.fall(effects.up)
    rows = []
    for number in effects.order[:LISTED].tolist():
        cells = [f"map {number}"]
        if off is not None and up is not None:
            cells += [_fall(effects, effects.off, off, number), _fall(effects, effects.up, up, number)]
        cells += [
            f"{effects.off.area[number].mean():.1%} (rank {rank[number]})",
            f"{effects.up.area[number].mean():.1%}",
        ]
        rows.append(tuple(cells))
    columns = ("area, off", "area, up")
    ranked = f"ranks by area agree to {_number(effects.area_agreement)}"
    if off is None or effects.score is None:
        return Table(columns, tuple(rows), f"Ranked by area; {ranked}.")
    return Table(
        ("log-odds, off", "log-odds, up", *columns),
        tuple(rows),
        "Ranked by the change of the class's log-odds when the map is off: mean ± standard error over the designs, and "
        f"the mean score then, which is {effects.score.mean():.3f} with all maps. "
        f"Ranks by it agree to {_number(effects.agreement)}; {ranked}.",
    )


def _fall(effects: Effects, change: Change, fall: NDArray[np.float32], number: int) -> str:
    assert effects.score is not None and change.score is not None  # noqa: S101 - as there is a fall
    error = fall[number].std() / np.sqrt(len(fall[number]))
    return f"{-fall[number].mean():+.2f} ± {error:.2f} (to {change.score[number].mean():.3f})"


def _number(value: float | None) -> str:
    return "– (not defined here)" if value is None else f"{value:.2f}"


def _figure(body: Body, effects: Effects, number: int, by_area: NDArray[np.int64]) -> Figure:
    """The designs that suffer most from losing the map: as made, off, up; and where it changes the picture."""
    fall = effects.fall(effects.off)
    effect = effects.off.area[number] if fall is None else fall[number]
    worst = np.argsort(-effect, kind="stable")[:DESIGNS]
    height, width = effects.images.shape[1:3]
    cell = cell_side((height, width), 48)
    largest = max(float(effects.off.where[number].max()), float(effects.up.where[number].max()), 1e-9)
    rows = []
    for images, where in (
        (effects.images, None),
        (body.scaled([number], OFF), effects.off.where[number]),
        (body.scaled([number], UP), effects.up.where[number]),
    ):
        spot = None if where is None else amount(where, cell, largest)
        rows.append([spot, *(shown(images[one], cell) for one in worst)])
    area_rank = 1 + int(np.flatnonzero(by_area == number)[0])
    told = f"Rank {1 + int(np.flatnonzero(effects.order == number)[0])}"
    told += f" by score, {area_rank} by area." if fall is not None else " by area."
    return Figure(
        f"{effects.layer}, map {number}",
        tiled(rows),
        f"{told} From top: as made, map off, map up. On the left, in amber, where the picture changes, mean over all "
        f"designs (at most {largest:.0%} of black to white). Designs: {', '.join(map(str, worst))}, chosen as those "
        "that change most.",
        f"Designs with map {number} of {effects.layer} as made, off and up",
    )


def _classes(effects: Effects) -> list[Table]:
    drawers = effects.drawers()
    if not drawers:
        return []
    rows = tuple(
        (
            one.name,
            f"map {one.number}",
            f"{-one.fall:+.2f} ± {one.error:.2f}",
            f"{one.before:.2f} → {one.after:.2f}",
            f"{one.then} ({one.designs})",
        )
        for one in drawers
    )
    return [
        Table(
            ("needs most", "log-odds", "score", "seen then (designs)"),
            rows,
            f"For each class, the map of {effects.layer} whose loss costs it most: chosen on half of the class's "
            "designs, measured on the other half, the clearest first. A change within two standard errors of 0 may be "
            "chance, and of forty classes one is beyond them by chance.",
        )
    ]
