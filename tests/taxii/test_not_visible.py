"""What an account may not see is, to it, not there: byte-identical answers and headers on every route (T1, T2).

The requests are made from the route table: every route, method, slot and filter. Two comparisons: a name of something
hidden against a name of nothing; and every answer before against after others did things that the account may not see.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest

from hub.model.audience import TLP
from hub.model.markings import MARKING_ID
from hub.taxii.routes import ROUTES, Route
from tests.taxii.served import Box, Hub, Reply, indicator

pytestmark = pytest.mark.parametrize("served", ["http"], indirect=True, scope="session")
VARYING = {"date", "x-request-id"}
METHODS = ("GET", "HEAD", "OPTIONS", "DELETE", "POST", "PUT", "PATCH")
OUTSIDERS = ("lia", "pam")
LATER = "2026-03-03T03:03:03.000Z"
NEVER = "2026-04-04T04:04:04.000Z"
AMBER, RED = MARKING_ID[TLP.AMBER], MARKING_ID[TLP.RED]


def told(reply: Reply, name: str = "\0") -> tuple[int, list[tuple[str, str]], bytes]:
    """Return all of an answer that a client can compare; ``name``, which the client itself sent, as NAME."""
    headers = [(name.lower(), text) for name, text in reply.headers.items()]
    body = reply.body.replace(name.encode(), b"NAME")
    return reply.status, sorted(pair for pair in headers if pair[0] not in VARYING), body


def filled(route: Route, names: dict[str, str]) -> str:
    return route.path.format(**{slot: quote(names[slot], safe="") for slot in route.slots})


def unknown(kind: str) -> str:
    return f"{kind}--{uuid.uuid4()}"


def marked(*markings: str, **properties: Any) -> dict[str, Any]:
    return indicator(object_marking_refs=list(markings or (MARKING_ID[TLP.GREEN],)), **properties)


def own_sight(hub: Hub, user: str, *names: str) -> list[Any]:
    """Return what an account is told of its own walk over collections, page by page."""
    pages = []
    for name, part in itertools.product(names, ("objects/", "manifest/")):
        more: dict[str, str] = {}
        while True:
            reply = hub.get(f"/hub/collections/{name}/{part}", user, limit=1, **more)
            pages.append(told(reply))
            if reply.status != 200 or not reply.json().get("more"):
                break
            more = {"next": reply.json()["next"]}
    return pages


@dataclass
class World:
    """What there is: for each slot, names of hidden things and of things an outsider sees."""

    seen: dict[str, str]
    hidden: dict[str, list[str]]


@pytest.fixture(scope="module")
def world(served: Hub) -> World:
    hub = served
    box = Box(hub, f"clean-{next(hub.clean)}")
    both, over, gone = marked(), marked(), marked(AMBER)
    secret, confidential, elsewhere = marked(AMBER), marked(RED), marked(AMBER)
    box.post(both, over, secret, gone, {**over, "modified": LATER, "object_marking_refs": [AMBER]})
    hub.call("DELETE", f"{box.path}objects/{gone['id']}/")
    box.post(confidential, user="ana")
    other = hub.call("POST", "/hub/collections/inbox/objects/", body={"objects": [elsewhere]}).json()
    own = box.post(marked(), user="lia")
    seen = {
        "api_root": "hub",
        "collection": box.name,
        "object_id": over["id"],
        "status_id": own["id"],
    }
    theirs = hub.call("POST", f"{box.path}objects/", "ana", body={"objects": [marked(RED)]}).json()
    return World(
        seen,
        {
            "api_root": ["second"],
            "collection": ["drop-box", "evidence", "a0e41d55-5ba5-4c7f-a601-36255256a299", "clean-0"],
            "object_id": [secret["id"], confidential["id"], elsewhere["id"], gone["id"]],
            "status_id": [other["id"], theirs["id"]],
        },
    )


def test_the_world_is_as_the_other_tests_need_it(hub: Hub, world: World) -> None:
    path = f"/hub/collections/{world.seen['collection']}/objects/"
    assert hub.get(f"{path}{world.seen['object_id']}/", "lia").status == 200
    assert [hub.get(f"{path}{id}/", "leo").status for id in world.hidden["object_id"]] == [200, 404, 404, 404]
    assert hub.get(f"{path}{world.hidden['object_id'][1]}/", "ana").status == 200
    newest = hub.get(f"{path}{world.seen['object_id']}/versions/", "leo").json()["versions"]
    assert LATER in newest
    assert LATER not in hub.get(f"{path}{world.seen['object_id']}/versions/", "lia").json()["versions"]


def absent(hidden: str) -> str:
    """Return a name of nothing, as long as that of something hidden and of its kind."""
    kind, two, rest = hidden.rpartition("--")
    return f"{kind}{two}{uuid.uuid4()}" if len(rest) == 36 else "x" * len(hidden)


@pytest.mark.parametrize("route", [route for route in ROUTES if len(route.slots) > 1], ids=lambda route: route.name)
@pytest.mark.parametrize("method", METHODS)
def test_a_hidden_name_is_answered_like_an_unknown_one(hub: Hub, world: World, route: Route, method: str) -> None:
    for user, slot in itertools.product(OUTSIDERS, route.slots[1:]):
        if user == "pam" and slot == "object_id":
            continue  # she may not read that collection at all: the next test has her
        for hidden, slash in itertools.product(world.hidden[slot], ("/", "")):
            if (slot, hidden, user) == ("collection", "drop-box", "lia"):
                continue  # liaisons know of it
            answers = []
            for name in (hidden, absent(hidden)):
                path = filled(route, {**world.seen, slot: name}).removesuffix("/") + slash
                body: dict[str, Any] | None = {"objects": []} if method in ("POST", "PUT", "PATCH") else None
                answers.append(told(hub.call(method, path, user, body=body), name))
            assert answers[0] == answers[1], (user, slot, hidden)


def filters_of(route: Route, world: World) -> Iterator[tuple[str, str, str]]:
    """Yield (filter, a value that fits hidden things only, one that fits nothing)."""
    hidden = world.hidden["object_id"]
    for name in sorted(route.parameters):
        match name:
            case "match[id]":
                yield name, ",".join(hidden), ",".join(unknown("indicator") for _ in hidden)
            case "match[version]":
                yield name, LATER, NEVER
                yield name, f"first,{LATER}", f"first,{NEVER}"
            case "match[type]":
                yield name, "x-secret", "x-nothing"
            case "added_after":
                newest = "2026-01-01T00:00:00.000000Z"
                yield name, newest, newest
            case "match[spec_version]":
                yield name, "2.0", "2.0"
            case "limit":
                yield name, "1", "1"


@pytest.mark.parametrize("route", [route for route in ROUTES if route.parameters], ids=lambda route: route.name)
def test_a_filter_finds_nothing_hidden(hub: Hub, world: World, route: Route) -> None:
    Box(hub, world.seen["collection"]).post(
        {"type": "x-secret", "spec_version": "2.1", "id": unknown("x-secret"), "created": LATER, "modified": LATER}
        | {"object_marking_refs": [AMBER]}
    )
    path = filled(route, world.seen)
    methods = [method for method in (*route.methods, "HEAD") if method != "POST"]
    for method, (name, hidden, nothing) in itertools.product(methods, filters_of(route, world)):
        if method == "DELETE" and hidden.startswith("first"):
            continue  # it would find, and remove, what is seen
        if method == "DELETE" and name in ("added_after", "limit", "match[spec_version]"):
            continue
        one, other = (told(hub.call(method, f"{path}?{name}={value}", "lia")) for value in (hidden, nothing))
        assert one == other, (method, name)


def test_a_next_of_somebody_else_is_no_next(hub: Hub, world: World) -> None:
    path = f"/hub/collections/{world.seen['collection']}/objects/"
    theirs = hub.get(path, "leo", limit=1).json()["next"]
    garbage = theirs[:-4] + ("AAAA" if theirs[-4:] != "AAAA" else "BBBB")
    assert told(hub.get(path, "lia", next=theirs)) == told(hub.get(path, "lia", next=garbage))


def everything(hub: Hub, requests: list[tuple[str, str, str]], *collections: str) -> dict[tuple[str, ...], Any]:
    """Send requests (user, method, address), and page through collections as both outsiders."""
    found: dict[tuple[str, ...], Any] = {one: told(hub.call(one[1], one[2], one[0])) for one in requests}
    return found | {(user, "walk"): own_sight(hub, user, *collections) for user in OUTSIDERS}


def reading(world: World, names: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield every request of the route table that changes nothing: user, method, address."""
    for user, route, method in itertools.product(OUTSIDERS, ROUTES, ("GET", "HEAD", "OPTIONS")):
        path = filled(route, names)
        yield user, method, path
        for name, hidden, value in filters_of(route, world) if method != "OPTIONS" else ():
            yield user, method, f"{path}?{name}={value}"
            yield user, method, f"{path}?{name}={hidden}"


def test_what_others_do_out_of_sight_changes_no_answer(hub: Hub, world: World) -> None:
    """Posts, newer versions, relationships, deletes and refusals of others: every answer stays as it was."""
    box = Box(hub, f"clean-{next(hub.clean)}")
    shown = marked()
    box.post(shown, marked(), marked(), user="lia")
    box.post(marked())
    names = world.seen | {"collection": box.name, "object_id": shown["id"]}
    requests = list(reading(world, names))
    before = everything(hub, requests, box.name, "federal-advisories", "inbox")
    secret = marked(AMBER)
    assert box.post(secret, marked(RED), {**indicator(), "pattern": "["})["failure_count"] == 1
    assert box.post({**secret, "modified": LATER}, user="ana")["failure_count"] == 1
    sighting = {
        "type": "sighting",
        "spec_version": "2.1",
        "id": unknown("sighting"),
        "created": LATER,
        "modified": LATER,
        "sighting_of_ref": shown["id"],
        "object_marking_refs": [AMBER],
    }
    assert box.post(sighting)["failure_count"] == 0
    hub.call("DELETE", f"{box.path}objects/{secret['id']}/")
    hub.call("POST", "/hub/collections/drop-box/objects/", body={"objects": [marked(RED), marked(RED)]})
    hub.call("POST", "/hub/collections/inbox/objects/", body={"objects": [marked(AMBER)]})
    after = everything(hub, requests, box.name, "federal-advisories", "inbox")
    assert len(before) > 100
    assert {key for key in before if before[key] != after[key]} == set()
