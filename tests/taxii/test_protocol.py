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
def test_a01_success_names_the_media_type(hub: Hub, path: str) -> None:
    reply = hub.get(path)
    assert reply.status == 200
    assert reply.headers["Content-Type"] == TAXII


@pytest.mark.parametrize(
    "accept",
    [TAXII, "application/taxii+json", "text/html, " + TAXII, TAXII + ";q=0.4", 'APPLICATION/taxii+json; Version="2.1"'],
)
def test_a02_to_a08_accept(hub: Hub, accept: str) -> None:
    for path in (*ENDPOINTS[:4], "/hub/collections/inbox/manifest/"):
        assert hub.call("GET", path, headers={"Accept": accept}).status == 200


@pytest.mark.parametrize("accept", ["*/*", None, "text/html", "application/taxii+json;version=9.9"])
def test_a09_other_accept(hub: Hub, accept: str | None) -> None:
    reply = hub.call("GET", "/hub/collections/", headers={"Accept": accept})
    if reply.status != 200:
        assert_error(reply, 406, "not-acceptable")
    assert (reply.status == 200) == (accept in ("*/*", None))


def test_a10_manifest_accept(hub: Hub) -> None:
    both = f"{TAXII}, application/stix+json;version=2.1"
    assert hub.call("GET", "/hub/collections/inbox/manifest/", headers={"Accept": both}).status == 200


@pytest.mark.parametrize("sent", [TAXII, "application/taxii+json", "application/taxii+json; version=2.1"])
def test_a11_content_type(box: Box, sent: str) -> None:
    reply = box.hub.call("POST", f"{box.path}objects/", body={"objects": [indicator()]}, headers={"Content-Type": sent})
    assert reply.status == 202
    assert reply.headers["Content-Type"] == TAXII


@pytest.mark.parametrize("sent", [None, "application/json", "application/vnd.oasis.stix+json; version=2.0", "x"])
def test_a12_other_content_types(box: Box, sent: str | None) -> None:
    reply = box.hub.call("POST", f"{box.path}objects/", body={"objects": []}, headers={"Content-Type": sent})
    assert_error(reply, 415, "wrong-media-type")


def test_a13_any_script_survives(box: Box) -> None:
    name = "Überfall in Zürich – 攻撃 🏙 \u200f עיר \u0000"[:-1]
    box.post(indicator(name))
    assert box.objects()[0]["name"] == name


def test_a19_no_user_agent_needed(hub: Hub) -> None:
    assert hub.get("/taxii2/").status == 200


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize(
    "credentials",
    [None, "Basic " + base64.b64encode(b"leo:wrong").decode(), "Bearer nothing", "Basic", "\u00ff", "Digest x=y"],
)
def test_b01_to_b06_a14_sign_in_is_needed(hub: Hub, path: str, credentials: str | None) -> None:
    reply = hub.call("GET", path, None, headers={"Authorization": credentials})
    assert_error(reply, 401, "not-signed-in")
    challenges = " ".join(reply.headers.get_all("WWW-Authenticate") or [])
    assert "Basic realm=" in challenges
    assert "Bearer realm=" in challenges


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_b02_writing_needs_sign_in(hub: Hub, method: str) -> None:
    path = ENDPOINTS[5] if method == "POST" else ENDPOINTS[6]
    assert_error(hub.call(method, path, None, body={"objects": []}), 401)


@pytest.mark.parametrize("header", ["Basic {basic}", "Basic {tokened}", "Bearer {token}", "Token {token}"])
def test_b05_every_way_in(hub: Hub, header: str) -> None:
    token = hub.tokens["leo"]
    values = {
        "basic": base64.b64encode(f"leo:{PASSWORD}".encode()).decode(),
        "tokened": base64.b64encode(f"leo:{token}".encode()).decode(),
        "token": token,
    }
    assert hub.call("GET", "/taxii2/", None, headers={"Authorization": header.format(**values)}).status == 200


@pytest.mark.parametrize("part", ["manifest/", "objects/", f"{ENDPOINTS[6].split('inbox/')[1]}"])
@pytest.mark.parametrize("key", ["drop-box", "city-sector-water"])
def test_b07_b12_no_reading(hub: Hub, key: str, part: str) -> None:
    assert_error(hub.get(f"/hub/collections/{key}/{part}"), 403, "not-allowed")


def test_b08_b12_no_writing(hub: Hub) -> None:
    for key in ("city-indicators", "city-sector-water"):
        reply = hub.call("POST", f"/hub/collections/{key}/objects/", body={"objects": [indicator()]})
        assert_error(reply, 403, "not-allowed")
    assert hub.get("/hub/collections/city-indicators/objects/").json() == {}


@pytest.mark.parametrize(("key", "status"), [("city-indicators", 403), ("drop-box", 403), ("city-sector-water", 404)])
def test_b09_b10_b11_no_deleting(hub: Hub, key: str, status: int) -> None:
    assert_error(hub.call("DELETE", f"/hub/collections/{key}/objects/{indicator()['id']}/"), status)


def test_a_collection_that_is_not_advertised_does_not_exist(hub: Hub) -> None:
    path = "/hub/collections/inbox/"
    assert hub.get(path, "leo").status == 200
    assert_error(hub.get(path, "pam"), 404, "not-found")
    assert_error(hub.get("/hub/collections/evidence/", "ana"), 404)
    listed = {one["alias"] for one in hub.get("/hub/collections/", "pam").json()["collections"]}
    assert "inbox" not in listed
    assert "city-sector-water" in listed


def test_c01_to_c06_discovery(hub: Hub) -> None:
    found = hub.get("/taxii2/").json()
    assert found["title"] == "City Threat Hub"
    assert found["contact"] == "soc@city.example"
    assert found["api_roots"] == ["/hub/", "/second/"]
    assert found["default"] == "/hub/"
    assert all(hub.get(root).status == 200 for root in found["api_roots"])


def test_d01_d02_api_root(hub: Hub) -> None:
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
def test_d03_unknown_root(hub: Hub, path: str) -> None:
    assert_error(hub.get(path), 404, "not-found")


def test_other_paths_are_left_to_the_hub(hub: Hub) -> None:
    reply = hub.call("GET", "/console/x", None, headers={"Accept": "text/html"})
    assert (reply.status, reply.body) == (404, b"not TAXII")


def test_d04_d05_size_limit(box: Box) -> None:
    path, limit = f"{box.path}objects/", 1_000_000
    body = json.dumps({"objects": [indicator()]}).encode()
    assert_error(box.hub.call("POST", path, body=body.ljust(limit + 1)), 413, "too-large")
    assert_error(box.hub.call("POST", path, body=body.ljust(3 * limit)), 413, "too-large")
    assert_error(box.hub.call("POST", path, None, body=body.ljust(3 * limit)), 401)
    assert box.objects() == []
    assert box.hub.call("POST", path, body=body.ljust(limit)).status == 202
    assert_error(box.hub.call("POST", path, body=b""), 400, "bad-request")


@pytest.mark.parametrize(("length", "status"), [(0, 202), (999_000, 202), (2_000_000, 413)])
def test_d06_d07_chunked(box: Box, length: int, status: int) -> None:
    body = json.dumps({"objects": [indicator()]}).encode() + b" " * length
    reply = requests.post(
        f"{box.hub.url}{box.path}objects/",
        data=(body[start : start + 50_000] for start in range(0, len(body), 50_000)),
        headers={"Authorization": f"Bearer {box.hub.tokens['leo']}", "Content-Type": TAXII},
        timeout=30,
    )
    assert reply.status_code == status
    assert reply.headers["Content-Type"] == TAXII
    assert len(box.objects()) == (status == 202)


def test_f01_to_f08_collections(hub: Hub) -> None:
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
def test_f07_unknown_collection(hub: Hub, name: str) -> None:
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
def test_o01_o02_other_methods(hub: Hub, path: str, method: str) -> None:
    if (method, path) in (("POST", ENDPOINTS[5]), ("DELETE", ENDPOINTS[6])):
        return
    reply = hub.call(method, path, body={"objects": []})
    assert_error(reply, 405, "method-not-allowed")
    assert "GET" in reply.headers["Allow"]
    assert method not in reply.headers["Allow"].split(", ")


def test_o02_options(hub: Hub) -> None:
    reply = hub.call("OPTIONS", ENDPOINTS[5])
    assert (reply.status, reply.headers["Allow"]) == (204, "GET, POST, HEAD, OPTIONS")


@pytest.mark.parametrize("path", ENDPOINTS[:6])
def test_o03_head(hub: Hub, path: str) -> None:
    head, get = hub.call("HEAD", path), hub.get(path)
    assert (head.status, head.body) == (200, b"")
    for name in ("Content-Type", "Content-Length", "X-TAXII-Date-Added-Last"):
        assert head.headers[name] == get.headers[name]


@pytest.mark.parametrize("path", ENDPOINTS)
def test_o04_without_the_last_slash(hub: Hub, path: str) -> None:
    assert hub.get(path.rstrip("/")).status == hub.get(path).status < 500


@pytest.mark.parametrize("path", ["/hub//collections/", "//hub/", "/hub/x/", "/hub/collections/inbox/objects/a/b/c/"])
def test_odd_paths_are_clean(hub: Hub, path: str) -> None:
    assert_error(hub.get(path), 404)
