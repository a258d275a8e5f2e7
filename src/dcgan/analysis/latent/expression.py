"""`a - b + c` in words and designs: read into terms, and an error points at the character where reading ended.

    expression  = ["+" | "-"] term {("+" | "-") term}
    term        = name | "[" item {"," item} "]"
    item        = design | name
    name        = words, as a class or a file is called, or anything in quotes

A sign is one that begins a word: `T-shirt/top - Bag` takes Bag from T-shirt/top, and `Sneaker-Bag` is a name.
"""

from __future__ import annotations

from dataclasses import dataclass

from dcgan.errors import DcganError

QUOTES = "\"'"
SIGNS = {"+": 1, "-": -1, "−": -1, "–": -1}
BREAKS = frozenset((*SIGNS, *QUOTES, *"*()="))
"""What ends a name in front of it, at the beginning of a word."""
MOST_TERMS, MOST_ITEMS = 20, 100


@dataclass(frozen=True)
class Item:
    """text: as it stands, without quotes. quoted: a name for sure. at: its first character, from 1."""

    text: str
    quoted: bool
    at: int


@dataclass(frozen=True)
class Term:
    """sign: 1 or −1. items: of which the mean is taken. bracketed: a set; otherwise one name. text: as it stands."""

    sign: int
    items: tuple[Item, ...]
    bracketed: bool
    text: str


def parse(text: str) -> list[Term]:
    """The terms of an expression. Raises `DcganError` in one line that says at which character it makes no sense."""
    reader = _Reader(text)
    terms: list[Term] = []
    while True:
        sign = reader.sign()
        if terms and sign is None:
            if reader.done:
                return terms
            raise reader.error("expected + or -")
        terms.append(reader.term(sign or 1))
        if len(terms) > MOST_TERMS:
            raise reader.error(f"more than {MOST_TERMS} terms")


class _Reader:
    """A place in the text, which goes forward."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    @property
    def done(self) -> bool:
        self._skip()
        return self.at == len(self.text)

    def error(self, expected: str, at: int | None = None) -> DcganError:
        place = self.at if at is None else at
        shown = self.text if len(self.text) <= 80 else f"{self.text[:77]}…"
        found = f"character {place + 1} ('{self.text[place]}')" if place < len(self.text) else "its end"
        return DcganError(f"expression {shown} at {found}: {expected}")

    def sign(self) -> int | None:
        self._skip()
        value = SIGNS.get(self.text[self.at : self.at + 1])
        self.at += value is not None
        return value

    def term(self, sign: int) -> Term:
        self._skip()
        start = self.at
        if not self._take("["):
            item = self._name("expected a class, a file, or designs in brackets such as [3, 17, 5:4]")
            return Term(sign, (item,), False, self.text[start : self.at].strip())
        items: list[Item] = []
        while True:
            items.append(self._name("expected a design such as 3 or 5:4, a class or a file", ","))
            if len(items) > MOST_ITEMS:
                raise self.error(f"more than {MOST_ITEMS} designs in brackets")
            if self._take("]"):
                return Term(sign, tuple(items), True, self.text[start : self.at])
            if not self._take(","):
                raise self.error("expected , or ]")

    def _name(self, expected: str, stop: str = "") -> Item:
        """A name: in quotes, or words up to a bracket, `stop`, or one of `BREAKS` that begins a word."""
        self._skip()
        start = self.at
        quote = self.text[start : start + 1]
        if quote and quote in QUOTES:
            end = self.text.find(quote, start + 1)
            if end < 0:
                raise self.error("this quote does not end", start)
            self.at = end + 1
            if not self.text[start + 1 : end].strip():
                raise self.error(f"nothing in quotes: {expected}", start)
            return Item(self.text[start + 1 : end], True, start + 1)
        while self.at < len(self.text):
            here = self.text[self.at]
            begins = self.at == start or self.text[self.at - 1].isspace()
            if here in "[]" or here == stop or (begins and here in BREAKS):
                break
            self.at += 1
        name = self.text[start : self.at].strip()
        if not name:
            raise self.error(expected, start)
        return Item(name, False, start + 1)

    def _take(self, character: str) -> bool:
        self._skip()
        taken = self.text[self.at : self.at + 1] == character
        self.at += taken
        return taken

    def _skip(self) -> None:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1
