"""The WSGI edge around medallion's views: what they read wrongly is read here, once, and passed on in the one form
they know; what leaves them is given the shape that TAXII 2.1 wants.

In: path, sign-in, method, ``Accept``, query, body length, ``Content-Type`` (rows A03-A11, D04-D07, I03-I28, O01-O04
of the requirements). Out: every error as an error resource in the TAXII media type (A14-A18), one list of bytes.
"""

from __future__ import annotations

import io
import uuid
from http import HTTPMethod
from typing import TYPE_CHECKING, Any

import structlog
from flask import Flask
from medallion.exceptions import MedallionError
from werkzeug.exceptions import HTTPException

from hub.access.signin import SignIn
from hub.errors import (
    BadRequest,
    HubError,
    InternalError,
    MethodNotAllowed,
    NotAcceptable,
    NotAllowed,
    NotFound,
    RequestError,
    TooLarge,
    TooManyRequests,
    Unprocessable,
    WrongMediaType,
)
from hub.ops.uploads import STRANGER, Uploads
from hub.taxii import routes
from hub.taxii.answers import Answer, error_answer, taxii_answer
from hub.taxii.asked import ASKED, Asked
from hub.taxii.backend import HubBackend
from hub.taxii.filters import read_filters
from hub.taxii.media import TAXII_21, accepts_taxii, is_taxii
from hub.taxii.routes import Address

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

log = structlog.get_logger("hub.taxii")

_WRITING = {HTTPMethod.POST: "objects.post", HTTPMethod.DELETE: "objects.delete"}
_SENDER = "hub.taxii.sender"
_BY_STATUS: dict[int, type[RequestError]] = {
    error.status: error
    for error in (BadRequest, NotAllowed, NotFound, NotAcceptable, TooLarge, WrongMediaType, Unprocessable)
}


class Edge:
    """Answers one TAXII request after the other; called from any thread."""

    def __init__(self, application: Flask, backend: HubBackend, signin: SignIn, uploads: Uploads) -> None:
        self._application = application.wsgi_app
        self._backend = backend
        self._signin = signin
        self._uploads = uploads

    def answer(self, environ: WSGIEnvironment) -> Answer:
        """Answer a request; never raises."""
        address = routes.read_path(environ.get("PATH_INFO", ""))
        try:
            return self._answer(environ, address)
        except HubError as error:
            found: HubError = error
        except (MedallionError, HTTPException) as error:
            found = _translated(error)
        except Exception as error:  # noqa: BLE001 - the WSGI entry: nothing may fall through
            found = InternalError("the hub made a mistake; its operator finds it in the log by this error_id")
            found.__cause__ = error
        self._note_refusal(environ, found)
        if not isinstance(found, TooManyRequests):
            self._uploads.discard(environ, environ.get(_SENDER, STRANGER))
        error_id = ""
        if found.status >= 500:
            error_id = str(uuid.uuid4())
            mistake = found if isinstance(found, InternalError) else None
            log.error("taxii request failed", error_id=error_id, code=found.code, why=found.message, exc_info=mistake)
        return error_answer(found, error_id=error_id, allow=address.route.allow if address else "")

    def _answer(self, environ: WSGIEnvironment, address: Address | None) -> Answer:
        principal = self._signin.sender(environ)
        environ[_SENDER] = principal.organisation
        if address is None or not self._exists(address):
            raise NotFound("there is no such TAXII address or API root")
        method = environ["REQUEST_METHOD"]
        if method == HTTPMethod.OPTIONS:
            return Answer(204, [], [("Allow", address.route.allow)])
        read_as = HTTPMethod.GET if method == HTTPMethod.HEAD else method
        if read_as not in address.route.methods:
            raise MethodNotAllowed(f"{address.route.name} takes {', '.join(address.route.methods)}")
        if not accepts_taxii(environ.get("HTTP_ACCEPT")):
            raise NotAcceptable(f"this address answers in {TAXII_21} only")
        filters = read_filters(environ.get("QUERY_STRING", ""), address.route.parameters)
        collection = self._backend.collections.at(address.api_root, address.collection)
        if collection is not None and not self._backend.collections.may_know(principal, collection):
            collection = None
        asked = Asked(principal, address, collection, filters, bodiless=method == HTTPMethod.HEAD)
        if read_as == HTTPMethod.GET and address.route is routes.OBJECTS and self._readable(asked):
            # The same bytes as medallion's view would give, without its cost (a test compares them).
            most = self._backend.front.page_size
            return taxii_answer(200, *self._backend.page(asked, min(filters.limit or most, most)))
        if read_as == HTTPMethod.POST:
            self._prepare_body(environ, asked)
        path = environ["PATH_INFO"].removesuffix("/") + "/"
        environ |= {ASKED: asked, "REQUEST_METHOD": read_as, "HTTP_ACCEPT": TAXII_21, "PATH_INFO": path}
        return self._medallion(environ)

    def _note_refusal(self, environ: WSGIEnvironment, error: HubError) -> None:
        """Leave a trace of who tried to write what he may not; reading leaves none."""
        asked: Asked | None = environ.get(ASKED)
        action = _WRITING.get(environ["REQUEST_METHOD"])
        if isinstance(error, NotAllowed) and asked is not None and action is not None:
            self._backend.note_refusal(asked, action, environ.get("REMOTE_ADDR", ""), error.code)

    def _exists(self, address: Address) -> bool:
        if address.route is routes.DISCOVERY:
            return True
        return self._backend.get_api_root_information(address.api_root) is not None

    def _readable(self, asked: Asked) -> bool:
        collection = asked.collection
        return collection is not None and self._backend.collections.may_read(asked.principal, collection)

    def _prepare_body(self, environ: WSGIEnvironment, asked: Asked) -> None:
        if not is_taxii(environ.get("CONTENT_TYPE")):
            raise WrongMediaType(f"send {TAXII_21}")
        if asked.collection is None or not self._backend.collections.may_write(asked.principal, asked.collection):
            return  # the view refuses it without looking at the body
        body = self._uploads.read(environ, asked.principal.organisation)
        self._signin.limits.posted(asked.principal, len(body))
        if not body:
            raise BadRequest("the body is empty: send an envelope")
        environ |= {"CONTENT_TYPE": TAXII_21, "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}

    def _medallion(self, environ: WSGIEnvironment) -> Answer:
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> Any:
            started.append((status, headers))

        pieces = self._application(environ, start_response)
        try:
            body = list(pieces)
        finally:
            if hasattr(pieces, "close"):
                pieces.close()
        status, headers = started[-1]
        return Answer(int(status[:3]), body, [pair for pair in headers if pair[0] != "Content-Length"])


def _translated(error: MedallionError | HTTPException) -> HubError:
    if isinstance(error, MedallionError):
        status, message = error.status, str(error.message)
    else:
        status, message = error.code or 500, error.description or error.name
    if kind := _BY_STATUS.get(status):
        return kind(message)
    return InternalError(message) if status >= 500 else BadRequest(message)
