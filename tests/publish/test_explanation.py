"""Explanations say what the store does, with the reasons of the functions that decide."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from hub.app import Hub
from hub.errors import NotFound
from hub.model.audience import PAP, TLP
from hub.model.markings import MARKING_ID, PAP_IDS
from tests.publish.parts import MEMBERS, indicator, post, report

PAP_RED = next(id for id, level in PAP_IDS.items() if level is PAP.RED)
USERS = tuple(user for _, user, _ in MEMBERS)


def marked(*markings: str) -> dict[str, Any]:
    return indicator(object_marking_refs=list(markings))


def test_the_answer_and_what_it_follows_from(hub: Hub) -> None:
    secret = marked(MARKING_ID[TLP.RED], PAP_RED)
    post(hub, "lea", secret)
    told = {user: hub.explainer.explain(hub.principal(user), secret["id"]) for user in USERS}
    assert {user for user, one in told.items() if one.read.allowed} == {"ana", "lea"}
    assert not any(one.block.allowed for one in told.values())
    ana = told["ana"]
    assert "entrusted to the city's analysts" in ana.read.reason
    assert "PAP:RED" in ana.block.reason
    [version] = ana.versions
    assert (version.collection, version.source, version.got) == ("inbox", "user:lea", True)
    assert {one.level for one in version.markings} == {(TLP.RED, None), (None, PAP.RED)}
    [inbox] = ana.collections
    assert (inbox.read.reason, inbox.write.allowed) == ("granted to role:analyst", False)
    assert told["wes"].read.reason.startswith("inbox: only for role:analyst")
    assert "TLP:RED is for its owner" in told["sam"].read.reason


def test_an_unknown_marking_is_named_as_the_cause(hub: Hub) -> None:
    nobodys = "marking-definition--4a4a4a4a-4a4a-4a4a-8a4a-4a4a4a4a4a4a"
    secret = marked(nobodys)
    post(hub, "lea", secret)
    [version] = hub.explainer.explain(hub.principal("sam"), secret["id"]).versions
    assert version.audience.tlp is TLP.UNKNOWN
    [cause] = version.markings
    assert (cause.id, cause.level, cause.why) == (nobodys, (TLP.UNKNOWN, None), "not defined: the tightest")


def test_a_stricter_member_is_named_as_the_cause(hub: Hub) -> None:
    secret = marked(MARKING_ID[TLP.RED])
    post(hub, "lea", secret)
    about = report(secret)
    post(hub, "ana", about, collection="city-indicators")
    [version] = hub.explainer.explain(hub.principal("ben"), about["id"]).versions
    assert (version.audience.tlp, version.members, version.got) == (TLP.RED, (secret["id"],), False)


def test_what_does_not_exist(hub: Hub) -> None:
    told = hub.explainer.explain(hub.principal("ana"), "indicator--00000000-0000-4000-8000-000000000000")
    assert (told.versions, told.collections) == ((), ())
    assert not told.read.allowed
    assert "no version of it is stored" in told.read.reason


def test_a_token_without_the_right(hub: Hub) -> None:
    bad = indicator()
    post(hub, "lea", bad)
    token, _ = hub.accounts.add_token("lea", rights=("write",))
    told = hub.explainer.explain(hub.principal("lea", token.id), bad["id"])
    assert (told.read.allowed, told.versions[0].read.allowed, told.versions[0].got) == (False, True, False)
    assert token.id in told.read.reason
    with pytest.raises(NotFound):
        hub.principal("ana", token.id)


def test_reasons_and_store_agree(hub: Hub) -> None:
    lights = [MARKING_ID[level] for level in MARKING_ID]
    made = [marked(light, *more) for light, more in itertools.product(lights, ((), (PAP_RED,)))]
    post(hub, "lea", *made)
    post(hub, "ana", *(marked(light) for light in lights), collection="city-indicators")
    for user, one in itertools.product(USERS, made):
        told = hub.explainer.explain(hub.principal(user), one["id"])
        read = {access.collection: access.read.allowed for access in told.collections}
        for version in told.versions:
            assert version.got == (version.read.allowed and read[version.collection])
        assert told.read.allowed == any(version.got for version in told.versions)


def test_what_an_account_would_get(hub: Hub) -> None:
    open_, closed = marked(MARKING_ID[TLP.GREEN]), marked(MARKING_ID[TLP.RED])
    post(hub, "ana", open_, closed, report(open_, tlp=TLP.AMBER), collection="city-indicators")
    shown = hub.explainer.preview(hub.principal("ben"), collection="city-indicators", hidden=True)
    assert [(one.access.collection, one.got, one.hidden) for one in shown.portions] == [("city-indicators", 1, 2)]
    assert [one.change.id for one in shown.got] == [open_["id"]]
    assert {one.change.type for one in shown.hidden} == {"indicator", "report"}
    shown = hub.explainer.preview(hub.principal("ben"), type="report", hidden=True, limit=1)
    assert {one.access.collection: (one.got, one.hidden) for one in shown.portions if one.hidden} == {
        "city-indicators": (0, 1)
    }
    assert [one.why for one in shown.hidden] == ["TLP:AMBER is for its owner, the city and those it was addressed to"]
    everything = hub.explainer.preview(hub.principal("ana"))
    assert [one.hidden for one in everything.portions] == [0] * len(everything.portions)
    with pytest.raises(NotFound):
        hub.explainer.preview(hub.principal("ben"), collection="nothing")
