"""TLS with a self-signed certificate (TAXII21.md P01-P03, C03 with absolute addresses)."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cytaxii2 import cytaxii2
from taxii2client.v21 import Server

from tests.taxii.served import PASSWORD, indicator, prepare, start_server, stop_server

OPENSSL = shutil.which("openssl")
pytestmark = pytest.mark.skipif(OPENSSL is None, reason="no openssl command to make a certificate with")


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    data = tmp_path_factory.mktemp("tls")
    certificate, key = data / "cert.pem", data / "key.pem"
    request = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    command = [str(OPENSSL), *request.split(), "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    prepare(data)
    options = ("--ssl-certificate", str(certificate), "--ssl-keyfile", str(key), "--ssl-protocol-min", "tls1.2")
    process, port = start_server(data, *options, public=True)
    yield port, certificate
    stop_server(process)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_p01_p02_p03_versions(tls: tuple[int, Path], version: ssl.TLSVersion) -> None:
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


def test_s04_c03_clients_over_https(tls: tuple[int, Path], monkeypatch: pytest.MonkeyPatch) -> None:
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
