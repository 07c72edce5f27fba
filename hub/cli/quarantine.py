"""`threathub quarantine`: what was refused, why and where; mend it, replay it, or forget it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hub.cli.options import DataOption, JsonOption, opened
from hub.cli.output import print_json, print_table, print_text
from hub.errors import NoSuchFile

commands = typer.Typer(help="What was refused: look at it, mend it, replay it, drop it.", no_args_is_help=True)
