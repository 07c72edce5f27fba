"""The TAXII pull against a small real server: paging, cursors, tokens, faults."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest

from connectors.contract import Portion
from connectors.http import Http
from connectors.taxii import Taxii, TaxiiSettings
from hub.errors import NotThatFormat, SourceUnreachable
from hub.model.items import BadItem, StixItem

COLLECTION = "6c3a9f0e-6a2f-4a4e-9b44-6a2f6c3a9f0e"
MEDIA = {"Content-Type": "application/taxii+json;version=2.1"}


def added(number: int) -> str:
    return f"2026-01-01T00:00:{number:02d}.000000Z"


@dataclass
class Server:
    """Numbered objects; ``next`` is a number, text, or not given at all."""

    web: Any
    number: int = 7
    gives_next: Any = str
    queries: list[dict[str, str]] = field(default_factory=list)
    objects: dict[int, str] = field(default_factory=dict)
    forgets: bool = False

    def start(self) -> Server:
        self.web.routes["/taxii2/"] = self.json({"title": "T", "api_roots": [self.web.url("/api/")]})
        self.web.routes["/api/"] = self.json(
            {"title": "R", "versions": [MEDIA["Content-Type"]], "max_content_length": 9}
        )
        about = {"id": COLLECTION, "title": "Bad things", "alias": "bad", "can_read": True, "can_write": False}
        self.web.routes["/api/collections/"] = self.json({"collections": [about]})
        self.web.routes[f"/api/collections/{COLLECTION}/"] = self.json(about)
        self.web.routes[f"/api/collections/{COLLECTION}/objects/"] = self.page
        return self

    def json(self, content: Any) -> tuple[int, dict[str, str], bytes]:
        return 200, MEDIA, json.dumps(content).encode()

    def page(self, handler: Any) -> Any:
        query = {name: values[0] for name, values in parse_qs(urlsplit(handler.path).query).items()}
        self.queries.append(query)
        if "next" in query and self.forgets:
            return 400, MEDIA, b'{"title": "no such next"}'
        after = int(query["next"]) if "next" in query else -1
        if "added_after" in query:
            after = max(after, int(query["added_after"][17:19]))
        chosen = [number for number in range(self.number) if number > after][: int(query["limit"])]
        more = bool(chosen) and chosen[-1] < self.number - 1
        parts = [self.objects.get(number) or self.indicator(number) for number in chosen]
        around = {"more": more, **({"next": self.gives_next(chosen[-1])} if more and self.gives_next else {})}
        body = json.dumps(around)[:-1] + (', "objects": [' + ",".join(parts) + "]}" if parts else "}")
        dates = {"X-TAXII-Date-Added-Last": added(chosen[-1])} if chosen else {}
        return 200, {**MEDIA, **dates}, body.encode()

    def indicator(self, number: int) -> str:
        return f'{{"type":"indicator", "id":"indicator--{number}", "x_score":1.50}}'

    def settings(self, **more: Any) -> TaxiiSettings:
        url = self.web.url(f"/api/collections/{COLLECTION}/")
        return TaxiiSettings(**{"url": url, "page_size": 3, **more})


@pytest.fixture
def server(web: Any) -> Server:
    return Server(web).start()


def pull(settings: TaxiiSettings, cursor: dict[str, Any], http: Http) -> tuple[list[str], dict[str, Any]]:
    found = []
    for portion in Taxii().fetch(settings, cursor, http):
        found += [json.loads(item.raw)["id"] for item in portion.items if isinstance(item, StixItem)]
        cursor = json.loads(json.dumps(portion.cursor))
    return found, cursor


IDS = [f"indicator--{number}" for number in range(7)]


@pytest.mark.parametrize("gives_next", [str, int, None], ids=["text", "a number", "no next"])
def test_every_page_is_read_and_the_next_pull_begins_behind_it(server: Server, http: Http, gives_next: Any) -> None:
    server.gives_next = gives_next
    found, cursor = pull(server.settings(), {}, http)
    assert found == IDS
    assert cursor == {"added_after": added(6)}
    assert not any({"next", "added_after"} <= set(query) for query in server.queries)
    server.number = 9
    assert pull(server.settings(), cursor, http) == (["indicator--7", "indicator--8"], {"added_after": added(8)})
    assert pull(server.settings(), {"added_after": added(8)}, http) == ([], {"added_after": added(8)})


def test_bytes_come_untouched(server: Server, http: Http) -> None:
    portion = next(iter(Taxii().fetch(server.settings(), {}, http)))
    first = next(iter(portion.items))
    assert first == StixItem(server.indicator(0).encode(), "127.0.0.1 Bad things object 1")


def test_a_walk_that_was_cut_short_goes_on(server: Server, http: Http) -> None:
    with contextlib.closing(
        cast(Generator[Portion, None, None], Taxii().fetch(server.settings(), {}, http))
    ) as portions:
        cursor = next(portions).cursor
    server.queries.clear()
    assert pull(server.settings(), cursor, http) == (IDS[3:], {"added_after": added(6)})
    assert server.queries[0]["next"] == "2"


def test_a_server_that_forgot_the_walk_is_asked_from_where_it_began(server: Server, http: Http) -> None:
    server.forgets = True
    server.gives_next = None
    found, cursor = pull(server.settings(), {"added_after": added(1), "next": "3", "last": added(3)}, http)
    assert (found, cursor) == (IDS[2:], {"added_after": added(6)})


def test_the_collection_is_found_by_discovery(server: Server, http: Http) -> None:
    for name in (COLLECTION, "bad", "Bad things"):
        settings = server.settings(url=server.web.url("/taxii2/"), collection=name)
        assert pull(settings, {}, http)[0] == IDS
    with pytest.raises(SourceUnreachable, match="no collection 'other'"):
        pull(server.settings(url=server.web.url("/taxii2/"), collection="other"), {}, http)


def test_discovery_cannot_send_the_account_elsewhere(server: Server, http: Http) -> None:
    elsewhere = server.web.url("/api/", "localhost")
    server.web.routes["/taxii2/"] = server.json({"title": "T", "api_roots": [elsewhere]})
    settings = server.settings(url=server.web.url("/taxii2/"), collection="bad", user="city", password="secret:key")
    with pytest.raises(SourceUnreachable, match="another server"):
        pull(settings, {}, http)


@pytest.mark.parametrize(
    ("settings", "sent"),
    [
        ({"user": "city", "password": "secret:key"}, "Basic " + base64.b64encode(b"city:s3cret").decode()),
        ({"token": "secret:key"}, "Token s3cret"),
        ({"token": "secret:key", "token_scheme": "Bearer"}, "Bearer s3cret"),
    ],
)
def test_secrets_are_references(server: Server, http: Http, settings: dict[str, str], sent: str) -> None:
    pull(server.settings(**settings), {}, http)
    assert {headers["authorization"] for _, headers in server.web.asked} == {sent}


@pytest.mark.parametrize(
    "settings",
    [
        {"password": "hunter2", "user": "city"},
        {"token": "hunter2"},
        {"user": "city"},
        {"user": "city", "password": "secret:a", "token": "secret:b"},
        {"url": "https://taxii.example/taxii2/"},
        {"since": "yesterday"},
    ],
)
def test_impossible_settings_are_refused(server: Server, settings: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"secret:NAME|belong together|either|collection|timestamp"):
        server.settings(**settings)


def test_filters_and_the_start_of_the_first_walk_are_sent(server: Server, http: Http) -> None:
    found, _ = pull(server.settings(match={"type": "indicator"}, since=added(4)), {}, http)
    assert found == IDS[5:]
    assert server.queries[0]["match[type]"] == "indicator"


def test_one_hostile_object_does_not_stop_the_walk(server: Server, http: Http) -> None:
    server.objects = {1: '{"a":' * 100_000 + "1" + "}" * 100_000, 2: '"text"', 4: "[1]"}
    items = [item for portion in Taxii().fetch(server.settings(), {}, http) for item in portion.items]
    assert sum(isinstance(item, StixItem) for item in items) == 5
    assert [item.reason for item in items if isinstance(item, BadItem)] == ["not-an-object", "not-an-object"]


def test_a_server_that_says_to_stay_is_left(server: Server, http: Http) -> None:
    server.web.routes[f"/api/collections/{COLLECTION}/objects/"] = server.json(
        {"more": True, "next": "x", "objects": []}
    )
    with pytest.raises(NotThatFormat, match="the same page again"):
        pull(server.settings(), {}, http)
    server.web.routes[f"/api/collections/{COLLECTION}/objects/"] = server.json({"more": True, "next": {"a": 1}})
    with pytest.raises(NotThatFormat, match="neither text nor a number"):
        pull(server.settings(), {}, http)
    server.web.routes[f"/api/collections/{COLLECTION}/objects/"] = server.json({"more": True})
    with pytest.raises(NotThatFormat, match="neither a next nor a date"):
        pull(server.settings(), {}, http)


@pytest.mark.parametrize(
    "reply",
    [
        (200, {"Content-Type": "text/html"}, b"<html>"),
        (200, {}, b""),
        (200, MEDIA, b"[]"),
        (200, MEDIA, b'{"id": 1}'),
        (200, MEDIA, b"[" * 100_000),
    ],
)
def test_what_is_no_taxii_server_is_told(server: Server, http: Http, reply: Any) -> None:
    server.web.routes[f"/api/collections/{COLLECTION}/"] = reply
    with pytest.raises(NotThatFormat, match=r"127\.0\.0\.1 does not answer"):
        pull(server.settings(), {}, http)
