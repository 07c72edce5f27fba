"""`threathub rule`: the city's own rules, and what is kept but not matched."""

from __future__ import annotations

from hub.cli.find import title_of
from hub.cli.options import DataOption, JsonOption, opened
from hub.cli.output import print_json, print_table

import typer  # isort: skip

commands = typer.Typer(help="The city's own rules.", no_args_is_help=True)
