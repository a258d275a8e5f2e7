"""One command from its arguments to its exit status: every way it can end, told in one line."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from typer.exceptions import Abort, Exit, TyperException

from dcgan.cli.app import app
from dcgan.cli.screen import complain, prepare_streams, silence
from dcgan.errors import DcganError, Told, enough_memory

INTERRUPTED = 130
TERMINATED = 128 + signal.SIGTERM


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit: 0 done, 2 a mistake in one line, 3 diverged, 130 and 143 stopped by a signal."""
    prepare_streams()
    status: object = 2
    try:
        with _terminable(), enough_memory():
            if not _here():
                raise DcganError("the folder you are in has been removed: go to another one with cd")
            given = sys.argv[1:] if arguments is None else arguments
            status = app(given, prog_name="dcgan", standalone_mode=False, obj=given)
        if status == INTERRUPTED:  # typer's own answer to Ctrl-C, without a word
            complain("interrupted.")
    except DcganError as error:
        if not isinstance(error, Told):
            complain(str(error))
        status = error.status
    except TyperException as error:
        said = error.format_message()
        complain(
            f"{said}{'' if said.endswith(('.', '?', '!', ')')) else '.'} `dcgan --help` shows what there is."
        )
    except Exit as error:
        status = error.exit_code
    except (Abort, KeyboardInterrupt):
        complain("interrupted.")
        status = INTERRUPTED
    except _Terminated:
        complain("interrupted.")
        status = TERMINATED
    except BrokenPipeError:
        status = 0  # the reader of our output has gone: nothing is left to tell
    except OSError as error:
        complain(f"{error.filename or 'standard output'}: {error.strerror or error}")
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except (OSError, ValueError):
        silence(sys.stdout)
    sys.exit(status if isinstance(status, int) else 0)


class _Terminated(BaseException):
    """SIGTERM came. No `KeyboardInterrupt`, of which typer makes a status of its own."""


@contextmanager
def _terminable() -> Iterator[None]:
    """While entered, SIGTERM raises, as SIGINT does, so that what is half made is removed on the way out.

    Training, which saves first, puts its own handler over this one. A SIGTERM that is ignored stays so.
    """
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGTERM) is _terminate:  # after one came, the process ends in peace
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _terminate(signum: int, frame: FrameType | None) -> None:
    # Some programs, timeout among them, send it twice: the second must not end the tidying up.
    signal.signal(signum, signal.SIG_IGN)
    raise _Terminated


def _here() -> bool:
    """Whether there is a working folder: the libraries below us end the process without one, and do not say why."""
    try:
        return bool(Path.cwd())
    except FileNotFoundError:
        return False
