"""What a study is: a published result with its numbers, the runs that it takes here, and the page that it writes."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from dcgan.errors import DcganError
from dcgan.presets import for_few, preset
from dcgan.recipe import Recipe

if TYPE_CHECKING:
    from dcgan.studies.done import Done
    from dcgan.studies.page import Page


@dataclass(frozen=True)
class Published:
    """One thing that the paper says. value: in its own words or numbers. where: the place in it."""

    what: str
    value: str
    where: str


@dataclass(frozen=True)
class Planned:
    """One run of a study.

    name: its folder. title: what a heading calls it. images: the paper's budget, in real images seen; `budget` is the
    same in the paper's words. settings: recipe fields beside the preset's. saw: what the paper saw, one sentence.
    """

    name: str
    title: str
    data: str
    preset: str
    images: int
    budget: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    saw: str = ""

    @property
    def recipe(self) -> Recipe:
        """The preset with the settings; size and budget are not filled in."""
        return preset(self.preset).recipe.with_changes(self.settings)

    def command(self, data: str, pictures: int) -> str:
        """How `dcgan train` would make this run of so many pictures of `data`, without its budget.

        What it would do differently with few pictures is taken back: a study trains its own recipe with any number.
        """
        settings = dict(self.settings)
        for key in for_few(preset(self.preset), pictures, settings):
            settings[key] = getattr(self.recipe, key)
        words = "".join(f" --set {key}={value}" for key, value in settings.items())
        return f"dcgan train {shlex.quote(data)} --preset {self.preset}{words}"


@dataclass(frozen=True)
class Study:
    """A published result, carried out again.

    title: one line. paper: who published it. question: one sentence. numbers: what the paper says. differs: one
    sentence for each way in which the protocol here is not the paper's, the budget aside. minutes: of each run, unless
    another budget is asked for. body: the page between its head and its foot, as Markdown.
    """

    name: str
    title: str
    paper: str
    question: str
    numbers: tuple[Published, ...]
    runs: tuple[Planned, ...]
    differs: tuple[str, ...]
    minutes: float
    body: Callable[[Page, list[Done]], str]

    def of_seeds(self, seeds: Collection[int]) -> Study:
        """The study with the runs of these seeds alone. Raises `DcganError` for a seed that it has not."""
        known = sorted({plan.recipe.seed for plan in self.runs})
        if missing := sorted(set(seeds) - set(known)):
            raise DcganError(
                f"{self.name} has no run of seed {missing[0]}: its seeds are {', '.join(map(str, known))}"
            )
        return replace(self, runs=tuple(plan for plan in self.runs if plan.recipe.seed in seeds))
