"""Client certificates over real TLS: at the hub's own door, behind a reverse proxy, and merely demanded."""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hub.access.certificates import Certificates, read_certificate
from hub.store.ports import Batch, DocumentWrite
from tests.access.authority import Authority, Issued
from tests.access.served import TAXII, Served, served
from tests.stores import store_in

SECRET = "a-long-proxy-secret"
INBOX = "/hub/collections/inbox/objects/"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Served]:
    """A hub with TLS whose second port, one above the first, takes certificates; leo has one."""
    server = authority.issue("server", server=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        door = probe.getsockname()[1]
    settings = {
        "tls_cert": str(server.certificate),
        "tls_key": str(server.key),
        "tls_client_ca": str(authority.file),
        "certificate_port": str(door),
        "proxies": '["127.0.0.1"]',
        "proxy_secret": SECRET,
    }
    with served(tmp_path_factory.mktemp("mtls"), settings, authority=authority) as running:
        store = store_in(running.data)
        Certificates(store).add("leo", authority.issue("siem").content)
        store.close()
        yield running


def known(authority: Authority) -> Issued:
    return Issued(authority.folder / "siem.pem", authority.folder / "siem.key")


def ask(
    port: int, context: ssl.SSLContext, path: str = "/taxii2/", body: Any = None, **headers: str
) -> tuple[int, Any]:
    """Send one request over TLS; return status and JSON."""
    sent = {"Accept": TAXII} | {name.replace("_", "-"): text for name, text in headers.items()}
    if body is not None:
        sent["Content-Type"] = TAXII
    with closing(http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=context)) as connection:
        connection.request("POST" if body is not None else "GET", path, body, sent)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def test_a_certificate_signs_in_at_the_door(hub: Served, authority: Authority) -> None:
    context = authority.client_context(known(authority))
    assert ask(hub.door, context)[0] == 200
    status, collection = ask(hub.door, context, "/hub/collections/inbox/")
    assert (status, collection["can_write"]) == (200, True)
    status, told = ask(hub.door, context, INBOX, body=json.dumps({"objects": [{}]}))
    assert (status, told["failure_count"]) == (202, 1)


def test_bodies_of_every_kind_and_many_requests_pass_the_door(hub: Served, authority: Authority) -> None:
    context = authority.client_context(known(authority))
    with closing(http.client.HTTPSConnection("127.0.0.1", hub.door, timeout=30, context=context)) as connection:
        for method, body, headers in (
            ("GET", None, {}),
            ("HEAD", None, {}),
            ("OPTIONS", None, {}),
            ("POST", iter([b'{"objects"', b":[{}]}"]), {"Content-Type": TAXII, "Transfer-Encoding": "chunked"}),
            ("POST", b'{"objects":[{}]}', {"Content-Type": TAXII, "Expect": "100-continue"}),
            ("GET", None, {}),
        ):
            connection.request(method, INBOX, body, {"Accept": TAXII, **headers}, encode_chunked=True)
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status == {"POST": 202, "OPTIONS": 204}.get(method, 200), text
    with closing(http.client.HTTPSConnection("127.0.0.1", hub.door, timeout=30, context=context)) as connection:
        connection.request("POST", INBOX, b"x" * 20_000_000, {"Accept": TAXII, "Content-Type": TAXII})
        assert connection.getresponse().status == 413


def test_unknown_certificates_are_told_so_and_strangers_do_not_pass_the_handshake(
    hub: Served, authority: Authority, tmp_path: Path
) -> None:
    status, told = ask(hub.door, authority.client_context(authority.issue("unknown")))
    assert (status, told["error_code"]) == (401, "not-signed-in")
    assert "have it registered" in told["description"]
    foreign = Authority(tmp_path / "foreign", "foreign authority").issue("siem")
    for shown in (None, foreign):
        with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
            ask(hub.door, authority.client_context(shown))


def test_an_expired_certificate_is_told_so(hub: Served, authority: Authority) -> None:
    old = authority.issue("old", days=-1)
    kept = read_certificate(old.content, "leo")
    store = store_in(hub.data)  # it was good when it was registered
    store.commit(Batch(documents=[DocumentWrite("certificate", kept.fingerprint, msgspec.json.encode(kept))]))
    store.close()
    status, told = ask(hub.door, authority.client_context(old))
    assert (status, "expired" in told["description"]) == (401, True)


def test_nobody_can_claim_a_certificate_by_a_header(hub: Served, authority: Authority) -> None:
    fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(known(authority).certificate.read_text())).hexdigest()
    forged = {"X-Client-Certificate": f"{SECRET} {fingerprint}", "X_Client_Certificate": f"{SECRET} {fingerprint}"}
    unknown = authority.client_context(authority.issue("claimer"))
    for name, value in forged.items():
        with closing(http.client.HTTPSConnection("127.0.0.1", hub.door, timeout=30, context=unknown)) as connection:
            connection.request("GET", "/taxii2/", None, {"Accept": TAXII, name: value})
            assert connection.getresponse().status == 401
    plain = authority.client_context(None)
    assert ask(hub.port, plain, X_Client_Certificate=f"guessed-secret {fingerprint}")[0] == 401
    assert ask(hub.port, plain, X_Client_Certificate=fingerprint)[0] == 401


def test_the_audit_log_has_the_clients_address_and_a_removed_certificate_is_refused(
    hub: Served, authority: Authority
) -> None:
    issued = authority.issue("short")
    store = store_in(hub.data)
    certificates = Certificates(store)
    added = certificates.add("leo", issued.content)
    context = authority.client_context(issued)
    assert ask(hub.door, context, INBOX, body='{"objects":[{}]}')[0] == 202
    certificates.remove(added.fingerprint)
    store.close()
    assert ask(hub.door, context)[0] == 401
    posted = [one for one in hub.audit() if one.action == "objects.post"]
    assert (posted[-1].who, posted[-1].where) == ("leo", "127.0.0.1")


class _Proxy(BaseHTTPRequestHandler):
    """A reverse proxy that verifies clients and tells the hub whose certificate it saw."""

    protocol_version = "HTTP/1.1"
    inside: int
    context: ssl.SSLContext

    def do_GET(self) -> None:
        seen = self.connection.getpeercert(binary_form=True)
        told = f"{SECRET} {hashlib.sha256(seen).hexdigest() if seen else ''}"
        headers = {"Accept": TAXII, "X-Client-Certificate": told, "X-Forwarded-For": "192.0.2.77"}
        with closing(http.client.HTTPSConnection("127.0.0.1", self.inside, context=self.context)) as connection:
            connection.request("GET", self.path, None, headers)
            answer = connection.getresponse()
            body = answer.read()
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def test_behind_a_proxy_that_verifies(hub: Served, authority: Authority) -> None:
    server = authority.issue("proxy", server=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.certificate, server.key)
    context.load_verify_locations(authority.file)
    context.verify_mode = ssl.CERT_OPTIONAL
    _Proxy.inside, _Proxy.context = hub.port, authority.client_context(None)
    with ThreadingHTTPServer(("127.0.0.1", 0), _Proxy) as proxy:
        proxy.socket = context.wrap_socket(proxy.socket, server_side=True)
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        port = proxy.server_address[1]
        assert ask(port, authority.client_context(known(authority)))[0] == 200
        status, told = ask(port, authority.client_context(authority.issue("stranger")))
        assert (status, "have it registered" in told["description"]) == (401, True)
        assert ask(port, authority.client_context(None))[0] == 401
        proxy.shutdown()
    assert "192.0.2.77" in {one.where for one in hub.audit() if one.action == "signin"}


def test_certificates_can_be_demanded_of_everybody(tmp_path: Path, authority: Authority) -> None:
    server, client = authority.issue("demanding", server=True), authority.issue("any")
    settings = {"tls_cert": server.certificate, "tls_key": server.key, "tls_client_ca": authority.file}
    (tmp_path / "data").mkdir()
    written = {name: str(file) for name, file in settings.items()}
    with served(tmp_path / "data", written, authority=authority, certificate=client) as running:
        context = authority.client_context(client)
        assert ask(running.port, context)[0] == 401
        assert ask(running.port, context, Authorization=running.bearer("leo"))[0] == 200
        with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
            ask(running.port, authority.client_context(None), Authorization=running.bearer("leo"))
