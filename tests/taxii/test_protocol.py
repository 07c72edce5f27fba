"""Over real HTTP: media types, errors, sign-in, discovery, API roots, collections, methods (TAXII21.md A-D, F, O)."""

from __future__ import annotations

import base64
import json
import re
import uuid
from typing import Any

import pytest
import requests

from tests.taxii.served import PASSWORD, TAXII, Box, Hub, Reply, indicator

ENDPOINTS = (
    "/taxii2/",
    "/hub/",
    "/hub/collections/",
    "/hub/collections/inbox/",
    "/hub/collections/inbox/manifest/",
    "/hub/collections/inbox/objects/",
    "/hub/collections/inbox/objects/indicator--0c2b7a0e-2c3f-4a53-9d53-7c1c1d0f5a11/",
    "/hub/collections/inbox/objects/indicator--0c2b7a0e-2c3f-4a53-9d53-7c1c1d0f5a11/versions/",
    "/hub/status/0c2b7a0e-2c3f-4a53-9d53-7c1c1d0f5a11/",
)


def assert_error(reply: Reply, status: int, code: str | None = None) -> None:
    """A14-A18: every error is an error resource in the TAXII media type, without a traceback."""
    assert reply.status == status, reply.body
    assert reply.headers["Content-Type"] == TAXII
    error = reply.json()
    assert isinstance(error["title"], str)
    assert error["http_status"] == str(status)
    assert all(isinstance(value, str) for value in error.values())
    assert all(re.fullmatch(r"[a-z0-9_]{3,250}", name) for name in error)
    assert code is None or error["error_code"] == code
    assert b"Traceback" not in reply.body
    assert b"medallion" not in reply.body


@pytest.mark.parametrize("path", ["/taxii2/", "/hub/", "/hub/collections/", "/hub/collections/inbox/"])
@pytest.mark.requirement("A01")
def test_success_names_the_media_type(hub: Hub, path: str) -> None:
    reply = hub.get(path)
    assert reply.status == 200
    assert reply.headers["Content-Type"] == TAXII


@pytest.mark.parametrize(
    "accept",
    [TAXII, "application/taxii+json", "text/html, " + TAXII, TAXII + ";q=0.4", 'APPLICATION/taxii+json; Version="2.1"'],
)
@pytest.mark.requirement("A02", "A03", "A04", "A05", "A06", "A07", "A08")
def test_accept(hub: Hub, accept: str) -> None:
    for path in (*ENDPOINTS[:4], "/hub/collections/inbox/manifest/"):
        reply = hub.call("GET", path, headers={"Accept": accept})
        assert (reply.status, reply.headers["Content-Type"]) == (200, TAXII)


@pytest.mark.parametrize("accept", ["*/*", None, "text/html", "application/taxii+json;version=9.9"])
@pytest.mark.requirement("A09")
def test_other_accept(hub: Hub, accept: str | None) -> None:
    reply = hub.call("GET", "/hub/collections/", headers={"Accept": accept})
    if reply.status != 200:
        assert_error(reply, 406, "not-acceptable")
    assert (reply.status == 200) == (accept in ("*/*", None))


@pytest.mark.requirement("A10")
def test_manifest_accept(hub: Hub) -> None:
    both = f"{TAXII}, application/stix+json;version=2.1"
    assert hub.call("GET", "/hub/collections/inbox/manifest/", headers={"Accept": both}).status == 200


@pytest.mark.parametrize("sent", [TAXII, "application/taxii+json", "application/taxii+json; version=2.1"])
@pytest.mark.requirement("A11")
def test_content_type(box: Box, sent: str) -> None:
    reply = box.hub.call("POST", f"{box.path}objects/", body={"objects": [indicator()]}, headers={"Content-Type": sent})
    assert reply.status == 202
    assert reply.headers["Content-Type"] == TAXII


@pytest.mark.parametrize("sent", [None, "application/json", "application/vnd.oasis.stix+json; version=2.0", "x"])
@pytest.mark.requirement("A12")
def test_other_content_types(box: Box, sent: str | None) -> None:
    reply = box.hub.call("POST", f"{box.path}objects/", body={"objects": []}, headers={"Content-Type": sent})
    assert_error(reply, 415, "wrong-media-type")


@pytest.mark.requirement("A13")
def test_any_script_survives(box: Box) -> None:
    name = "Überfall in Zürich – 攻撃 🏙 \u200f עיר \u0000"[:-1]
    box.post(indicator(name))
    assert box.objects()[0]["name"] == name


@pytest.mark.requirement("A16", "A17", "A18", "A20")
def test_every_error_is_an_error_resource(hub: Hub) -> None:
    objects = "/hub/collections/inbox/objects/"
    envelope = {"objects": [indicator()]}
    asked: list[tuple[int, str, str, dict[str, Any]]] = [
        (400, "GET", f"{objects}?limit=none", {}),
        (403, "GET", "/hub/collections/drop-box/objects/", {}),
        (404, "GET", "/hub/collections/nothing/", {}),
        (405, "PUT", objects, {"body": envelope}),
        (406, "GET", objects, {"headers": {"Accept": "text/html"}}),
        (413, "POST", objects, {"body": b" " * 1_000_001}),
        (415, "POST", objects, {"body": envelope, "headers": {"Content-Type": "text/plain"}}),
        (422, "POST", objects, {"body": b"[]"}),
    ]
    for status, method, path, given in asked:
        assert_error(hub.call(method, path, **given), status)


@pytest.mark.requirement("A19")
def test_no_user_agent_needed(hub: Hub) -> None:
    assert hub.get("/taxii2/").status == 200  # the client of these tests sends none


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize(
    "credentials",
    [None, "Basic " + base64.b64encode(b"leo:wrong").decode(), "Bearer nothing", "Basic", "\u00ff", "Digest x=y"],
)
@pytest.mark.requirement("B01", "B02", "B03", "B04", "B05", "B06", "A14")
def test_sign_in_is_needed(hub: Hub, path: str, credentials: str | None) -> None:
    reply = hub.call("GET", path, None, headers={"Authorization": credentials})
    assert_error(reply, 401, "not-signed-in")
    challenges = " ".join(reply.headers.get_all("WWW-Authenticate") or [])
    assert "Basic realm=" in challenges
    assert "Bearer realm=" in challenges


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.requirement("B02", "B03")
def test_writing_needs_sign_in(hub: Hub, method: str) -> None:
    path = ENDPOINTS[5] if method == "POST" else ENDPOINTS[6]
    assert_error(hub.call(method, path, None, body={"objects": []}), 401)


@pytest.mark.parametrize("header", ["Basic {basic}", "Basic {tokened}", "Bearer {token}", "Token {token}"])
@pytest.mark.requirement("B05")
def test_every_way_in(hub: Hub, header: str) -> None:
    token = hub.tokens["leo"]
    values = {
        "basic": base64.b64encode(f"leo:{PASSWORD}".encode()).decode(),
        "tokened": base64.b64encode(f"leo:{token}".encode()).decode(),
        "token": token,
    }
    assert hub.call("GET", "/taxii2/", None, headers={"Authorization": header.format(**values)}).status == 200


@pytest.mark.parametrize("part", ["manifest/", "objects/", f"{ENDPOINTS[6].split('inbox/')[1]}"])
@pytest.mark.parametrize("key", ["drop-box", "city-sector-water"])
@pytest.mark.requirement("B07", "B12")
def test_no_reading(hub: Hub, key: str, part: str) -> None:
    assert_error(hub.get(f"/hub/collections/{key}/{part}"), 403, "not-allowed")


@pytest.mark.requirement("B08", "B12")
def test_no_writing(hub: Hub) -> None:
    for key in ("city-indicators", "city-sector-water"):
        reply = hub.call("POST", f"/hub/collections/{key}/objects/", body={"objects": [indicator()]})
        assert_error(reply, 403, "not-allowed")
    assert hub.get("/hub/collections/city-indicators/objects/").json() == {}


@pytest.mark.parametrize(("key", "status"), [("city-indicators", 403), ("drop-box", 403), ("city-sector-water", 404)])
@pytest.mark.requirement("B09", "B10", "B11")
def test_no_deleting(hub: Hub, key: str, status: int) -> None:
    assert_error(hub.call("DELETE", f"/hub/collections/{key}/objects/{indicator()['id']}/"), status)


def test_a_collection_that_is_not_advertised_does_not_exist(hub: Hub) -> None:
    path = "/hub/collections/inbox/"
    assert hub.get(path, "leo").status == 200
    assert_error(hub.get(path, "pam"), 404, "not-found")
    assert_error(hub.get("/hub/collections/evidence/", "ana"), 404)
    listed = {one["alias"] for one in hub.get("/hub/collections/", "pam").json()["collections"]}
    assert "inbox" not in listed
    assert "city-sector-water" in listed


@pytest.mark.requirement("C01", "C02", "C03", "C04", "C05", "C06")
def test_discovery(hub: Hub) -> None:
    found = hub.get("/taxii2/").json()
    assert found["title"] == "City Threat Hub"
    assert found["contact"] == "soc@city.example"
    assert found["api_roots"] == ["/hub/", "/second/"]
    assert found["default"] == "/hub/"
    assert all(hub.get(root).status == 200 for root in found["api_roots"])


@pytest.mark.requirement("D01", "D02")
def test_api_root(hub: Hub) -> None:
    root = hub.get("/second/").json()
    assert root == {
        "title": "Another root",
        "description": "For the tests",
        "versions": [TAXII],
        "max_content_length": 1_000_000,
    }


@pytest.mark.parametrize(
    "path", ["/none/", "/none/collections/", "/none/status/x/", "/none/collections/inbox/objects/"]
)
@pytest.mark.requirement("D03")
def test_unknown_root(hub: Hub, path: str) -> None:
    assert_error(hub.get(path), 404, "not-found")


def test_other_paths_are_left_to_the_hub(hub: Hub) -> None:
    reply = hub.call("GET", "/console/x", None, headers={"Accept": "text/html"})
    assert (reply.status, reply.body) == (404, b"not TAXII")


@pytest.mark.requirement("D04", "D05")
def test_size_limit(box: Box) -> None:
    path, limit = f"{box.path}objects/", 1_000_000
    body = json.dumps({"objects": [indicator()]}).encode()
    assert_error(box.hub.call("POST", path, body=body.ljust(limit + 1)), 413, "too-large")
    assert_error(box.hub.call("POST", path, body=body.ljust(3 * limit)), 413, "too-large")
    assert_error(box.hub.call("POST", path, None, body=body.ljust(3 * limit)), 401)
    assert box.objects() == []
    assert box.hub.call("POST", path, body=body.ljust(limit)).status == 202
    assert_error(box.hub.call("POST", path, body=b""), 400, "bad-request")


@pytest.mark.parametrize(("length", "status"), [(0, 202), (999_000, 202), (2_000_000, 413)])
@pytest.mark.requirement("D06", "D07")
def test_chunked(box: Box, length: int, status: int) -> None:
    body = json.dumps({"objects": [indicator()]}).encode() + b" " * length
    reply = requests.post(
        f"{box.hub.url}{box.path}objects/",
        verify=box.hub.verify,
        data=(body[start : start + 50_000] for start in range(0, len(body), 50_000)),
        headers={"Authorization": f"Bearer {box.hub.tokens['leo']}", "Content-Type": TAXII},
        timeout=30,
    )
    assert reply.status_code == status
    assert reply.headers["Content-Type"] == TAXII
    assert len(box.objects()) == (status == 202)


@pytest.mark.requirement("F01", "F02", "F03", "F04", "F05", "F06", "F07", "F08")
def test_collections(hub: Hub) -> None:
    listed: list[Any] = hub.get("/hub/collections/").json()["collections"]
    ids = [one["id"] for one in listed]
    assert ids == sorted(ids)
    assert {uuid.UUID(one).version for one in ids} == {4}
    assert len({one["alias"] for one in listed}) == len(listed)
    for one in listed[:20]:
        assert isinstance(one["title"], str)
        assert (type(one["can_read"]), type(one["can_write"])) == (bool, bool)
        assert one["media_types"] == ["application/stix+json;version=2.1"]
        assert hub.get(f"/hub/collections/{one['id']}/").json() == one
        assert hub.get(f"/hub/collections/{one['alias']}/").json() == one


@pytest.mark.parametrize(
    "name", ["0c2b7a0e-2c3f-4a53-9d53-7c1c1d0f5a11", "nothing", "..", "%2e%2e", "a%2Fb", "%00", "clean-0"]
)
@pytest.mark.requirement("F07")
def test_unknown_collection(hub: Hub, name: str) -> None:
    where = f"/hub/collections/{name}/"
    for part in ("", "manifest/", "objects/", "objects/x--1/", "objects/x--1/versions/"):
        assert_error(hub.get(where + part), 404)
    assert_error(hub.call("POST", where + "objects/", body={"objects": [indicator()]}), 404)
    assert_error(hub.call("DELETE", where + "objects/x--1/"), 404)


def test_several_api_roots(hub: Hub) -> None:
    second = hub.get("/second/collections/").json()["collections"]
    assert [one["alias"] for one in second] == ["clean-0"]
    assert_error(hub.get(f"/hub/collections/{second[0]['id']}/"), 404)


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("method", ["PUT", "PATCH", "POST", "DELETE", "TRACE", "PROPFIND"])
@pytest.mark.requirement("O01", "O02")
def test_other_methods(hub: Hub, path: str, method: str) -> None:
    if (method, path) in (("POST", ENDPOINTS[5]), ("DELETE", ENDPOINTS[6])):
        return
    reply = hub.call(method, path, body={"objects": []})
    assert_error(reply, 405, "method-not-allowed")
    assert "GET" in reply.headers["Allow"]
    assert method not in reply.headers["Allow"].split(", ")


@pytest.mark.requirement("O02")
def test_options(hub: Hub) -> None:
    reply = hub.call("OPTIONS", ENDPOINTS[5])
    assert (reply.status, reply.headers["Allow"]) == (204, "GET, POST, HEAD, OPTIONS")


@pytest.mark.parametrize("path", ENDPOINTS[:6])
@pytest.mark.requirement("O03")
def test_head(hub: Hub, path: str) -> None:
    head, get = hub.call("HEAD", path), hub.get(path)
    assert (head.status, head.body) == (200, b"")
    for name in ("Content-Type", "Content-Length", "X-TAXII-Date-Added-Last"):
        assert head.headers[name] == get.headers[name]


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.requirement("O04")
def test_without_the_last_slash(hub: Hub, path: str) -> None:
    assert hub.get(path.rstrip("/")).status == hub.get(path).status < 500


@pytest.mark.parametrize(
    "path",
    [
        "/hub//collections/",
        "//hub/",
        "/hub/x/",
        "/hub/collections/inbox/objects/a/b/c/",
        "/hub/collections/inbox/objects//",
    ],
)
def test_odd_paths_are_clean(hub: Hub, path: str) -> None:
    assert_error(hub.get(path), 404)
