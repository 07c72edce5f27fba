"""The door for client certificates: what it passes on, what it drops, and whom it talks to."""

from __future__ import annotations

import hashlib
import http.client
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.access.authority import Authority, Issued
from tests.access.served import ROOT

SECRET = "the-secret-of-the-door"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    authority = Authority(tmp_path_factory.mktemp("authority"))
    for name in ("hub", "other"):
        authority.issue(name, server=True)
    authority.issue("siem")
    return authority


def issued(authority: Authority, name: str) -> Issued:
    return Issued(authority.folder / f"{name}.pem", authority.folder / f"{name}.key")


class _Inside(BaseHTTPRequestHandler):
    """Stands where the web server is and notes what comes."""

    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, list[tuple[str, str]]]]

    def do_GET(self) -> None:
        self.seen.append((self.path, self.headers.items()))
        body = b"" if self.path == "/empty" else b"inside"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = self.command == "POST"  # the body of a POST is not read here

    do_POST = do_GET  # noqa: N815 - the library's name

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def inside(authority: Authority, certificate: str = "hub") -> Iterator[int]:
    _Inside.seen = []
    shown = issued(authority, certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown.certificate, shown.key)
    with ThreadingHTTPServer(("127.0.0.1", 0), _Inside) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@contextmanager
def door(authority: Authority, inside_port: int) -> Iterator[int]:
    """Keep a door in a process of its own; give its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    hub = issued(authority, "hub")
    program = (
        "from pathlib import Path; from hub.ops.door import DoorPlan, run_door; import sys; a = sys.argv\n"
        "run_door(DoorPlan('127.0.0.1', int(a[1]), Path(a[2]), Path(a[3]), Path(a[4]), '127.0.0.1', int(a[5]), a[6]))"
    )
    words = [str(port), str(hub.certificate), str(hub.key), str(authority.file), str(inside_port), SECRET]
    process = subprocess.Popen([sys.executable, "-c", program, *words], cwd=ROOT, stderr=subprocess.PIPE)
    try:
        until = time.monotonic() + 30
        while _closed(port):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        _, printed = process.communicate(timeout=15)
    assert process.returncode == 0
    assert printed == b""


def _closed(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def connection(authority: Authority, port: int) -> http.client.HTTPSConnection:
    context = authority.client_context(issued(authority, "siem"))
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=context)


def test_a_client_cannot_say_what_only_a_proxy_may(authority: Authority) -> None:
    with inside(authority) as port, door(authority, port) as at, closing(connection(authority, at)) as client:
        for path in ("/", "/empty"):
            headers = {
                "X-Client-Certificate": "forged",
                "X_Client_Certificate": "forged",
                "X-Forwarded-For": "192.0.2.1",
                "X_Forwarded_For": "192.0.2.1",
                "Connection": "keep-alive, upgrade",
                "Upgrade": "h2c",
                "Accept": "kept",
            }
            client.request("GET", path, None, headers)
            assert client.getresponse().read() == (b"inside" if path == "/" else b"")
    der = ssl.PEM_cert_to_DER_cert(issued(authority, "siem").certificate.read_text())
    told = f"{SECRET} {hashlib.sha256(der).hexdigest()} 127.0.0.1"
    assert [path for path, _ in _Inside.seen] == ["/", "/empty"]
    for _, seen in _Inside.seen:
        assert {name.lower(): text for name, text in seen if name.lower() not in ("host", "accept-encoding")} == {
            "accept": "kept",
            "x-client-certificate": told,
        }


def test_a_request_has_one_length(authority: Authority) -> None:
    with inside(authority) as port, door(authority, port) as at:
        context = authority.client_context(issued(authority, "siem"))
        with (
            socket.create_connection(("127.0.0.1", at), timeout=20) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as client,
        ):
            lengths = b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"
            client.sendall(b"POST / HTTP/1.1\r\nHost: hub\r\n" + lengths + b"\r\n0\r\n\r\n")
            assert client.recv(64).startswith(b"HTTP/1.1 200")
    [(_, seen)] = _Inside.seen
    names = [name.lower() for name, _ in seen]
    assert "transfer-encoding" in names
    assert "content-length" not in names


def test_it_speaks_to_the_hubs_own_server_only(authority: Authority) -> None:
    with inside(authority, "other") as port, door(authority, port) as at, closing(connection(authority, at)) as client:
        client.request("GET", "/")
        with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
            client.getresponse()
    assert _Inside.seen == []


def test_a_server_that_is_away_is_told(authority: Authority) -> None:
    with inside(authority) as port:
        pass
    with door(authority, port) as at, closing(connection(authority, at)) as client:
        client.request("GET", "/")
        answer = client.getresponse()
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")


def test_what_does_not_speak_http_or_tls_harms_nobody(authority: Authority) -> None:
    context = authority.client_context(issued(authority, "siem"))
    with inside(authority) as port, door(authority, port) as at:
        with socket.create_connection(("127.0.0.1", at), timeout=20) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
            plain.recv(64)
        with (
            socket.create_connection(("127.0.0.1", at), timeout=20) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as client,
        ):
            client.sendall(b"\x00 no HTTP at all\r\n\r\n")
            assert client.recv(64) == b""
        with closing(connection(authority, at)) as client_again:
            client_again.request("GET", "/")
            assert client_again.getresponse().status == 200
    assert len(_Inside.seen) == 1
