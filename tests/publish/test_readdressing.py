"""Tightening and loosening by others than the originator: who sees what before and after, and what the log says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog
from typer.testing import CliRunner

from hub.app import Hub
from hub.cli.main import app
from hub.errors import BadRequest, Conflict, NotAllowed, NotFound
from hub.model.audience import TLP, Audience
from hub.model.markings import MARKING_ID
from hub.publish.farewells import SOURCE as FAREWELL
from hub.publish.retraction import revoked_draft
from hub.store.ports import HUB, Batch, PageQuery, Scope
from tests.publish.parts import indicator, next_version, post, report, seen_by, work
from tests.stores import environment_of


@pytest.fixture(scope="module", autouse=True)
def _logs() -> Iterator[None]:
    yield
    structlog.reset_defaults()  # commands send them to what was standard error then


NOBODYS = "marking-definition--4a4a4a4a-4a4a-4a4a-8a4a-4a4a4a4a4a4a"


def marked(*markings: str, **properties: Any) -> dict[str, Any]:
    return indicator(object_marking_refs=list(markings), **properties)


def levels(hub: Hub, id: str) -> list[tuple[str, TLP]]:
    return [(one.collection, one.audience.tlp) for one in hub.store.history(HUB, id)]


def test_an_unknown_marking_is_loosened_with_a_reason(hub: Hub) -> None:
    secret = marked(NOBODYS)
    post(hub, "lea", secret, marked(MARKING_ID[TLP.GREEN]))
    assert secret["id"] not in seen_by(hub, "sam", "inbox")
    before = hub.store.head()
    (step,) = hub.readdressing.loosen(secret["id"], TLP.GREEN, "the agency confirmed it by telephone", "ana")
    assert (step.before.tlp, step.after.tlp, step.added) == (TLP.UNKNOWN, TLP.GREEN, False)
    assert seen_by(hub, "sam", "inbox")[secret["id"]] == secret, "its bytes stay"
    scope = Scope(hub.principal("sam").reader, frozenset({"inbox"}))
    page = hub.store.read_objects(scope, PageQuery("inbox", added_after=before.date_added))
    assert [one["id"] for one in json.loads(b"[%b]" % page.joined)] == [secret["id"]], (
        "pollers get what they now may see"
    )
    entry = next(hub.audit.newest())
    assert (entry.who, entry.action, entry.target) == ("ana", "access.loosen", secret["id"])
    assert entry.details == {"from": "UNKNOWN", "to": "GREEN", "reason": "the agency confirmed it by telephone"}
    told = hub.explainer.explain(hub.principal("sam"), secret["id"])
    assert told.readdressed is not None
    assert (told.readdressed.by, told.readdressed.floor) == ("ana", False)
    post(hub, "lea", next_version(secret))
    assert levels(hub, secret["id"]) == [("inbox", TLP.GREEN), ("inbox", TLP.UNKNOWN)], (
        "the reason was for that version"
    )


def test_what_is_tightened_stays_so(hub: Hub) -> None:
    open_ = marked(MARKING_ID[TLP.GREEN])
    post(hub, "lea", open_)
    assert open_["id"] in seen_by(hub, "sam", "inbox")
    hub.readdressing.tighten(open_["id"], TLP.RED, "it names a victim")
    post(hub, "lea", next_version(open_))
    assert levels(hub, open_["id"]) == [("inbox", TLP.RED)] * 2
    assert open_["id"] not in seen_by(hub, "sam", "inbox")
    assert open_["id"] in seen_by(hub, "lea", "inbox"), "whose data it is keeps it"
    hub.readdressing.loosen(open_["id"], TLP.GREEN, "the victim agreed")
    post(hub, "lea", next_version(next_version(open_)))
    assert levels(hub, open_["id"]) == [("inbox", TLP.GREEN)] * 3
    assert hub.store.verify() == []


def test_what_leaves_a_published_collection_is_seen_to_leave(hub: Hub) -> None:
    shared = marked(MARKING_ID[TLP.GREEN], MARKING_ID[TLP.CLEAR])
    post(hub, "ana", shared, collection="city-indicators")
    assert seen_by(hub, "ben", "city-indicators")[shared["id"]] == shared
    (step,) = hub.readdressing.tighten(shared["id"], TLP.AMBER, "a sensor's place shows")
    assert step.added
    work(hub)
    assert seen_by(hub, "ben", "city-indicators")[shared["id"]]["revoked"]
    kept = seen_by(hub, "ana", "city-indicators")[shared["id"]]
    assert not kept.get("revoked")
    assert kept["object_marking_refs"] == [MARKING_ID[TLP.AMBER]]
    post(hub, "ana", next_version(shared), collection="city-indicators")
    assert seen_by(hub, "ben", "city-indicators")[shared["id"]]["revoked"]
    assert seen_by(hub, "ana", "city-indicators")[shared["id"]]["modified"] == next_version(shared)["modified"]


def test_every_copy_and_every_version_is_meant(hub: Hub) -> None:
    one = marked(MARKING_ID[TLP.GREEN])
    post(hub, "lea", one, next_version(one))
    post(hub, "lea", one, collection="drop-box")
    steps = hub.readdressing.tighten(one["id"], TLP.AMBER_STRICT, "by agreement")
    assert {(step.collection, step.before.tlp, step.after.tlp) for step in steps} == {
        ("inbox", TLP.GREEN, TLP.AMBER_STRICT),
        ("drop-box", TLP.GREEN, TLP.AMBER_STRICT),
    }
    assert len(steps) == 3
    assert {level for _, level in levels(hub, one["id"])} == {TLP.AMBER_STRICT}
    key = f"file-sha256:{one['pattern'].split(chr(39))[-2]}"
    assert [change.id for change in hub.store.lookup(HUB, [key])[key]] == [one["id"]]


def test_loosening_tells_of_nobody_elses_secret(hub: Hub) -> None:
    secret = marked(MARKING_ID[TLP.RED])
    post(hub, "lea", secret)
    told = report(secret)
    post(hub, "ana", told, collection="city-indicators")
    assert levels(hub, told["id"]) == [("city-indicators", TLP.RED)]
    with pytest.raises(Conflict, match=secret["id"]):
        hub.readdressing.loosen(told["id"], TLP.GREEN, "everybody should know")
    hub.readdressing.loosen(secret["id"], TLP.GREEN, "the agency agreed")
    hub.readdressing.loosen(told["id"], TLP.GREEN, "now it can be told")
    assert set(seen_by(hub, "ben", "city-indicators")) == {told["id"]}


def test_what_makes_no_sense_is_refused_and_leaves_no_entry(hub: Hub) -> None:
    one = marked(MARKING_ID[TLP.GREEN])
    post(hub, "lea", one)
    before = hub.audit.head(), hub.store.head()
    with pytest.raises(NotFound):
        hub.readdressing.loosen(indicator()["id"], TLP.CLEAR, "why not")
    with pytest.raises(BadRequest):
        hub.readdressing.tighten(one["id"], TLP.RED, "  ")
    for change, level in ((hub.readdressing.tighten, TLP.GREEN), (hub.readdressing.loosen, TLP.AMBER)):
        with pytest.raises(Conflict):
            change(one["id"], level, "no reason")
    assert (hub.audit.head(), hub.store.head()) == before


def test_the_commands_need_the_role(hub: Hub, data: Path) -> None:
    one = marked(MARKING_ID[TLP.RED])
    post(hub, "lea", one)
    words = ["access", "loosen", one["id"], "--tlp", "TLP:AMBER+STRICT", "--reason", "agreed", "--data", str(data)]
    for user in ("lea", "ana"):
        assert isinstance(
            CliRunner().invoke(app, [*words, "--as", user], env=environment_of(data)).exception, NotAllowed
        )
    hub.accounts.add_user("sue", "city", "senior-analyst")
    done = CliRunner().invoke(app, [*words, "--as", "sue", "--json"], env=environment_of(data))
    assert [step["after"]["tlp"] for step in json.loads(done.stdout)] == ["AMBER+STRICT"]
    assert next(hub.audit.newest()).who == "sue"


def test_who_was_told_farewell_gets_back_what_is_loosened(hub: Hub, data: Path) -> None:
    shared = marked(MARKING_ID[TLP.AMBER])
    post(hub, "ana", shared, collection="city-indicators")
    (change,) = hub.store.history(HUB, shared["id"])
    farewell = revoked_draft(change, FAREWELL, 2000)
    assert farewell is not None
    hub.store.commit(Batch([replace(farewell, audience=Audience.farewell_to("bank"))]))
    assert seen_by(hub, "ben", "city-indicators")[shared["id"]]["revoked"]
    told = hub.explainer.explain(hub.principal("ben"), shared["id"])
    assert [(one.source, one.got) for one in told.versions] == [("user:ana", False), (FAREWELL, True)]
    words = ["access", "loosen", shared["id"], "--tlp", "green", "--reason", "published by others", "--data", str(data)]
    assert CliRunner().invoke(app, words, env=environment_of(data)).exit_code == 0
    assert seen_by(hub, "ben", "city-indicators")[shared["id"]] == shared
