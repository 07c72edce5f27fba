"""`threathub export`: a collection as a plain list."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from hub.cli.options import DataOption, opened
from hub.errors import NotFound
from hub.model import times
from hub.model.audience import Reader
from hub.publish.entries import entries
from hub.publish.formats import output_formats
from hub.store.ports import Scope

commands = typer.Typer()


@commands.command()
def export(
    collection: Annotated[str, typer.Argument(help="Name of the collection.")],
    form: Annotated[str, typer.Option("--format", help="txt, csv or stix.")] = "txt",
    user: Annotated[str | None, typer.Option("--as", help="As this account sees it; default: any member.")] = None,
    data: DataOption = None,
) -> None:
    """Print a collection as a list: live values only, nothing that a warning list annotates, nothing under PAP:RED."""
    if form not in output_formats():
        raise NotFound(f"there is no format {form}; there are {', '.join(output_formats())}")
    with opened(data) as hub:
        if collection not in {one.key for one in hub.collections}:
            raise NotFound(f"there is no collection {collection}; `threathub collection list` shows all")
        if user is None:
            scope = Scope(Reader(organisation=""), frozenset({collection}), "block")
        else:
            scope = hub.collections.scope(hub.principal(user), "block")
        found = entries(hub.store, scope, collection, times.now(), lambda one: not hub.warning_lists.check(one))
        for line in output_formats()[form].write(found):
            sys.stdout.write(line)
