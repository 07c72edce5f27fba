"""`threathub feed`: declared sources: which there are, fetch one now, how they are doing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from hub.cli.options import DataOption, JsonOption, opened
from hub.cli.output import cell, print_json, print_table, print_text, second
from hub.errors import HubError, InputError
from hub.model import times

if TYPE_CHECKING:
    from connectors.runner import Counts, FeedStatus

commands = typer.Typer(help="Declared sources.", no_args_is_help=True)


@commands.command("list")
def list_feeds(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the declared feeds: what they are, whether they are on, how far they are trusted."""
    with opened(data) as hub:
        rows = [
            {
                "name": feed.name,
                "title": feed.title,
                "on": hub.records.enabled(feed),
                "connector": feed.connector,
                "schedule": feed.schedule,
                "trust": feed.trust,
                "collections": list(feed.collections),
                "licence": feed.licence,
            }
            for feed in hub.feeds.values()
        ]
    if as_json:
        print_json(rows)
        return
    print_table(
        ("feed", "title", "on", "connector", "schedule", "trust", "goes to", "licence"),
        (tuple(cell(one) for one in row.values()) for row in rows),
        empty="No feed is declared: docs/administrator/feeds.md tells how.",
    )


@commands.command("run")
def run_feed(
    name: Annotated[str, typer.Argument(help="Name of the feed.")],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch one feed now, on or off, and say what became of its items."""
    with opened(data) as hub:
        feed = hub.feed(name)
        with progress_line(f"{feed.title}") as show:
            status = hub.run_feed(feed, show)
        hub.correlation.settle(force=True)
    if as_json:
        print_json({"feed": name, **_status(status)})
    if status.consecutive_failures:
        raise failure(status.last_error_code, f"{name}: {status.last_error}")
    if not as_json:
        print_text(f"{name}: {sentence(status.last_counts)}")


@commands.command("on")
def turn_on(name: str, data: DataOption = None) -> None:
    """Let the background work fetch a feed on its schedule."""
    with opened(data) as hub:
        hub.records.switch(hub.feed(name), on=True)
    print_text(f"{name} is on.")


@commands.command("off")
def turn_off(name: str, data: DataOption = None) -> None:
    """Stop fetching a feed; what it brought stays until it expires."""
    with opened(data) as hub:
        hub.records.switch(hub.feed(name), on=False)
    print_text(f"{name} is off.")


@commands.command("status")
def show_status(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show how each feed that is on or ever ran is doing: last run, what it brought, failures in a row."""
    with opened(data) as hub:
        records = {feed.name: (hub.records.enabled(feed), hub.records.load(feed.name)) for feed in hub.feeds.values()}
    shown = {name: record.status for name, (on, record) in records.items() if on or record.status.last_run}
    if as_json:
        print_json([{"feed": name, **_status(status)} for name, status in shown.items()])
        return
    print_table(
        (
            "feed",
            "last run",
            "last success",
            "fetched",
            "stored",
            "unchanged",
            "merged",
            "refused",
            "failures",
            "error",
        ),
        (
            (
                name,
                _time(status.last_run),
                _time(status.last_success),
                *status.last_counts.model_dump().values(),
                status.consecutive_failures,
                f"{status.last_error} [{status.last_error_code}]" if status.consecutive_failures else "",
            )
            for name, status in shown.items()
        ),
        empty="No feed is on: threathub feed on NAME.",
    )


def failure(code: str, message: str) -> HubError:
    """Return the error that a run ended with, so that the exit status tells a full disk from a bad file."""
    kinds: list[type[HubError]] = [HubError]
    for kind in kinds:  # parents before children: a code that is handed down is the parent's
        if kind.code == code:
            return kind(message)
        kinds += kind.__subclasses__()
    return InputError(message)


def sentence(counts: Counts) -> str:
    """Say what became of the items of a run, so that the numbers add up."""
    return (
        f"fetched {counts.fetched}: {counts.stored} stored, {counts.unchanged} unchanged, "
        f"{counts.merged} merged, {counts.quarantined} quarantined"
    )


@contextmanager
def progress_line(title: str) -> Iterator[Callable[[Counts], None]]:
    """Show on a terminal how a run goes on; give the function that is told the counts."""
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(title)
        yield lambda counts: progress.update(task, description=f"{title}: {sentence(counts)}")


def _status(status: FeedStatus) -> dict[str, Any]:
    document = status.model_dump()
    for name in ("last_run", "last_success", "last_new", "last_error_at", "next_due"):
        document[name] = times.format_timestamp(document[name]) if document[name] else None
    return document


def _time(moment: int | None) -> str:
    return second(moment) if moment else "never"
