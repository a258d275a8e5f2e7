"""`--processes N`: the same command in N processes of this machine, which train one model together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import typer

from dcgan.cli.screen import complain
from dcgan.errors import DcganError, Told
from dcgan.training.folder import JOURNAL
from dcgan.training.journal import read_journal
from dcgan.training.place import Place

if TYPE_CHECKING:
    import socket

    from dcgan.recipe import Recipe

LAUNCHER = "DCGAN_LAUNCHER"
"""In the environment of a process that was started here: the number of the one that started it."""
QUIET = "TORCH_CPP_LOG_LEVEL", "ERROR"
"""Of a connection that closes torch would print a page, where we print a line."""
LOOK_SECONDS = 0.05
GRACE_SECONDS, LAST_SECONDS = 10.0, 30.0
"""After the first process has failed, how long the others may take to end by themselves; and then after SIGTERM."""


def choose_processes(recipe: Recipe) -> int:
    """How many processes train `recipe` soonest on this machine: the meaning of `--processes auto`.

    recipe: as far as the command line states it; the size of the images may still be 0.

    One, whose threads share each operation: on two cores (AVX2, float32) two processes of `fast-28` saw 0.7 times the
    images, at batch 32 and at 64, since the sum of the gradients and the agreement on each step cost more than the
    threads' waiting for each other (docs/scaling.md). Where other work takes turns on the cores it is the other way
    round: then ask for `--processes 2`.
    """
    return 1


def processes_before(folder: Path) -> int | None:
    """How many processes the run in `folder` was last trained by, where this machine has a core for each; else None.

    As many again go on bit for bit.
    """
    sittings = [entry for entry in read_journal(folder / JOURNAL) if entry["event"] in ("start", "resume")]
    ranks = sittings[-1].get("ranks") if sittings else None
    return ranks if type(ranks) is int and 1 <= ranks <= _cores() else None


def launched(context: typer.Context, processes: str, recipe: Recipe, before: int | None = None) -> bool:
    """Whether this command is to be run by processes of its own. If so it has been run, and has ended well.

    processes: a number or "auto", which is `before` if there is one. Raises `Told`, with a status, when one of them
    failed and said why.
    """
    count = (before or choose_processes(recipe)) if processes == "auto" else _count(processes)
    if Place.here() is not None:
        if processes != "auto" and LAUNCHER not in os.environ:
            raise DcganError(
                "--processes starts its processes by itself: leave it out, or start without torchrun"
            )
        os.environ.setdefault(*QUIET)
        _end_with_the_launcher()
        return False
    if count == 1:
        return False
    status = _run(list(context.obj or sys.argv[1:]), count)
    if status:
        raise Told("a process of the run has told why it ended", status)
    return True


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _count(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:6]) <= 1024:
        raise DcganError(f"--processes {text[:40]}: expected a number from 1 to 1024, or auto")
    return int(text)


def _run(arguments: list[str], count: int) -> int:
    """Run the command in `count` processes. Returns 0, or the status of the first that failed."""
    import socket
    import tempfile

    # The ranks meet at a socket that is open already and reached from this machine only: nobody can take its port.
    with socket.create_server(("127.0.0.1", 0)) as server, tempfile.TemporaryFile() as said:
        server.set_inheritable(True)
        common = {
            "OMP_NUM_THREADS": str(max(1, _cores() // count)),
            **os.environ,
            "WORLD_SIZE": str(count),
            "LOCAL_WORLD_SIZE": str(count),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(server.getsockname()[1]),
            LAUNCHER: str(os.getpid()),
        }
        children: list[subprocess.Popen[bytes]] = []
        with _forwarding(children):
            for rank in range(count):
                own = {"RANK": str(rank), "LOCAL_RANK": str(rank)}
                children.append(_start(arguments, {**common, **own}, server, said if rank else None))
            server.close()
            statuses = _wait(children)
        _relay(said)
        return statuses


def _start(
    arguments: list[str], environment: dict[str, str], server: socket.socket, said: IO[bytes] | None
) -> subprocess.Popen[bytes]:
    """One rank. said: what it writes goes there; None for rank 0, which has the terminal."""
    # As for this process, a file of the user's must not be taken for a module because it lies in the folder.
    trusted = {"", str(Path.cwd())} & set(sys.path[:1])
    command = [sys.executable, *([] if trusted else ["-P"]), "-m", "dcgan", *arguments]
    if said is None:
        environment = {**environment, "DCGAN_LISTENING": str(server.fileno())}
    return subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=said,
        stderr=said,
        pass_fds=[server.fileno()] if said is None else [],
        start_new_session=True,  # Ctrl-C reaches the terminal's group: they are to get it from us, once
    )


def _wait(children: list[subprocess.Popen[bytes]]) -> int:
    """Until all have ended. Returns the status of the first to fail; a signal that killed it is 128 + its number."""
    first, since = 0, 0.0
    asked = killed = False
    while any(child.poll() is None for child in children):
        time.sleep(LOOK_SECONDS)
        failed = [child.returncode for child in children if child.returncode]
        if not failed:
            continue
        if not first:
            first, since = failed[0], time.monotonic()
        late = time.monotonic() - since
        if late > GRACE_SECONDS and not asked:
            asked = True
            _send(children, signal.SIGTERM)
        if late > GRACE_SECONDS + LAST_SECONDS and not killed:
            killed = True
            _send(children, signal.SIGKILL)
    failed = [child.returncode for child in children if child.returncode]
    # Rather the status of one that could say why than that of one that was killed.
    told = [status for status in failed if status > 0]
    return told[0] if told else 128 - failed[0] if failed else 0


def _relay(said: IO[bytes]) -> None:
    """Pass on what the ranks beside the first have said, each line once: nothing, unless one has failed."""
    said.seek(0)
    lines = said.read().decode("utf-8", "replace").splitlines()
    for line in dict.fromkeys(line for line in lines if line.strip()):
        complain(line.removeprefix("dcgan: "))


@contextmanager
def _forwarding(children: list[subprocess.Popen[bytes]]) -> Iterator[None]:
    """While entered, SIGINT and SIGTERM go to all processes, which save and end."""
    before = {
        signum: signal.signal(signum, lambda number, frame: _send(children, number))
        for signum in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def _send(children: list[subprocess.Popen[bytes]], signum: int) -> None:
    for child in children:
        if child.poll() is None:
            child.send_signal(signum)


def _end_with_the_launcher() -> None:
    """Ask Linux for SIGTERM when the process that started this one dies, so that no rank trains on unseen."""
    launcher = os.environ.get(LAUNCHER)
    if launcher is None or not sys.platform.startswith("linux"):
        return
    import ctypes

    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
    if str(os.getppid()) != launcher:
        os.kill(os.getpid(), signal.SIGTERM)
