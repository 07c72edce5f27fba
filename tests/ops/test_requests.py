"""Every answer can be found in the log."""

import structlog
from structlog.testing import capture_logs

from hub.access.callers import Callers
from hub.access.client_address import Proxies
from hub.ops.requests import HEADER, with_request_ids


def _ask(application, **environ):
    seen: dict[str, str] = {}

    def start(status, headers, exc_info=None):
        seen.update(headers, status=status)

    b"".join(application({"REQUEST_METHOD": "GET", "PATH_INFO": "/x", **environ}, start))
    return seen


def test_every_answer_has_an_id_of_its_own_and_one_log_line() -> None:
    bound = []

    def application(environ, start_response):
        bound.append(structlog.contextvars.get_contextvars()["request_id"])
        start_response("204 No Content", [])
        return []

    with capture_logs() as logs:
        first = _ask(with_request_ids(application), HTTP_X_REQUEST_ID="forged")
        second = _ask(with_request_ids(application))
    assert [first[HEADER], second[HEADER]] == bound
    assert len({"forged", *bound}) == 3
    assert [(line["path"], line["status"]) for line in logs] == [("/x", 204), ("/x", 204)]


def test_further_in_there_is_one_address_and_no_header_that_claims_another() -> None:
    seen = []

    def application(environ, start_response):
        seen.append((environ["REMOTE_ADDR"], "HTTP_X_FORWARDED_FOR" in environ))
        start_response("204 No Content", [])
        return []

    with capture_logs() as logs:
        forged = {"REMOTE_ADDR": "198.51.100.7", "HTTP_X_FORWARDED_FOR": "192.0.2.1"}
        _ask(with_request_ids(application), **forged)
        _ask(with_request_ids(application, Callers(Proxies(["198.51.100.0/24"]))), **forged)
    assert seen == [("198.51.100.7", False), ("192.0.2.1", False)]
    assert [line["client"] for line in logs if "client" in line] == ["198.51.100.7", "192.0.2.1"]
