"""`threathub ingest` and `match`: files in, hits out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.feeds import failure, progress_line, sentence
from hub.cli.options import DataOption, JsonOption, opened
from hub.cli.output import print_json, print_json_lines, print_table, print_text, second
from hub.errors import NoSuchFile
from hub.model import times
from hub.model.observables import Observable, defang

if TYPE_CHECKING:
    from hub.app import Hub
    from hub.correlate.matching import Hit

commands = typer.Typer()


@commands.command()
def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Files or folders.")],
    feed: Annotated[str | None, typer.Option(help="Read them as this declared feed would.")] = None,
    connector: Annotated[str | None, typer.Option(help="Read them with this connector; default by file name.")] = None,
    sensor: Annotated[str | None, typer.Option(help="They are logs of this declared sensor.")] = None,
    collection: Annotated[str, typer.Option(help="Where objects go when no feed says it.")] = "partner-indicators",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import files now; what was there is unchanged, what cannot be read goes to quarantine."""
    for path in paths:
        if not path.exists():
            raise NoSuchFile(f"{path} is not there")
    with opened(data) as hub:
        if sensor is not None:
            rows = [_ingest_log(hub, path, sensor) for path in paths]
        else:
            rows = [_ingest_objects(hub, path, feed, connector, collection) for path in paths]
        hub.correlation.settle(force=True)
    if as_json:
        print_json(rows if len(rows) > 1 else rows[0])
        return
    for row in rows:
        file = row.pop("path")
        print_text(f"{file}: " + ", ".join(f"{number} {what}" for what, number in row.items()))


def _ingest_log(hub: Hub, path: Path, sensor: str) -> dict[str, Any]:
    receipt = hub.ingest_log(path, sensor)
    return {"path": str(path), "events": receipt.events, "quarantined": receipt.bad, "hits": receipt.hits}


def _ingest_objects(
    hub: Hub, path: Path, feed_name: str | None, connector: str | None, collection: str
) -> dict[str, Any]:
    feed = hub.feed(feed_name) if feed_name else hub.import_feed(path, connector, collection)
    with progress_line(path.name) as show:
        status = hub.import_path(path, feed, show)
    if status.consecutive_failures:
        from connectors.runner import Counts

        kept = f" ({sentence(status.last_counts)})" if status.last_counts != Counts() else ""
        raise failure(status.last_error_code, f"{status.last_error}{kept}")
    return {"path": str(path), **status.last_counts.model_dump()}


@commands.command()
def match(
    paths: Annotated[list[Path], typer.Argument(help="Log files.")],
    sensor: Annotated[str, typer.Option(help="Format of the log (suricata, zeek, cowrie), or a declared sensor.")],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Match log files against every indicator without storing anything; --json prints one hit a line."""
    with opened(data) as hub:
        hits = (hit for path in paths for hit in hub.match_log(path, sensor))
        if as_json:
            print_json_lines(_document(hit) for hit in hits)
            return
        print_table(
            ("time", "sensor", "observable", "why", "score", "warnings", "collection", "indicator"),
            _rows(hits),
            empty="No hit.",
        )


def _rows(hits: Iterator[Hit]) -> Iterator[tuple[Any, ...]]:
    for hit in hits:
        yield (
            second(hit.time),
            hit.sensor,
            defang(Observable.from_key(hit.observable).value),
            hit.why,
            hit.score.value,
            ", ".join(hit.warnings),
            hit.collection,
            hit.indicator,
        )


def _document(hit: Hit) -> dict[str, Any]:
    return {
        "time": times.format_timestamp(hit.time),
        "sensor": hit.sensor,
        "observable": hit.observable,
        "indicator": hit.indicator,
        "collection": hit.collection,
        "score": hit.score.value,
        "score_parts": [{"reason": reason, "points": points} for reason, points in hit.score.parts],
        "warnings": list(hit.warnings),
        "why": hit.why,
    }
