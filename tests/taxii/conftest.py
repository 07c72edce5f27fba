"""Running TAXII servers (granian, SQLite, the real gate), with and without TLS; a clean collection for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.taxii.served import CLEAN, OPENSSL, Box, Hub, make_certificate, prepare, start_server, stop_server

NO_OPENSSL = pytest.mark.skipif(OPENSSL is None, reason="no openssl command to make a certificate with")


@pytest.fixture(scope="session", params=["http", pytest.param("https", marks=NO_OPENSSL)])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    data = tmp_path_factory.mktemp("taxii")
    tokens = prepare(data)
    certificate, options = make_certificate(data) if request.param == "https" else (None, ())
    process, port = start_server(data, *options)
    yield Hub(port, tokens, data, certificate, iter(range(1, CLEAN)))
    stop_server(process)


@pytest.fixture
def hub(served: Hub, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """A running server; clients that are built on requests trust its certificate."""
    if served.certificate:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(served.certificate))
    return served


@pytest.fixture
def box(hub: Hub) -> Box:
    return Box(hub, f"clean-{next(hub.clean)}")
