"""The runs that studies of what was learned stand on: a fast preset, no labels, no scores while it trains."""

from __future__ import annotations

from dcgan.studies.study import Planned

MAPS, WIDE = 32, 64
"""Feature maps of both networks, and of a discriminator whose features are what is asked for. `fast-28` of itself has
24, which are good sooner; these are better for their images."""


def unlabelled(
    data: str,
    preset: str,
    seed: int = 0,
    *,
    title: str,
    images: int,
    budget: str,
    saw: str,
    wide: bool = False,
) -> Planned:
    """A run of that data and seed; the rest is the paper's, as in `Planned`."""
    return Planned(
        name=f"{data}-{seed}",
        title=title,
        data=data,
        preset=preset,
        images=images,
        budget=budget,
        settings={"g_maps": MAPS, "d_maps": WIDE if wide else MAPS, "seed": seed, "evaluate_every": 0.0},
        saw=saw,
    )


def bedrooms(saw: str) -> Planned:
    """Garments, where Radford et al. 2016 had bedrooms."""
    return unlabelled(
        "fashion-mnist",
        "fast-28",
        title="fast-28 without labels",
        images=5 * 3_033_042,
        budget="five epochs of 3,033,042 bedrooms (LSUN)",
        saw=saw,
    )
