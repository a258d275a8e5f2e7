"""Values as a person reads them, and text that is safe to put into HTML."""

from __future__ import annotations

import html
import json
import math
import re
from datetime import datetime
from typing import Any

LONGEST = 400
"""Characters of one value that are shown; a hostile file must not make the page endless."""

_UNSHOWABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def text(value: object, longest: int = LONGEST) -> str:
    """`value` as inert HTML: escaped, cut after `longest` characters, without what can't be shown or encoded.

    Control characters, lone surrogates and the marks that reverse the direction of the text around them
    become U+FFFD.
    """
    string = value if isinstance(value, str) else str(value)
    if len(string) > longest:
        string = string[:longest] + "…"
    return html.escape(_UNSHOWABLE.sub("\ufffd", string))


def shell(line: str) -> str:
    """A command as inert HTML in a box of its own, which a narrow page breaks between words, not at a hyphen."""
    words = text(line, 2000).split(" ")
    return f"<pre><code>{' '.join(f'<span>{word}</span>' if len(word) < 32 else word for word in words)}</code></pre>"


def count(number: float) -> str:
    """12345.0 → '12,345'."""
    return f"{number:,.0f}"


def compact(number: float) -> str:
    """A number short enough for a plot's axis: 64000 → '64k', 1500000 → '1.5M', 0.25 → '0.25'."""
    for size, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size:
            return f"{number / size:g}{suffix}"
    return f"{number:g}"


def quantity(number: float) -> str:
    """A measured number with four digits that count: 870.123 → '870.1', 12345.6 → '12,346'."""
    if abs(number) >= 1000:
        return count(number)
    return f"{number:.4g}"


def duration(seconds: float) -> str:
    """3.7 → '3.7 s', 74 → '1 min 14 s', 7500 → '2 h 05 min', 270000 → '3 d 3 h'."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02d} min"
    return f"{hours // 24} d {hours % 24} h"


def instant(value: object) -> datetime | None:
    """The moment an ISO time names, with a time zone (the local one if it names none), or None."""
    try:
        return datetime.fromisoformat(value).astimezone() if isinstance(value, str) else None
    except (ValueError, OverflowError, OSError):
        return None


def moment(time: datetime) -> str:
    """'2026-05-06 12:34 +02:00', in the reporting machine's own time zone."""
    return time.astimezone().isoformat(" ", "minutes").replace("+00:00", " UTC")


def plain(value: Any) -> str:
    """A recipe's value: text as it is, everything else as JSON writes it; not yet safe for HTML."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    return json.dumps(value, ensure_ascii=False)
