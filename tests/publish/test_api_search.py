"""Search over the API: for the city's analysts only, page by page, with counts of the same objects."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from hub.model.audience import TLP
from hub.model.markings import MARKING_ID
from tests.publish.parts import indicator, report
from tests.publish.served import Reply, Served
from tests.publish.test_api import push


def get(served: Served, user: str, path: str = "", **query: Any) -> Reply:
    return served.call("GET", f"/api/search{path}?{urlencode(query, doseq=True)}", user)


@pytest.fixture
def pushed(served: Served) -> list[str]:
    """Two objects that only analysts find, and their report."""
    secret = [indicator(labels=[label], object_marking_refs=[MARKING_ID[TLP.RED]]) for label in ("red-one", "red-two")]
    whole = report(*secret, tlp=TLP.RED)
    push(served, "lea", whole, *secret)
    return [str(one["id"]) for one in (*secret, whole)]


def test_pages_join_to_the_whole_newest_first(served: Served, pushed: list[str]) -> None:
    query = f"type:indicator ({pushed[0]} OR {pushed[1]})"
    whole = get(served, "ana", q=query).json()
    assert {one["id"] for one in whole["objects"]} == set(pushed[:2])
    assert whole["next"] is None
    assert set(whole["objects"][0]) == {"id", "type", "title", "tlp", "collection", "source", "added"}
    found: list[dict[str, Any]] = []
    place = ""
    while place is not None:
        page = get(served, "ana", q=query, limit=1, before=place).json()
        found += page["objects"]
        place = page["next"]
    assert found == whole["objects"]


def test_counts_of_what_is_found(served: Served, pushed: list[str]) -> None:
    query = f"{pushed[0]} OR {pushed[1]}"
    told = get(
        served, "ana", "/facets", q=query, facet=["label", "tlp", "type"], histogram="added", step="month"
    ).json()
    assert told["total"] == len(get(served, "ana", q=query).json()["objects"])
    assert list(told["facets"]) == ["label", "tlp", "type"]
    labels = {one["value"]: one["number"] for one in told["facets"]["label"]["values"]}
    assert (labels["red-one"], labels["red-two"]) == (1, 1)
    assert sum(bar["number"] for bar in told["histogram"]["bars"]) == told["total"]
    one = next(value for value in told["facets"]["label"]["values"] if value["value"] == "red-one")
    fewer = get(served, "ana", q=f"({query}) AND {one['query']}").json()
    assert [each["id"] for each in fewer["objects"]] == pushed[:1]
    every = get(served, "ana", "/facets", q=query, values=1).json()
    assert "histogram" not in every
    assert len(every["facets"]) > 10
    assert (every["facets"]["label"]["more"], every["facets"]["label"]["others"]) == (1, 1)


@pytest.mark.parametrize("path", ("", "/facets"))
def test_others_are_told_that_it_is_not_for_them(served: Served, path: str) -> None:
    for user in ("lea", "ben", "pat", "wes"):
        reply = get(served, user, path, q="*")
        assert (reply.status, reply.json()["code"]) == (403, "not-allowed")


@pytest.mark.parametrize(
    ("path", "query"),
    (
        ("", {}),
        ("", {"q": "colour:red"}),
        ("", {"q": "*", "before": "yesterday"}),
        ("", {"q": "*", "limit": 5000}),
        ("/facets", {"q": "*", "facet": "colour"}),
        ("/facets", {"q": "*", "histogram": "modified"}),
        ("/facets", {"q": "*", "step": "year"}),
        ("/facets", {"q": "*", "values": 0}),
        ("/facets", {"q": "value:*a*"}),
    ),
)
def test_what_cannot_be_asked(served: Served, path: str, query: dict[str, Any]) -> None:
    reply = get(served, "ana", path, **query)
    assert reply.status == 400
    assert reply.json()["detail"]
