"""The `dcgan` command: the only place that prints and exits."""

from __future__ import annotations

import sys


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit; see `command.main`. Imported here, so that Ctrl-C is answered during that too."""
    try:
        from dcgan.cli.command import main as run
    except KeyboardInterrupt:
        print("dcgan: interrupted.", file=sys.stderr)  # noqa: T201
        sys.exit(130)
    run(arguments)
