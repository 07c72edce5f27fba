"""TLS with a self-signed certificate (TAXII21.md P01-P03, C03 with absolute addresses)."""

from __future__ import annotations

import json
import socket
import ssl
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from cytaxii2 import cytaxii2
from taxii2client.v21 import Server

from tests.taxii.served import OPENSSL, PASSWORD, indicator, make_certificate, prepare, start_server, stop_server

pytestmark = pytest.mark.skipif(OPENSSL is None, reason="no openssl command to make a certificate with")


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    data = tmp_path_factory.mktemp("tls")
    certificate, options = make_certificate(data)
    prepare(data)
    process, port = start_server(data, *options, public=True)
    yield port, certificate
    stop_server(process)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.requirement("P01", "P02", "P03")
def test_versions_of_tls(tls: tuple[int, Path], version: ssl.TLSVersion) -> None:
    port, certificate = tls
    context = ssl.create_default_context(cafile=str(certificate))
    context.minimum_version = context.maximum_version = version
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
    ):
        secure.sendall(b"GET /taxii2/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        assert secure.recv(64).startswith(b"HTTP/1.1 401")
        assert secure.version() == version.name.replace("_", ".")


@pytest.mark.requirement("S04", "C03")
def test_clients_over_https(tls: tuple[int, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    port, certificate = tls
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    server = Server(f"https://127.0.0.1:{port}/taxii2/", user="leo", password=PASSWORD)
    assert server.default.url == f"https://127.0.0.1:{port}/hub/"
    assert server.default.title == "City Threat Hub"
    client = cytaxii2.cytaxii2(f"https://127.0.0.1:{port}/taxii2/", "leo", PASSWORD)
    assert client.root_discovery()["status"]
    collections = client.collection_request()["response"]["collections"]
    inbox = next(one["id"] for one in collections if one["alias"] == "inbox")
    one = indicator()
    assert client.inbox_request(inbox, json.dumps({"objects": [one]}))["status_code"] == 202
    assert client.poll_request(inbox)["response"]["objects"] == [one]


NO_TLS = (
    b"GET /taxii2/ HTTP/1.1\r\nHost: hub\r\n\r\n",
    b"\x16\x03\x01\xff\xff" + b"\x00" * 300,
    b"\x80\x2e\x01\x00\x02",
)


def test_what_is_no_tls_or_too_old_is_refused_and_the_server_lives(tls: tuple[int, Path]) -> None:
    port, certificate = tls
    for said in NO_TLS:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as plain:
            plain.sendall(said)
            plain.shutdown(socket.SHUT_WR)
            assert b"HTTP/1.1 2" not in plain.recv(65536)
    old = ssl.create_default_context(cafile=str(certificate))
    old.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    stranger = ssl.create_default_context()  # does not know who signed the certificate
    for context in (old, stranger):
        with (
            socket.create_connection(("127.0.0.1", port), timeout=30) as plain,
            pytest.raises((ssl.SSLError, ConnectionError)),
        ):
            context.wrap_socket(plain, server_hostname="127.0.0.1")
    test_versions_of_tls(tls, ssl.TLSVersion.TLSv1_3)
