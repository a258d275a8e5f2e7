"""`dcgan …` in a forked child, whose streams, user and memory are its own: no new process loads torch."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from dcgan.cli import main

forks = pytest.mark.skipif(torch.cuda.is_available(), reason="torch that has seen a GPU cannot be forked")
TINY = ["--set", "g_maps=4", "--set", "d_maps=4", "--set", "z_dim=8", "--batch", "16"]


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it wrote to the streams that were not given away."""

    status: int
    out: str
    err: str

    def assert_one_line(self, status: int, *says: str) -> None:
        """A refusal as every user is owed it."""
        assert (self.status, self.out) == (status, ""), self
        assert self.err.startswith("dcgan: ") and self.err.count("\n") == 1, self.err
        assert all(words in self.err for words in says), self.err


def dcgan_in_child(
    folder: Path,
    *arguments: str,
    out: str | int | None = None,
    err: str | int | None = None,
    encoding: str = "utf-8",
    before: Callable[[], object] | None = None,
) -> Done:
    """Run a command in `folder`. out, err: a path or a descriptor to write to, by default a file that is read back.

    before: called in the child first. A traceback is a status of 99.
    """
    kept = {name: folder.parent / f"{folder.name}.{os.getpid()}.{name}" for name in ("out", "err")}
    targets = {1: kept["out"] if out is None else out, 2: kept["err"] if err is None else err}
    child = os.fork()
    if child == 0:
        status = 99
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(200)  # a child that waits for something for ever must not outlive the tests
        try:
            for number, target in targets.items():
                flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
                source = target if isinstance(target, int) else os.open(target, flags, 0o666)
                os.dup2(source, number)
            sys.stdout, sys.stderr = (os.fdopen(n, "w", encoding=encoding, closefd=False) for n in (1, 2))
            os.chdir(folder)
            if before:
                before()
            main(list(arguments))
        except SystemExit as end:
            status = int(end.code or 0)
        except BaseException:
            traceback.print_exc()
        finally:
            try:
                sys.stdout.flush()
                sys.stderr.flush()
            except BaseException:
                status = 120  # as Python's own end would have it
            os._exit(status)
    _, code = os.waitpid(child, 0)
    said = {name: file.read_text("utf-8") if file.exists() else "" for name, file in kept.items()}
    for file in kept.values():
        file.unlink(missing_ok=True)
    return Done(os.waitstatus_to_exitcode(code), said["out"], said["err"])
