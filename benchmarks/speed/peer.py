"""Programs that step in turn, each in a process of its own: thread pools of two libraries in one disturb each other."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from speed.contest import Advance, Times, turn

TENSORFLOW = Path(__file__).with_name("tensorflow_step.py")
REST = 0.3
"""Seconds between two turns, in which the threads of the one that is done stop spinning."""


class Program:
    """A process that says when it is ready, and then takes turns on request."""

    def __init__(self, name: str, command: list[str]) -> None:
        self.name = name
        # A file: a pipe that nobody empties would stop a talkative program.
        self._said = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said, text=True
        )

    def __enter__(self) -> Program:
        try:
            self.version = str(self._answer()["ready"])
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def turn(self, steps: int) -> float:
        """Seconds that `steps` steps take. Raises `RuntimeError` in one line when the program has ended."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # the answer, or that there is none, tells why
            self._process.stdin.write(f"{steps}\n")
            self._process.stdin.flush()
        return float(self._answer()["seconds"])

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line:
            return dict(json.loads(line))
        self._said.seek(0)
        said = self._said.read().decode(errors="replace").strip().splitlines() or ["no word"]
        raise RuntimeError(f"{self.name} ended: {said[-1]:.300}")

    def _end(self) -> None:
        """Close the program's input, which ends it, or end it."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._said.close()


def serve(advance: Advance, ready: str) -> None:
    """Be such a program: tell `ready` after two steps, then take as many as each line of the input says."""
    turn(advance, 2)
    print(json.dumps({"ready": ready}), flush=True)
    for line in sys.stdin:
        print(json.dumps({"seconds": turn(advance, int(line))}), flush=True)


def has_tensorflow(python: str) -> bool:
    """Whether this Python could import TensorFlow. Raises `OSError` where there is no such Python."""
    question = "import importlib.util, sys; sys.exit(importlib.util.find_spec('tensorflow') is None)"
    return subprocess.run([python, "-c", question], check=False).returncode == 0


def race(programs: list[Program], *, batch: int, rounds: int, shortest: float) -> dict[str, Times]:
    """Let each program take a turn in each of `rounds` rounds, in reversed order every other time."""
    steps = {}
    for program in programs:
        program.turn(1)
        steps[program.name] = max(1, round(shortest / program.turn(1) + 0.5))
    seconds: dict[str, list[float]] = {program.name: [] for program in programs}
    for number in range(rounds):
        for program in programs[:: -1 if number % 2 else 1]:
            time.sleep(REST)
            seconds[program.name].append(program.turn(steps[program.name]))
    return {name: Times(tuple(taken), steps[name] * batch) for name, taken in seconds.items()}
