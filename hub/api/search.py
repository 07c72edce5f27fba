"""``/api/search``: find objects, and count what is found; for the city's analysts."""

from __future__ import annotations

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, ConfigDict, Field

from hub.api import asked
from hub.api.faults import problems
from hub.errors import BadQuery
from hub.model import times
from hub.publish.finding import Finder, facets_document, title_of
from hub.store.facets import FACETS, MOST_SHOWN, FacetName, Histogram, Step, Time
from hub.store.ports import Change
from hub.store.query_text import LONGEST_QUERY

_MOST = 1000


class Asked(BaseModel):
    """What to find."""

    model_config = ConfigDict(extra="forbid")

    q: str = Field(min_length=1, max_length=LONGEST_QUERY, description="The query (docs/analyst/search.md).")


class Wanted(Asked):
    """What to list."""

    before: str = Field("", max_length=40, description="`next` of the page before.")
    limit: int = Field(50, ge=1, le=_MOST, description="Objects at most.")


class Counting(Asked):
    """What to count."""

    facet: list[FacetName] = Field(list(FACETS), max_length=len(FACETS), description="Only these; repeat it.")
    values: int = Field(10, ge=1, le=MOST_SHOWN, description="Values of each at most.")
    histogram: Time | None = Field(None, description="Count by when the hub stored them, or when they were made.")
    step: Step = Field("day", description="In UTC; weeks begin on Monday.")


class Found(BaseModel):
    """The latest version of an object that you may see."""

    id: str
    type: str
    title: str = Field(description="Its pattern, name or value, cut to 100 characters.")
    tlp: str
    collection: str
    source: str
    added: str


class Page(BaseModel):
    """A page of what was found, newest first."""

    objects: list[Found]
    next: str | None = Field(description="Send it as `before` for the next page; null on the last one.")


class Value(BaseModel):
    """A value of a facet, how many objects have it, and the query that finds all of those."""

    value: str
    number: int
    query: str


class Facet(BaseModel):
    """The most frequent values of a field, and how many more there are with the sum of their numbers."""

    values: list[Value]
    more: int
    others: int


class Bar(BaseModel):
    """How many objects fall into a day, week or month."""

    start: str
    number: int


class Bars(BaseModel):
    """A histogram without its empty bars; objects without the time are in none."""

    time: Time
    step: Step
    bars: list[Bar]


class Counted(BaseModel):
    """Counts over all that a query finds of what you may see."""

    total: int
    facets: dict[str, Facet]
    histogram: Bars | None = Field(None, description="Only if it was asked for.")


def views(prefix: str, finder: Finder) -> APIBlueprint:
    """Return the views of this resource below a prefix."""
    api = APIBlueprint(
        "search", __name__, url_prefix=prefix, abp_tags=[Tag(name="search")], abp_security=[{"token": []}]
    )

    @api.get("/search", summary="Find", responses={200: Page, **problems(400, 403)})
    def find(query: Wanted) -> Response:
        """List what a query finds, newest first. Objects themselves are read over TAXII."""
        before = _moment(query.before) if query.before else None
        found = finder.page(asked.principal(), query.q, before=before, limit=query.limit)
        more = times.format_timestamp(found.changes[-1].date_added) if found.before is not None else None
        return _answer(Page(objects=[_found(change) for change in found.changes], next=more))

    @api.get("/search/facets", summary="Count", responses={200: Counted, **problems(400, 403)})
    def count(query: Counting) -> Response:
        """Count all that a query finds by type, source, label and so on, and by time."""
        histogram = Histogram(query.histogram, query.step) if query.histogram else None
        facets = finder.facets(asked.principal(), query.q, fields=query.facet, values=query.values, histogram=histogram)
        return _answer(Counted.model_validate(facets_document(facets, histogram)))

    return api


def _found(change: Change) -> Found:
    return Found(
        id=change.id,
        type=change.type,
        title=title_of(change),
        tlp=change.audience.tlp.name,
        collection=change.collection,
        source=change.source,
        added=times.format_timestamp(change.date_added),
    )


def _moment(text: str) -> int:
    try:
        return times.parse_timestamp(text)
    except ValueError:
        raise BadQuery("before takes what the page before said as next") from None


def _answer(told: Page | Counted) -> Response:
    return Response(told.model_dump_json(exclude_unset=True), mimetype="application/json")
