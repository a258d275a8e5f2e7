"""How the ranks of a run find one another, and how they part: nobody waits for ever, and one of them says why."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from itertools import count
from typing import TYPE_CHECKING, Any

from dcgan.errors import DcganError, Told
from dcgan.training.board import Board, Parted
from dcgan.training.place import Place
from dcgan.training.ranks import ALONE, PATIENCE, Ranks

if TYPE_CHECKING:
    from torch._C._distributed_c10d import Store

JOIN_SECONDS = 60.0
"""How long to wait for all ranks to come, unless $DCGAN_JOIN_SECONDS says otherwise."""
RETRY_SECONDS = 0.2

_joined: list[Ranks] = []
_numbers = count()


def current() -> Ranks:
    """The ranks of the run under way: those that `joined` has found, or this process alone."""
    return _joined[-1] if _joined else ALONE


@contextmanager
def joined() -> Iterator[None]:
    """While entered, `current()` is all processes that torchrun or `--processes` started. Alone: nothing happens.

    An error that leaves it is told to the others, which then end as well. One rank raises it, named after itself when
    it is not rank 0; the others raise `Told`.
    """
    place = None if _joined else Place.here()
    if place is None:
        yield
        return
    store, address = _store(place)
    apart = f"dcgan/{place.attempt}/{next(_numbers)}"
    board = Board(_prefixed(store, f"{apart}/notes"), place)
    ranks = Ranks(place.rank, place.world, board)
    _joined.append(ranks)
    try:
        _wait_for_all(board, place)
        _connect(ranks, place, _prefixed(store, f"{apart}/groups"), address)
        yield
    except BaseException as error:
        try:
            final = _parting(ranks, board, error)
        except Parted:  # there is nobody left to speak in our place
            final = error
        if final is error:
            raise
        raise final from None
    finally:
        _joined.pop()
        board.leave()
        ranks.close()


def _parting(ranks: Ranks, board: Board, error: BaseException) -> BaseException:
    """Tell the others why this rank ends. Returns what it is to end with."""
    interrupted = 130 if isinstance(error, KeyboardInterrupt) else 2
    status = error.status if isinstance(error, DcganError) else interrupted
    if not status:
        return error  # it is no failure
    message = str(error) if isinstance(error, DcganError) else f"{type(error).__name__} {error}"
    board.fail(message, status)
    ranks.close()
    if isinstance(error, Told) or not isinstance(error, DcganError):
        return error
    if not board.tells(message):
        return Told(message, status)
    if ranks.first or isinstance(error, Parted):
        return error
    own = DcganError(f"rank {ranks.rank}: {message}")
    own.status = status
    return own


def _connect(ranks: Ranks, place: Place, store: Store, address: str) -> None:
    """Connect every rank to every other. address: this machine's, as the others see it."""
    import torch
    from torch.distributed import ProcessGroupGloo

    options: Any = ProcessGroupGloo._Options()  # type: ignore[attr-defined]
    options._timeout = timedelta(seconds=PATIENCE)
    # The interface by which rank 0 was reached is the one by which it and the others can be: a host's name often
    # means the machine itself.
    interface = os.environ.get("GLOO_SOCKET_IFNAME", "").partition(",")[0]
    where = {"interface": interface} if interface else {"hostname": address}
    options._devices = [ProcessGroupGloo.create_device(**where)]
    try:
        gloo = _prefixed(store, "gloo")
        ranks.groups["cpu"] = ProcessGroupGloo(gloo, place.rank, place.world, options)
        if torch.cuda.is_available():
            ranks.groups["cuda"] = _nccl(place, _prefixed(store, "nccl"))
    except RuntimeError as error:
        raise DcganError(
            f"rank {place.rank} of {place.world} met the others at {place.address}:{place.port}, but they cannot all "
            f"connect to one another: {str(error).splitlines()[0][-200:]}"
        ) from None


def _nccl(place: Place, store: Store) -> Any:
    import torch
    from torch.distributed import ProcessGroupNCCL

    there = torch.cuda.device_count()
    if place.local >= there:
        raise DcganError(
            f"rank {place.rank} is number {place.local} on its machine, which has {there} GPUs: start one rank a GPU"
        )
    torch.cuda.set_device(place.local)
    options = ProcessGroupNCCL.Options()
    options._timeout = timedelta(seconds=PATIENCE)
    return ProcessGroupNCCL(store, place.rank, place.world, options)


def _prefixed(store: Store, prefix: str) -> Store:
    """The same store, each key after a word of its own."""
    from torch.distributed import PrefixStore  # type: ignore[attr-defined]

    apart: Store = PrefixStore(prefix, store)
    return apart


@cache
def _store(place: Place) -> tuple[Store, str]:
    """The store where the ranks meet, and the address of this machine on the way there.

    Kept while the process lives: rank 0 can open it once.
    """
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    opens = place.rank == 0 and not place.hosted
    where = f"{place.address}:{place.port}"
    extra: dict[str, Any] = {} if place.listening is None else {"master_listen_fd": place.listening}
    try:
        address = _address(place) if opens else _reach(place)
        store = TCPStore(
            place.address,
            place.port,
            None,
            opens,
            timedelta(seconds=max(join_seconds(), 5.0)),
            wait_for_workers=False,
            **extra,
        )
    except (RuntimeError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0][:200]
        what = "cannot wait for the other ranks" if opens else "cannot reach rank 0"
        raise DcganError(f"rank {place.rank} of {place.world} {what} at {where}: {reason}") from None
    return store, address


def _reach(place: Place) -> str:
    """Wait until somebody answers where the ranks meet. Returns this machine's address on the way there."""
    until = time.monotonic() + join_seconds()
    while True:
        try:
            with socket.create_connection((place.address, place.port), timeout=5.0) as connection:
                return str(connection.getsockname()[0])
        except OSError as error:
            if time.monotonic() > until:
                raise DcganError(
                    f"rank {place.rank} of {place.world} found nobody at {place.address}:{place.port} (MASTER_ADDR, "
                    f"MASTER_PORT) within {join_seconds():g} seconds: {error.strerror or error}; is rank 0 there?"
                ) from None
        time.sleep(RETRY_SECONDS)


def _address(place: Place) -> str:
    """The address at which rank 0 waits, as a number."""
    return str(socket.getaddrinfo(place.address, place.port, type=socket.SOCK_STREAM)[0][4][0])


def _wait_for_all(board: Board, place: Place) -> None:
    until = time.monotonic() + join_seconds()
    board.post(f"came/{place.rank}")
    while True:
        came = [rank for rank in range(place.world) if board.has(f"came/{rank}")]
        if len(came) == place.world:
            return
        if time.monotonic() > until:
            board.absent = {*range(place.world)} - {*came}
            absent = ", ".join(map(str, sorted(board.absent)))
            raise DcganError(
                f"{len(came)} of {place.world} ranks came to {place.address}:{place.port} (MASTER_ADDR, MASTER_PORT) "
                f"within {join_seconds():g} seconds: missing {absent}; start every rank, with the same address and port"
            )
        time.sleep(RETRY_SECONDS / 4)


def join_seconds() -> float:
    """$DCGAN_JOIN_SECONDS, or `JOIN_SECONDS`."""
    text = os.environ.get("DCGAN_JOIN_SECONDS", f"{JOIN_SECONDS:g}")
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        raise DcganError(f"DCGAN_JOIN_SECONDS is '{text[:40]}': expected a number of seconds")
    return seconds
