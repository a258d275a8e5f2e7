"""Which of how many processes this one is, as torchrun and `--processes` tell it in the environment. Loads no torch."""

from __future__ import annotations

import os
from dataclasses import dataclass

from dcgan.errors import DcganError


@dataclass(frozen=True)
class Place:
    """One process of a run of several.

    rank: 0 … world − 1. local: its number on its own machine. address, port: where the ranks meet.
    listening: the descriptor of a socket that rank 0 is to answer there, or None to open one. hosted: whether another
    process (torchrun's own) answers there. attempt: how often torchrun has started it again.
    """

    rank: int
    world: int
    local: int
    address: str
    port: int
    listening: int | None = None
    hosted: bool = False
    attempt: int = 0

    @classmethod
    def here(cls) -> Place | None:
        """This process's place; None when it trains alone. Raises `DcganError` for an environment that contradicts
        itself."""
        if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
            return None
        rank, world = _number("RANK"), _number("WORLD_SIZE")
        if world == 1:
            return None
        if rank >= world:
            raise DcganError(f"RANK is {rank} and WORLD_SIZE is {world}: ranks go from 0 to WORLD_SIZE - 1")
        if not os.environ.get("MASTER_ADDR"):
            raise DcganError(
                f"RANK={rank} and WORLD_SIZE={world} are set and MASTER_ADDR is not: start the ranks with torchrun or "
                "with --processes, or unset RANK and WORLD_SIZE to train alone"
            )
        return cls(
            rank,
            world,
            _number("LOCAL_RANK", 0),
            os.environ["MASTER_ADDR"],
            _number("MASTER_PORT"),
            _number("DCGAN_LISTENING") if rank == 0 and "DCGAN_LISTENING" in os.environ else None,
            os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True",
            _number("TORCHELASTIC_RESTART_COUNT", 0),
        )

    @property
    def reader(self) -> int:
        """The rank that reads the pictures first on this machine; ranks of a machine follow one another."""
        return self.rank - self.local


def follows() -> bool:
    """Whether this process is a rank that leaves writing and telling to another."""
    place = Place.here()
    return place is not None and place.rank > 0


def _number(name: str, default: int | None = None) -> int:
    text = os.environ.get(name, "" if default is None else str(default))
    if not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise DcganError(f"{name} is '{text[:40]}' in the environment: expected a whole number from 0")
    return int(text)
