"""`threathub quarantine`: what was refused, why and where; mend it, replay it, or forget it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.options import DataOption, JsonOption, opened
from hub.cli.output import print_json, print_table, print_text, second
from hub.errors import NoSuchFile, Refused
from hub.model import times

if TYPE_CHECKING:
    from hub.admission.quarantine import Entry

commands = typer.Typer(help="What was refused: look at it, mend it, replay it, drop it.", no_args_is_help=True)


@commands.command("list")
def list_entries(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Entries at most.")] = 100,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what was refused, newest first."""
    with opened(data) as hub:
        entries = hub.quarantine.list(limit=limit)
    if as_json:
        print_json([_document(entry) for entry in entries])
        return
    print_table(
        ("id", "when", "source", "reason", "where", "what"),
        (
            (
                entry.id,
                second(entry.at),
                entry.source,
                entry.reason,
                entry.place,
                entry.message,
            )
            for entry in entries
        ),
        empty="The quarantine is empty.",
    )


@commands.command()
def show(id: str, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show one refused item whole, as far as it was kept."""
    with opened(data) as hub:
        entry = hub.quarantine.show(id)
    from hub.admission.second_opinion import second_opinion

    opinion = second_opinion(entry.raw) if entry.raw[:1] == b"{" and not entry.cut else ""
    if as_json:
        raw = entry.raw.decode(errors="replace")
        print_json({**_document(entry), "raw": raw, "cut": entry.cut, "second_opinion": opinion})
        return
    print_text(f"{entry.reason}: {entry.message}\nfrom {entry.source}, {entry.place}")
    if opinion:
        print_text(f"second opinion: {opinion}")
    print_text(entry.raw.decode(errors="replace"))


@commands.command()
def replay(
    id: str,
    file: Annotated[Path | None, typer.Option(help="The mended object.")] = None,
    data: DataOption = None,
) -> None:
    """Send a refused object through the gate again; it leaves the quarantine when it is accepted."""
    if file is not None and not file.is_file():
        raise NoSuchFile(f"{file} cannot be read")
    with opened(data) as hub:
        receipt = hub.quarantine.replay(id, hub.gate, file.read_bytes() if file else None)
        hub.correlation.settle(force=True)
    result = receipt.results[0]
    if result.outcome == "quarantined":
        raise Refused(result.reason, f"refused again, {result.reason}: {result.message}")
    print_text(f"{result.id}: {result.outcome}")


@commands.command()
def drop(
    ids: Annotated[list[str], typer.Argument(help="Ids of entries.")],
    data: DataOption = None,
) -> None:
    """Forget refused items."""
    with opened(data) as hub:
        hub.quarantine.drop(ids)
    print_text(f"{len(ids)} dropped.")


def _document(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "at": times.format_timestamp(entry.at),
        "source": entry.source,
        "reason": entry.reason,
        "message": entry.message,
        "place": entry.place,
    }
