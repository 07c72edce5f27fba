"""The options that many commands share, and the hub they open."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.ops.logs import configure_logs
from hub.settings import load_settings

if TYPE_CHECKING:
    from hub.app import Hub

DataOption = Annotated[
    Path | None, typer.Option("--data", help="The hub's data folder; default: THREATHUB_DATA, else ./data.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@contextmanager
def opened(data: Path | None, *, create: bool = False) -> Iterator[Hub]:
    """Open the hub of a data folder for one command, also while it runs elsewhere.

    Raises:
        NoSuchFile: there is no hub in that folder (and ``create`` is off).
    """
    from hub.app import open_hub

    settings = load_settings(data=data)
    configure_logs("warning" if settings.log_level == "info" else settings.log_level, settings.log_format)
    hub = open_hub(settings, create=create)
    try:
        yield hub
    finally:
        hub.close()
