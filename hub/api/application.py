"""The API as one WSGI application: around the views of all resources stand sign-in, limits and errors, once.

Every answer is JSON and is never to be stored. Nobody who is not signed in learns which addresses there are, except
from ``/api/openapi.json``, which tells everybody the same.
"""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson
import structlog
from flask.json.provider import JSONProvider
from flask_openapi3.models.info import Info
from flask_openapi3.openapi import OpenAPI
from werkzeug.exceptions import HTTPException

from hub import __version__
from hub.access.audit import Audit
from hub.access.signin import SignIn
from hub.api import advisories, consent, search
from hub.api.asked import PRINCIPAL
from hub.api.faults import Problem, not_as_described, of_http, problem
from hub.errors import HubError, InternalError, MethodNotAllowed, WrongMediaType
from hub.ops.uploads import Uploads
from hub.publish.desk import Desk
from hub.publish.finding import Finder

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

JSON = "application/json"
PREFIX = "/api"
DOCUMENT = f"{PREFIX}/openapi.json"

log = structlog.get_logger("hub.api")

_PIECE = 65536
_Answer = tuple[int, list[tuple[str, str]], bytes]


class _Json(JSONProvider):
    """Reads bodies with a bound on their depth; nothing is written through it."""

    def dumps(self, obj: Any, **_options: Any) -> str:
        return orjson.dumps(obj).decode()

    def loads(self, s: str | bytes, **_options: Any) -> Any:
        return orjson.loads(s)


def api_application(
    desk: Desk, finder: Finder, signin: SignIn, audit: Audit, title: str, uploads: Uploads
) -> WSGIApplication:
    """Return the application for everything below `PREFIX`.

    Args:
        desk: where advisories are dealt with. finder: what searches for accounts.
        signin: the one of this process, with its limits. audit: the hub's.
        title: the hub's name. uploads: reads the bodies of all fronts of this process.
    """
    views = api_views(desk, finder, audit, title)
    document = orjson.dumps(views.api_doc)

    def answered(environ: WSGIEnvironment) -> _Answer:
        if environ.get("PATH_INFO") == DOCUMENT and environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            return 200, [("Content-Type", JSON)], document
        who = signin.sender(environ)
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD", "OPTIONS"):
            if environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() != JSON:
                raise WrongMediaType(f"send {JSON}")
            body = uploads.read(environ, who.organisation)
            signin.limits.posted(who, len(body))
            environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        environ[PRINCIPAL] = who
        status, headers, found = _of(views, environ)
        return (204, headers, b"") if environ["REQUEST_METHOD"] == "OPTIONS" else (status, headers, found)

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            status, headers, body = answered(environ)
        except Exception as error:  # noqa: BLE001 - the WSGI entry: nothing may fall through
            status, headers, body = _refused(error)
            if status != HTTPStatus.TOO_MANY_REQUESTS:
                uploads.discard(environ)
        headers += [("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")]
        if status != HTTPStatus.NO_CONTENT:
            headers.append(("Content-Length", str(len(body))))
        start_response(f"{status} {HTTPStatus(status).phrase}", headers)
        return [b""] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    return application


def api_views(desk: Desk, finder: Finder, audit: Audit, title: str) -> OpenAPI:
    """Return a Flask application with the views of all resources; every error in it is raised out of it."""
    bearer: dict[str, Any] = {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "an API token of this hub"}}
    info = Info(title=title, version=__version__, description="Times are UTC with microseconds, RFC 3339.")
    views = OpenAPI(
        "hub.api",
        info=info,
        security_schemes=bearer,
        doc_ui=False,
        validation_error_status=400,
        validation_error_model=Problem,
        validation_error_callback=not_as_described,
        static_folder=None,
    )
    views.json = _Json(views)
    views.config.update(PROPAGATE_EXCEPTIONS=True, TRAP_HTTP_EXCEPTIONS=True)
    views.url_map.strict_slashes = False
    views.url_map.merge_slashes = False
    for resource in (advisories, consent):
        views.register_api(resource.views(PREFIX, desk, audit))
    views.register_api(search.views(PREFIX, finder))
    return views


def _of(views: OpenAPI, environ: WSGIEnvironment) -> _Answer:
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> Any:
        started.append((status, headers))

    pieces = views.wsgi_app(environ, start_response)
    body = b"".join(pieces)
    status, headers = started[-1]
    dull = ("Content-Length", "Content-Type") if environ["REQUEST_METHOD"] == "OPTIONS" else ("Content-Length",)
    return int(status[:3]), [pair for pair in headers if pair[0] not in dull], body


def _refused(error: Exception) -> _Answer:
    allow: list[tuple[str, str]] = []
    if isinstance(error, HubError):
        found = error
    elif isinstance(error, HTTPException):
        found = of_http(error)
        allow = [("Allow", ", ".join(sorted(getattr(error, "valid_methods", None) or ())))]
    else:
        found = InternalError("the hub made a mistake; its operator finds it in the log by this error_id")
    error_id = ""
    if found.status >= InternalError.status:
        error_id = str(uuid.uuid4())
        mistake = error if isinstance(found, InternalError) else None
        log.error("api request failed", error_id=error_id, code=found.code, why=found.message, exc_info=mistake)
    status, headers, body = problem(found, error_id)
    return status, headers + (allow if isinstance(found, MethodNotAllowed) else []), body
