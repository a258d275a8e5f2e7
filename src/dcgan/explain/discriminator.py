"""The page's sections on D and on the filters that touch the picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dcgan.analysis.inside.filters import Filters
from dcgan.analysis.inside.maps import Activations
from dcgan.analysis.inside.responses import Feature, Responses
from dcgan.explain.drawing import cell_side, framed, shown, signed, tiled, wrapped
from dcgan.report.inside import Figure, Section, Table

MOST_FILTERS, MOST_DENSE = 64, 24
FILTER_SIDE = 32


def looks_for(found: Responses | None, data: str) -> Section:
    """What the first features of D's last convolution respond to."""
    title = "What D looks for"
    if found is None:
        return Section(
            title,
            (
                "This discriminator is fully connected: its layers give numbers, not maps, and each unit sees the "
                "whole picture. There is no driving patch to show. Its first layer's weights are below.",
            ),
        )
    height, width = found.field.size
    words = [
        f"The first {len(found.trained)} of the {found.maps} features of D's last convolution ({found.layer}) "
        f"that respond at all, each with the pictures, of {found.pictures:,} of {data}, that excite it most, "
        f"the strongest on the left. The frame is the patch that drives it: a unit sees {height} × {width} pixels, "
        "less what lies beyond the edge.",
        "Below each picture is its guided gradient (Springenberg et al. 2014): from that one unit backwards, only what "
        f"raises it is followed. {_legend(found.trained)} Empty: the unit is not above 0.",
        "How sure can one be? Beside the trained D stands a D of the same shape with random weights. What both show is "
        "the work of the architecture and of guided backpropagation, which draws edges whatever the weights are "
        "(Adebayo et al. 2018); only what the trained one alone shows was learned.",
    ]
    silent = (
        f"Never above 0 for any of these pictures, and so passed over: {found.silent} features of the trained D, "
        f"{found.random_silent} of the random one."
    )
    parts: list[tuple[Figure, ...] | Table | str] = []
    if not found.trained:
        words = [words[0], "No feature of the trained D rises above 0 for any of these pictures."]
    for name, features in (("Trained", found.trained), ("Random weights", found.random)):
        if features:
            parts += [name, tuple(_figure(feature, name, found.among) for feature in features)]
    return Section(title, (*words, silent), (*parts, *_shares(found)))


def _legend(features: tuple[Feature, ...]) -> str:
    if features and features[0].images.shape[1] == 3:
        return "Mid-grey: no influence; a colour: more of it there raises the response."
    return "White: no influence; red: brighter there raises the response; blue: darker there does."


def _figure(feature: Feature, kind: str, among: int) -> Figure:
    size = feature.images.shape[2], feature.images.shape[3]
    cell = cell_side(size)
    pictures = [
        framed(shown(image.transpose(1, 2, 0), cell), box, size)
        for image, box in zip(feature.images, feature.boxes, strict=True)
    ]
    gradients = [signed(gradient, cell) for gradient in feature.gradients]
    told = f"Responses {feature.response[0]:.3g} to {feature.response[-1]:.3g}."
    if feature.most is not None and feature.share is not None and feature.usual is not None:
        told += (
            f" Of its {among} strongest {feature.share:.0%} are {feature.most} "
            f"({feature.usual:.0%} of all pictures are)."
        )
    return Figure(
        f"Feature {feature.number}",
        tiled([pictures, gradients]),
        told,
        f"{kind}, feature {feature.number}: pictures of the highest response, and below each its guided gradient",
    )


def mean_share(features: tuple[Feature, ...]) -> float | None:
    """The mean share of the commonest class among the strongest pictures; None without labels."""
    shares = [feature.share for feature in features if feature.share is not None]
    return float(np.mean(shares)) if shares else None


def _shares(found: Responses) -> tuple[Table, ...]:
    trained, random = mean_share(found.trained), mean_share(found.random)
    if trained is None or random is None:
        return ()
    return (
        Table(
            ("trained", "random weights"),
            (("share of one class", f"{trained:.0%}", f"{random:.0%}"),),
            f"The part that the commonest class has of a feature's {found.among} strongest pictures, mean over these "
            "features. A trained D whose share is no higher than the random one's is not looking for "
            "classes in these features: it need not, its task is real or not.",
        ),
    )


def filter_section(found: Filters) -> Section:
    """The filters that read pixels and those that write them."""
    words = [
        "Strong colours are large weights; all filters of one figure have the same scale. Trained filters that look "
        "like the random ones have learned little; edges, spots and stripes are what first layers usually learn."
    ]
    what = "weights of the first units, one for each pixel" if found.dense else "first-layer filters"
    figures = (
        _filters("D reads", found.read, found.dense, f"D's {what}, trained."),
        _filters(
            "Random weights", found.random, found.dense, f"The same of a D of random weights: D's {what}."
        ),
    )
    parts: list[tuple[Figure, ...] | Table | str] = [figures]
    if found.written is None:
        words.append(
            "This generator is fully connected: no map is painted with a filter, so there is none of G's to show."
        )
    else:
        parts.append(
            (
                _filters(
                    "G writes",
                    found.written,
                    False,
                    f"What one unit of each map of G's {found.layer} adds to the picture, before tanh: red brightens "
                    "it, blue darkens it. The picture is nothing but the sum of these stamps, each as strong as its "
                    "map is there.",
                ),
            )
        )
    return Section("The filters that touch the picture", tuple(words), tuple(parts))


def _filters(title: str, weights: NDArray[np.float32], dense: bool, caption: str) -> Figure:
    most = MOST_DENSE if dense else MOST_FILTERS
    some = weights[:most]
    peaks = np.abs(some).max((1, 2, 3))
    scale = float(np.percentile(peaks, 90))
    size = weights.shape[2], weights.shape[3]
    cell = cell_side(size, 56 if dense else FILTER_SIDE)
    more = f" The first {most} of {len(weights)}." if len(weights) > most else ""
    return Figure(
        title, wrapped([signed(one, cell, scale) for one in some], 6 if dense else 8), caption + more
    )


def activation_section(
    designs: NDArray[np.uint8], drawn: list[Activations], pictures: NDArray[np.uint8], seen: list[Activations]
) -> Section:
    """Activation maps of G for designs and of D for pictures, both uint8 (N, H, W, C)."""
    words = (
        "A row a picture, a column a map, whose number is told below. White is 0, red is active, blue is below 0. Each "
        "map has its own scale: compare places and rows, not columns. Shown are the maps that vary most over these "
        "pictures and over places; they are not the only ones.",
    )
    parts: list[tuple[Figure, ...] | Table | str] = []
    for whose, images, layers in (("G", designs, drawn), ("D", pictures, seen)):
        figures = tuple(_maps(whose, images, layer) for layer in layers)
        if figures:
            parts += [f"{whose}, from {'z to picture' if whose == 'G' else 'picture to verdict'}", figures]
        else:
            parts.append(f"{whose} is fully connected and has no maps")
    return Section("Activation maps", words, tuple(parts))


def _maps(whose: str, images: NDArray[np.uint8], found: Activations) -> Figure:
    cell = cell_side((images.shape[1], images.shape[2]), 48)
    rows = [
        [shown(image, cell), *(signed(one[None], cell, 1.0) for one in values)]
        for image, values in zip(images, found.values, strict=True)
    ]
    height, width = found.values.shape[2:]
    idle = f" {found.idle} maps are 0 everywhere here." if found.idle else ""
    numbers = ", ".join(map(str, found.numbers))
    return Figure(
        f"{whose} {found.layer}",
        tiled(rows),
        f"{found.count} maps of {height} × {width}. Shown: {numbers}.{idle}",
        f"Activation maps of {whose}'s {found.layer}",
    )
