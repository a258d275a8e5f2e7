"""Published results carried out again: one file a study, its protocol, the paper's numbers and ours side by side."""

from __future__ import annotations

from dcgan.errors import one_of
from dcgan.studies import (
    failures,
    fashion_2020,
    few_labels,
    gan_vs_dcgan,
    inside,
    latent,
    linear_probe,
    rdcgan,
)
from dcgan.studies.study import Study

STUDIES: dict[str, Study] = {
    found.STUDY.name: found.STUDY
    for found in (gan_vs_dcgan, fashion_2020, failures, linear_probe, few_labels, rdcgan, latent, inside)
}
"""The table of studies. A new one is one file and one name here."""


def find_study(name: str) -> Study:
    """The study called `name`; an unknown one names its nearest."""
    if name not in STUDIES:
        raise one_of("study", name, STUDIES, "`dcgan study` lists them.")
    return STUDIES[name]
