"""`threathub search` and `lookup`: what analysts do, in a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from hub.cli.options import DataOption, JsonOption, opened
from hub.cli.output import print_json, print_table, print_text, second
from hub.model import times
from hub.model.observables import Observable, defang, recognise_all
from hub.publish.finding import facets_document, title_of
from hub.store.facets import FACETS, MOST_SHOWN, FacetQuery, Facets, Histogram, Step, Time
from hub.store.ports import HUB, Change, LedgerRow, SearchPage, SearchQuery
from hub.store.query import parse

if TYPE_CHECKING:
    from hub.app import Hub

commands = typer.Typer()
_WIDEST = 60


def _known_facets(names: list[str] | None) -> list[str] | None:
    """Check names of facets as they are read from the command line."""
    for name in names or ():
        if name not in FACETS:
            raise typer.BadParameter(f"there is no facet {name!r}; there are {', '.join(FACETS)}")
    return names


@commands.command()
def search(
    query: Annotated[str, typer.Argument(help="For example: type:indicator AND value:184.105.*")],
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Results at most.")] = 50,
    before: Annotated[int | None, typer.Option(help="Go on from this position (printed as next).")] = None,
    facets: Annotated[bool, typer.Option("--facets", help="Count what is found: by type, label, source, …")] = False,
    facet: Annotated[
        list[str] | None,
        typer.Option(callback=_known_facets, help=f"Count by this only; repeat it: {', '.join(FACETS)}."),
    ] = None,
    values: Annotated[int, typer.Option(min=1, max=MOST_SHOWN, help="Values of each facet at most.")] = 10,
    histogram: Annotated[Time | None, typer.Option(help="Count by when objects came, or when they were made.")] = None,
    step: Annotated[Step, typer.Option(help="In UTC; weeks begin on Monday.")] = "day",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Search objects, newest first: field:word, AND, OR, NOT, brackets, wildcards, ranges (docs/analyst/search.md)."""
    if facets or facet or histogram:
        by = tuple(facet) if facet else FACETS if facets else ()
        counted = FacetQuery(parse(query), by, values, Histogram(histogram, step) if histogram else None)
        with opened(data) as hub:
            found = hub.store.facets(HUB, counted)
        if as_json:
            print_json(facets_document(found, counted.histogram))
        else:
            _print_facets(found, counted.histogram)
        return
    with opened(data) as hub:
        page = hub.store.search(HUB, SearchQuery(parse(query), before, limit))
    if as_json:
        print_json({"objects": [_document(change) for change in page.changes], "next": page.before})
    else:
        _print_page(page)


def _print_page(page: SearchPage) -> None:
    print_table(
        ("type", "what", "tlp", "collection", "source", "added", "id"),
        (
            (
                change.type,
                title_of(change),
                change.audience.tlp.name,
                change.collection,
                change.source,
                second(change.date_added),
                change.id,
            )
            for change in page.changes
        ),
        empty="Nothing found.",
    )
    if page.before is not None:
        print_text(f"There is more: --before {page.before}")


def _print_facets(facets: Facets, histogram: Histogram | None) -> None:
    print_text(f"{facets.total:,} objects")
    for name, facet in facets.fields.items():
        rows: list[tuple[str, str, str]] = [(one.value, f"{one.number:,}", one.query) for one in facet.values]
        if facet.more:
            rows.append((f"({facet.more:,} more)", f"{facet.others:,}", ""))
        if rows:
            print_text()
            print_table((name, "objects", "query"), rows, empty="")
    if histogram is not None and facets.bars:
        print_text()
        most = max(bar.number for bar in facets.bars)
        print_table(
            (f"{histogram.time} in {histogram.step} from", "objects", ""),
            (
                (second(bar.start)[:10], f"{bar.number:,}", "#" * max(1, bar.number * _WIDEST // most))
                for bar in facets.bars
            ),
            empty="",
        )


@commands.command()
def lookup(
    values: Annotated[list[str] | None, typer.Argument(help="Values as they come, defanged or not; - reads them.")],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what is known of addresses, names, URLs, hashes and mail addresses, as they were pasted."""
    text = sys.stdin.read(1_000_000) if values == ["-"] else "\n".join(values or ())
    found = recognise_all(text)
    with opened(data) as hub:
        rows = [_known(hub, observable) for observable in found]
    if as_json:
        print_json({"values": rows})
        return
    print_table(
        ("value", "kind", "indicators", "seen by the city", "warnings"),
        ((row["defanged"], row["kind"], _indicators(row), _seen(row), ", ".join(row["warnings"])) for row in rows),
        empty="No address, name, URL, hash or mail address was recognised in that.",
    )


def _known(hub: Hub, observable: Observable) -> dict[str, Any]:
    changes = hub.store.lookup(HUB, [observable.key]).get(observable.key, [])
    ledger = hub.store.ledger([observable.key])
    below = not ledger
    if below:
        ledger = hub.store.ledger([observable.key], under=True)
    return {
        "value": observable.value,
        "defanged": defang(observable.value),
        "kind": observable.kind,
        "objects": [_document(change) for change in changes],
        "seen": {**_total(ledger), "below": below and bool(ledger)},
        "warnings": [warning.label for warning in hub.warning_lists.check(observable)],
    }


def _total(rows: list[LedgerRow]) -> dict[str, Any]:
    if not rows:
        return {"count": 0, "first": None, "last": None, "sensors": []}
    return {
        "count": sum(row.total.number for row in rows),
        "first": times.format_timestamp(min(row.total.first for row in rows)),
        "last": times.format_timestamp(max(row.total.last for row in rows)),
        "sensors": sorted({row.key.sensor for row in rows}),
    }


def _document(change: Change) -> dict[str, Any]:
    return {
        "position": change.position,
        "date_added": times.format_timestamp(change.date_added),
        "collection": change.collection,
        "source": change.source,
        "tlp": change.audience.tlp.name,
        "object": orjson.loads(change.body) if change.body else None,
    }


def _indicators(row: dict[str, Any]) -> str:
    found = [item for item in row["objects"] if item["object"] and item["object"].get("type") == "indicator"]
    if not found:
        return "none"
    return f"{len(found)}: " + ", ".join(sorted({item["source"] for item in found}))


def _seen(row: dict[str, Any]) -> str:
    seen = row["seen"]
    if not seen["count"]:
        return "never"
    where = " below it" if seen["below"] else ""
    return f"{seen['count']} x{where}, last {seen['last'][:10]}, by {', '.join(seen['sensors'])}"
