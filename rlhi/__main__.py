"""``python -m rlhi`` is the command `rlhi`."""

from rlhi.cli.app import main

main()
