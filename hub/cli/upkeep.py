"""`threathub verify`, `backup`, `restore`, `migrate`: looking after the store."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from hub.access.audit import Audit, person
from hub.cli.options import DataOption, JsonOption, opened
from hub.cli.output import print_json, print_text
from hub.errors import BadRequest, Conflict, NoSuchFile, StoreCorrupt
from hub.model import times
from hub.settings import Settings, load_settings
from hub.store.moving import PARTS, Part, Progress, move
from hub.store.opening import open_store
from hub.store.retention import day_text
from hub.store.sqlite.engine import SqliteStore

commands = typer.Typer()
stores = typer.Typer(help="What holds the data.", no_args_is_help=True)


@commands.command()
def verify(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Check the store against its invariants; exit status 74 and a list when a fault is found."""
    with opened(data) as hub:
        faults = hub.store.verify()
        head = hub.store.head()
    if as_json:
        print_json({"ok": not faults, "faults": faults, "position": head.position})
    elif not faults:
        print_text(f"The store is sound up to change {head.position}.")
    for fault in () if as_json else faults:
        print_text(fault)
    if faults:
        raise StoreCorrupt(f"{len(faults)} faults found: restore the last good backup")


@commands.command()
def backup(
    file: Annotated[Path, typer.Argument(help="File to write; it must not exist.")],
    data: DataOption = None,
) -> None:
    """Copy the store into one file, while the hub runs."""
    if file.exists():
        raise Conflict(f"{file.name} exists already; name a new file")
    if not file.parent.is_dir():
        raise NoSuchFile(f"{file} cannot be written: there is no folder {file.parent}")
    with opened(data) as hub:
        hub.store.backup(file)
        position = hub.store.head().position
    print_text(f"Backed up to {file}, at least up to change {position}.")


@commands.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A file that `threathub backup` wrote.")],
    data: DataOption = None,
) -> None:
    """Put a backup into a folder that holds no hub yet."""
    from hub.app import make_folder

    settings = load_settings(data=data)
    if not file.is_file():
        raise NoSuchFile(f"{file.name} cannot be read")
    make_folder(settings.data)
    if settings.store_address.startswith("sqlite:///"):
        position, place = _put_back(file, settings), str(settings.data)
    else:
        position, place = _moved_back(file, settings), settings.store_address
    print_text(f"Restored into {place} up to change {position}.")


def _put_back(file: Path, settings: Settings) -> int:
    """Copy a backup to where the store's file belongs, once it is known to be sound."""
    path = Path(settings.store_address.removeprefix("sqlite:///"))
    if path.exists():
        raise Conflict(f"{settings.data} holds a hub already; restore into a new folder")
    draft = path.with_suffix(".restored")
    shutil.copyfile(file, draft)
    try:
        position = _checked(draft)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return position


def _moved_back(file: Path, settings: Settings) -> int:
    """Copy a backup into a store that is no file, through a copy of it that may be written to."""
    with TemporaryDirectory() as folder:
        draft = Path(folder, "backup.db")
        shutil.copyfile(file, draft)
        position = _checked(draft)
        new = open_store(
            settings.store_address, access=settings.store_access, patience=settings.store_patience, unfinished=True
        )
        try:
            with closing(SqliteStore(draft)) as old, _bars() as progress:
                move(old, new, progress)
        finally:
            new.close()
    return position


def _checked(file: Path) -> int:
    """Return up to which change a store is, once it is known to be sound."""
    store = SqliteStore(file)
    try:
        if faults := store.verify():
            raise StoreCorrupt(f"the backup is not sound: {faults[0]}")
        return store.head().position
    finally:
        store.close()


@commands.command()
def migrate(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FROM", help="Address of the store to copy: sqlite:///path or https://host:9200/prefix."
        ),
    ],
    target: Annotated[str, typer.Argument(metavar="TO", help="Address of an empty store.")],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy a whole store into an empty one, of any engine; readers go on there as if nothing had happened.

    Stop the hub first. A move that was interrupted goes on when the same command is given again. At the end both stores
    are read and compared. The old store stays as it is; the audit log of the new one tells of the move.
    """
    settings = load_settings(data=data)
    opened_by = partial(open_store, access=settings.store_access, patience=settings.store_patience)
    old = opened_by(source, create=False)
    try:
        new = opened_by(target, unfinished=True)
        try:
            with _bars() as progress:
                extent = move(old, new, progress)
            # Only now: a store that is still being filled takes nothing else, and the old one stays as it is.
            Audit(new, person()).record("migrate", target, details={"from": source})
        finally:
            new.close()
    finally:
        old.close()
    if as_json:
        print_json(extent._asdict())
        return
    print_text(
        f"Moved {extent.changes} changes, {extent.ledger} ledger rows and {extent.documents} documents, and found both "
        f"stores equal. Now set store to {target} and start the hub."
    )


@stores.command()
def upgrade(
    abandon: Annotated[bool, typer.Option("--abandon", help="Give up an upgrade that is not finished.")] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move the data on Elasticsearch to new indices while the hub serves.

    For a new version of their mappings, or another `store_shards`. First install the new version of the hub on every
    machine. One that was interrupted goes on when the command is given again. It needs room for the indices twice, and
    the rights to make and delete indices. A SQLite store needs nothing.
    """
    with opened(data) as hub:
        if abandon:
            done = hub.store.abandon_upgrade()
        else:
            with _bars() as progress:
                done = hub.store.upgrade(progress)
    if as_json:
        print_json({"upgraded": done and not abandon, "abandoned": done and abandon})
    elif not done:
        print_text("There is nothing to give up." if abandon else "The store is as it should be.")
    else:
        print_text("Given up; the store is as it was." if abandon else "Done; the old indices are deleted.")


@stores.command()
def forget(
    before: Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="First day (UTC) that is kept.")],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take everything before a day out of the ledger of what was seen, for good, also in later copies.

    The hub does so by itself for what is older than `ledger_days`.
    """
    day = (before.date() - date(1970, 1, 1)).days
    if day > times.now() // times.DAY:
        raise BadRequest("that day has not come yet: what is seen until then would be dropped")
    with opened(data) as hub:
        hub.store.forget(day)
    if as_json:
        print_json({"kept_since": day_text(day)})
    else:
        print_text(f"The ledger begins on {day_text(day)} at the earliest.")


@contextmanager
def _bars() -> Iterator[Progress]:
    """Show on a terminal how far a move is."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        tasks = {part: bars.add_task(part, start=False, total=None) for part in PARTS}

        def show(part: Part, done: int, of: int, /) -> None:
            bars.start_task(tasks[part])
            bars.update(tasks[part], completed=done, total=of)

        yield show
