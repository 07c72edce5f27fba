"""Over real HTTP: statuses, Add Objects, Delete (TAXII21.md E, K, M)."""

from __future__ import annotations

import gzip
import json
import uuid
from typing import Any

import pytest

from tests.taxii.served import Box, Hub, indicator, versions_of
from tests.taxii.test_protocol import assert_error
from tests.taxii.test_reading import FIRST, LAST, MARKING, MICROSECONDS, SCO

RELATIONSHIP = {
    "type": "relationship",
    "spec_version": "2.1",
    "id": "relationship--44298a74-ba52-4f0c-87a3-1824e67d7fad",
    "created": "2026-01-01T00:00:00.000Z",
    "modified": "2026-01-01T00:00:00.000Z",
    "relationship_type": "indicates",
    "source_ref": "indicator--31b940d4-6f7f-459a-80ea-9c1f17b5891b",
    "target_ref": "malware--31b940d4-6f7f-459a-80ea-9c1f17b58911",
}
COMMON = {"spec_version": "2.1", "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z"}
SIGHTING = COMMON | {
    "type": "sighting",
    "id": "sighting--ee20065d-2555-424f-ad9e-0f8428623c75",
    "sighting_of_ref": "indicator--31b940d4-6f7f-459a-80ea-9c1f17b5891b",
}
NOTE = COMMON | {
    "type": "note",
    "id": "note--0c7b5b88-8ff7-4a4d-aa9d-feb398cd0061",
    "content": "seen again",
    "object_refs": ["indicator--31b940d4-6f7f-459a-80ea-9c1f17b5891b"],
}
LANGUAGE = COMMON | {
    "type": "language-content",
    "id": "language-content--b86bd89f-98bb-4fa9-8cb2-9ad421da981d",
    "object_ref": "indicator--31b940d4-6f7f-459a-80ea-9c1f17b5891b",
    "contents": {"de": {"name": "böse"}},
}


def post(box: Box, body: Any) -> Any:
    return box.hub.call("POST", f"{box.path}objects/", body=body)


@pytest.mark.requirement("E01", "E02", "E03", "E04", "E05", "E06", "E08", "E10")
def test_status(box: Box) -> None:
    objects = [indicator(modified="2026-01-02T00:00:00.000Z"), MARKING, SCO]
    status = box.post(*objects)
    assert uuid.UUID(status["id"]).version == 4
    assert status["status"] == "complete"
    counts = ("total_count", "success_count", "failure_count", "pending_count")
    assert [status[name] for name in counts] == [3, 3, 0, 0]
    assert MICROSECONDS.fullmatch(status["request_timestamp"])
    assert [(one["id"], one["version"]) for one in status["successes"]] == [
        (objects[0]["id"], "2026-01-02T00:00:00.000Z"),
        (MARKING["id"], MARKING["created"]),
        (SCO["id"], "1970-01-01T00:00:00.000000Z"),
    ]
    assert "failures" not in status
    assert box.hub.get(f"/hub/status/{status['id']}/").json() == status


@pytest.mark.requirement("E09")
def test_a_status_stays_after_completion_and_after_what_came_later(box: Box) -> None:
    status = box.post(indicator())
    for _ in range(3):
        box.post(indicator())
    assert box.hub.get(f"/hub/status/{status['id']}/").json() == status


@pytest.mark.requirement("E07")
def test_t1_a_status_is_its_submitters(box: Box, hub: Hub) -> None:
    status = box.post(indicator())
    for user in ("lia", "ana", "pam"):
        assert_error(hub.get(f"/hub/status/{status['id']}/", user), 404)
    assert_error(hub.get(f"/second/status/{status['id']}/"), 404)
    for unknown in (uuid.uuid4(), "x", "%00", "..%2f"):
        assert_error(hub.get(f"/hub/status/{unknown}/"), 404)


@pytest.mark.requirement("K01", "K02", "K09")
def test_kinds_come_back(box: Box) -> None:
    objects = [indicator(), MARKING, RELATIONSHIP, SIGHTING, NOTE, LANGUAGE, SCO]
    assert box.post(*objects)["success_count"] == len(objects)
    assert box.objects() == objects
    assert [one["id"] for one in box.manifest()] == [one["id"] for one in objects]
    for one in objects:
        assert box.get(f"objects/{one['id']}/").json()["objects"] == [one]


@pytest.mark.requirement("K03", "K04", "K05", "K06")
def test_duplicates(box: Box) -> None:
    one = indicator()
    assert box.post(one, one)["success_count"] == 2
    before = box.manifest()
    assert box.post(one)["success_count"] == 1
    assert box.manifest(**{"match[version]": "all"}) == before
    assert len(before) == 1


def test_the_same_version_with_other_content_is_a_failure_and_changes_nothing(box: Box) -> None:
    one = indicator()
    box.post(one)
    before = box.get().body
    for _ in range(2):  # a replay is told the same
        status = box.post({**one, "name": "another"}, indicator("beside"), {"type": "nonsense"})
        assert [status[name] for name in ("success_count", "failure_count", "pending_count")] == [1, 2, 0]
        taken, broken = status["failures"]
        assert (taken["id"], taken["version"]) == (one["id"], one["modified"])
        assert taken["message"].startswith("conflict")
        assert broken["message"]
        assert before[: before.rindex(b"]")] in box.get().body.replace(b'"more":true', b'"more":false')
    assert box.objects(**{"match[id]": one["id"]}) == [one]


def test_nobody_else_versions_or_revokes(box: Box) -> None:
    one = indicator()
    box.post(one)
    newer = {**one, "modified": "2026-05-05T00:00:00.000Z", "revoked": True}
    [failure] = box.post(newer, user="lia")["failures"]
    assert failure["message"].startswith("not-originator")
    assert box.objects(**{"match[version]": "all"}) == [one]
    assert box.post(newer)["success_count"] == 1


@pytest.mark.requirement("K07")
def test_an_older_version_does_not_displace(box: Box) -> None:
    new, old = versions_of(indicator(), "2026-02-02T00:00:00.000Z", "2026-01-02T00:00:00.000Z")
    box.post(new)
    assert box.post(old)["success_count"] == 1
    assert box.objects() == [new]


@pytest.mark.requirement("K08")
def test_observables_have_no_times(box: Box) -> None:
    for _ in range(2):
        assert box.post(SCO)["success_count"] == 1
    assert box.objects(**{"match[type]": "domain-name"}) == [SCO]
    assert box.objects(**{"match[id]": SCO["id"]}) == [SCO]


@pytest.mark.parametrize(
    "body",
    [
        b"not json",
        b"{",
        b"[]",
        b'"text"',
        b"7",
        b"null",
        b'{"objects":{}}',
        b'{"objects":"x"}',
        b'{"objects":null}',
        b"\xff\xfe",
        b'{"objects":[]} trailing',
        b"[" * 100_000,
        b'{"objects":' + b"[" * 100_000,
        b'{"a":' * 50_000,
        b"<html></html>",
        b"http://127.0.0.1/",
    ],
)
@pytest.mark.requirement("K10", "K11", "K17", "A15")
def test_unreadable_bodies(box: Box, body: bytes) -> None:
    reply = post(box, body)
    assert reply.status in (400, 422)
    assert_error(reply, reply.status)
    assert box.objects() == []


@pytest.mark.parametrize("body", [b"{}", b'{"objects":[]}', b'{"more":false}'])
@pytest.mark.requirement("K12")
def test_an_empty_envelope(box: Box, body: bytes) -> None:
    reply = post(box, body)
    if reply.status == 202:
        assert reply.json()["total_count"] == 0
    else:
        assert_error(reply, reply.status)
        assert reply.status in (400, 422)


BAD = [
    b"7",
    b'"x"',
    b"null",
    b"[]",
    b"{}",
    b'{"type":"indicator"}',
    b'{"id":"indicator--31b940d4-6f7f-459a-80ea-9c1f17b5891b"}',
    b'{"type":"indicator","id":"indicator--1","spec_version":"2.1"}',
    b'{"type":"malware","spec_version":"2.1","id":"indicator--31b940d4-6f7f-459a-80ea-9c1f17b5891b"}',
    b'{"type":"domain-name","id":"domain-name--ecb120bf-2694-4902-a737-62b74539a41b","value":NaN}',
    b'{"type":"domain-name","id":"domain-name--ecb120bf-2694-4902-a737-62b74539a41b","value":"\\ud800"}',
    b'{"type":"domain-name","id":"domain-name--ecb120bf-2694-4902-a737-62b74539a41b","x_y":'
    + b"[" * 5000
    + b"]" * 5000
    + b"}",
    b'{"type":"note","id":"note--31b940d4-6f7f-459a-80ea-9c1f17b5891b","spec_version":"2.1","created":"soon","modified":"later","content":"x","object_refs":["note--31b940d4-6f7f-459a-80ea-9c1f17b5891b"]}',
]


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.requirement("K13", "K14", "K15", "K16", "K17", "K18")
def test_a_bad_object_is_a_failure_and_its_neighbour_goes_through(box: Box, bad: bytes) -> None:
    good = indicator()
    reply = post(box, b'{"objects":[' + json.dumps(good).encode() + b"," + bad + b"]}")
    if (
        b"\\ud800" in bad or b"NaN" in bad or b"[[[[" in bad
    ):  # not JSON as RFC 8259 has it, or beyond all bounds: nothing of it is read
        assert_error(reply, 422)
        assert box.objects() == []
        return
    assert reply.status == 202
    status = reply.json()
    assert [status[name] for name in ("total_count", "success_count", "failure_count")] == [2, 1, 1]
    (failure,) = status["failures"]
    assert failure["id"]
    assert isinstance(failure["version"], str)
    assert failure["message"]
    assert box.objects() == [good]


@pytest.mark.requirement("K19")
def test_a_custom_property_in_the_envelope(box: Box) -> None:
    one = indicator()
    assert post(box, {"x_city_note": 1, "objects": [one]}).status == 202
    assert box.objects() == [one]


@pytest.mark.requirement("K20")
def test_a_bundle_in_place_of_an_envelope(box: Box) -> None:
    one = indicator()
    assert post(box, {"type": "bundle", "id": f"bundle--{uuid.uuid4()}", "objects": [one]}).status == 202
    assert box.objects() == [one]


@pytest.mark.requirement("M01", "M03", "M05", "M06")
def test_delete(box: Box) -> None:
    one, kept = indicator(), indicator()
    versions = versions_of(one, "2026-01-02T00:00:00.000Z", "2026-01-03T00:00:00.000Z")
    queries: list[dict[str, Any]] = [{}, {"match[version]": "all"}]
    for query in queries:
        box.post(*versions, kept)
        before = box.get().headers[LAST]
        reply = box.hub.call("DELETE", f"{box.path}objects/{one['id']}/", **query)
        assert (reply.status, reply.body) == (200, b"")
        assert_error(box.get(f"objects/{one['id']}/"), 404)
        assert_error(box.get(f"objects/{one['id']}/versions/"), 404)
        assert box.objects(**{"match[version]": "all"}) == [kept]
        assert [record["id"] for record in box.manifest()] == [kept["id"]]
        box.post(versions[0])
        again = box.get(added_after=before)
        assert again.json()["objects"] == [versions[0]]
        assert again.headers[FIRST] > before
        box.hub.call("DELETE", f"{box.path}objects/{one['id']}/")


@pytest.mark.requirement("M02")
def test_delete_one_version(box: Box) -> None:
    versions = versions_of(indicator(), "2026-01-02T00:00:00.000Z", "2026-01-03T00:00:00.000Z")
    box.post(*versions)
    path = f"{box.path}objects/{versions[0]['id']}/"
    assert_error(box.hub.call("DELETE", f"{path}?match[version]=2020-01-01T00:00:00Z"), 404)
    assert box.hub.call("DELETE", f"{path}?match[version]=2026-01-03T00:00:00.000Z").status == 200
    assert box.objects(**{"match[version]": "all"}) == [versions[0]]
    assert_error(box.hub.call("DELETE", f"{path}?match[version]=never"), 400)


@pytest.mark.requirement("M04")
def test_delete_of_nothing(box: Box) -> None:
    assert_error(box.hub.call("DELETE", f"{box.path}objects/{indicator()['id']}/"), 404, "not-found")


def test_t1_only_the_owner_or_a_senior_analyst_deletes(box: Box, hub: Hub) -> None:
    one = indicator()
    box.post(one)
    path = f"{box.path}objects/{one['id']}/"
    assert_error(hub.call("DELETE", path, "lia"), 403, "not-allowed")
    assert box.objects() == [one]
    assert_error(hub.call("DELETE", path, "ana"), 403, "not-allowed")
    assert hub.call("DELETE", path, "sen").status == 200
    assert box.objects() == []


def test_t2_what_a_reader_may_not_see_is_not_there(hub: Hub) -> None:
    """TLP:AMBER is for its owner and the city; to the other liaison nothing differs from an empty inbox."""
    one, path = indicator(), "/hub/collections/inbox/objects/"
    hub.call("POST", path, "leo", body={"objects": [one]})
    assert one in hub.get(path, "leo").json()["objects"]
    assert one in hub.get(path, "ana").json()["objects"]
    seen = hub.get(path, "lia").json().get("objects", [])
    assert one["id"] not in {other["id"] for other in seen}
    assert_error(hub.get(f"{path}{one['id']}/", "lia"), 404)
    assert_error(hub.get(f"{path}{one['id']}/versions/", "lia"), 404)
    assert_error(hub.call("DELETE", f"{path}{one['id']}/", "lia"), 404)


def test_the_drop_box_takes_and_does_not_show(hub: Hub) -> None:
    one, path = indicator(), "/hub/collections/drop-box/objects/"
    status = hub.call("POST", path, body={"objects": [one]}).json()
    assert status["success_count"] == 1
    assert hub.get(f"/hub/status/{status['id']}/").json() == status
    assert_error(hub.get(path), 403)
    assert one in hub.get(path, "ana").json()["objects"]


def coded(box: Box, body: bytes, coding: str) -> Any:
    return box.hub.call("POST", f"{box.path}objects/", body=body, headers={"Content-Encoding": coding})


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZIP", "identity"])
def test_compressed_bodies(box: Box, coding: str) -> None:
    one = indicator()
    body = json.dumps({"objects": [one]}).encode()
    assert coded(box, body if coding == "identity" else gzip.compress(body), coding).status == 202
    assert box.objects() == [one]


def test_a_compressed_body_is_held_to_the_same_limit_and_must_be_whole(box: Box) -> None:
    body = json.dumps({"objects": [indicator()]}).encode()
    assert coded(box, gzip.compress(body.ljust(1_000_000)), "gzip").status == 202
    assert_error(coded(box, gzip.compress(body.ljust(1_000_001)), "gzip"), 413, "too-large")
    assert_error(coded(box, gzip.compress(b" " * 500_000_000, 9), "gzip"), 413, "too-large")
    assert_error(coded(box, gzip.compress(body)[:-4], "gzip"), 400, "bad-request")
    assert_error(coded(box, gzip.compress(body) + b"more", "gzip"), 400, "bad-request")
    assert_error(coded(box, body, "gzip"), 400, "bad-request")
    assert_error(coded(box, gzip.compress(b""), "gzip"), 400, "bad-request")
    for coding in ("br", "deflate", "gzip, gzip"):
        reply = coded(box, body, coding)
        assert_error(reply, 415, "wrong-media-type")
        assert reply.headers["Accept-Encoding"] == "gzip"


def test_a_sender_of_one_byte_at_a_time(box: Box) -> None:
    one = indicator()
    body = json.dumps({"objects": [one]}).encode()
    head = (
        f"POST {box.path}objects/ HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {box.hub.tokens['leo']}\r\n"
        f"Content-Type: application/taxii+json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    with box.hub.connect() as connection:
        for byte in head.encode() + body:
            connection.send(bytes((byte,)))
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 202")
    assert box.objects() == [one]
