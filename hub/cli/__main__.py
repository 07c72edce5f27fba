"""`python -m hub.cli` is the `threathub` command."""

from hub.cli.main import main

main()
