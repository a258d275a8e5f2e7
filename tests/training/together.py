"""Ranks as forked children: they meet, train and end like those that torchrun starts, and load torch once."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from dcgan import api
from dcgan.cli import main
from dcgan.training import loop
from dcgan.training.state import state_tensors
from dcgan.training.trainer import Trainer

from .tiny import due_by_steps

TINY = ["--set", "g_maps=4", "--set", "d_maps=4", "--set", "z_dim=8", "--set", "precision=float32"]
QUIET = ["--evaluate-every", "0"]
PLACE = (
    "RANK",
    "WORLD_SIZE",
    "LOCAL_RANK",
    "MASTER_ADDR",
    "MASTER_PORT",
    "DCGAN_LISTENING",
    "DCGAN_LAUNCHER",
)


@dataclass(frozen=True)
class Ended:
    """How a rank ended, and what it wrote: to its streams, and as its own record of its steps."""

    status: int
    out: str
    err: str
    record: dict[str, Any]


def dcgan(*arguments: str) -> Callable[[], None]:
    """The command line as a rank's work, due by steps and without a drawn report."""

    def work() -> None:
        loop._Session._due = due_by_steps
        api.write_report = lambda folder: None
        main(list(arguments))

    return work


def together(
    folder: Path,
    works: Sequence[Callable[[], None]],
    before: Callable[[int], None] = lambda rank: None,
    **environment: str,
) -> list[Ended]:
    """Run a work in each rank, in `folder`, to its end. before: called first, with the rank."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        common = {"WORLD_SIZE": str(len(works)), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        children = []
        for rank, work in enumerate(works):
            own = {"RANK": str(rank), "LOCAL_RANK": str(rank)}
            own |= {"DCGAN_LISTENING": str(server.fileno())} if rank == 0 else {}
            children.append(fork_rank(folder, rank, work, before, {**common, **own, **environment}))
    return [wait_for(folder, rank, child) for rank, child in enumerate(children)]


def fork_rank(
    folder: Path, rank: int, work: Callable[[], None], before: Callable[[int], None], place: dict[str, str]
) -> int:
    """Start one rank. Returns its process's number."""
    child = os.fork()
    if child:
        return child
    status = 99
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(240)  # a rank that waits for ever must not outlive the tests
    try:
        for name, number in (("out", 1), ("err", 2)):
            os.dup2(os.open(folder / f"{rank}.{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666), number)
        sys.stdout, sys.stderr = (os.fdopen(n, "w", encoding="utf-8", closefd=False) for n in (1, 2))
        os.environ.update(place)
        os.chdir(folder)
        torch.set_num_threads(1)
        before(rank)
        work()
        status = 0
    except SystemExit as end:
        status = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def wait_for(folder: Path, rank: int, child: int) -> Ended:
    _, code = os.waitpid(child, 0)
    out, err = ((folder / f"{rank}.{name}").read_text("utf-8") for name in ("out", "err"))
    record = folder / f"{rank}.json"
    told = json.loads(record.read_text()) if record.exists() else {}
    return Ended(os.waitstatus_to_exitcode(code), out, err, told)


def recording(folder: Path, act: Callable[[Trainer], None] = lambda trainer: None) -> Callable[[int], None]:
    """Let each rank keep what it trained on, a fingerprint of its state after each step, and what files it wrote.

    act: called after each step.
    """

    def before(rank: int) -> None:
        kept: dict[str, list[Any]] = {"indices": [], "states": [], "wrote": []}
        advance = Trainer.advance

        def recorded(trainer: Trainer) -> Any:
            kept["indices"].append(trainer.sampler.indices(trainer.step).tolist())
            values = advance(trainer)
            state = state_tensors(trainer.method, trainer.average)
            bits = hashlib.sha256(b"".join(tensor.numpy().tobytes() for tensor in state.values()))
            kept["states"].append([bits.hexdigest(), [float(value) for value in values.values()]])
            (folder / f"{rank}.json").write_text(json.dumps(kept))
            act(trainer)
            return values

        def audit(event: str, args: tuple[Any, ...]) -> None:
            if (
                event == "open"
                and isinstance(args[0], str)
                and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            ):
                kept["wrote"].append(args[0])
            elif event in ("os.mkdir", "os.rename", "os.remove"):
                kept["wrote"].append(str(args[0]))

        Trainer.advance = recorded  # type: ignore[method-assign]
        sys.addaudithook(audit)

    return before
