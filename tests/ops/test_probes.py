"""What machines ask a running hub: its health for anybody, its numbers for the monitoring alone."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from hub.access.client_address import Networks
from hub.errors import BadSettings
from tests.soak.pollers import TAXII
from tests.soak.running import SHARED, Running, running
from tests.soak.script import step

STRANGER = {"X-Forwarded-For": "203.0.113.9"}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("probes"), proxies='["127.0.0.1"]') as hub:
        yield hub


def numbers(hub: Running) -> dict[tuple[str, str], float]:
    """Return what ``/metrics`` says, by name and label."""
    status, _, body = hub.ask("GET", "/metrics")
    assert status == 200
    found = text_string_to_metric_families(body.decode())
    return {(one.name, ",".join(one.labels.values())): one.value for family in found for one in family.samples}


def test_anybody_is_told_whether_it_is_well_and_nothing_else(hub: Running) -> None:
    for path, told in (("/healthz", {"status": "alive"}), ("/readyz", {"status": "ready"})):
        status, headers, body = hub.ask("GET", path, STRANGER)
        assert (status, json.loads(body), headers["Cache-Control"]) == (200, told, "no-store")
        assert hub.ask("HEAD", path, STRANGER)[0] == 200
        status, headers, _ = hub.ask("POST", path, STRANGER, b"")
        assert (status, headers["Allow"]) == (405, "GET, HEAD")


def test_the_monitoring_is_told_the_numbers(hub: Running) -> None:
    before = numbers(hub)
    assert (before["threathub_ready", ""], before["threathub_writable", ""]) == (1, 1)
    objects = [put.obj for put in step("leo", 1).puts]
    headers = {"Accept": TAXII, "Content-Type": TAXII, "Authorization": f"Bearer {hub.tokens['leo']}"}
    body = json.dumps({"objects": objects}).encode()
    assert hub.ask("POST", f"/hub/collections/{SHARED}/objects/", headers, body)[0] == 202
    after = numbers(hub)
    assert after["threathub_objects", SHARED] == len(objects)
    assert after["threathub_log_position", ""] > before["threathub_log_position", ""]
    assert any(name == "threathub_work_pieces" for name, _ in after)


def test_for_others_there_are_no_numbers(hub: Running) -> None:
    def answer(path: str) -> tuple[int, bytes]:
        status, _, body = hub.ask("GET", path, STRANGER)
        return status, body

    assert answer("/metrics") == answer("/metric")
    assert answer("/metrics")[0] == 404
    assert hub.ask("POST", "/metrics", STRANGER, b"")[0] == 404


def test_an_impossible_setting_is_refused() -> None:
    with pytest.raises(BadSettings, match=r"metrics_for.*'everybody'"):
        Networks("metrics_for", ("everybody",))
