"""`threathub audit`: who did what; and what makes other commands leave an entry there."""

from __future__ import annotations

import contextlib
import functools
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from hub.access.audit import Audit, Entry, Head, Wanted, person
from hub.cli.options import DataOption, JsonOption, opened
from hub.cli.output import print_json, print_table, print_text, second
from hub.errors import BadRequest, Conflict, HubError, NoSuchFile
from hub.model import times
from hub.settings import load_settings
from hub.store.opening import open_store

commands = typer.Typer(help="Who did what, from where, with what result.", no_args_is_help=True)

AUDITED = {
    "init": ("admin",),
    "ingest": ("paths", "feed", "connector", "sensor", "collection"),
    "restore": ("file",),
    "feed on": ("name",),
    "feed off": ("name",),
    "feed run": ("name",),
    "quarantine replay": ("id", "file"),
    "quarantine drop": ("ids",),
    "advisory push": ("file", "user"),
    "advisory publish": ("id", "user"),
    "advisory withdraw": ("id", "user"),
    "advisory supersede": ("id", "successor", "user"),
    "advisory ack": ("id", "user"),
    "advisory consent": ("organisation", "given"),
    "user unlock": ("name",),
    "export": ("collection", "form", "user"),
    "backup": ("file",),
    "store upgrade": ("abandon",),
    "store forget": ("before",),
}
"""Commands that leave an entry, with those of their parameters that it tells of, what it is done to first. Commands on
organisations, users and tokens leave theirs in the commit that changes the account, and `migrate` in the store that it
filled."""

_HEAD = re.compile(r"([1-9]\d{0,11}):([0-9a-f]{64})", re.ASCII)


@commands.command("list")
def list_entries(
    who: Annotated[str, typer.Option(help="Only what this account did.")] = "",
    action: Annotated[str, typer.Option(help="Only actions that begin so, such as token.")] = "",
    target: Annotated[str, typer.Option(help="Only targets that begin so.")] = "",
    result: Annotated[str, typer.Option(help="Only this result: done, or the code of an error.")] = "",
    where: Annotated[str, typer.Option("--from", help="Only from this network address; local is this machine.")] = "",
    since: Annotated[str, typer.Option(help="Only from this time on, such as 2026-01-31T12:00:00Z.")] = "",
    until: Annotated[str, typer.Option(help="Only before this time.")] = "",
    about: Annotated[str, typer.Option(help="Only entries that have this text in target or details.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Entries at most.")] = 100,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what was done, the newest first."""
    wanted = Wanted(who, where, action, target, result, about, _time("since", since), _time("until", until))
    with opened(data) as hub:
        found = hub.audit.newest(wanted)
        entries = [entry for entry, _ in zip(found, range(limit), strict=False)]
    if as_json:
        print_json([_document(entry) for entry in entries])
        return
    print_table(
        ("number", "when", "who", "from", "action", "to", "result", "details"),
        (
            (
                entry.number,
                second(entry.at),
                entry.who,
                entry.where,
                entry.action,
                entry.target,
                entry.result,
                ", ".join(f"{name} {value}" for name, value in entry.details.items()),
            )
            for entry in entries
        ),
        empty="The audit log has no such entry.",
    )


def _time(option: str, text: str) -> int:
    try:
        return times.parse_timestamp(text) if text else 0
    except ValueError as error:
        raise BadRequest(f"--{option}: {error}") from None


@commands.command()
def verify(
    known: Annotated[str, typer.Option(help="A head that an earlier verify printed: NUMBER:DIGEST.")] = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check that no entry was changed, removed or put in; print the head, to be kept where the hub's host is not."""
    shape = _HEAD.fullmatch(known)
    if known and shape is None:
        raise BadRequest("--known must be a head as `threathub audit verify` prints it: NUMBER:DIGEST")
    with opened(data) as hub:
        head = hub.audit.verify(Head(int(shape[1]), shape[2]) if shape else None)
    if as_json:
        print_json({"entries": head.number, "head": f"{head.number}:{head.digest}"})
    else:
        print_text(f"{head.number} entries, each as it was written. The head, to be kept elsewhere:")
        print_text(f"{head.number}:{head.digest}")


@commands.command()
def export(
    file: Annotated[Path, typer.Argument(help="File to write; it must not exist.")], data: DataOption = None
) -> None:
    """Write every entry into a file, the oldest first, one JSON document a line."""
    with opened(data) as hub:
        hub.audit.record("audit.export", file.name)
        number = _write(file, hub.audit.entries())
    print_text(f"{number} entries written to {file}.")


def audited(name: str, command: Callable[..., None]) -> Callable[..., None]:
    """Return a command that leaves an entry in the audit log when it ends, with what came of it."""

    @functools.wraps(command)
    def run(**given: Any) -> None:
        result = "interrupted"
        try:
            command(**given)
            result = "done"
        except HubError as error:
            result = error.code
            raise
        finally:
            # What the command itself raised is what its user must read, also when the store takes no entry.
            with contextlib.nullcontext() if result == "done" else contextlib.suppress(HubError):
                _record(name, given, result)

    return run


def _record(name: str, given: dict[str, Any], result: str) -> None:
    settings = load_settings(data=given.get("data"))
    told = {one: _text(given[one]) for one in AUDITED[name] if given.get(one)}
    target = told.pop(AUDITED[name][0], "")
    try:
        store = open_store(
            settings.store_address,
            access=settings.store_access,
            patience=settings.store_patience,
            create=False,
            unfinished=True,
        )
    except NoSuchFile:
        return
    try:
        Audit(store, person()).record(name.replace(" ", "."), target, result=result, details=told)
    finally:
        store.close()


def _text(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _write(file: Path, entries: Iterator[Entry]) -> int:
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Conflict(f"{file} is there already") from None
    except OSError:
        raise BadRequest(f"{file} cannot be written") from None
    number = 0
    with os.fdopen(descriptor, "wb") as out:
        for number, entry in enumerate(entries, 1):  # noqa: B007 - the last number is the answer
            out.write(orjson.dumps(_document(entry)) + b"\n")
    return number


def _document(entry: Entry) -> dict[str, Any]:
    return {**asdict(entry), "at": times.format_timestamp(entry.at)}
