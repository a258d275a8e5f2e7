"""The `dcgan` command: the only place that prints and exits."""

from __future__ import annotations

import os
import sys

from typer.exceptions import Abort, Exit, TyperException

from dcgan.cli.app import app
from dcgan.cli.screen import complain
from dcgan.errors import DcganError


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit: 0 done, 2 a mistake in one line, 3 diverged, 130 and 143 stopped by a signal."""
    try:
        status = app(arguments, prog_name="dcgan", standalone_mode=False)
    except DcganError as error:
        complain(str(error))
        status = error.status
    except TyperException as error:
        complain(f"{error.format_message()} `dcgan --help` shows what there is.")
        status = 2
    except Exit as error:
        status = error.exit_code
    except (Abort, KeyboardInterrupt):
        complain("interrupted.")
        status = 130
    except BrokenPipeError:
        # The reader of our output has gone, as in `dcgan runs | head`: nothing is left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    sys.exit(status if isinstance(status, int) else 0)
