"""Hostile requests over raw sockets against the real hub: refused with the right status, nothing leaked, it lives.

The hub is as its operator runs it, with few threads and little patience, so that a handful of connections is an attack.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import select
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.soak.running import SHARED, Running, running
from tests.taxii.served import TAXII, indicator

pytestmark = pytest.mark.xdist_group("hostile")

THREADS, UPLOADS = 8, 16
MOST = 200_000
OBJECTS = f"/hub/collections/{SHARED}/objects/"
LEAKS = re.compile(rb"Traceback|\.py\b|/hub/taxii|sqlite|medallion|werkzeug|granian\.", re.IGNORECASE)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("hostile")
    few = {
        "threads": str(THREADS),
        "uploads": str(UPLOADS),
        "idle_seconds": "1",
        "max_body": str(MOST),
        "connections": "128",
    }
    with running(folder, worker="false", **few) as hub:
        yield hub
        text = hub.printed.read_text()
        assert "Traceback" not in text
        assert not [token for token in hub.tokens.values() if token in text]


@pytest.fixture(autouse=True)
def it_lives(hub: Running) -> Iterator[None]:
    pids = hub.pids()
    yield
    assert hub.answers()
    assert hub.pids() == pids


def headers(hub: Running, user: str = "leo", **more: str) -> dict[str, str]:
    return {"Accept": TAXII, "Authorization": f"Bearer {hub.tokens[user]}"} | more


def head(hub: Running, line: str, *lines: str, user: str | None = "leo") -> bytes:
    """Return the head of a request as bytes; the connection is closed after the answer."""
    signed = [f"Authorization: Bearer {hub.tokens[user]}"] if user else []
    all_lines = (line, "Host: hub", "Connection: close", f"Accept: {TAXII}", f"Content-Type: {TAXII}", *signed, *lines)
    return "\r\n".join((*all_lines, "", "")).encode()


def talk(hub: Running, data: bytes) -> bytes:
    """Send bytes and return everything that comes until the hub closes the connection."""
    with socket.create_connection(("127.0.0.1", hub.port), timeout=30) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(data)
        received = []
        with contextlib.suppress(ConnectionError):
            while piece := connection.recv(65536):
                received.append(piece)
        return b"".join(received)


def statuses(answer: bytes) -> list[int]:
    return [int(found) for found in re.findall(rb"HTTP/1\.[01] (\d{3})", answer)]


def assert_error(answer: bytes, status: int, code: str) -> None:
    """The answer is one TAXII error resource and tells nothing of the hub's inside."""
    assert statuses(answer) == [status], answer
    above, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/taxii+json;version=2.1" in above.lower()
    error = json.loads(body)
    assert (error["http_status"], error["error_code"]) == (str(status), code)
    assert not LEAKS.search(answer), answer


GET, POST = f"GET {OBJECTS} HTTP/1.1", f"POST {OBJECTS} HTTP/1.1"
INSIDE = f"GET /hub/collections/{SHARED}/manifest/ HTTP/1.1\r\nHost: hub\r\n\r\n".encode()
SMUGGLED: dict[str, tuple[str, tuple[str, ...], bytes]] = {
    "length and chunks": (POST, ("Content-Length: 4", "Transfer-Encoding: chunked"), b"0\r\n\r\n" + INSIDE),
    "chunks and length": (POST, ("Transfer-Encoding: chunked", "Content-Length: 4"), b"0\r\n\r\n" + INSIDE),
    "two lengths": (POST, ("Content-Length: 2", f"Content-Length: {2 + len(INSIDE)}"), b"{}" + INSIDE),
    "list of lengths": (POST, ("Content-Length: 2, 2",), b"{}" + INSIDE),
    "length with a sign": (POST, ("Content-Length: +2",), b"{}" + INSIDE),
    "negative length": (POST, ("Content-Length: -1",), INSIDE),
    "unknown coding": (POST, ("Transfer-Encoding: xchunked",), b"0\r\n\r\n" + INSIDE),
    "identity coding": (POST, ("Transfer-Encoding: identity", "Content-Length: 2"), b"{}" + INSIDE),
    "chunked not last": (POST, ("Transfer-Encoding: chunked, identity",), b"0\r\n\r\n" + INSIDE),
    "folded header": (GET, ("X-Folded: a", " b"), b""),
    "blank before colon": (GET, ("Transfer-Encoding : chunked",), b"0\r\n\r\n" + INSIDE),
    "bare return": (GET, ("X-Bare: a\rTransfer-Encoding: chunked",), b"0\r\n\r\n" + INSIDE),
    "zero byte": (GET, ("X-Zero: a\0b",), b""),
    "chunk without size": (POST, ("Transfer-Encoding: chunked",), b"zz\r\n{}\r\n0\r\n\r\n" + INSIDE),
    "chunk too long": (POST, ("Transfer-Encoding: chunked",), b"fffffffffffffffff\r\n{}\r\n0\r\n\r\n" + INSIDE),
    "chunk ended by a bare line feed": (POST, ("Transfer-Encoding: chunked",), b"2\n{}\n0\n\n" + INSIDE),
    "chunk longer than it says": (POST, ("Transfer-Encoding: chunked",), b"1\r\n{}\r\n0\r\n\r\n" + INSIDE),
}


@pytest.mark.parametrize("name", SMUGGLED)
def test_a_smuggled_request_is_never_answered(hub: Running, name: str) -> None:
    line, lines, rest = SMUGGLED[name]
    # Without "Connection: close": the connection may only end because the hub gives it up.
    answer = talk(hub, head(hub, line, *lines).replace(b"Connection: close\r\n", b"") + rest)
    assert len(statuses(answer)) == 1, answer
    assert 400 <= statuses(answer)[0] < 500
    assert not LEAKS.search(answer)


@pytest.mark.parametrize(
    ("line", "lines", "status"),
    [
        (GET, tuple(f"X-{number}: 1" for number in range(200)), 431),
        (GET, ("X-Long: " + "a" * 300_000,), 431),
        (f"GET {OBJECTS}?match[id]={'a' * 100_000} HTTP/1.1", (), 414),
        ("GET / HTTP/9.9", (), 400),
        ("nonsense", (), 400),
        ("\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03", (), 400),
    ],
    ids=["many headers", "long header", "long address", "version", "nonsense", "TLS hello"],
)
def test_heads_out_of_bounds(hub: Running, line: str, lines: tuple[str, ...], status: int) -> None:
    answer = talk(hub, head(hub, line, *lines))
    assert statuses(answer) == [status]
    assert not LEAKS.search(answer)


def test_a_long_list_of_ids_is_within_bounds(hub: Running) -> None:
    ids = ",".join(f"indicator--{number:08x}-0000-4000-8000-000000000000" for number in range(1000))
    assert statuses(talk(hub, head(hub, f"GET {OBJECTS}?match[id]={ids} HTTP/1.1"))) == [200]


FORGED = {
    "X-Forwarded-For": "127.0.0.1",
    "X_Forwarded_For": "127.0.0.1",
    "Forwarded": "for=127.0.0.1;host=evil.example",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "https",
    "X-Remote-User": "ana",
    "Remote-User": "ana",
    "REMOTE_USER": "ana",
    "X-Authenticated-User": "ana",
    "X-SSL-Client-Verify": "SUCCESS",
    "X-SSL-Client-Subject-DN": "CN=ana",
    "X-Original-URL": "/hub/collections/evidence/objects/",
    "X-Rewrite-URL": "/hub/collections/evidence/objects/",
    "X-HTTP-Method-Override": "DELETE",
    "X-Request-Id": "chosen",
    "hub.taxii.asked": "x",
    "Content-Length": "0",
    "SCRIPT_NAME": "/x",
    "Proxy": "http://evil.example",
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_header_changes_nothing(hub: Running, name: str) -> None:
    def plain(lines: tuple[str, ...], user: str | None) -> tuple[bytes, ...]:
        answer = talk(hub, head(hub, f"GET /hub/collections/{SHARED}/ HTTP/1.1", *lines, user=user))
        return tuple(one for one in answer.split(b"\r\n") if not one.startswith((b"date:", b"x-request-id:")))

    for user in ("leo", None):
        assert plain((f"{name}: {FORGED[name]}",), user) == plain((), user)


def test_the_host_is_repeated_nowhere(hub: Running) -> None:
    for path in ("/taxii2/", "/hub/", "/", "/nothing/"):
        answer = talk(hub, head(hub, f"GET {path} HTTP/1.1").replace(b"Host: hub", b"Host: evil.example"))
        assert b"evil" not in answer


def test_two_authorizations_are_none(hub: Running) -> None:
    for other in ("Bearer nothing", f"Bearer {hub.tokens['ana']}", f"Bearer {hub.tokens['leo']}"):
        assert_error(talk(hub, head(hub, GET, f"Authorization: {other}")), 401, "not-signed-in")


@pytest.mark.parametrize(
    "name", ["access_token", "token", "api_key", "apikey", "password", "Auth", "client_secret", "x", "next"]
)
def test_credentials_in_an_address_are_refused_and_not_logged(hub: Running, name: str) -> None:
    secret = hub.tokens["leo"]
    for user in (None, "leo"):
        answer = talk(hub, head(hub, f"GET {OBJECTS}?limit=1&{name}={secret} HTTP/1.1", user=user))
        assert_error(answer, 400, "bad-request")
        assert b"Authorization" in answer
        assert secret.encode() not in answer
        answer = talk(hub, head(hub, f"GET /api/advisories?{name}={secret} HTTP/1.1", user=user))
        assert statuses(answer) == [400]
        assert secret.encode() not in answer
    assert secret not in hub.printed.read_text()


def test_tokens_of_pages_are_no_credentials(hub: Running) -> None:
    objects = [indicator(str(number)) for number in range(3)]
    body = json.dumps({"objects": objects}).encode()
    assert hub.ask("POST", OBJECTS, headers(hub, **{"Content-Type": TAXII}), body)[0] == 202
    envelope = json.loads(hub.ask("GET", f"{OBJECTS}?limit=1", headers(hub))[2])
    assert hub.ask("GET", f"{OBJECTS}?limit=1&next={envelope['next']}", headers(hub))[0] == 200


def test_a_tampered_or_foreign_next_is_refused(hub: Running) -> None:
    objects = [indicator(str(number)) for number in range(3)]
    body = json.dumps({"objects": objects}).encode()
    for place in (OBJECTS, "/hub/collections/inbox/objects/"):
        assert hub.ask("POST", place, headers(hub, **{"Content-Type": TAXII}), body)[0] == 202
    token = json.loads(hub.ask("GET", f"{OBJECTS}?limit=1", headers(hub))[2])["next"]
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    tampered = [bytes((*raw[:place], raw[place] ^ 1, *raw[place + 1 :])) for place in range(len(raw))]
    forged = [
        base64.urlsafe_b64encode(one).decode().rstrip("=") for one in (*tampered, raw[:16], raw[16:], raw * 2, b"")
    ]
    asked = [(f"{OBJECTS}?limit=1&next={one}", "leo") for one in forged]
    asked += [
        (f"{OBJECTS}?limit=1&next={token}", "lia"),
        (f"{OBJECTS}?limit=1&next={token}&match[type]=indicator", "leo"),
        (f"/hub/collections/inbox/objects/?limit=1&next={token}", "leo"),
        (f"/hub/collections/{SHARED}/manifest/?limit=1&next={token}", "leo"),
        (f"{OBJECTS}{objects[0]['id']}/?next={token}", "leo"),
        (f"{OBJECTS}?next={token}%00", "leo"),
        (f"{OBJECTS}?next={'A' * 10_000}", "leo"),
    ]
    for path, user in asked:
        assert_error(talk(hub, head(hub, f"GET {path} HTTP/1.1", user=user)), 400, "bad-cursor")


def test_deep_json_costs_its_neighbours_nothing(hub: Running) -> None:
    good, deep = json.dumps(indicator()).encode(), b'{"type":"indicator","x":' + b"[" * 500 + b"]" * 500 + b"}"
    for worse, status in (
        (deep, 202),
        (b"[" * 30_000 + b"]" * 30_000, 422),
        (b"[" * 60_000, 422),
        (b'{"a":' * 20_000, 422),
    ):
        body = b'{"objects":[' + good + b"," + worse + b"]}"
        found, _, answer = hub.ask("POST", OBJECTS, headers(hub, **{"Content-Type": TAXII}), body)
        assert found == status, answer
        if status == 202:
            assert (json.loads(answer)["success_count"], json.loads(answer)["failure_count"]) == (1, 1)
        assert not LEAKS.search(answer)


def memory(hub: Running) -> int:
    """Return the most memory that a process of the hub has had, in KiB."""
    found = [re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text()) for pid in hub.pids()]
    return max(int(one[1]) for one in found if one)


@pytest.mark.parametrize("user", ["leo", None])
def test_ten_gigabytes_in_chunks_are_cut_short(hub: Running, user: str | None) -> None:
    before, megabyte = memory(hub), b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    sent = 0
    with socket.create_connection(("127.0.0.1", hub.port), timeout=30) as connection:
        connection.sendall(head(hub, POST, "Transfer-Encoding: chunked", user=user))
        with contextlib.suppress(ConnectionError):
            while sent < 10_000:
                connection.sendall(megabyte)
                sent += 1
        answer = b""
        with contextlib.suppress(ConnectionError):
            answer = connection.recv(65536)
    assert sent < 100
    assert statuses(answer) in ([], [413 if user else 401])
    assert memory(hub) - before < 20_000


TO_THE_API = "POST /api/advisories HTTP/1.1"


def hold(hub: Running, number: int, user: str | None, line: str) -> list[socket.socket]:
    """Open connections that each begin a body and never finish it."""
    kind = TAXII if line is POST else "application/json"
    begun = head(hub, line, "Content-Length: 1000", user=user).replace(TAXII.encode(), kind.encode())
    held = []
    for _ in range(number):
        connection = socket.create_connection(("127.0.0.1", hub.port), timeout=30)
        connection.sendall(begun + b"{")
        held.append(connection)
    return held


@pytest.mark.parametrize("line", [POST, TO_THE_API])
@pytest.mark.parametrize("user", ["leo", None])
def test_slow_bodies_on_every_connection_stop_nobody_else(hub: Running, user: str | None, line: str) -> None:
    held = hold(hub, 5 * (THREADS + UPLOADS), user, line)
    try:
        body = json.dumps({"objects": [indicator()]}).encode()
        for _ in range(5):
            assert hub.answers()
            assert hub.ask("POST", OBJECTS, headers(hub, "lia", **{"Content-Type": TAXII}), body)[0] == 202
            assert hub.ask("GET", OBJECTS, headers(hub, "ben"))[0] == 200
        share = UPLOADS // (4 if user else 8)
        waiting = held
        while len(waiting) > share:
            waiting = [connection for connection in waiting if not select.select([connection], [], [], 0.05)[0]]
        assert len(waiting) == share
        for connection in set(held) - set(waiting):
            answer = connection.recv(65536)
            status, code = (429, "too-many-requests") if user else (401, "not-signed-in")
            assert statuses(answer) == [status]
            assert code.encode() in answer
            assert user is None or b"retry-after: " in answer.lower()
    finally:
        for connection in held:
            connection.close()
    status = 429
    while status == 429:  # until the hub has noticed that they are gone
        status = hub.ask("POST", OBJECTS, headers(hub, **{"Content-Type": TAXII}), body)[0]
    assert status == 202


def test_a_body_byte_by_byte_is_taken(hub: Running) -> None:
    body = json.dumps({"objects": [indicator()]}).encode()
    with socket.create_connection(("127.0.0.1", hub.port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in head(hub, POST, f"Content-Length: {len(body)}") + body:
            connection.sendall(bytes((byte,)))
        assert statuses(connection.recv(65536)) == [202]


@pytest.mark.parametrize("said", [b"", b"GET /hea", b"GET /healthz HTTP/1.1\r\nHost: hub\r\n"])
def test_connections_that_say_nothing_are_closed(hub: Running, said: bytes) -> None:
    held = [
        socket.create_connection(("127.0.0.1", hub.port), timeout=30) for _ in range(200)
    ]  # more than it keeps open
    try:
        for connection in held:
            connection.sendall(said)
        assert hub.answers(30)
        assert held[0].recv(1) == b""
    finally:
        for connection in held:
            connection.close()
