"""What the ranks of a run tell one another in words: JSON notes in the store where they met, and why one has ended."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from dcgan.errors import DcganError, Told
from dcgan.training.place import Place

if TYPE_CHECKING:
    from torch._C._distributed_c10d import Store

LOOK_SECONDS = 0.02
"""From one look at the board to the next."""
NOTICE_SECONDS = 1.0
"""Within which all that are left have noticed that a rank is missing: its connections close at once."""
LAST_WORDS_SECONDS = 3.0
"""How long a rank that has ended waits for what the others have to say, and for them to read what it said."""


class Parted(DcganError):
    """The ranks no longer train one model: one of them has ended, does not answer, or has come to other numbers."""


class Board:
    """Notes by key, each written once. Waiting for one ends with `Told` as soon as any rank has failed."""

    def __init__(self, store: Store, place: Place) -> None:
        self.store, self.place = store, place
        self.absent: set[int] = set()
        self._drawn = 0

    def number(self) -> int:
        """0, 1, 2, …: the same on every rank that asks in the same order, to make keys of."""
        self._drawn += 1
        return self._drawn - 1

    def post(self, key: str, note: Any = None) -> None:
        """Leave a JSON-ready note."""
        with _reached():
            self.store.set(key, json.dumps(note))

    def read(self, key: str) -> Any:
        """The note at `key`, waiting until it is there. Raises `Told` when a rank has failed instead."""
        while not self.has(key):
            self.raise_if_failed()
            time.sleep(LOOK_SECONDS)
        with _reached():
            return json.loads(self.store.get(key))

    def gather(self, note: Any) -> list[Any]:
        """The note of every rank, by rank; each gives its own."""
        number = self.number()
        self.post(f"gather/{number}/{self.place.rank}", note)
        return [self.read(f"gather/{number}/{rank}") for rank in range(self.place.world)]

    def fail(self, message: str, status: int) -> None:
        """Tell the others that this rank ends, and why."""
        self.post(f"failed/{self.place.rank}", {"message": message, "status": status})
        with _reached():
            self.store.add("failures", 1)

    def tells(self, message: str) -> bool:
        """Whether this rank, which has failed, is the one to say so to the user.

        A mistake that all ranks make is told by the lowest of them; they are given a moment to make it.
        """
        until = time.monotonic() + LAST_WORDS_SECONDS
        for lower in range(self.place.rank):
            while time.monotonic() < until and not (
                self.has(f"failed/{lower}") or self.has(f"heard/{lower}")
            ):
                if lower in self.absent:
                    break
                time.sleep(LOOK_SECONDS)
            if self.has(f"failed/{lower}") and self.read(f"failed/{lower}")["message"] == message:
                return False
        return True

    def raise_if_failed(self) -> None:
        """Raise `Told` when a rank has told that it ends."""
        with _reached():
            if not self.store.add("failures", 0):
                return
        for rank in range(self.place.world):
            if rank != self.place.rank and self.has(f"failed/{rank}"):
                note = self.read(f"failed/{rank}")
                self.post(f"heard/{self.place.rank}")
                # Whoever watches over the ranks ends all when one is gone: the one that tells why comes first.
                self._wait_for([f"gone/{rank}"], LAST_WORDS_SECONDS)
                raise Told(f"rank {rank}: {note['message']}", note["status"])

    def missing(self) -> list[int]:
        """The ranks that do not say within a moment that they, too, have noticed that one is missing."""
        self.post(f"noticed/{self.place.rank}")
        keys = [f"noticed/{rank}" for rank in range(self.place.world)]
        if self.place.world > 2:
            self._wait_for(keys, NOTICE_SECONDS)
        self.absent = {rank for rank, key in enumerate(keys) if not self.has(key)}
        return sorted(self.absent)

    def leave(self) -> None:
        """Say that this rank ends; where the store lies in this process, hold it until all others have said so."""
        with suppress(Parted):
            self.post(f"gone/{self.place.rank}")
            if self.place.rank == 0 and not self.place.hosted:
                keys = [f"gone/{rank}" for rank in range(1, self.place.world) if rank not in self.absent]
                self._wait_for(keys, LAST_WORDS_SECONDS)

    def _wait_for(self, keys: list[str], seconds: float) -> None:
        until = time.monotonic() + seconds
        while not all(self.has(key) for key in keys) and time.monotonic() < until:
            time.sleep(LOOK_SECONDS)

    def has(self, key: str) -> bool:
        """Whether the note at `key` is there."""
        with _reached():
            return self.store.check([key])


@contextmanager
def _reached() -> Iterator[None]:
    """Raise `Parted` when the store is no longer there: it lies with rank 0, or with the torchrun that started it."""
    try:
        yield
    except RuntimeError:
        raise Parted("rank 0 has ended, or the network to it") from None
