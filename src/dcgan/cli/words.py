"""What a person lists in one option."""

from __future__ import annotations

from dcgan.errors import DcganError


def listed(text: str, option: str) -> list[str]:
    """The parts of a list with commas; one that holds a comma stands in double quotes."""
    import csv

    try:
        parts = [part.strip() for part in next(csv.reader([text], skipinitialspace=True), [])]
    except csv.Error as error:
        raise DcganError(f"{option} is '{text[:80]}': {error}") from None
    if not parts or not all(parts):
        raise DcganError(f"{option} is '{text[:80]}': expected parts with commas between, and none empty")
    return parts
