"""What Python users may pass, checked at the door: a wrong type is a `DcganError` in one line, like any mistake."""

from __future__ import annotations

from pathlib import Path
from types import NoneType
from typing import Any

from dcgan.errors import DcganError, expect

FOLLOWS = {
    "height": "use --size",
    "width": "use --size",
    "channels": "use --channels",
    "classes": "use --labels",
}
"""Fields of the recipe that the data decides, and how that is said."""


def check_source(name: str, value: object, kind: type) -> None:
    """A name, a path, or an object of `kind`."""
    if not isinstance(value, kind):
        expect(name, value, (str, Path), f"a name, a path or a {kind.__name__}")
        check_path(name, value)


def check_path(name: str, value: object) -> None:
    """A path that the system can be asked for."""
    expect(name, value, (str, Path), "a path")
    if "\0" in str(value):
        raise DcganError(f"{name} is {str(value)!r:.80}: a path has no zero bytes")


def check_words(**given: object) -> None:
    """Words, or None."""
    for name, value in given.items():
        expect(name, value, (str, NoneType), "a word")


def check_numbers(**given: object) -> None:
    """Numbers, or None; images, batch and seed are whole."""
    for name, value in given.items():
        if name in ("images", "batch", "seed"):
            expect(name, value, (int, NoneType), "a whole number")
        else:
            expect(name, value, (int, float, NoneType), "a number")


def check_labels(value: object) -> None:
    """True, False, or None for what the data says."""
    expect("labels", value, (bool, NoneType), "True, False or None")


def check_size(value: object) -> None:
    """(height, width), or None."""
    if value is not None and not (
        isinstance(value, tuple | list) and len(value) == 2 and all(type(side) is int for side in value)
    ):
        raise DcganError(f"size is {value!r:.80}: expected (height, width), for example (32, 32)")


def check_settings(value: object) -> None:
    """A dict of recipe fields by name, or None; what the data decides is not for it to say."""
    expect("settings", value, (dict, NoneType), "a dict of recipe fields")
    for name in value if isinstance(value, dict) else ():
        if name in FOLLOWS:
            raise DcganError(f"{name} follows the data and is not set by name: {FOLLOWS[name]}")


def check_calls(**given: object) -> None:
    """Functions, or None."""
    for name, value in given.items():
        if value is not None and not callable(value):
            raise DcganError(f"{name} is {value!r:.80}: expected a function")


def check_once(settings: dict[str, Any], changes: dict[str, Any], budget: dict[str, Any]) -> None:
    """Raise `DcganError` for what is asked for by an option and by a setting: one of them would lose in silence."""
    twice = sorted(settings.keys() & changes.keys())
    if twice:
        raise DcganError(f"{twice[0]} is given by --{twice[0]} and by --set: give it once")
    asked = [name for name, value in budget.items() if value is not None]
    in_settings = sorted(settings.keys() & budget.keys())
    if asked and in_settings:
        raise DcganError(f"--{asked[0]} and --set {in_settings[0]}= are two budgets: give one of them")
