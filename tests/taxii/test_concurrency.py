"""Many writers and a poller over real HTTP (TAXII21.md Q01-Q05)."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from tests.taxii.served import TAXII, Box, indicator
from tests.taxii.test_reading import LAST


@pytest.mark.requirement("Q01", "Q02", "Q03", "Q04")
def test_a_poller_misses_and_repeats_nothing(box: Box) -> None:
    envelopes = [[indicator(f"{number}-{place}") for place in range(8)] for number in range(100)]
    sent = sorted(one["id"] for envelope in envelopes for one in envelope)
    done = Event()

    def poll(follow_next: bool) -> list[str]:
        seen: list[str] = []
        after, last_round = "2000-01-01T00:00:00Z", False
        while not last_round:
            last_round = done.is_set()
            more: dict[str, str] = {}
            while True:
                reply = box.get(limit=50, added_after=after, **more)
                assert reply.status == 200, reply.body
                page = reply.json()
                seen += [one["id"] for one in page.get("objects", [])]
                if not follow_next or not page.get("more"):
                    break
                more = {"next": page["next"]}
            after = reply.headers[LAST]
            last_round = last_round and not page.get("more")
        return seen

    with ThreadPoolExecutor(18) as pool:
        pollers = [pool.submit(poll, follow_next) for follow_next in (True, False)]
        try:
            statuses = list(pool.map(lambda envelope: box.post(*envelope), envelopes))
        finally:
            done.set()
        for poller in pollers:
            assert sorted(poller.result()) == sent
    assert {status["success_count"] for status in statuses} == {8}
    assert sorted(one["id"] for one in box.manifest(**{"match[version]": "all"})) == sent


@pytest.mark.requirement("Q05")
def test_a_slow_upload_is_dated_when_it_is_stored(box: Box) -> None:
    slow, quick = indicator("slow"), indicator("quick")
    body = json.dumps({"objects": [slow]}).encode()
    head = (
        f"POST {box.path}objects/ HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {box.hub.tokens['leo']}\r\n"
        f"Accept: {TAXII}\r\nContent-Type: {TAXII}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    with box.hub.connect() as connection:
        connection.sendall(head.encode() + body[:40])
        box.post(quick)
        reply = box.get()
        assert reply.json()["objects"] == [quick]
        connection.sendall(body[40:])
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert b" 202 " in answer.split(b"\r\n", 1)[0]
    assert box.objects(added_after=reply.headers[LAST]) == [slow]


def test_a_half_sent_body_stores_nothing(box: Box) -> None:
    body = json.dumps({"objects": [indicator()]}).encode()
    for user in ("leo", "pam"):  # the second may not post at all
        with box.hub.connect() as connection:
            connection.sendall(
                f"POST {box.path}objects/ HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {box.hub.tokens[user]}\r\n"
                f"Content-Type: {TAXII}\r\nContent-Length: {len(body) + 10}\r\n\r\n".encode()
                + body
            )
    assert box.objects() == []


def test_thirty_half_sent_bodies_do_not_stop_the_others(box: Box) -> None:
    head = (
        f"POST {box.path}objects/ HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {box.hub.tokens['leo']}\r\n"
        f"Content-Type: {TAXII}\r\nContent-Length: 1000\r\n\r\n{{"
    )
    held = [box.hub.connect() for _ in range(30)]
    try:
        for connection in held:
            connection.sendall(head.encode())
        assert box.post(indicator())["success_count"] == 1
    finally:
        for connection in held:
            connection.close()
