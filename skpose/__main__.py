"""``python -m skpose`` is the command line."""

from skpose.cli import main

main(prog_name="skpose")
