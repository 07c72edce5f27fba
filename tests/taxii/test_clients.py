"""Real clients against the running server (TAXII21.md S01-S05)."""

from __future__ import annotations

import json
import os
import re
import subprocess
from typing import Any

import pytest
import stix2
from cytaxii2 import cytaxii2
from requests.exceptions import HTTPError
from taxii2client.common import TokenAuth
from taxii2client.v21 import ApiRoot, Collection, Server, as_pages

from tests.taxii.served import PASSWORD, ROOT, Box, Hub, indicator, versions_of


def collection_at(box: Box, **credentials: Any) -> Collection:
    """Return taxii2-client's view of a collection; it takes the id in the address and no alias."""
    credentials = credentials or {"user": "leo", "password": PASSWORD}
    return Collection(f"{box.hub.url}/hub/collections/{box.get('').json()['id']}/", **credentials)


@pytest.mark.requirement("S01")
def test_server_root_and_collections(hub: Hub) -> None:
    server = Server(f"{hub.url}/taxii2/", user="leo", password=PASSWORD)
    assert server.title == "City Threat Hub"
    assert server.default.url == f"{hub.url}/hub/"
    root: ApiRoot = server.default
    assert root.max_content_length == 1_000_000
    kinds = {one.alias: (one.can_read, one.can_write) for one in root.collections}
    assert kinds["inbox"] == (True, True)
    assert kinds["drop-box"] == (False, True)
    assert kinds["city-indicators"] == (True, False)
    assert kinds["city-sector-water"] == (False, False)


@pytest.mark.parametrize("way", ["password", "token as password", "Token scheme"])
@pytest.mark.requirement("S01")
def test_every_way_to_sign_in(box: Box, way: str) -> None:
    token = box.hub.tokens["leo"]
    credentials = {
        "password": {"user": "leo", "password": PASSWORD},
        "token as password": {"user": "leo", "password": token},
        "Token scheme": {"auth": TokenAuth(token)},
    }[way]
    assert collection_at(box, **credentials).get_objects() == {}
    with pytest.raises(HTTPError, match="401"):
        collection_at(box, user="leo", password="not this").get_objects()


@pytest.mark.requirement("S02")
def test_as_pages(box: Box) -> None:
    objects = [indicator(str(number)) for number in range(25)]
    box.post(*objects)
    collection = collection_at(box)
    pages = list(as_pages(collection.get_objects, per_request=10))
    assert [len(page["objects"]) for page in pages] == [10, 10, 5]
    assert [one for page in pages for one in page["objects"]] == objects
    records = [one for page in as_pages(collection.get_manifest, per_request=7) for one in page["objects"]]
    assert [one["id"] for one in records] == [one["id"] for one in objects]
    later = list(as_pages(collection.get_objects, per_request=4, added_after=records[9]["date_added"]))
    assert [one for page in later for one in page["objects"]] == objects[10:]


@pytest.mark.requirement("S03")
def test_add_status_versions_delete(box: Box) -> None:
    collection = collection_at(box)
    one = indicator()
    newer = versions_of(one, "2026-02-02T00:00:00.000Z")[0]
    status = collection.add_objects({"objects": [one, newer]}, wait_for_completion=True)
    assert (status.status, status.success_count, status.failure_count) == ("complete", 2, 0)
    again = collection.add_objects({"objects": [one]})
    assert again.success_count == 1
    root = ApiRoot(f"{box.hub.url}/hub/", user="leo", password=PASSWORD)
    assert root.get_status(status.id)._raw == status._raw
    assert collection.object_versions(one["id"])["versions"] == [one["modified"], newer["modified"]]
    assert collection.get_object(one["id"])["objects"] == [newer]
    assert collection.get_objects(type="indicator", version="first")["objects"] == [one]
    collection.delete_object(one["id"])
    with pytest.raises(HTTPError, match="404"):
        collection.get_object(one["id"])


@pytest.mark.requirement("S04")
def test_cytaxii2(box: Box) -> None:
    client = cytaxii2.cytaxii2(f"{box.hub.url}/taxii2/", "leo", PASSWORD)
    found = client.discovery_request()
    assert found["status"]
    # The client takes the default API root as an absolute address; over http it can only be relative (C03).
    client.api_root = box.hub.url + found["response"]["default"]
    assert client.root_discovery()["status"]
    collections = client.collection_request()["response"]["collections"]
    address = next(one["id"] for one in collections if one["alias"] == box.name)
    assert client.collection_data_request(address)["response"]["alias"] == box.name
    one = indicator()
    assert client.inbox_request(address, json.dumps({"objects": [one]}))["status_code"] == 202
    assert client.poll_request(address, object_type="indicator", limit=5)["response"]["objects"] == [one]


@pytest.mark.requirement("S05")
def test_stix2_reads_what_it_gets(box: Box) -> None:
    versions = versions_of(indicator("x"), "2026-01-02T00:00:00.000Z", "2026-01-03T00:00:00.000Z")
    box.post(*versions)
    source = stix2.TAXIICollectionSource(collection_at(box))
    assert source.get(versions[0]["id"]).modified.day == 3
    assert len(source.all_versions(versions[0]["id"])) == 2
    assert [one.name for one in source.query([stix2.Filter("type", "=", "indicator")])] == ["x"]


@pytest.mark.requirement("S05", "K20")
def test_stix2_hands_in(box: Box) -> None:
    sent = [stix2.parse(indicator(name)) for name in ("one", "two", "three")]
    sink = stix2.TAXIICollectionSink(collection_at(box))
    sink.add(sent[0])
    sink.add([json.loads(sent[1].serialize()), sent[2].serialize()])
    stored = stix2.TAXIICollectionSource(collection_at(box))
    assert [stored.get(one.id) for one in sent] == sent


BLOCKS = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
MANUAL = (ROOT / "docs/partner/taxii.md").read_text()


def in_manual(language: str) -> list[str]:
    return [block for kind, block in BLOCKS.findall(MANUAL) if kind == language]


def test_the_curl_lines_of_the_manual(hub: Hub) -> None:
    lines = [line for block in in_manual("") for line in block.splitlines() if line.startswith("curl")]
    assert len(lines) >= 2
    for line in lines:
        done = subprocess.run(
            ["bash", "-c", line.replace("curl ", "curl --silent --show-error --fail ").replace("https://HUB", hub.url)],
            env={**os.environ, "TOKEN": hub.tokens["leo"], "CURL_CA_BUNDLE": str(hub.certificate or "")},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, (line, done.stderr)
        json.loads(done.stdout)


def test_the_python_of_the_manual(hub: Hub) -> None:
    for block in in_manual("python"):
        exec(block.replace("https://HUB", hub.url).replace('"you"', '"leo"'), {"TOKEN": hub.tokens["leo"]})
