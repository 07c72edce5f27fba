"""Advisories from files: bundles with terms beside them, filled forms, and what is wrong with either."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from hub.access.accounts import Organisation
from hub.admission.gate import Origin, Receipt
from hub.app import Hub
from hub.errors import BadRequest, NotAllowed, NotThatFormat
from hub.model.audience import TLP
from hub.model.items import StixItem
from hub.publish.advisories import Advisory, Terms
from hub.publish.advisory_form import form_objects, read_form
from tests.publish.parts import indicator, report, seen_by, work

FORM = b"""
title = "Doors of pumping stations answer strangers"
text = "Seen since Monday."
tlp = "AMBER+STRICT"
audience = ["utilities"]
expires = 2099-01-31
may_be_quoted = false
indicators = ["45.155.205.233", "hxxp://evil[.]example-bad[.]com/a.bin", "45[.]155[.]205[.]233"]
"""
FED = Organisation("fed", "Federal agency", "federal")


def push(hub: Hub, user: str, items: list[StixItem], given: Terms | None = None) -> tuple[list[Advisory], Receipt]:
    inbox, organisation = hub.collections["inbox"], hub.principal(user).organisation
    origin = Origin(f"user:{user}", organisation, ("inbox",), inbox.marking)
    return hub.publication.handing_in.take(inbox, items, origin, given or Terms())


def items(*objects: dict[str, Any]) -> list[StixItem]:
    return [StixItem(json.dumps(one).encode(), one["id"]) for one in objects]


def test_terms_beside_a_bundle_hold_from_the_first_moment(hub: Hub) -> None:
    bad = indicator()
    advisory = report(bad, tlp=TLP.AMBER, labels=["audience:power", "may-be-quoted"])
    (kept,), _ = push(hub, "lea", items(bad, advisory), Terms(("bank",)))
    assert (kept.state, kept.terms) == ("published", Terms(("bank",), None, True))
    work(hub)
    assert advisory["id"] in seen_by(hub, "ben")
    assert advisory["id"] not in seen_by(hub, "pat")


def test_a_refused_report_leaves_no_advisory(hub: Hub) -> None:
    bad = report()
    del bad["published"]
    found, receipt = push(hub, "lea", items(bad))
    assert (found, receipt.quarantined) == ([], 1)
    assert list(hub.publication.publisher.book) == []


def test_what_has_no_report_is_no_advisory(hub: Hub) -> None:
    with pytest.raises(BadRequest, match="no report"):
        push(hub, "lea", [*items(indicator()), StixItem(b"not JSON", "")])


def test_anothers_advisory_is_not_handed_in(hub: Hub) -> None:
    advisory = report()
    push(hub, "sam", items(advisory))
    with pytest.raises(NotAllowed):
        push(hub, "lea", items(advisory), Terms(("bank",)))
    assert hub.publication.publisher.book[advisory["id"]].given == Terms()


def test_a_form_becomes_a_report_with_an_indicator_for_each_value(hub: Hub) -> None:
    form = read_form(FORM)
    made = form_objects(form, FED, 1_800_000_000_000_000)
    objects = [orjson.loads(one.raw) for one in made]
    assert [one["type"] for one in objects] == ["report", "indicator", "indicator", "identity"]
    assert objects[0]["object_refs"] == [objects[1]["id"], objects[2]["id"]]
    assert objects[2]["pattern"] == "[url:value = 'http://evil.example-bad.com/a.bin']"
    assert [one["id"] for one in objects] == [
        orjson.loads(one.raw)["id"] for one in form_objects(form, FED, 1_900_000_000_000_000)
    ]
    (kept,), receipt = push(hub, "lea", made, form.terms)
    assert receipt.stored == 4
    assert kept.terms.may_be_quoted is False
    assert len(seen_by(hub, "wes")) == 4
    assert {one["type"] for one in seen_by(hub, "ben").values()} == {"identity"}


@pytest.mark.parametrize(
    ("form", "said"),
    [
        (b"title = ", "not TOML"),
        (b"\xff", "not TOML"),
        (b'title = "x"', "text"),
        (b'title = "x"\ntext = "y"\ntlp = "PINK"', "tlp"),
        (b'title = "x"\ntext = "y"\nindicators = ["no value at all"]', "indicators.0"),
        (b'title = "x"\ntext = "y"\ncolour = "red"', "colour"),
    ],
)
def test_a_wrong_form_is_told_where(form: bytes, said: str) -> None:
    with pytest.raises(NotThatFormat, match=said):
        read_form(form)
