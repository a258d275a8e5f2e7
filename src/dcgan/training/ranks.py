"""The processes that train one model together: what they average, what they agree on, and that they stay the same.

Each rank computes its share of a batch. The gradients, and what else a step changes by its own share, are averaged
before anything is changed by them; so all ranks hold the same bits after each step, and rank 0 alone writes and tells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor

from dcgan.errors import DcganError
from dcgan.training.board import Board, Parted

T = TypeVar("T")

PATIENCE = 600.0
"""Seconds for which a rank that is connected may not answer: rank 0 scores and saves while the others wait."""


class Ranks:
    """This process among those of its run. The default is one process alone, to which none of this costs anything."""

    def __init__(
        self,
        rank: int = 0,
        world: int = 1,
        board: Board | None = None,
    ) -> None:
        """groups: by the type of device, who sums the tensors that lie there; "cpu" always, once connected."""
        self.rank, self.world, self.board = rank, world, board
        self.groups: dict[str, Any] = {}

    @property
    def first(self) -> bool:
        """Whether this is the rank that writes the run's folder and talks to the user."""
        return self.rank == 0

    def share(self, batch: int) -> int:
        """Images of a batch that fall to each rank. Raises `DcganError` when they do not come out even.

        A rank takes two at least: batch norm finds no variance in one.
        """
        if self.world > 1 and (batch % self.world or batch < 2 * self.world):
            below, above = (max(2, batch // self.world + more) * self.world for more in (0, 1))
            near = f"{above}" if below > batch or below == above else f"{below} or {above}"
            raise DcganError(
                f"batch is {batch}, of which {self.world} ranks cannot take the same number of at least 2 images each: "
                f"use --batch {near}"
            )
        return batch // self.world

    def mean_(self, tensors: Iterable[Tensor]) -> None:
        """Put into each tensor its mean over the ranks, the same bits on all of them. Floating point, on one device."""
        if self.world == 1:
            return
        found = list(tensors)
        if not found:
            return
        with torch.no_grad():
            flat = torch.cat([tensor.detach().reshape(-1).float() for tensor in found])
            with self._answered():
                self.groups[flat.device.type].allreduce([flat]).wait()
            pieces = torch.split(flat.div_(self.world), [tensor.numel() for tensor in found])
            for tensor, piece in zip(found, pieces, strict=True):
                tensor.copy_(piece.view_as(tensor))

    def gather(self, numbers: Sequence[int]) -> list[list[int]]:
        """The whole numbers (of 64 bits) that each rank brings, by rank; all bring as many."""
        if self.world == 1:
            return [list(numbers)]
        mine = torch.tensor(numbers, dtype=torch.int64)
        rows = [torch.empty_like(mine) for _ in range(self.world)]
        with self._answered():
            self.groups["cpu"].allgather([rows], [mine]).wait()
        return [row.tolist() for row in rows]

    def agree(self, signum: int, ends: bool, saves: bool) -> tuple[int, bool, bool]:
        """What is done between two steps: a signal that came to any rank, and what rank 0 wants of the rest."""
        rows = self.gather((signum, ends, saves))
        return max(row[0] for row in rows), bool(rows[0][1]), bool(rows[0][2])

    def from_first_(self, tensors: Iterable[Tensor]) -> None:
        """Put rank 0's values into each tensor."""
        if self.world == 1:
            return
        from torch.distributed import BroadcastOptions

        options = BroadcastOptions()
        options.rootRank = options.rootTensor = 0
        with torch.no_grad():
            for tensor in tensors:
                whole = tensor.detach().contiguous()
                with self._answered():
                    self.groups[whole.device.type].broadcast([whole], options).wait()
                tensor.copy_(whole)

    def told(self, note: Callable[[], T]) -> T:
        """What `note` gives on rank 0, where alone it is called: JSON-ready."""
        if self.board is None:
            return note()
        key = f"told/{self.board.number()}"
        if self.first:
            self.board.post(key, note())
        value: T = self.board.read(key)
        return value

    def first_here(self, work: Callable[[], T]) -> T:
        """What `work` gives, done by one rank of each machine before the others: they find its files made."""
        if self.board is None:
            return work()
        key, place = f"here/{self.board.number()}", self.board.place
        if place.local:
            self.board.read(f"{key}/{place.reader}")
        result = work()
        if not place.local:
            self.board.post(f"{key}/{self.rank}")
        return result

    def same(self, facts: Mapping[str, Any]) -> None:
        """Raise `DcganError`, on every rank, for the first rank that holds other facts than rank 0.

        facts: JSON-ready, by the words for them. Of two mappings, the first entries that differ are named.
        """
        if self.board is None:
            return
        gathered = self.board.gather(facts)
        for rank, other in enumerate(gathered):
            if other != gathered[0]:
                raise DcganError(f"rank {rank} has {_difference(other, gathered[0])}")

    def finish(self) -> None:
        """Wait until every rank has come to the end. Raises `Told` when one fails on the last stretch."""
        if self.board:
            self.board.gather(None)

    def close(self) -> None:
        """Close the connections: whoever waits for this rank learns that it has gone."""
        self.groups.clear()

    @contextmanager
    def _answered(self) -> Iterator[None]:
        """Raise `Parted`, or `Told` by the one who knows better, when another rank is no longer there."""
        try:
            yield
        except RuntimeError as error:  # gloo has no class of its own for it
            raise self._parted(str(error)) from None

    def _parted(self, reason: str) -> Parted:
        self.close()
        if self.board:
            self.board.raise_if_failed()
        if "imed out" in reason:
            return Parted(f"a rank has not answered for {PATIENCE:g} seconds")
        gone = self.board.missing() if self.board else []
        if not gone:
            return Parted("the connection between the ranks broke")
        which = f"rank {gone[0]}" if len(gone) == 1 else f"ranks {', '.join(map(str, gone))}"
        return Parted(f"{which} ended without a word, as a process does that is killed")


ALONE = Ranks()


def _difference(other: Any, first: Any) -> str:
    """What a rank's facts say and rank 0's do not, in words."""
    for words, value in first.items():
        told = other.get(words)
        if told == value:
            continue
        if isinstance(value, dict) and isinstance(told, dict):
            names = [name for name in value | told if value.get(name) != told.get(name)][:3]
            here, there = (", ".join(f"{name} {one.get(name)}" for name in names) for one in (told, value))
            return f"another {words}: {here}, where rank 0 has {there}"
        return f"other {words}: {_short(told)}, where rank 0 has {_short(value)}"
    return "other facts than rank 0"


def _short(value: Any) -> str:
    text = str(value)
    return f"{text[:12]}…" if len(text) == 64 else text[:80]
