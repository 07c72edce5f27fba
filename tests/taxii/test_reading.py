"""Over real HTTP: manifest, objects, filters, pages, one object, versions (TAXII21.md G, H, I, J, L, N)."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from hub.model.stix import STIX_TYPES
from tests.taxii.served import TAXII, Box, Hub, indicator, versions_of
from tests.taxii.test_protocol import assert_error

MICROSECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
FIRST, LAST = "X-TAXII-Date-Added-First", "X-TAXII-Date-Added-Last"
SCO = {"type": "domain-name", "id": "domain-name--ecb120bf-2694-4902-a737-62b74539a41b", "value": "evil.example"}
MARKING = {
    "type": "marking-definition",
    "spec_version": "2.1",
    "id": "marking-definition--6e3a2ed2-1a6e-4c5c-9d4c-1a6e4c5c9d4c",
    "created": "2026-01-01T00:00:00Z",
    "definition_type": "statement",
    "definition": {"statement": "for tests"},
}


def versions_in(objects: list[Any]) -> list[str]:
    return [one.get("modified") or one.get("created") for one in objects]


@pytest.mark.requirement("G01", "G02", "G05", "G07")
def test_manifest(box: Box) -> None:
    objects = [indicator(str(number)) for number in range(3)]
    box.post(*objects)
    reply = box.get("manifest/")
    records = reply.json()["objects"]
    assert [one["id"] for one in records] == [one["id"] for one in objects]
    assert all(MICROSECONDS.fullmatch(one["date_added"]) for one in records)
    assert {one["media_type"] for one in records} == {"application/stix+json;version=2.1"}
    assert reply.headers["Content-Type"] == TAXII
    assert (reply.headers[FIRST], reply.headers[LAST]) == (records[0]["date_added"], records[-1]["date_added"])


@pytest.mark.requirement("G03", "G04", "G12")
def test_versions_are_spelled_as_in_the_object(box: Box) -> None:
    seconds, digits = indicator(modified="2026-01-02T00:00:00.000Z"), indicator(modified="2026-01-02T00:00:00.1234Z")
    box.post(seconds, digits, MARKING, SCO)
    found = {one["id"]: one["version"] for one in box.manifest()}
    assert found == {
        seconds["id"]: "2026-01-02T00:00:00.000Z",
        digits["id"]: "2026-01-02T00:00:00.1234Z",
        MARKING["id"]: "2026-01-01T00:00:00Z",
        SCO["id"]: "1970-01-01T00:00:00.000000Z",
    }
    for object_id, version in found.items():
        assert [one["id"] for one in box.objects(**{"match[version]": version})] == [object_id]
        assert box.get(f"objects/{object_id}/versions/").json()["versions"] == [version]


@pytest.mark.requirement("G06", "H04", "H05")
def test_in_order_of_arrival(box: Box) -> None:
    for number in range(5):
        box.post(indicator(str(number), modified=f"2026-01-0{9 - number}T00:00:00.000Z"))
    records = box.manifest()
    dates = [one["date_added"] for one in records]
    assert dates == sorted(set(dates))
    assert [one["name"] for one in box.objects()] == list("01234")
    assert [one["name"] for one in box.objects(limit=2)] == list("01")


@pytest.mark.parametrize("part", ["manifest/", "objects/"])
@pytest.mark.requirement("G08", "H02", "H09")
def test_nothing(box: Box, part: str) -> None:
    reply = box.get(part)
    assert (reply.status, reply.json()) == (200, {})
    assert MICROSECONDS.fullmatch(reply.headers[FIRST])
    asked = "2026-05-05T05:05:05.000005Z"
    assert box.get(part, added_after=asked).headers[LAST] == asked


@pytest.mark.requirement("H09")
def test_t2_an_empty_answer_tells_nothing_of_what_others_write(box: Box, hub: Hub) -> None:
    before = box.get().headers[LAST]
    inbox = "/hub/collections/inbox/objects/"
    hub.call("POST", inbox, "lia", body={"objects": [indicator()]})
    assert box.get().headers[LAST] == before


@pytest.mark.requirement("H01", "H03", "H08")
def test_envelope(box: Box) -> None:
    odd = indicator(x_city_weight=1.10, x_city_note={"a": [1, None, True]}, modified="2026-01-02T03:04:05.123456Z")
    box.post(odd, SCO)
    reply = box.get()
    envelope = reply.json()
    assert envelope["objects"] == [odd, SCO]
    assert envelope["more"] is False
    dates = [one["date_added"] for one in box.manifest()]
    assert [reply.headers[FIRST], reply.headers[LAST]] == dates


def test_stored_bytes_are_served_untouched(box: Box) -> None:
    text = json.dumps(indicator(), separators=(",", ":"))[:-1] + ',"x_city_number":1.50e+01,"x_city_text":"\\u00e9"}'
    box.hub.call("POST", f"{box.path}objects/", body=b'{"objects":[' + text.encode() + b"]}")
    assert text.encode() in box.get().body


@pytest.mark.requirement("H06", "H07")
def test_only_the_latest_and_nothing_twice(box: Box) -> None:
    one = indicator()
    newest, oldest, middle = versions_of(
        one, "2026-03-03T00:00:00.000Z", "2026-01-01T00:00:00.000Z", "2026-02-02T00:00:00.000Z"
    )
    box.post(newest, oldest)
    box.post(middle)
    assert box.objects() == [newest]
    every = box.objects(**{"match[version]": "all"})
    assert every == [newest, oldest, middle]


@pytest.mark.requirement("I01", "I02")
def test_added_after(box: Box) -> None:
    box.post(*[indicator(str(number), modified="2031-01-01T00:00:00.000Z") for number in range(4)])
    dates = [one["date_added"] for one in box.manifest()]
    for position, date in enumerate(dates):
        assert [one["name"] for one in box.objects(added_after=date)] == list("0123")[position + 1 :]
        assert len(box.manifest(added_after=date)) == 3 - position


@pytest.mark.parametrize(
    "query",
    [
        "added_after=yesterday",
        "added_after=2026-01-01T00:00:00Z&added_after=2026-01-01T00:00:00Z",
        "limit=0",
        "limit=x",
        "limit=-3",
        "match[id]=a&match[id]=b",
        "match%5Btype%5D=a&match[type]=b",
        "match[version]=all,first",
        "match[version]=whatever",
        "next=nonsense",
        "next=" + "A" * 43,
        "next=%FF",
        "next=",
    ],
)
@pytest.mark.parametrize("part", ["objects/", "manifest/"])
@pytest.mark.requirement("I03", "I04", "I05", "I20", "I21", "I25", "J09")
def test_refused(box: Box, part: str, query: str) -> None:
    reply = box.hub.get(f"{box.path}{part}?{query}")
    assert_error(reply, 400)
    assert reply.json()["error_code"] in ("bad-filter", "bad-cursor")


@pytest.mark.requirement("G11", "I06", "I07", "I08")
def test_limit(box: Box) -> None:
    box.post(*[indicator() for _ in range(3)])
    for limit, more in ((1, True), (2, True), (3, False), (5000, False), (10**30, False)):
        for part in ("objects/", "manifest/"):
            found = box.get(part, limit=limit).json()
            assert (len(found["objects"]), found["more"]) == (min(limit, 3), more)
            assert ("next" in found) == more


@pytest.mark.requirement("I09", "J04")
def test_the_hubs_own_cap(box: Box) -> None:
    many = [{**SCO, "id": f"domain-name--{number:08x}-2694-4902-a737-62b74539a41b"} for number in range(1003)]
    for number, one in enumerate(many):
        one["value"] = f"evil{number}.example"
    box.post(*many)
    pages = box.walk()
    assert [len(page) for page in pages] == [1000, 3]
    assert [one["id"] for page in pages for one in page] == [one["id"] for one in many]


@pytest.mark.requirement("G09", "I10", "I11", "I13", "I24", "I26", "I27")
def test_ids_and_types(box: Box) -> None:
    objects = [indicator("a"), indicator("b"), SCO, MARKING]
    box.post(*objects)
    ids = [one["id"] for one in objects]
    for part in ("objects/", "manifest/"):

        def found(part: str = part, **query: Any) -> list[str]:
            return [one["id"] for one in box.get(part, **query).json().get("objects", [])]

        assert found(**{"match[id]": ids[1]}) == [ids[1]]
        assert found(**{"match[id]": f"{ids[2]},{ids[0]}"}) == [ids[0], ids[2]]
        assert found(**{"match[type]": "indicator"}) == ids[:2]
        assert found(**{"match[type]": "domain-name,marking-definition"}) == ids[2:]
        assert found(**{"match[type]": "nothing"}) == []
        assert found(**{"match[id]": ids[0], "match[type]": "domain-name"}) == []
        assert found(**{"match[type]": "indicator", "limit": "1"}) == [ids[0]]
        assert found(**{"match[colour]": "red", "limit": "4"}) == ids
        assert found(colour="red", **{"match[type]": "indicator"}) == ids[:2]
        date = box.manifest()[0]["date_added"]
        assert found(**{"match[type]": "indicator", "added_after": date}) == [ids[1]]


@pytest.mark.requirement("G09", "G10", "I14", "I15", "I16", "I17", "I18", "I19")
def test_versions(box: Box) -> None:
    one = versions_of(indicator(), "2026-01-02T00:00:00.000Z", "2026-01-03T00:00:00.000Z", "2026-01-01T12:00:00.000Z")
    box.post(*one, MARKING)
    times = versions_in(one)

    def found(versions: str) -> list[str]:
        return versions_in(box.objects(**{"match[version]": versions, "match[type]": "indicator"}))

    def recorded(versions: dict[str, str]) -> list[str]:
        return [one["version"] for one in box.manifest(**versions, **{"match[type]": "indicator"})]

    assert recorded({}) == recorded({"match[version]": "last"}) == [times[1]]
    assert recorded({"match[version]": "all"}) == times
    assert recorded({"match[version]": f"first,{times[0]}"}) == [times[0], times[2]]
    assert found("last") == [times[1]]
    assert found("first") == [times[2]]
    assert found("all") == times
    assert found(times[0]) == [times[0]]
    assert found(f"{times[0]},{times[1]}") == times[:2]
    assert found("first,last") == times[1:]
    assert found(f"first,{times[2]}") == [times[2]]
    assert found("2026-01-02T00:00:00Z") == [times[0]]
    assert found("2020-01-02T00:00:00Z") == []
    assert box.objects(**{"match[version]": MARKING["created"]}) == [MARKING]


@pytest.mark.requirement("I22", "I23")
def test_specification_versions(box: Box) -> None:
    box.post(indicator(), SCO)
    assert len(box.objects(**{"match[spec_version]": "2.1"})) == 2
    assert box.objects(**{"match[spec_version]": "2.0"}) == []
    assert box.objects(**{"match[spec_version]": "9.9"}) == []
    assert len(box.objects(**{"match[spec_version]": "2.0,2.1"})) == 2


@pytest.mark.requirement("I12")
def test_every_type_of_stix_can_be_asked_for(box: Box) -> None:
    box.post(indicator(), SCO)
    for kind in sorted(STIX_TYPES):
        found = box.objects(**{"match[type]": kind})
        assert [one["type"] for one in found] == [kind] * (kind in ("indicator", "domain-name"))


@pytest.mark.requirement("I28")
def test_brackets_and_commas(box: Box) -> None:
    box.post(SCO, MARKING)
    for query in ("match[type]=domain-name,marking-definition", "match%5Btype%5D=domain-name%2Cmarking-definition"):
        assert len(box.hub.get(f"{box.path}objects/?{query}").json()["objects"]) == 2


@pytest.mark.parametrize("limit", [1, 7, 100])
@pytest.mark.requirement("J01", "J02", "J03", "J06", "J07", "J14")
def test_walks(box: Box, limit: int) -> None:
    names = [str(number) for number in range(9 if limit == 1 else 120)]
    box.post(*[indicator(name) for name in names])
    assert [one["name"] for page in box.walk(limit=limit) for one in page] == names
    assert len([one for page in box.walk("manifest/", limit=limit) for one in page]) == len(names)
    for part in ("objects/", "manifest/"):
        seen, after = [], "2000-01-01T00:00:00Z"
        while page := box.get(part, limit=limit, added_after=after):
            seen += [one["id"] for one in page.json().get("objects", [])]
            after = page.headers[LAST]
            if not page.json().get("more"):
                break
        assert len(seen) == len(set(seen)) == len(names)


@pytest.mark.requirement("J05")
def test_a_walk_with_filters(box: Box) -> None:
    for number in range(10):
        box.post(indicator(str(number)), {**SCO, "id": f"domain-name--{number:08x}-2694-4902-a737-62b74539a41b"})
    after = box.manifest()[3]["date_added"]
    pages = box.walk(limit=3, added_after=after, **{"match[type]": "indicator"})
    assert [one["name"] for page in pages for one in page] == list("23456789")


@pytest.mark.requirement("J08")
def test_versions_walk_by_added_after(box: Box) -> None:
    one = indicator()
    versions = [f"2026-01-0{number}T00:00:00.000Z" for number in range(1, 8)]
    box.post(*versions_of(one, *versions))
    seen, after, more = [], "2000-01-01T00:00:00Z", True
    while more:
        reply = box.get(f"objects/{one['id']}/versions/", limit=2, added_after=after)
        seen += reply.json()["versions"]
        after, more = reply.headers[LAST], reply.json()["more"]
    assert seen == versions


@pytest.mark.requirement("J10", "J11")
def test_a_token_is_worth_nothing_elsewhere(box: Box, hub: Hub) -> None:
    objects = [indicator() for _ in range(3)]
    box.post(*objects)
    token = box.get(limit=1).json()["next"]
    part = f"objects/{objects[0]['id']}/"
    assert box.get(limit=2, next=token).status == 200
    for path, query in (
        (f"{box.path}objects/", {"match[type]": "malware"}),
        (f"{box.path}objects/", {"match[version]": "all"}),
        (f"{box.path}manifest/", {}),
        (f"{box.path}{part}", {}),
        (f"{box.path}{part}versions/", {}),
        ("/hub/collections/inbox/objects/", {}),
    ):
        assert_error(hub.get(path, next=token, **query), 400, "bad-cursor")
    assert_error(hub.get(f"{box.path}objects/", "lia", next=token), 400, "bad-cursor")
    assert_error(box.get(next=token[:-2] + ("AA" if token[-2:] != "AA" else "BB")), 400, "bad-cursor")


@pytest.mark.requirement("J12", "J13")
def test_retries_and_writers(box: Box) -> None:
    names = [str(number) for number in range(6)]
    box.post(*[indicator(name) for name in names])
    first = box.get(limit=4).json()
    box.post(indicator("late"))
    pages = [box.get(limit=4, next=first["next"]).body for _ in range(3)]
    assert len(set(pages)) == 1
    rest = box.get(limit=4, next=first["next"]).json()
    assert [one["name"] for one in first["objects"] + rest["objects"]] == [*names, "late"]


@pytest.mark.requirement("J14")
def test_a_walk_that_ends_empty_keeps_its_date(box: Box) -> None:
    objects = [indicator() for _ in range(2)]
    box.post(*objects)
    page = box.get(limit=1)
    assert box.hub.call("DELETE", f"{box.path}objects/{objects[1]['id']}/").status == 200
    empty = box.get(limit=1, next=page.json()["next"])
    assert empty.json() == {}
    assert empty.headers[LAST] == page.headers[LAST]


@pytest.mark.requirement("L01", "L02", "L04", "L05")
def test_one_object(box: Box) -> None:
    one = versions_of(indicator(), "2026-01-02T00:00:00.000Z", "2026-01-03T00:00:00.000Z", "2026-01-01T00:00:00.000Z")
    box.post(*one, indicator())
    part = f"objects/{one[0]['id']}/"
    reply = box.get(part)
    assert reply.json() == {"more": False, "objects": [one[1]]}
    assert MICROSECONDS.fullmatch(reply.headers[FIRST])
    assert box.get(part, **{"match[version]": "all"}).json()["objects"] == one
    assert box.get(part, **{"match[version]": "first"}).json()["objects"] == [one[2]]
    assert box.get(part, **{"match[version]": "2026-01-02T00:00:00Z"}).json()["objects"] == [one[0]]
    pages = box.walk(part, limit=1, **{"match[version]": "all"})
    assert [len(page) for page in pages] == [1, 1, 1]
    assert box.get(part, **{"match[version]": "2001-01-02T00:00:00Z"}).json() == {}


@pytest.mark.parametrize("id", ["indicator--00000000-0000-4000-8000-000000000000", "x", "%2e%2e", "a'b", "%00"])
@pytest.mark.requirement("L03", "N05")
def test_unknown_object(box: Box, id: str) -> None:
    assert_error(box.get(f"objects/{id}/"), 404, "not-found")
    assert_error(box.get(f"objects/{id}/?limit=1"), 404, "not-found")
    assert_error(box.get(f"objects/{id}/versions/"), 404, "not-found")


@pytest.mark.requirement("N01", "N02", "N03", "N04", "N06")
def test_versions_of_one_object(box: Box) -> None:
    one = versions_of(indicator(), "2026-01-02T00:00:00.000Z", "2026-01-03T00:00:00.000Z", "2026-01-01T00:00:00.000Z")
    box.post(*one, MARKING)
    part = f"objects/{one[0]['id']}/versions/"
    reply = box.get(part)
    assert reply.json() == {"more": False, "versions": versions_in(one)}
    assert MICROSECONDS.fullmatch(reply.headers[LAST])
    cut = box.get(part, limit=2).json()
    assert (cut["versions"], cut["more"]) == (versions_in(one)[:2], True)
    assert box.get(part, limit=2, next=cut["next"]).json()["versions"] == versions_in(one)[2:]
    assert box.get(f"objects/{MARKING['id']}/versions/").json()["versions"] == [MARKING["created"]]
