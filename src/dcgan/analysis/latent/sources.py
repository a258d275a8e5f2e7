"""Points as a person names them on the command line: designs, files of `dcgan invert`, and pictures of one's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dcgan.analysis.latent.inversion import Progress, Settings, invert
from dcgan.analysis.latent.kept import read_points
from dcgan.analysis.latent.photograph import read_picture
from dcgan.analysis.latent.points import Points, design, joined
from dcgan.errors import DcganError
from dcgan.files import exists
from dcgan.model import Model

POINTS = ".npz"
KINDS = "a design (3, or 5:4 of seed 5), an .npz of `dcgan invert`, or an image file"


class Sources:
    """Finds points for a model. seed: of designs given by their index alone, and of inversions.

    tell gets a line for what should be known: of a picture, how well it could be made again. A picture's class is
    found by trying all, and each picture is inverted once.
    """

    def __init__(
        self,
        model: Model,
        seed: int = 0,
        *,
        settings: Settings | None = None,
        fit: str = "crop",
        negative: bool = False,
        tell: Callable[[str], None] | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.model, self.seed, self.settings = model, seed, settings
        self.fit, self.negative = fit, negative
        self.tell, self.progress = tell or (lambda line: None), progress
        self._inverted: dict[str, Points] = {}

    def find(self, text: str) -> Points:
        """The point, or the points of a file of several. Raises `DcganError` for what is none."""
        text = text.strip()
        return design(self.model, text, self.seed) or self.of_file(text)

    def all(self, texts: list[str]) -> Points:
        """The points of all, in order."""
        return joined([self.find(text) for text in texts])

    def of_file(self, text: str) -> Points:
        """The points in FILE.npz, its row ROW where FILE.npz:ROW is given, or that of an image file."""
        name, colon, row = text.rpartition(":")
        if colon and row.isdecimal() and name.lower().endswith(POINTS):
            points, number = self._kept(Path(name)), int(row[:9])
            if number >= len(points):
                raise DcganError(f"{text}: the file holds {len(points)} points, counted from 0")
            return points[[number]]
        if not text or not exists(Path(text)):
            raise DcganError(f"'{text[:80]}' is nothing that can be found: expected {KINDS}")
        return self._kept(Path(text)) if text.lower().endswith(POINTS) else self._of_picture(text)

    def _kept(self, path: Path) -> Points:
        points, note = read_points(path, self.model)
        if note:
            self.tell(f"note: {note}")
        return points

    def _of_picture(self, text: str) -> Points:
        if text not in self._inverted:
            picture = read_picture(Path(text), self.model.recipe, self.fit, self.negative)
            found = invert(
                self.model,
                picture[None],
                (Path(text).name,),
                settings=self.settings,
                seed=self.seed,
                progress=self.progress,
            )
            self.tell(f"{text} is made again with an error of {found.rmse[0]:.1f} of 255 a pixel")
            self._inverted[text] = found.points
        return self._inverted[text]
