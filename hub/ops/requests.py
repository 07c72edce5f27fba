"""What is done around every request: it gets an id, one log line, and its client's true address.

Every answer carries the id in ``X-Request-Id``, and every log line of that request names it.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import structlog

from hub.access.callers import CERTIFICATE, Callers

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HEADER = "X-Request-Id"


def with_request_ids(application: WSGIApplication, callers: Callers | None = None) -> WSGIApplication:
    """Return the application with an id for each request and one log line when it is answered.

    Further in, ``REMOTE_ADDR`` is the client's address and `CERTIFICATE` his certificate, as ``callers`` (default: no
    proxy is believed) read them, and the headers that tell of them are gone. A client's own id is not taken over: it
    would let a stranger write into the log.
    """
    log = structlog.get_logger("hub.requests")
    believed = callers or Callers()

    def outer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        id = uuid.uuid4().hex
        started = time.monotonic()
        statuses: list[str] = []
        caller = believed.read(environ)
        environ |= {"REMOTE_ADDR": caller.address, CERTIFICATE: caller.certificate}

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            statuses.append(status)
            return start_response(status, [*headers, (HEADER, id)], exc_info)

        with structlog.contextvars.bound_contextvars(request_id=id):
            answer = application(environ, start)
            log.info(
                "request",
                method=environ["REQUEST_METHOD"],
                path=environ.get("PATH_INFO", ""),
                status=int(statuses[-1][:3]) if statuses else None,
                milliseconds=round((time.monotonic() - started) * 1000, 2),
                client=caller.address,
            )
        return answer

    return outer
