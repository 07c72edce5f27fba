"""The API over real HTTP: who sees what, who may do what, and what is noted."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from taxii2client.v21 import Collection

from hub.access.audit import Wanted
from hub.model.audience import TLP
from hub.model.markings import MARKING_ID
from tests.publish.parts import indicator, next_version, report
from tests.publish.served import Reply, Served

PLACE = "/api/advisories"


def bundle(*objects: dict[str, Any]) -> dict[str, Any]:
    return {"type": "bundle", "id": f"bundle--{uuid.uuid4()}", "objects": objects}


def push(served: Served, user: str, *objects: dict[str, Any]) -> dict[str, Any]:
    """Hand objects in; return the advisory."""
    reply = served.call("POST", PLACE, user, bundle(*objects))
    assert reply.status == 201, reply.body
    (found,) = reply.json()["advisories"]
    return dict(found)


def get(served: Served, user: str, *parts: str) -> Reply:
    return served.call("GET", "/".join((PLACE, *parts)), user)


def receipts(served: Served, user: str, id: str) -> dict[str, Any]:
    reply = get(served, user, id, "status")
    assert reply.status == 200, reply.body
    return dict(reply.json())


def federal(served: Served, user: str) -> Collection:
    return served.collection(user, "federal-advisories")


def test_pushed_published_pulled_acknowledged(served: Served) -> None:
    bad = indicator()
    advisory = report(bad, labels=["may-be-quoted", "expires:2099-01-31"])
    kept = push(served, "lea", advisory, bad)
    assert (kept["state"], kept["may_be_quoted"], kept["expires"]) == ("published", True, "2099-02-01T00:00:00.000000Z")
    assert receipts(served, "lea", advisory["id"])["pulled"] == 0

    seen = get(served, "ben", advisory["id"])
    assert seen.headers["Cache-Control"] == "no-store"
    assert seen.json()["report"] == advisory
    assert set(seen.json()) == {"id", "title", "tlp", "state", "version", "expires", "may_be_quoted", "report"}
    status = receipts(served, "lea", advisory["id"])
    assert (status["entitled"], status["pulled"], status["acknowledged"]) == (4, 1, 0)
    assert {one["organisation"] for one in status["recipients"]} == {None}

    for _ in range(2):
        said = served.call("POST", f"{PLACE}/{advisory['id']}/acknowledge", "ben", {})
        assert said.status == 200
    assert receipts(served, "lea", advisory["id"])["acknowledged"] == 1
    own = receipts(served, "ben", advisory["id"])
    assert own == {
        "id": advisory["id"], "state": "published", "entitled": True,
        "pulled": own["pulled"], "acknowledged": said.json()["acknowledged"],
    }  # fmt: skip
    entries = list(served.hub.audit.newest(Wanted(target=advisory["id"])))
    assert [(one.action, one.who, one.result) for one in entries] == [
        ("advisory.ack", "ben", "done"), ("advisory.push", "lea", "done")
    ]  # fmt: skip


def test_a_name_is_told_only_with_consent(served: Served) -> None:
    advisory = report()
    push(served, "lea", advisory)
    assert served.call("GET", "/api/consent", "pat").json() == {"organisation": "power", "named": False}
    assert served.call("PUT", "/api/consent", "pat", {"named": True}).json()["named"]
    names = {one["organisation"] for one in receipts(served, "lea", advisory["id"])["recipients"]}
    assert names == {None, "power"}
    assert "entitled" not in get(served, "lea", advisory["id"]).json()
    everybody = {one["organisation"] for one in receipts(served, "ana", advisory["id"])["recipients"]}
    assert everybody == {"power", "bank", "water", "state"}
    assert set(get(served, "ana", advisory["id"]).json()["entitled"]) == everybody | {"city", "fed"}
    served.call("PUT", "/api/consent", "pat", {"named": False})


def test_what_counts_as_a_pull(served: Served) -> None:
    advisory = report()
    push(served, "lea", advisory)
    get(served, "wes")
    get(served, "wes", advisory["id"], "status")
    assert served.call("HEAD", f"{PLACE}/{advisory['id']}", "wes").status == 200
    for user in ("ana", "lea"):
        get(served, user, advisory["id"])
        federal(served, user).get_object(advisory["id"])
    assert receipts(served, "ana", advisory["id"])["pulled"] == 0
    get(served, "wes", advisory["id"])
    federal(served, "pat").get_object(advisory["id"])
    assert served.pulled(advisory["id"]) == {"water", "power"}
    first = receipts(served, "wes", advisory["id"])["pulled"]
    get(served, "wes", advisory["id"])
    assert receipts(served, "wes", advisory["id"])["pulled"] == first


def test_a_newer_version_is_a_new_receipt(served: Served) -> None:
    advisory = report()
    push(served, "lea", advisory)
    get(served, "wes", advisory["id"])
    push(served, "lea", next_version(advisory))
    status = receipts(served, "lea", advisory["id"])
    assert (status["version"], status["pulled"]) == ("2026-01-03T00:00:00.000000Z", 0)
    assert get(served, "wes", advisory["id"]).json()["version"] == "2026-01-03T00:00:00.000000Z"
    assert receipts(served, "lea", advisory["id"])["pulled"] == 1


def test_what_others_push_waits_for_a_reviewer(served: Served) -> None:
    advisory = report(tlp=TLP.AMBER, labels=["audience:bank", "audience:utilities"])
    assert push(served, "sam", advisory)["state"] == "draft"
    place = f"{PLACE}/{advisory['id']}"
    assert get(served, "ben", advisory["id"]).status == 404
    assert served.call("POST", f"{place}/publish", "sam", {}).status == 403
    assert served.call("POST", f"{place}/publish", "sen", {"audience": ["power"]}).status == 403
    assert served.call("POST", f"{place}/publish", "ana", {}).status == 403
    done = served.call("POST", f"{place}/publish", "sen", {"audience": ["bank"], "why": "looks right"})
    assert (done.status, done.json()["state"], done.json()["audience"]) == (200, "published", ["bank"])
    assert get(served, "ben", advisory["id"]).status == 200
    assert get(served, "wes", advisory["id"]).status == 404
    assert served.call("POST", f"{place}/withdraw", "ben", {"why": "no"}).status == 403
    assert served.call("POST", f"{place}/withdraw", "lea", {"why": "no"}).status == 404
    gone = served.call("POST", f"{place}/withdraw", "sam", {"why": "a false alarm"})
    assert (gone.status, gone.json()["history"][-1]["why"]) == (200, "a false alarm")
    assert get(served, "ben", advisory["id"]).json()["report"]["revoked"]
    assert served.call("POST", f"{place}/acknowledge", "ben", {}).status == 404
    assert served.call("POST", f"{place}/publish", "sen", {}).status == 409


def test_a_newer_version_that_waits_tells_recipients_nothing(served: Served) -> None:
    advisory = report(tlp=TLP.AMBER, labels=["audience:bank"])
    push(served, "sam", advisory)
    served.call("POST", f"{PLACE}/{advisory['id']}/publish", "sen", {})
    before = get(served, "ben", advisory["id"]).body
    secret = next_version(advisory, name="Not yet for you", labels=["audience:bank", "expires:2099-12-31"])
    secret["object_marking_refs"] = [MARKING_ID[TLP.RED]]
    assert push(served, "sam", secret)["waiting"]
    assert get(served, "ben", advisory["id"]).body == before


def test_superseding(served: Served) -> None:
    old, new, hidden = report(), report(), report(tlp=TLP.RED, labels=["audience:bank"])
    for one in (old, new, hidden):
        push(served, "lea", one)
    place = f"{PLACE}/{old['id']}/supersede"
    assert served.call("POST", place, "lea", {"successor": report()["id"]}).status == 404
    assert served.call("POST", place, "sam", {"successor": new["id"]}).status == 403
    assert served.call("POST", place, "lea", {"successor": hidden["id"]}).json()["successor"] == hidden["id"]
    assert get(served, "ben", old["id"]).json()["successor"] == hidden["id"]
    assert "successor" not in get(served, "wes", old["id"]).json()


def test_forms(served: Served) -> None:
    form = {"title": "Doors", "text": f"Seen {uuid.uuid4()}.", "tlp": "GREEN", "indicators": ["203.0.113.9"]}
    first = served.call("POST", PLACE, "lea", form)
    assert (first.status, first.json()["stored"]) == (201, 3)
    assert served.call("POST", PLACE, "lea", form).status == 409
    wrong = served.call("POST", PLACE, "lea", {"title": "", "text": "x", "tlp": "PINK"})
    assert (wrong.status, wrong.json()["code"]) == (422, "not-that-format")
    assert "tlp" in wrong.json()["detail"]


def test_pages_and_states(served: Served) -> None:
    ids = {push(served, "lea", report())["id"] for _ in range(3)}
    for user in ("lea", "ben"):
        found, after = [], ""
        while True:
            page = served.call("GET", f"{PLACE}?limit=2&state=published&after={after}", user)
            found += [one["id"] for one in page.json()["advisories"]]
            after = page.json().get("next", "")
            if not after:
                break
        assert ids <= set(found)
        assert len(found) == len(set(found))
        assert {one["state"] for one in page.json()["advisories"]} <= {"published"}


@pytest.mark.parametrize(
    ("user", "sent"),
    [("wes", bundle(report())), ("lea", bundle(indicator())), ("lea", [1]), ("lea", b"{"), ("lea", {"objects": 7})],
)
def test_what_cannot_be_handed_in(served: Served, user: str, sent: Any) -> None:
    reply = served.call("POST", PLACE, user, sent)
    assert reply.status in (400, 403, 422)
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert {"type", "title", "status", "detail", "code"} == set(reply.json())


def test_absent_and_not_visible_are_the_same_bytes(served: Served) -> None:
    hidden = report(tlp=TLP.RED, labels=["audience:bank"])
    push(served, "lea", hidden)
    draft = report()
    push(served, "sam", draft)
    bodies: dict[str, Any] = {"publish": {}, "withdraw": {"why": "x"}, "acknowledge": {}}
    for user in ("wes", "pat", "sam", "ben"):
        for secret in (hidden["id"], draft["id"]):
            if (user, secret) in (("ben", hidden["id"]), ("sam", draft["id"])):
                continue
            for other in (secret, report()["id"], "report--x", "%00"):
                for method, action, body in (
                    ("GET", "", None), ("HEAD", "", None), ("GET", "/status", None),
                    *(("POST", f"/{name}", body) for name, body in bodies.items()),
                    ("POST", "/supersede", {"successor": secret}),
                ):  # fmt: skip
                    reply = served.call(method, f"{PLACE}/{other}{action}", user, body)
                    told = b"" if method == "HEAD" else _NOT_THERE
                    names = sorted(name for name in reply.headers if name.lower() not in ("date", "x-request-id"))
                    assert (reply.status, reply.body) == (404, told)
                    assert names == _HEADERS
                assert other not in served.call("GET", f"{PLACE}?limit=1000", user).body.decode()


_NOT_THERE = json.dumps(
    {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "there is no such advisory",
        "code": "not-found",
    },
    separators=(",", ":"),
).encode()
_HEADERS = sorted(["cache-control", "content-length", "content-type", "server", "x-content-type-options"])


def test_nobody_gets_in_unsigned_and_no_error_is_a_page(served: Served) -> None:
    for path in ("/api/", "/api/x", PLACE, f"{PLACE}/", f"{PLACE}/x/y/z", "/api/consent"):
        for method in ("GET", "POST", "DELETE", "PATCH", "TRACE", "OPTIONS"):
            stranger = served.call(method, path, None, {} if method == "POST" else None)
            assert stranger.status == 401, (method, path)
            assert stranger.headers["Content-Type"] == "application/problem+json"
            known = served.call(method, path, "ben", {} if method in ("POST", "PATCH") else None)
            kind = known.headers["Content-Type"]
            assert kind is None if known.status == 204 else kind in ("application/json", "application/problem+json")
    wrong = served.call("DELETE", PLACE, "ben", {})
    assert (wrong.status, set(wrong.headers["Allow"].split(", "))) == (405, {"GET", "HEAD", "OPTIONS", "POST"})


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{}", {"Content-Type": "text/plain"}, 415),
        (b"{}", {"Content-Encoding": "br"}, 415),
        (b"{}", {"Content-Encoding": "gzip"}, 400),
        (b"[" * 100_000, {}, 400),
        (b"x" * 11_000_000, {}, 413),
        (b'{"named": "yes"}', {}, 400),
        (b'{"named": true, "more": 1}', {}, 400),
        (b'{"named": NaN}', {}, 400),
        (b"", {}, 400),
    ],
)
def test_bodies_that_are_wrong(served: Served, body: bytes, headers: dict[str, str], status: int) -> None:
    reply = served.call("PUT", "/api/consent", "ben", body, headers)
    assert (reply.status, reply.headers["Content-Type"]) == (status, "application/problem+json")
    assert served.call("GET", "/api/consent", "ben").json()["named"] is False


def test_a_token_that_may_only_read_changes_nothing(served: Served) -> None:
    advisory = report()
    push(served, "lea", advisory)
    served.tokens["ben, reading"] = served.hub.accounts.add_token("ben", rights=("read",))[1]
    assert served.call("POST", f"{PLACE}/{advisory['id']}/acknowledge", "ben, reading", {}).status == 403
    assert served.call("PUT", "/api/consent", "ben, reading", {"named": True}).status == 403


def test_the_document_is_for_everybody(served: Served) -> None:
    document = served.call("GET", "/api/openapi.json", None).json()
    assert document["openapi"].startswith("3.1")
    assert set(document["paths"]) == {
        PLACE,
        f"{PLACE}/{{id}}",
        *(f"{PLACE}/{{id}}/{name}" for name in ("status", "acknowledge", "publish", "withdraw", "supersede")),
        "/api/consent",
        "/api/search",
        "/api/search/facets",
    }
