"""The pictures of emoji-datasource: names, categories and skin tones from its emoji.json."""

from __future__ import annotations

import json
from dataclasses import dataclass

TONES = {
    "1F3FB": "light",
    "1F3FC": "medium-light",
    "1F3FD": "medium",
    "1F3FE": "medium-dark",
    "1F3FF": "dark",
}
"""The five skin tones by their code points."""


@dataclass(frozen=True)
class Emoji:
    """One picture: its file, what it shows in lower case, and the category it is listed under."""

    file: str
    name: str
    category: str


def emoji_rows(content: bytes) -> list[Emoji]:
    """Every picture that emoji.json names, in the order of keyboards, each skin tone after its emoji.

    Raises `ValueError` or `KeyError` when the table is not as expected.
    """
    rows = []
    for entry in sorted(json.loads(content), key=lambda entry: int(entry["sort_order"])):
        name, category = str(entry["name"]).lower(), str(entry["category"])
        rows.append(Emoji(entry["image"], name, category))
        for codes, variation in entry.get("skin_variations", {}).items():
            tones = " and ".join(TONES[code] for code in codes.split("-"))
            rows.append(Emoji(variation["image"], f"{name}, {tones} skin tone", category))
    return rows
