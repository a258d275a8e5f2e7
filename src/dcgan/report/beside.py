"""Real beside generated: pictures, samples of each class, closest training images, and how often each class comes."""

from __future__ import annotations

from dcgan.report.images import Picture, img
from dcgan.report.judged import Histogram, Judged
from dcgan.report.words import count, text

OPEN = 30
"""Classes shown at once; the others are a click away."""
ROWS = (("real", "generated"), ("classes",), ("closest",))
"""What stands side by side where the page has the room."""
CAPTIONS = {
    "real": ("Real", "Pictures of the data."),
    "generated": ("Generated", "Pictures of the model, not chosen by hand."),
    "classes": (
        "Samples of each class",
        "A row a class: the one asked for, or, of a model without classes, the one that the labeller sees.",
    ),
    "closest": (
        "Closest training images",
        "The generated pictures that lie nearest to a training image, each beside that image: should they be the same, "
        "the model has learned pictures by heart.",
    ),
}


def beside(judged: Judged) -> str:
    """The HTML of what RUN/evaluation has to show, "" where it has nothing."""
    pictures = judged.pictures
    rows = [[name for name in names if name in pictures] for names in ROWS]
    parts = [
        f'<div class="pair">{"".join(_figure(name, pictures[name]) for name in names)}</div>'
        for names in rows
        if names
    ]
    if judged.histogram:
        parts.append(histogram(judged.histogram))
    return f"<h2>Real beside generated</h2>{''.join(parts)}" if parts else ""


def _figure(name: str, picture: Picture) -> str:
    title, caption = CAPTIONS[name]
    return (
        f'<figure class="grid"><h3>{title}</h3>{img(picture, f"{title}: {caption}", name, smooth=name == "classes")}'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def histogram(shares: Histogram) -> str:
    """Two bars a class, its share of the data over its share of what was generated."""
    most = max([*shares.data, *shares.generated]) or 1.0
    items = [
        f'<li><span title="{text(name)}">{text(name, 48)}</span>'
        f'<div><i style="width:{100 * data / most:.1f}%"></i>'
        f'<i class="two" style="width:{100 * made / most:.1f}%"></i></div>'
        f"<b>{100 * data:.3g} %</b><b>{100 * made:.3g} %</b></li>"
        for name, data, made in zip(shares.classes, shares.data, shares.generated, strict=False)
    ]
    more = len(items) - OPEN
    rest = (
        f"<details><summary>{count(more)} more classes</summary>"
        f'<ul class="classes two">{"".join(items[OPEN:])}</ul></details>'
        if more > 0
        else ""
    )
    return (
        '<figure class="histogram"><h3>How often each class comes</h3><ul class="legend">'
        '<li style="color:var(--series-1)"><i></i><span>data</span></li>'
        '<li style="color:var(--series-2)"><i></i><span>generated</span></li></ul>'
        f'<ul class="classes two">{"".join(items[:OPEN])}</ul>{rest}'
        "<figcaption>As the labeller sees the pictures: a class whose generated share is far from the data's is drawn "
        "too often, or has been lost.</figcaption></figure>"
    )
