"""`python -m dcgan`: the same as the `dcgan` command."""

from dcgan.cli import main

main()
