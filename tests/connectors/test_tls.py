"""Certificates of sources: one that is expired, for another name, or signed by nobody we know is never spoken to."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from connectors.http import Http, Limits
from hub.errors import SourceUnreachable
from tests.connectors.conftest import LOOPBACK

OPENSSL = shutil.which("openssl")
pytestmark = pytest.mark.skipif(OPENSSL is None, reason="no openssl command to make certificates with")


def openssl(folder: Path, line: str) -> None:
    subprocess.run([str(OPENSSL), *line.split()], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, and for one key certificates: good, expired, for another name, and signed by itself."""
    folder = tmp_path_factory.mktemp("certificates")
    openssl(folder, "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.pem")
    openssl(folder, "req -newkey rsa:2048 -nodes -subj /CN=source -keyout key.pem -out request.pem")
    openssl(
        folder, "req -x509 -key key.pem -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 -out own.pem"
    )
    for name, address, days in (("good", "127.0.0.1", 2), ("expired", "127.0.0.1", -1), ("other", "192.0.2.1", 2)):
        (folder / "names").write_text(f"subjectAltName=IP:{address}\n")
        signed = f"x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -extfile names -days {days}"
        openssl(folder, f"{signed} -out {name}.pem")
    return folder


@contextmanager
def source(certificate: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve a page over TLS; yield its address and what was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_address[1]}/feed?key=canary-secret", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_good_certificate_is_spoken_to(certificates: Path) -> None:
    http = Http(LOOPBACK, certificates / "ca.pem", limits=Limits(attempts=1))
    with source(certificates / "good.pem") as (url, asked), http.get(url) as answer:
        assert answer.body.read() == b"ok"
    assert asked


@pytest.mark.parametrize("name", ["expired", "other", "own"])
def test_a_wrong_certificate_is_told_and_nothing_is_asked(certificates: Path, name: str) -> None:
    http = Http(LOOPBACK, certificates / "ca.pem", limits=Limits(attempts=1))
    with source(certificates / f"{name}.pem") as (url, asked):
        with pytest.raises(SourceUnreachable, match="certificate is not trusted") as told, http.get(url):
            pass
        assert "canary" not in str(told.value)
    assert asked == []


def test_the_systems_authorities_do_not_know_ours(certificates: Path) -> None:
    http = Http(LOOPBACK, limits=Limits(attempts=1))
    refused = pytest.raises(SourceUnreachable, match="not trusted")
    with source(certificates / "good.pem") as (url, asked), refused, http.get(url):
        pass
    assert asked == []
