"""What an account may not see is, to it, not there: byte-identical answers on every route that the API describes."""

from __future__ import annotations

import itertools
import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from hub.model.audience import TLP
from hub.model.markings import MARKING_ID
from tests.publish.parts import indicator, report
from tests.publish.served import Reply, Served

VARYING = {"date", "x-request-id"}
METHODS = ("get", "head", "options", "post", "put", "patch", "delete")
OUTSIDERS = ("ben", "pat")
SENT: dict[str, tuple[dict[str, Any] | None, ...]] = {
    "post": ({}, {"why": "so"}, {"audience": ["bank"], "why": "so"}),
    "put": ({},),
    "patch": ({},),
}
"""Bodies to send by method, so that for each route one fits."""


def told(reply: Reply, name: str) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return all of an answer that a client can compare; ``name``, which the client itself sent, as NAME."""
    headers = [(one.lower(), text) for one, text in reply.headers.items()]
    return (
        reply.status,
        sorted(pair for pair in headers if pair[0] not in VARYING),
        reply.body.replace(name.encode(), b"NAME"),
    )


def push(served: Served, user: str, *objects: dict[str, Any]) -> str:
    reply = served.call(
        "POST", "/api/advisories", user, {"type": "bundle", "id": "bundle--" + str(uuid.uuid4()), "objects": objects}
    )
    assert reply.status == 201, reply.body
    return str(reply.json()["advisories"][0]["id"])


@pytest.fixture
def hidden(served: Served) -> list[str]:
    """An advisory for others only, one that still waits, and one that was withdrawn before anybody else saw it."""
    secret = indicator(object_marking_refs=[MARKING_ID[TLP.RED]])
    confidential = push(served, "lea", report(secret, tlp=TLP.RED), secret)
    waiting = push(served, "sam", report(tlp=TLP.RED))
    withdrawn = push(served, "lea", report(tlp=TLP.RED))
    done = served.call("POST", f"/api/advisories/{withdrawn}/withdraw", "lea", {"why": "a mistake"})
    assert done.status == 200, done.body
    assert served.call("GET", f"/api/advisories/{confidential}", "ana").status == 200
    return [confidential, waiting, withdrawn]


def paths(served: Served) -> Iterator[str]:
    """Yield every address of the API that has a slot."""
    document = served.call("GET", "/api/openapi.json", None).json()
    found = [path for path in document["paths"] if "{" in path]
    assert len(found) >= 5
    yield from found


def test_a_hidden_name_is_answered_like_an_unknown_one(served: Served, hidden: list[str]) -> None:
    checked = 0
    for path, user, method in itertools.product(paths(served), OUTSIDERS, METHODS):
        for one, body in itertools.product(hidden, SENT.get(method, (None,))):
            answers = []
            for name in (one, f"report--{uuid.uuid4()}"):
                address = re.sub(r"\{[^}]*\}", name, path)
                answers.append(told(served.call(method.upper(), address, user, body), name))
            assert answers[0] == answers[1], (method, path, user, body)
            assert answers[0][0] != 429
            checked += 1
    assert checked > 100


def test_a_hidden_successor_is_answered_like_an_unknown_one(served: Served) -> None:
    own = push(served, "lea", report())
    theirs = push(served, "sam", report(tlp=TLP.RED))
    answers = []
    for name in (theirs, f"report--{uuid.uuid4()}"):
        body = {"successor": name, "why": "newer"}
        answers.append(told(served.call("POST", f"/api/advisories/{own}/supersede", "lea", body), name))
    assert answers[0] == answers[1]


def test_what_others_do_out_of_sight_changes_no_list(served: Served, request: pytest.FixtureRequest) -> None:
    push(served, "lea", report())
    places = ("/api/advisories", "/api/advisories?limit=1", "/api/advisories?state=draft", "/api/consent")
    asked = list(itertools.product(places, OUTSIDERS))
    before = [told(served.call("GET", place, user), "\0") for place, user in asked]
    request.getfixturevalue("hidden")
    assert [told(served.call("GET", place, user), "\0") for place, user in asked] == before
