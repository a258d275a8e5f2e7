"""What differs between runs: the fields of their recipes and of their data, and nothing that is the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dcgan.report.journal import Record
from dcgan.report.words import plain, text

FIELDS_SHOWN = 100
DATA = (
    "name",
    "images",
    "height",
    "width",
    "channels",
    "split",
    "fit",
    "classes",
    "counts",
    "sha256",
    "source",
)
"""The facts of data.json that decide what was learned from; paths and notes do not."""


def recipe_differences(records: Sequence[Record]) -> dict[str, list[Any]]:
    """Field → its value in each run, in the runs' order, None where a recipe lacks it; only fields that differ."""
    return _differing([record.recipe for record in records])


def data_differences(records: Sequence[Record]) -> dict[str, list[Any]]:
    """The same of the facts that say which pictures a run saw."""
    return _differing([{key: record.data[key] for key in DATA if key in record.data} for record in records])


def _differing(sides: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    fields = list(dict.fromkeys(field for side in sides for field in side))[:FIELDS_SHOWN]
    rows = {field: [side.get(field) for side in sides] for field in fields}
    return {
        field: values
        for field, values in rows.items()
        if any(plain(one) != plain(values[0]) for one in values)
    }


def table(rows: dict[str, list[Any]], heads: Sequence[str], names: Sequence[str], same: str) -> str:
    """The rows as HTML, or the sentence `same` without any. heads, names: safe HTML and text of each column."""
    if not rows:
        return f"<p>{same}</p>"
    lines = "".join(
        f'<tr><th scope="row">{text(field, 60)}</th>'
        + "".join(
            f'<td data-of="{name}">{_shown(field, value)}</td>'
            for value, name in zip(values, names, strict=True)
        )
        + "</tr>"
        for field, values in rows.items()
    )
    return side_by_side(heads, lines)


def side_by_side(heads: Sequence[str], rows: str, caption: str = "") -> str:
    """A table with a column a run. heads, rows, caption: HTML that is already safe."""
    columns = "".join(f'<th scope="col">{head}</th>' for head in heads)
    told = f"<caption>{caption}</caption>" if caption else ""
    return (
        f'<table class="side">{told}<thead><tr><td></td>{columns}</tr></thead><tbody>{rows}</tbody></table>'
    )


def _shown(field: str, value: Any) -> str:
    if value is None:
        return "–"
    if field == "sha256":
        return f'<code title="{text(value)}">{text(value, 12)}</code>'
    if isinstance(value, list):
        return text(", ".join(plain(one) for one in value[:12]) + (", …" if len(value) > 12 else ""), 120)
    return text(plain(value), 120)
