"""Every answer can be found in the log."""

import structlog
from structlog.testing import capture_logs

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
